"""One feature at a time: made, replaced, changed or removed, in the caller's transaction."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
import shapely
from psycopg import sql
from pydantic import BaseModel, Field

from geo_grid.db import AsyncConnection, ewkb, fetch_one
from geo_grid.errors import Conflict, Forbidden, Outdated, UserError
from geo_grid.exchange.geometry import read_geometry
from geo_grid.exchange.rows import moments_of, read_row
from geo_grid.layers import Layer
from geo_grid.layers.cameras import is_local
from geo_grid.layers.features import read_feature
from geo_grid.layers.published import PublishedCrs
from geo_grid.locate.lookup import QUERIES as LOCATE_QUERIES
from geo_grid.moments import Times
from geo_grid.response import build_circles_of

_ELSEWHERE = "this place is in none of your grid cells"


class GivenFeature(BaseModel):
    """A GeoJSON feature from outside. Members that the system itself adds, such as links, are not looked at."""

    type: Literal["Feature"]
    geometry: dict[str, Any]
    properties: dict[str, Any] | None = None


class FeatureChange(BaseModel):
    """Part of a GeoJSON feature (RFC 7396, JSON Merge Patch): null takes a property away."""

    type: Literal["Feature"] = "Feature"
    geometry: dict[str, Any] | None = None
    properties: dict[str, Any] = Field(default_factory=dict)


class Editor(NamedTuple):
    """Edits a layer on one connection.

    Attributes
    ----------
    connection
        In a transaction on behalf of whoever edits.
    crs
        Of the geometry they send.
    timezone
        Of times that name none.
    circle_speed_kmh, circle_detour_factor
        Of the circles of a post that is made or moved.
    """

    connection: AsyncConnection
    layer: Layer
    crs: PublishedCrs
    timezone: str
    circle_speed_kmh: float
    circle_detour_factor: float

    async def create(self, given: GivenFeature) -> str:
        """Make a feature and return its key.

        Raises
        ------
        UserError
            A field or the geometry is wrong.
        Conflict
            The key is taken, or it names what there is not.
        Forbidden
            Its place is not in the cells of whoever asks.
        """
        row = await self._row(given.properties or {}, given.geometry)
        key = str(row[self.layer.key])
        statement = sql.SQL("insert into {table} ({columns}) values ({values})").format(
            table=sql.Identifier(self.layer.name),
            columns=sql.SQL(", ").join(map(sql.Identifier, row)),
            values=sql.SQL(", ").join(map(sql.Placeholder, row)),
        )
        with _explained(key):
            await self.connection.execute(statement, row)
        await self._draw_circles(key)
        return key

    async def replace(self, key: str, given: GivenFeature, if_match: str | None = None) -> str:
        """Replace a feature, and return its key: fields that are not given get their defaults.

        Parameters
        ----------
        if_match
            States (see `read_feature`) of which it must have one; None: any.

        Raises
        ------
        NotFound
            There is none.
        Outdated
            Somebody changed it meanwhile.
        UserError, Conflict, Forbidden
            See `create`.
        """
        await self._hold(key, if_match)
        return await self._update(key, given.properties or {}, given.geometry)

    async def change(self, key: str, change: FeatureChange, if_match: str | None = None) -> str:
        """Change what is given of a feature, and return its key; raises as `replace` does."""
        stored = await self._hold(key, if_match)
        merged = {**json.loads(stored["properties"]), **change.properties}
        given = {name: value for name, value in merged.items() if value is not None}
        return await self._update(key, given, change.geometry)

    async def remove(self, key: str, if_match: str | None = None) -> None:
        """Remove a feature. Raises NotFound, Outdated, Forbidden, or Conflict while others depend on it."""
        await self._hold(key, if_match)
        statement = sql.SQL("delete from {table} where {key} = %(key)s").format(
            table=sql.Identifier(self.layer.name), key=sql.Identifier(self.layer.key)
        )
        with _explained(key):
            await self.connection.execute(statement, {"key": key})

    async def _hold(self, key: str, if_match: str | None) -> dict[str, Any]:
        """Lock a row against others' changes and return it as it is now."""
        statement = sql.SQL("select from {table} where {key} = %(key)s for update").format(
            table=sql.Identifier(self.layer.name), key=sql.Identifier(self.layer.key)
        )
        held = len(await (await self.connection.execute(statement, {"key": key})).fetchall())
        stored = await read_feature(self.connection, self.layer, key)
        if not held:
            raise Forbidden(_ELSEWHERE)
        if held > 1:
            message = f"{key!r} was registered twice: whoever answers only for the cells of one of them removes it"
            raise Conflict(message)
        if if_match is not None and if_match.strip() != "*" and stored["state"] not in _tags(if_match):
            message = f"{key!r} was changed by somebody meanwhile: read it again and decide anew"
            raise Outdated(message)
        return stored

    async def _update(self, key: str, properties: dict[str, Any], geometry: dict[str, Any] | None) -> str:
        row = await self._row({self.layer.key: key, **properties}, geometry)
        new = str(row.pop(self.layer.key))
        if new != key and not (self.layer.name == "cameras" and is_local(key)):  # until it has a national one
            message = f"{self.layer.key} is what {key!r} is known by, and stays; make a new feature instead"
            raise UserError(message)
        if new != key:
            row[self.layer.key] = new
        statement = sql.SQL("update {table} set {values} where {key} = %(key)s").format(
            table=sql.Identifier(self.layer.name),
            values=sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in row
            ),
            key=sql.Identifier(self.layer.key),
        )
        with _explained(new):
            await self.connection.execute(statement, {**row, "key": key})
        if geometry is not None:
            await self._draw_circles(new)
        return new

    async def _row(self, properties: dict[str, Any], geometry: dict[str, Any] | None) -> dict[str, Any]:
        """Return the columns to write: without what the system itself knows, which a client sends back as it read it."""
        known = self.layer.columns.keys() - self.layer.row.model_fields.keys()
        given = {name: value for name, value in properties.items() if name not in known and value is not None}
        row = read_row(self.layer, given, dict.fromkeys(moments_of(self.layer), Times(ZoneInfo(self.timezone))))
        if not row[self.layer.key]:
            message = f"{self.layer.key}: it has none; a local one begins with LOCAL-, such as LOCAL-CC-001"
            raise UserError(message)
        if geometry is not None:
            row["geom"] = await self._geometry(geometry)
        return row

    async def _geometry(self, geometry: dict[str, Any]) -> str:
        try:
            shape = shapely.from_geojson(json.dumps(geometry))
        except shapely.errors.GEOSException:
            message = "geometry is no GeoJSON geometry"
            raise UserError(message) from None
        if self.crs.is_flipped:
            shape = shapely.transform(shape, lambda xy: xy[:, ::-1])
        found = await fetch_one(self.connection, LOCATE_QUERIES["extent"])
        extent = None if found["west"] is None else (found["west"], found["south"], found["east"], found["north"])
        read, problems = read_geometry([shape], self.crs.name, self.layer, extent)
        if problems:
            raise UserError(problems[0])
        return str(ewkb(read)[0])

    async def _draw_circles(self, key: str) -> None:
        if self.layer.name == "police_posts":
            await build_circles_of(self.connection, key, self.circle_speed_kmh, self.circle_detour_factor)


def _tags(if_match: str) -> set[str]:
    return {tag.strip().strip('"') for tag in if_match.split(",")}


@contextlib.contextmanager
def _explained(key: str) -> Iterator[None]:
    """Say in words what the database refuses."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as refused:
        is_told = refused.diag.source_function == "exec_stmt_raise"  # by our own functions, in words for people
        raise Forbidden(str(refused.diag.message_primary) if is_told else _ELSEWHERE) from None
    except psycopg.errors.UniqueViolation:
        message = f"{key!r} is stored already: change it, or choose another key"
        raise Conflict(message) from None
    except psycopg.errors.ForeignKeyViolation as refused:
        if refused.diag.constraint_name == "cameras_platform_code_fkey":
            message = "there is no such platform: GET /cameras/platforms lists them"
            raise Conflict(message) from None
        which = refused.diag.message_detail or refused.diag.message_primary
        message = f"other things depend on this, or it names what there is not: {which}"
        raise Conflict(message) from None
    except psycopg.errors.CheckViolation as refused:
        message = f"{key!r} cannot be stored: {refused.diag.message_primary}"
        raise UserError(message) from None
