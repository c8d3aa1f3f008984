"""What a layer is: a table, the fields of a row, and how it answers for a part of the map."""

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
"""What a thing is known by where no standard says."""


class LayerRow(BaseModel):
    """The attributes of one row of a layer, without its geometry. Each layer has its own."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True)

    is_demo: bool = False

    defaults: ClassVar[dict[str, str]] = {}
    """Fields that take another field's value when a file has no column for them."""


_TYPES = {"string": "text", "integer": "bigint", "number": "double precision", "boolean": "boolean"}
_FORMATS = {"date-time": "timestamptz"}
_ASSIGNED = {"grid_code": "text", "zone_code": "text", "edition_id": "bigint", "unassigned": "boolean"}


@dataclass(frozen=True)
class Layer:
    """A thing on the map.

    Attributes
    ----------
    name
        Name of the layer and of its table.
    title_zh, title_en
        What people call it.
    row
        Model of a row: field names are column names.
    key
        The field people know a row by; unique.
    geometry_types
        GeoJSON geometry types that are taken.
    stored_type
        Type they are stored as.
    is_boundary
        Rows live in editions and change only by publishing one.
    is_assigned
        Rows carry the grid cell and patrol zone that own them.
    item_key
        The column that names an item over HTTP, where it is not `key`.
    more
        Columns that a row has besides its fields, with their type in PostgreSQL: what the system knows of it.
    hidden
        Fields that are never given out.
    private
        Fields that are given out row by row to whom they are for: nobody can filter or sort by them.
    moments
        Columns that say when: one for an instant, two for a range whose end is open while null.
    min_zoom
        First web map zoom at which it is drawn in tiles; before, its things would lie on each other.
    drawn_from
        Tables that its tiles depend on; none: its changes are not told.
    is_editable
        Rows are made, changed and removed one by one, by whoever has the right.
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
    hidden: frozenset[str] = frozenset()
    private: frozenset[str] = frozenset()
    moments: tuple[str, ...] = ()
    min_zoom: int = 0
    drawn_from: tuple[Table, ...] = ()
    is_editable: bool = False

    @cached_property
    def columns(self) -> dict[str, str]:
        """What is given out of a row, by name, with the type in PostgreSQL."""
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
        """Whether its .sql file says how it is drawn in tiles; else it is drawn from its items."""
        return "drawn" in load_queries("geo_grid.layers", f"{self.name}.sql")

    def query(self, name: str) -> str:
        """Return a named statement of the layer's .sql file."""
        return load_queries("geo_grid.layers", f"{self.name}.sql")[name]


def _type_of(schema: dict[str, Any]) -> str:
    """Return the type in PostgreSQL for a JSON Schema of a field."""
    given = next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
    return _FORMATS.get(given.get("format", "")) or _TYPES[given["type"]]
