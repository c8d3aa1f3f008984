"""Queries of a layer's rows as features: filter, sorting and paging."""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from psycopg import sql

from geo_grid.budgets import MAPS
from geo_grid.china_datums import shifted_geometry
from geo_grid.db import AsyncConnection, load_queries
from geo_grid.errors import InvalidQuery, NotFound
from geo_grid.layers.boxes import Box
from geo_grid.layers.filters import Condition
from geo_grid.layers.geojson import geojson_of
from geo_grid.layers.layer import Layer
from geo_grid.layers.published import CRS84, PublishedCrs

QUERIES = load_queries("geo_grid.layers", "editions.sql")


@dataclass(frozen=True)
class FeatureQuery:
    """A query of the features of a layer.

    Attributes
    ----------
    limit
        Most features on one page.
    boxes
        A feature must intersect one of them: west, south, east, north in degrees. Two for a box across 180 degrees.
    span
        First and last moment, None: open. Features in force, or events, in this interval. None: features in force now.
    conditions
        All must hold; see `filters`.
    sort
        Columns, each with a flag for descending order; ties are ordered by the primary key.
    properties
        Columns of the output; None: all.
    after
        End of the previous page: its `Page.next`.
    crs
        Reference system of the output geometry.
    """

    limit: int = 10
    boxes: tuple[Box, ...] = ()
    span: tuple[datetime | None, datetime | None] | None = None
    conditions: tuple[Condition, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    properties: tuple[str, ...] | None = None
    after: str | None = None
    crs: PublishedCrs = CRS84


@dataclass(frozen=True)
class Page:
    """A page of features.

    Attributes
    ----------
    rows
        Rows with id, geometry (GeoJSON text) and properties (JSON text), or with all columns and the geometry as WKB.
    next
        Value of `after` for the next page; None: this is the last.
    """

    rows: list[dict[str, Any]]
    next: str | None


async def read_page(connection: AsyncConnection, layer: Layer, query: FeatureQuery, as_table: bool = False) -> Page:
    """Read a page of features.

    Parameters
    ----------
    as_table
        Return columns by name and the geometry as WKB, for file formats, not JSON text.

    Raises
    ------
    InvalidQuery
        A column, a box or `after` is not valid.
    """
    values: dict[str, Any] = {"limit": query.limit + 1}
    keys = [*query.sort, (layer.id_column, False)]
    kinds = {**layer.queryables, layer.id_column: "bigint"}
    beyond = [] if query.after is None else [_beyond(keys, kinds, query.after, values)]
    # select the keys of the page first, so that geometry and text are serialised for its rows only, not for all matches
    statement = sql.SQL(
        "with page as materialized (select s.{key} from ({stored}) s where {where} order by {order} limit %(limit)s)"
        " select {what}, jsonb_build_array({place})::text as place from page join ({stored}) s using ({key}) order by {order}"
    ).format(
        key=sql.Identifier(layer.id_column),
        what=_table(layer, query) if as_table else _json(layer, query),
        place=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier("s", name)) for name, _ in keys),
        stored=sql.SQL(layer.query("stored")),
        where=_where(layer, query, values, *beyond),
        order=sql.SQL(", ").join(
            sql.SQL("{} {} nulls last").format(sql.Identifier("s", name), sql.SQL("desc" if falls else "asc"))
            if name != layer.id_column
            else sql.Identifier("s", name)
            for name, falls in keys
        ),
    )
    rows = await (await connection.execute(statement, values)).fetchall()
    rows = await shifted_rows(rows, query.crs)
    more = len(rows) > query.limit
    places = [row.pop("place") for row in rows[: query.limit]]
    following = base64.urlsafe_b64encode(json.dumps(places[-1]).encode()).decode().rstrip("=") if more else None
    return Page(rows[: query.limit], following)


async def read_feature(
    connection: AsyncConnection, layer: Layer, key: str, crs: PublishedCrs = CRS84
) -> dict[str, Any]:
    """Read one feature in force, as a row of a `Page`, with its `state`: a digest of all columns but those that pass.

    Of several with this key (two townships that registered one camera) it is the one that was stored first.

    Raises
    ------
    NotFound
        There is none, or the principal may not see it.
    """
    name = layer.item_key or layer.key
    kind = layer.columns[name]
    message = f"there is no {key!r} in {layer.name}"
    if kind == "bigint" and not (key.isascii() and key.isdigit() and len(key) < 19):
        raise NotFound(message)
    query = FeatureQuery(crs=crs)
    values: dict[str, Any] = {"key": key}
    statement = sql.SQL(
        "select {what}, md5({digested}::text) as state from ({stored}) s where {where} and {key} = %(key)s::text::{kind}"
        " order by {first} limit 1"
    ).format(
        what=_json(layer, query),
        digested=sql.SQL("(to_jsonb(s) - {}::text[])").format(sql.Literal(sorted(layer.passing)))
        if layer.passing
        else sql.Identifier("s"),
        stored=sql.SQL(layer.query("stored")),
        where=_where(layer, query, values),
        key=sql.Identifier("s", name),
        kind=sql.SQL(kind),
        first=sql.Identifier("s", layer.id_column),
    )
    row = await (await connection.execute(statement, values)).fetchone()
    if row is None:
        raise NotFound(message)
    return (await shifted_rows([row], crs))[0]


async def shifted_rows(rows: list[dict[str, Any]], crs: PublishedCrs) -> list[dict[str, Any]]:
    """Convert the geometry of rows to a shifted datum (`geometry` as GeoJSON, `geom` as WKB); unchanged for other systems."""
    if not crs.shift or not rows:
        return rows
    return await MAPS.run(None, _shifted, rows, crs)


def _shifted(rows: list[dict[str, Any]], crs: PublishedCrs) -> list[dict[str, Any]]:
    column = "geom" if "geom" in rows[0] else "geometry"
    given = [row[column] if row[column] is None or column == "geometry" else bytes(row[column]) for row in rows]
    shapes = shapely.from_wkb(given) if column == "geom" else shapely.from_geojson(given)
    moved = shapely.transform(shifted_geometry(shapes, crs.shift), lambda xy: np.round(xy, crs.digits))
    encoded = shapely.to_wkb(moved) if column == "geom" else shapely.to_geojson(moved)
    return [{**row, column: one} for row, one in zip(rows, encoded.tolist(), strict=True)]


async def edition_in_force(connection: AsyncConnection) -> datetime | None:
    """Return the moment from which the edition in force has been in force; None: there is no edition.

    A query as of that moment always gives the same boundaries, since later editions begin later.
    """
    row = await (await connection.execute(QUERIES["in_force"])).fetchone()
    return row["valid_from"] if row else None


def as_feature(row: dict[str, Any]) -> str:
    """Serialise a row as a GeoJSON feature: geometry and properties are JSON text already, and are inserted as they are."""
    return (
        f'{{"type":"Feature","id":{json.dumps(row["id"])},"geometry":{row["geometry"] or "null"},'
        f'"properties":{row["properties"]}}}'
    )


def exported_columns(layer: Layer, with_texts: bool = False) -> list[str]:
    """Return the columns of an export: those of boundaries without valid_from and valid_to, private ones only if wanted."""
    left_out = frozenset(layer.moments if layer.is_boundary else ()) | (frozenset() if with_texts else layer.private)
    return [name for name in layer.columns if name not in left_out]


def all_rows(layer: Layer, with_texts: bool = False) -> sql.Composed:
    """Return the statement of an export: all rows in force, by column, with the geometry as WKB."""
    return sql.SQL(
        "select {columns}, ST_AsBinary(s.geom) as geom from ({stored}) s where {where} order by {key}"
    ).format(
        columns=sql.SQL(", ").join(sql.Identifier("s", name) for name in exported_columns(layer, with_texts)),
        stored=sql.SQL(layer.query("stored")),
        where=_where(layer, FeatureQuery(), {}),
        key=sql.Identifier("s", layer.id_column),
    )


def given_out(layer: Layer, query: FeatureQuery) -> list[str]:
    """Return the output columns of a query, in the layer's order. Raises InvalidQuery."""
    for name in query.properties or ():
        if name not in layer.columns:
            message = f"{layer.name} has no property {name[:80]!r}; it has {', '.join(layer.columns)}"
            raise InvalidQuery(message)
    return [name for name in layer.columns if query.properties is None or name in query.properties]


def _json(layer: Layer, query: FeatureQuery) -> sql.Composed:
    pairs = [sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier("s", name)) for name in given_out(layer, query)]
    return sql.SQL("{key}::text as id, {geometry} as geometry, json_build_object({pairs})::text as properties").format(
        key=sql.Identifier("s", layer.item_key or layer.key),
        geometry=geojson_of(_transformed(query.crs), query.crs.digits, query.crs.is_flipped),
        pairs=sql.SQL(", ").join(pairs),
    )


def _table(layer: Layer, query: FeatureQuery) -> sql.Composed:
    # file formats store x before y, whatever the axis order of the reference system
    geom = sql.SQL("ST_AsBinary({}) as geom").format(_transformed(query.crs))
    return sql.SQL(", ").join([*(sql.Identifier("s", name) for name in given_out(layer, query)), geom])


def _transformed(crs: PublishedCrs) -> sql.Composable:
    if crs.srid == 4490:
        return sql.SQL("s.geom")
    return sql.SQL("ST_Transform(s.geom, {})").format(sql.Literal(crs.srid))


def _where(layer: Layer, query: FeatureQuery, values: dict[str, Any], *more: sql.Composable) -> sql.Composed:
    """Return the condition on rows, and add its bound values to `values`."""
    return sql.SQL(" and ").join([*_conditions(layer, query, values), *more] or [sql.SQL("true")])


def _conditions(layer: Layer, query: FeatureQuery, values: dict[str, Any]) -> Iterator[sql.Composable]:
    boxes = []
    for number, box in enumerate(query.boxes):
        names = [f"{side}_{number}" for side in ("west", "south", "east", "north")]
        values.update(zip(names, box, strict=True))
        # a degenerate polygon of ST_MakeEnvelope intersects nothing; a box cast to geometry becomes a point or a line
        envelope = sql.SQL(
            "ST_SetSRID(ST_MakeBox2D(ST_MakePoint({}, {}), ST_MakePoint({}, {}))::geometry, 4490)"
        ).format(*map(sql.Placeholder, names))
        boxes.append(sql.SQL("(s.geom && {0} and ST_Intersects(s.geom, {0}))").format(envelope))
    if boxes:
        yield sql.SQL("({})").format(sql.SQL(" or ").join(boxes))
    yield from _in_span(layer, query, values)
    for condition, bound in query.conditions:
        values |= bound
        yield condition


def _in_span(layer: Layer, query: FeatureQuery, values: dict[str, Any]) -> Iterator[sql.Composable]:
    """Yield conditions for rows that happened, or were in force, in the span; without one, for boundaries in force now."""
    if not layer.moments or (query.span is None and len(layer.moments) == 1):
        return
    first, last = sql.Identifier("s", layer.moments[0]), sql.Identifier("s", layer.moments[-1])
    if query.span is None:
        now = sql.SQL("now()")  # the same for all statements of a transaction, and so all pages of one file
        yield sql.SQL("{0} <= {2} and ({1} is null or {2} < {1})").format(first, last, now)
        return
    begin, end = query.span
    values |= {"begin": begin, "end": end}
    if end is not None:
        yield sql.SQL("{} <= %(end)s::timestamptz").format(first)
    if begin is not None and len(layer.moments) == 2:
        yield sql.SQL("({0} is null or {0} > %(begin)s::timestamptz)").format(last)
    elif begin is not None:
        yield sql.SQL("{} >= %(begin)s::timestamptz").format(last)


def _beyond(keys: list[tuple[str, bool]], kinds: dict[str, str], after: str, values: dict[str, Any]) -> sql.Composable:
    """Return the condition for rows after a position in the order (keyset paging); nulls are last."""
    try:
        place = json.loads(json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4))))
        if [isinstance(part, str | None) for part in place] != [True] * len(keys) or place[-1] is None:
            raise ValueError
    except (binascii.Error, ValueError, TypeError, UnicodeDecodeError, RecursionError):
        message = "after is not where a page of this question ended: follow the link next"
        raise InvalidQuery(message) from None
    ways: list[sql.Composable] = []
    same: list[sql.Composable] = []
    for number, ((name, falls), value) in enumerate(zip(keys, place, strict=True)):
        values[f"place_{number}"] = value
        column = sql.Identifier("s", name)
        bound = sql.SQL("{}::text::{}").format(sql.Placeholder(f"place_{number}"), sql.SQL(kinds[name]))
        if value is not None:
            beyond = sql.SQL("{} {} {}").format(column, sql.SQL("<" if falls else ">"), bound)
            if number < len(keys) - 1:
                beyond = sql.SQL("({} or {} is null)").format(beyond, column)
            ways.append(sql.SQL("({})").format(sql.SQL(" and ").join([*same, beyond])))
        same.append(sql.SQL("{} is null").format(column) if value is None else sql.SQL("{} = {}").format(column, bound))
    return sql.SQL("({})").format(sql.SQL(" or ").join(ways))
