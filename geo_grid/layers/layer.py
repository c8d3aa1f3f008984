"""What a layer is: a table, the fields of a row, and how it answers for a part of the map."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from geo_grid.db import load_queries


class LayerRow(BaseModel):
    """The attributes of one row of a layer, without its geometry. Each layer has its own."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True)

    is_demo: bool = False

    defaults: ClassVar[dict[str, str]] = {}
    """Fields that take another field's value when a file has no column for them."""


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

    @property
    def fields(self) -> list[str]:
        """Names of the fields of a row."""
        return list(self.row.model_fields)

    @property
    def id_column(self) -> str:
        """Name of the primary key."""
        return "facility_id" if self.name == "facilities" else f"{self.name.removesuffix('s')}_id"

    def query(self, name: str) -> str:
        """Return a named statement of the layer's .sql file."""
        return load_queries("geo_grid.layers", f"{self.name}.sql")[name]

    def describe(self) -> dict[str, Any]:
        """Describe the layer for people and programs: fields with types, as JSON Schema."""
        return {
            "id": self.name,
            "title": self.title_en,
            "title_zh": self.title_zh,
            "key": self.key,
            "geometry_types": list(self.geometry_types),
            "schema": self.row.model_json_schema(),
        }
