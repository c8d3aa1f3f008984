"""Definition of a layer: its table, the fields of a row, and its properties on the map."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from geo_grid.changes import Table
from geo_grid.db import load_queries

MOST_COUNTED = 2**31 - 1
"""The largest `integer` of PostgreSQL."""
_CODE = re.compile(r"[0-9A-Za-z._-]{1,32}", re.ASCII)


def _local_code(value: str) -> str:
    """Return a code that follows the scheme `local` (migration 0001). Raises ValueError."""
    if not _CODE.fullmatch(value):
        message = (
            f"{value[:40]!r} is no code: 1 to 32 letters (A-Z), digits, dots, underscores or hyphens, without spaces"
        )
        raise ValueError(message)
    return value


LocalCode = Annotated[str, AfterValidator(_local_code)]
"""Type of codes without a standard."""

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of the text after them (UAX #9, explicit formatting)."""


def _name(value: str) -> str:
    """Return a name that shows all that is in it, in one line. Raises ValueError."""
    if found := _UNSEEN.search(value):
        message = f"it holds the character U+{ord(found[0]):04X}, which no name has"
        raise ValueError(message)
    return value


Name = Annotated[str, AfterValidator(_name)]
"""Type of names."""


class LayerRow(BaseModel):
    """Base of the models of rows, without their geometry. Each layer has its own."""

    model_config = ConfigDict(
        extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True, allow_inf_nan=False
    )

    is_demo: bool = False

    defaults: ClassVar[dict[str, str]] = {}
    """Fields that take another field's value when a file has no column for them."""


_TYPES = {"string": "text", "integer": "bigint", "number": "double precision", "boolean": "boolean"}
_FORMATS = {"date-time": "timestamptz"}
_ASSIGNED = {"grid_code": "text", "zone_code": "text", "edition_id": "bigint", "unassigned": "boolean"}


@dataclass(frozen=True)
class Layer:
    """A layer of the map.

    Attributes
    ----------
    name
        Name of the layer and of its table.
    title_zh, title_en
        Titles for people.
    row
        Model of a row: field names are column names.
    key
        Field that identifies a row for people; unique.
    geometry_types
        GeoJSON geometry types that are accepted.
    stored_type
        Geometry type of the table.
    is_boundary
        Rows belong to editions and change only by publishing one.
    is_assigned
        Rows have the grid cell and patrol zone that own them.
    item_key
        Column that identifies an item over HTTP, if that is not `key`.
    more
        Columns of a row in addition to its fields, with their types in PostgreSQL, which the system fills in.
    passing
        Columns in `more` that change without an edit of the row: the state of a feature, by which an editor knows that somebody
        changed it meanwhile, leaves them out, and tiles of the layer are cached for seconds only.
    hidden
        Fields that are never in an output.
    private
        Fields that are masked row by row, depending on the principal: they cannot be used for filters or sorting.
    moments
        Columns with times: one for an instant, two for a range whose end is open while null.
    narrowed_by
        Columns by whose values a map may show only a part of it; its statements for maps bind the values as `only_` and the name.
    min_zoom
        First web map zoom at which it is drawn in tiles; below, its features would overlap.
    drawn_from
        Tables that its tiles depend on; empty: it writes no changes.
    drawn_beside
        Layers that its tiles have in addition, each drawn by the statement of its name.
    is_within_city
        What lies more than 100 km outside the city is refused.
    is_editable
        Rows can be created, changed and deleted one by one with the right to do so.
    """

    name: str
    title_zh: str
    title_en: str
    row: type[LayerRow]
    key: str
    geometry_types: tuple[str, ...]
    stored_type: str
    is_boundary: bool = False
    is_assigned: bool = False
    item_key: str = ""
    more: Mapping[str, str] = field(default_factory=dict, hash=False)
    passing: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    private: frozenset[str] = frozenset()
    moments: tuple[str, ...] = ()
    narrowed_by: tuple[str, ...] = ()
    min_zoom: int = 0
    drawn_from: tuple[Table, ...] = ()
    drawn_beside: tuple[str, ...] = ()
    is_editable: bool = False
    is_within_city: bool = False

    @cached_property
    def columns(self) -> dict[str, str]:
        """Output columns by name, with their types in PostgreSQL."""
        schemas = self.row.model_json_schema()["properties"]
        fields = {name: _type_of(schema) for name, schema in schemas.items() if name not in self.hidden}
        return fields | (_ASSIGNED if self.is_assigned else {}) | dict(self.more)

    @cached_property
    def queryables(self) -> dict[str, str]:
        """Columns to filter and sort by, with the type in PostgreSQL."""
        return {name: kind for name, kind in self.columns.items() if name not in self.private}

    @property
    def fields(self) -> list[str]:
        """Names of the fields of a row."""
        return list(self.row.model_fields)

    @property
    def times(self) -> list[str]:
        """Names of the fields that are moments."""
        schemas = self.row.model_json_schema()["properties"]
        return [name for name, schema in schemas.items() if _type_of(schema) == "timestamptz"]

    @property
    def id_column(self) -> str:
        """Name of the primary key."""
        return "facility_id" if self.name == "facilities" else f"{self.name.removesuffix('s')}_id"

    @property
    def draws_itself(self) -> bool:
        """Whether its .sql file has a statement of its own for tiles; else they are drawn from its items."""
        return "drawn" in load_queries("geo_grid.layers", f"{self.name}.sql")

    def query(self, name: str) -> str:
        """Return a named statement of the layer's .sql file."""
        return load_queries("geo_grid.layers", f"{self.name}.sql")[name]


def _type_of(schema: dict[str, Any]) -> str:
    """Return the type in PostgreSQL for a JSON Schema of a field."""
    given = next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
    return _FORMATS.get(given.get("format", "")) or _TYPES[given["type"]]
