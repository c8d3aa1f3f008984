"""Translation of CQL2 (OGC 21-065r2) to an SQL condition: names become identifiers of known columns, values are bound."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

import cql2
import shapely
from psycopg import sql

from geo_grid.coordinates import geometry_to_lonlat, lonlat_problem, snap_geometry
from geo_grid.errors import InvalidCoordinates, InvalidQuery
from geo_grid.layers.boxes import read_box, shape_of
from geo_grid.layers.published import CRS84, PublishedCrs
from geo_grid.moments import read_moment

GEOMETRY = "geometry"
"""The queryable that is the geometry."""

_LONGEST = 2_000
"""Most characters of a filter: bounds the nesting to what the parser can recurse."""
_DEEPEST_TEXT = 10
"""Deepest nesting of parentheses in the text form: the time of the parser doubles with each level."""
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
_DEEPEST = 40
_MOST_VERTICES = 10_000

_COMPARISONS = {"=": "=", "<>": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_SPATIAL = {
    "s_intersects": "ST_Intersects", "s_within": "ST_Within", "s_contains": "ST_Contains", "s_equals": "ST_Equals",
    "s_disjoint": "ST_Intersects", "s_touches": "ST_Touches", "s_crosses": "ST_Crosses", "s_overlaps": "ST_Overlaps",
}  # fmt: skip
_INVERSE = {"s_within": "s_contains", "s_contains": "s_within"}
# between first and last moment of two spans (OGC 21-065r2, table 10: the relations of Allen, 1983)
_TEMPORAL = {
    "t_after": "{a0} > {b1}", "t_before": "{a1} < {b0}", "t_meets": "{a1} = {b0}", "t_metby": "{a0} = {b1}",
    "t_contains": "{a0} < {b0} and {a1} > {b1}", "t_during": "{a0} > {b0} and {a1} < {b1}",
    "t_equals": "{a0} = {b0} and {a1} = {b1}", "t_intersects": "{a0} <= {b1} and {a1} >= {b0}",
    "t_disjoint": "{a1} < {b0} or {a0} > {b1}", "t_starts": "{a0} = {b0} and {a1} < {b1}",
    "t_startedby": "{a0} = {b0} and {a1} > {b1}", "t_finishes": "{a0} > {b0} and {a1} = {b1}",
    "t_finishedby": "{a0} < {b0} and {a1} = {b1}", "t_overlaps": "{a0} < {b0} and {a1} > {b0} and {a1} < {b1}",
    "t_overlappedby": "{a0} > {b0} and {a0} < {b1} and {a1} > {b1}",
}  # fmt: skip
_NUMBERS = {"bigint", "double precision"}
_COUNTS = {"not": 1, "casei": 1, "isnull": 1, "between": 3, "in": 2, "like": 2}
"""Arguments of an operator; any number of `and` and `or`, two of all others."""


type Condition = tuple[sql.Composable, dict[str, Any]]
"""A condition of SQL over a table named `s`, and the values it binds."""


def read_filter(
    text: str,
    lang: Literal["cql2-text", "cql2-json"],
    queryables: Mapping[str, str],
    crs: PublishedCrs,
) -> Condition:
    """Parse a filter and return its condition.

    Parameters
    ----------
    queryables
        Columns that filters may use, with their types in PostgreSQL; `geometry` is added.
    crs
        Reference system of the coordinates in the filter.

    Raises
    ------
    InvalidQuery
        The filter is no CQL2, names an unknown property, or compares incompatible types.
    """
    if len(text) > _LONGEST:
        message = f"the filter is longer than {_LONGEST:,} characters"
        raise InvalidQuery(message)
    if lang == "cql2-text":
        _refuse_deep(text)
    try:
        tree = (cql2.parse_text if lang == "cql2-text" else cql2.parse_json)(text).to_json()
    except (cql2.ParseError, cql2.ValidationError, ValueError, TypeError) as error:
        message = f"the filter is no {lang}: {' '.join(str(error).split())[:300]}"
        raise InvalidQuery(message) from None
    reader = _Reader(queryables, crs, "filter")
    return reader.condition(tree, 0), reader.values


def _refuse_deep(text: str) -> None:
    if "\\'" in text:  # refused, so that the end of a string literal is unambiguous
        message = "write a quote within a text as two quotes: ''"
        raise InvalidQuery(message)
    depth = deepest = 0
    for sign in _QUOTED.sub("", text):
        depth += (sign == "(") - (sign == ")")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST_TEXT:
        message = f"the filter has more than {_DEEPEST_TEXT} parentheses within each other"
        raise InvalidQuery(message)


def read_equal(name: str, text: str, queryables: Mapping[str, str]) -> Condition:
    """Return the condition of a query parameter named like a queryable, equal to its value. Raises InvalidQuery."""
    kind = queryables[name]
    value: Any = {"timestamp": text} if kind == "timestamptz" else text
    try:
        if kind == "boolean":
            value = {"true": True, "false": False}[text.lower()]
        elif kind in _NUMBERS:
            value = float(text)
    except (KeyError, ValueError):
        message = f"{name}={text[:80]!r} is not a {kind}"
        raise InvalidQuery(message) from None
    reader = _Reader(queryables, CRS84, f"equal_{name}")
    return reader.condition({"op": "=", "args": [{"property": name}, value]}, 0), reader.values


class _Reader:
    """Translates one filter; `values` has its bound values, under names that begin with `prefix`."""

    def __init__(self, queryables: Mapping[str, str], crs: PublishedCrs, prefix: str) -> None:
        self.queryables, self.crs, self.prefix = queryables, crs, prefix
        self.values: dict[str, Any] = {}

    def bind(self, value: Any, kind: str) -> sql.Composable:
        """Bind a value, and return its placeholder with a cast to the type in PostgreSQL."""
        name = f"{self.prefix}_{len(self.values)}"
        self.values[name] = value
        return sql.SQL("{}::{}").format(sql.Placeholder(name), sql.SQL(kind))

    def condition(self, node: Any, depth: int) -> sql.Composable:
        """Translate a Boolean expression."""
        if depth > _DEEPEST:
            message = f"the filter is nested deeper than {_DEEPEST}"
            raise InvalidQuery(message)
        if isinstance(node, bool):
            return sql.SQL("true" if node else "false")
        if _is_property(node):
            if self.kind(node["property"]) != "boolean":
                message = f"{node['property']} is not true or false by itself: compare it with something"
                raise InvalidQuery(message)
            return self.column(node["property"])
        op, args = _call(node)
        if op in ("and", "or"):
            parts = [self.condition(part, depth + 1) for part in args]
            return sql.SQL("({})").format(sql.SQL(f" {op} ").join(parts))
        if op == "not":
            return sql.SQL("(not {})").format(self.condition(args[0], depth + 1))
        for known, make in _KINDS.items():
            if op in known:
                return make(self, op, args)
        message = f"the operator {op[:80]} is not offered"
        raise InvalidQuery(message)

    def kind(self, name: Any) -> str:
        if not isinstance(name, str) or name not in self.queryables:
            message = f"there is nothing to ask about named {str(name)[:80]!r}; there is {GEOMETRY}, {', '.join(self.queryables)}"
            raise InvalidQuery(message)
        return self.queryables[name]

    def column(self, name: str) -> sql.Composable:
        self.kind(name)
        return sql.Identifier("s", name)

    def operand(self, node: Any, kind: str) -> sql.Composable:
        """Translate one side of a comparison to SQL of a type."""
        if _is_property(node):
            if (other := self.kind(node["property"])) != kind and not {other, kind} <= _NUMBERS:
                message = f"{node['property']} is a {other} and cannot be compared with a {kind}"
                raise InvalidQuery(message)
            return self.column(node["property"])
        if _is_casei(node) and kind == "text":
            return sql.SQL("lower({})").format(self.operand(_call(node)[1][0], kind))
        return self.literal(node, kind)

    def literal(self, node: Any, kind: str) -> sql.Composable:
        if kind == "timestamptz" and (
            isinstance(node, str) or (isinstance(node, dict) and {"timestamp", "date"} & node.keys())
        ):
            return self.bind(read_instant(node if isinstance(node, str) else next(iter(node.values())))[0], kind)
        fits = {
            "text": isinstance(node, str),
            "boolean": isinstance(node, bool),
        }.get(kind, isinstance(node, int | float) and not isinstance(node, bool))
        if not fits or kind == "timestamptz":
            message = f"{json.dumps(node, ensure_ascii=False)[:80]} is not a {kind}"
            raise InvalidQuery(message)
        # as double precision, since an integer column may be compared with a fraction, or a number beyond its range
        return self.bind(node, "double precision" if kind == "bigint" else kind)

    def kind_of(self, *nodes: Any) -> str:
        """Return the type of a comparison: that of the first property in it."""
        for node in nodes:
            inner = node
            while _is_casei(inner):
                inner = _call(inner)[1][0]
            if _is_property(inner):
                return self.kind(inner["property"])
        message = "a comparison needs a property on one of its sides"
        raise InvalidQuery(message)

    def comparison(self, op: str, args: list[Any]) -> sql.Composable:
        kind = self.kind_of(*args)
        left, right = (self.operand(arg, kind) for arg in args)
        return sql.SQL("({} {} {})").format(left, sql.SQL(_COMPARISONS[op]), right)

    def between(self, _: str, args: list[Any]) -> sql.Composable:
        kind = self.kind_of(args[0])
        return sql.SQL("({} between {} and {})").format(*(self.operand(arg, kind) for arg in args))

    def is_in(self, _: str, args: list[Any]) -> sql.Composable:
        kind = self.kind_of(args[0])
        if not isinstance(args[1], list) or not args[1]:
            message = "IN takes a list of at least one value"
            raise InvalidQuery(message)
        members = [self.operand(member, kind) for member in args[1]]
        return sql.SQL("({} in ({}))").format(self.operand(args[0], kind), sql.SQL(", ").join(members))

    def is_null(self, _: str, args: list[Any]) -> sql.Composable:
        if _is_property(args[0]) and args[0]["property"] == GEOMETRY:
            return sql.SQL("(s.geom is null)")
        return sql.SQL("({} is null)").format(self.operand(args[0], self.kind_of(args[0])))

    def like(self, _: str, args: list[Any]) -> sql.Composable:
        if self.kind_of(args[0]) != "text":
            message = "LIKE compares text"
            raise InvalidQuery(message)
        pattern = _call(args[1])[1][0] if _is_casei(args[1]) else args[1]
        if isinstance(pattern, str) and len(pattern) - len(pattern.rstrip("\\")) & 1:
            message = "a pattern does not end in the sign that takes the next one literally"
            raise InvalidQuery(message)
        return sql.SQL("({} like {})").format(*(self.operand(arg, "text") for arg in args))

    def spatial(self, op: str, args: list[Any]) -> sql.Composable:
        first, second = args
        if not _is_property(first):  # the geometry stands second
            first, second, op = second, first, _INVERSE.get(op, op)
        if not _is_property(first) or first["property"] not in (GEOMETRY, "geom"):
            message = f"{op} compares {GEOMETRY} with a geometry written in the filter"
            raise InvalidQuery(message)
        written = self.shape(second)
        if written.geom_type == "GeometryCollection" and op not in ("s_intersects", "s_disjoint"):
            message = f"{op} does not compare collections of geometries of several kinds: ask for each, joined by or"
            raise InvalidQuery(message)
        shape = sql.SQL("ST_GeomFromWKB({}, 4490)").format(self.bind(written.wkb, "bytea"))
        if op == "s_disjoint":  # ST_Disjoint does not support collections
            return sql.SQL("(not ST_Intersects(s.geom, {}))").format(shape)
        # the box is what the index knows; whether two meet at all is told fast, how they lie to each other is not
        conditions = [sql.SQL("s.geom && {}"), sql.SQL("ST_Intersects(s.geom, {})")]
        if op != "s_intersects":
            conditions.append(sql.SQL(f"{_SPATIAL[op]}(s.geom, {{}})"))
        return sql.SQL("({})").format(sql.SQL(" and ").join(condition.format(shape) for condition in conditions))

    def shape(self, node: Any) -> Any:
        """Parse a geometry of the filter, and convert it to lon, lat on the lattice."""
        try:
            if isinstance(node, dict) and "bbox" in node:
                return shape_of(read_box([float(part) for part in node["bbox"]], self.crs))
            shape = shapely.from_geojson(json.dumps(node))
        except (shapely.errors.ShapelyError, InvalidCoordinates, TypeError, ValueError) as error:
            message = f"the filter has a geometry that cannot be read: {str(error)[:200]}"
            raise InvalidQuery(message) from None
        if shapely.is_empty(shape) or shapely.get_num_coordinates(shape) > _MOST_VERTICES:
            message = f"a geometry in a filter has 1 to {_MOST_VERTICES:,} vertices"
            raise InvalidQuery(message)
        if self.crs.is_flipped:
            shape = shapely.transform(shape, lambda xy: xy[:, ::-1])
        if self.crs.name != "EPSG:4490":
            shape = geometry_to_lonlat([shape], self.crs.name)[0]
        elif shapely.is_valid(
            snapped := snap_geometry(shape)
        ):  # else it is smaller than the lattice, and stays as it is
            shape = snapped
        problem = next((p for xy in shapely.get_coordinates(shape).tolist() if (p := lonlat_problem(*xy))), None)
        if problem or not shapely.is_valid(shape):
            message = f"a geometry in the filter is not valid: {problem or shapely.is_valid_reason(shape)}"
            raise InvalidQuery(message)
        return shape

    def temporal(self, op: str, args: list[Any]) -> sql.Composable:
        (first, last), (begin, end) = (self.span(arg) for arg in args)
        ends = {"a0": first, "a1": last, "b0": begin, "b1": end}
        return sql.SQL("({})").format(sql.SQL(_TEMPORAL[op]).format(**ends))

    def span(self, node: Any) -> tuple[sql.Composable, sql.Composable]:
        """Translate a property, an instant or an interval of either to its first and last moment."""
        if isinstance(node, dict) and "interval" in node:
            parts = node["interval"]
            if not isinstance(parts, list) or len(parts) != 2:
                message = "an interval has two ends"
                raise InvalidQuery(message)
            return self.end(parts[0], 0), self.end(parts[1], 1)
        return self.end(node, 0), self.end(node, 1)

    def end(self, node: Any, which: int) -> sql.Composable:
        if _is_property(node):
            if self.kind_of(node) != "timestamptz":
                message = f"{node['property']} is not a time"
                raise InvalidQuery(message)
            column = self.column(node["property"])
            is_open = which == 1 and node["property"] == "valid_to"  # in force until something takes its place
            return sql.SQL("coalesce({}, 'infinity')").format(column) if is_open else column
        text = node if isinstance(node, str) else next(iter(node.values()), "") if isinstance(node, dict) else ""
        if text == "..":
            return sql.SQL("{}::timestamptz").format(sql.Literal(("-infinity", "infinity")[which]))
        return self.bind(read_instant(text)[which], "timestamptz")


_KINDS: Mapping[tuple[str, ...], Callable[[_Reader, str, list[Any]], sql.Composable]] = {
    tuple(_COMPARISONS): _Reader.comparison,
    ("between",): _Reader.between,
    ("in",): _Reader.is_in,
    ("isnull",): _Reader.is_null,
    ("like",): _Reader.like,
    tuple(_SPATIAL): _Reader.spatial,
    tuple(_TEMPORAL): _Reader.temporal,
}


def _is_property(node: Any) -> bool:
    return isinstance(node, dict) and "property" in node


def _is_casei(node: Any) -> bool:
    return isinstance(node, dict) and str(node.get("op", "")).lower() == "casei"


def _call(node: Any) -> tuple[str, list[Any]]:
    """Return the operator of a node in lower case, and its arguments, whose number is checked. Raises InvalidQuery."""
    op, args = (node.get("op"), node.get("args")) if isinstance(node, dict) else (None, None)
    if not isinstance(op, str):
        message = f"{json.dumps(node, ensure_ascii=False)[:80]} is not a condition"
        raise InvalidQuery(message)
    known = op.lower()
    count = _COUNTS.get(known, 2)
    is_enough = isinstance(args, list) and (bool(args) if known in ("and", "or") else len(args) == count)
    if not isinstance(args, list) or not is_enough:
        message = f"{op[:80]} takes {'a list of conditions' if known in ('and', 'or') else f'{count} argument' + 's' * (count > 1)}"
        raise InvalidQuery(message)
    return known, args


def read_instant(text: Any) -> tuple[datetime, datetime]:
    """Parse an RFC 3339 moment, or a date (its whole day in UTC); return first and last moment. Raises InvalidQuery."""
    try:
        if len(text) == len("2026-11-25"):
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return day, day + timedelta(days=1, microseconds=-1)
        moment = read_moment(text)
        moment.astimezone(UTC)  # the first and last day of the calendar have no other time zone
    except (ValueError, TypeError, OverflowError):
        message = f"{str(text)[:80]!r} is not a moment: write 2026-11-25T08:00:00Z, with a time zone, or 2026-11-25"
        raise InvalidQuery(message) from None
    return moment, moment


def read_interval(text: str) -> tuple[datetime | None, datetime | None]:
    """Parse the parameter `datetime` of OGC API Features: an instant or an interval. Raises InvalidQuery."""
    begin, slash, end = text.partition("/")
    if not slash:
        return read_instant(begin)
    first = None if begin in ("", "..") else read_instant(begin)[0]
    last = None if end in ("", "..") else read_instant(end)[1]
    if first is None and last is None:
        return None, None
    if first is not None and last is not None and first > last:
        message = f"datetime {text[:80]!r} ends before it begins"
        raise InvalidQuery(message)
    return first, last
