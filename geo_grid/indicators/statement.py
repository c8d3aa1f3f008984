"""The statement of a question about indicators, composed of the parts in figures.sql."""

from psycopg import sql

from geo_grid.db import load_queries
from geo_grid.indicators.definitions import Code
from geo_grid.indicators.measuring import clocks_of
from geo_grid.indicators.question import PERIODS, Question

QUERIES = load_queries("geo_grid.indicators", "figures.sql")
_OF_UNIT = {"dispatched_at": "u.assigned_at", "departed_at": "u.departed_at", "arrived_at": "u.arrived_at"}
"""Clocks of one unit, where incidents are grouped by unit."""


def part(name: str, **parts: sql.Composable) -> sql.Composed:
    """Return a part of figures.sql with others in it."""
    return sql.SQL(QUERIES[name]).format(**parts)


def statement(question: Question, codes: tuple[Code, ...], years: int = 0) -> sql.Composed:
    """Compose the statement that counts and measures, by what is grouped by.

    Parameters
    ----------
    codes
        Indicators that are measured.
    years
        How many years later its periods are called: those of a year before, by the name of this year's.

    Returns
    -------
    A statement with the values begins, ends, as_of, timezone, at, edition, level, within, categories, groups, most (that
    many incidents at most) and most_rows. Its rows have a column for each of `question.by` but the cell, and `records`, as `measure` reads
    them: a cell is its number (statement `cells`).
    """
    is_now = question.edition == "now" and (question.area in ("cell", "zone") or question.within is not None)
    chosen = "case when m.incident_id is null then i.{0} else m.{0} end" if is_now else "i.{0}"
    owner, zone = (sql.SQL(chosen.format(name)) for name in ("grid_code", "zone_code"))
    edition = sql.SQL("%(edition)s::bigint" if is_now else "i.edition_id")
    columns = [*_keys(question, owner, zone, years)]
    is_by_level = question.level is not None
    if is_by_level:
        columns.append(sql.SQL("{} as edition_id").format(edition))
    record = [
        *([] if is_by_level else [part("cell", code=owner) if question.area == "cell" else part("no_cell")]),
        part("flags" if "settlement" in codes or "on_time" in codes else "no_flags"),
        *(part("clock", clock=sql.SQL(_clock(question, name))) for name in clocks_of(codes)),
    ]
    keys: list[sql.Composable] = [sql.Identifier(key) for key in question.by if key != "cell"]
    return part(
        "figures",
        ways=sql.SQL("").join(sql.SQL("{},\n").format(way) for way in _ways(question, is_now)),
        columns=sql.SQL("").join(sql.SQL("{}, ").format(column) for column in columns),
        record=sql.SQL(" || ").join(record),
        joins=sql.SQL("\n").join(_joins(question, is_now)),
        conditions=sql.SQL("\n").join(_conditions(question, owner, edition)),
        keys=sql.SQL("").join(sql.SQL("{}, ").format(key) for key in keys),
        cell=part("cell_of_level") if is_by_level else sql.SQL(""),
        at_level=part("at_level") if is_by_level else sql.SQL(""),
        groups=sql.SQL(", ").join(keys) if keys else sql.SQL("()"),
    )


def _ways(question: Question, is_now: bool) -> list[sql.Composed]:
    """Return the common table expressions."""
    is_by_level = question.level is not None
    wanted = {
        "moved": is_now,
        "above": is_by_level or question.within is not None,
        "inside": question.within is not None,
        "of_level": is_by_level,
        "members": "group" in question.by or bool(question.group),
    }
    return [part(name) for name, is_wanted in wanted.items() if is_wanted]


def _joins(question: Question, is_now: bool) -> list[sql.Composed]:
    wanted = {"now": is_now, "in_groups": "group" in question.by, "sent": question.area == "unit"}
    return [part(name) for name, is_wanted in wanted.items() if is_wanted]


def _conditions(question: Question, owner: sql.SQL, edition: sql.SQL) -> list[sql.Composed]:
    found = []
    if question.within is not None:
        found.append(part("is_inside", owner=owner, edition=edition))
    if question.category:
        found.append(part("of_categories"))
    if question.group:
        found.append(part("of_groups"))
    return found


def _keys(question: Question, owner: sql.SQL, zone: sql.SQL, years: int) -> list[sql.Composable]:
    """Return the columns of what is grouped by; of a cell, the code of the owner."""
    made: dict[str, sql.Composable] = {
        "cell": owner, "zone": zone, "unit": sql.SQL("u.unit_code"), "category": sql.SQL("i.category"),
        "group": sql.SQL("g.group_code"),
        **{one: part("period", period=sql.Literal(one), years=sql.Literal(years)) for one in PERIODS},
    }  # fmt: skip
    return [sql.SQL("{} as {}").format(made[key], sql.Identifier(key)) for key in question.by]


def _clock(question: Question, name: str) -> str:
    """Return the column of a clock."""
    if name == "contacted_at":
        return f"least(i.accepted_at, {_clock(question, 'dispatched_at')})"
    return _OF_UNIT[name] if question.area == "unit" and name in _OF_UNIT else f"i.{name}"
