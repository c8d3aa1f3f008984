"""Generates docs/layers.md: the columns of each layer."""

from typing import Any

from geo_grid.layers import REGISTRY
from geo_grid.layers.layer import Layer
from geo_grid.layers.meanings import meaning

_HEAD = """# What the layers hold

The columns of every layer: what an import takes (`geo-grid import`, `/imports`), what comes out (`/collections`, exports), and
what a filter may name. Made by `geo-grid layers > docs/layers.md`; do not edit.

**Required** is what every row of an import must have. What the program itself fills in cannot be imported: *told*.
*Not a filter*: given out row by row to whom it is for, so that nobody can filter or sort by it. A column that a file
names otherwise is mapped with `--column FIELD=COLUMN`; all rows get one value with `--set FIELD=VALUE`.
"""
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_TOLD = {"text": "text", "bigint": "whole number", "double precision": "number", "boolean": "true or false",
         "timestamptz": "time"}  # fmt: skip


def page() -> str:
    """Return the page, as Markdown."""
    return "\n".join([_HEAD, *(_section(layer) for layer in REGISTRY.values())])


def _section(layer: Layer) -> str:
    facts = [f"Geometry: {', '.join(layer.geometry_types)}.", f"Known by: `{layer.item_key or layer.key}`."]
    if layer.is_boundary:
        facts.append("Changes only by publishing ([`boundaries.md`](boundaries.md)).")
    if layer.is_editable:
        facts.append("Edited one by one ([`api.md`](api.md)).")
    schema = layer.row.model_json_schema()
    fields, required = schema["properties"], schema.get("required", [])
    told = [column for column in layer.columns if column not in fields]
    rows = [_row(layer, name, fields[name], name in required) for name in sorted(fields, key=lambda n: n == "is_demo")]
    rows += [f"| `{name}` | {_TOLD[layer.columns[name]]} | told | {_words(layer, name)} |" for name in told]
    head = f"## {layer.title_en} {layer.title_zh}: `{layer.name}`\n\n{' '.join(facts)}\n"
    return "\n".join([head, "| column | type | | meaning | 中文 |", "|---|---|---|---|---|", *rows, ""])


def _row(layer: Layer, name: str, schema: dict[str, Any], is_required: bool) -> str:
    marks = []
    if is_required:
        other = layer.row.defaults.get(name)
        marks.append("required" if other is None else f"required; `{other}` when the file has no such column")
    elif schema.get("default") not in (None, "", False):
        marks.append(
            f"`{str(schema['default']).lower() if schema['default'] is True else schema['default']}` if not given"
        )
    if name in layer.private:
        marks.append("not a filter")
    if name in layer.hidden:
        marks.append("never given out here")
    return f"| `{name}` | {_type(schema)} | {', '.join(marks)} | {_words(layer, name)} |"


def _words(layer: Layer, name: str) -> str:
    zh, en = meaning(layer, name)
    return f"{en} | {zh}"


def _type(schema: dict[str, Any]) -> str:
    given = next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
    if "enum" in given:
        return ", ".join(f"`{value}`" for value in given["enum"])
    if given.get("format") == "date-time":
        return "time"
    return _TYPES[given["type"]] + _limits(given)


def _limits(given: dict[str, Any]) -> str:
    least, most = given.get("minimum"), given.get("maximum", given.get("exclusiveMaximum"))
    if "exclusiveMinimum" in given:
        return f", more than {_number(given['exclusiveMinimum'])}" + (f", at most {_number(most)}" if most else "")
    if least is not None and most is not None:
        upto = f" to {_number(most)}" if "maximum" in given else f" to less than {_number(most)}"
        return f", {_number(least)}{upto}"
    if least is not None:
        return f", at least {_number(least)}"
    return f", at most {given['maxLength']} letters" if "maxLength" in given else ""


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"
