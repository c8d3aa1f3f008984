"""Row-level policies, made from one declaration for each table: the `policies.toml` beside the room that owns it.

    [police_posts]
    "select seen" = { right = "map", where = ["area"] }
    "insert made, update changed, delete removed" = { right = "layers.write", where = ["area"] }

makes the policies police_posts_seen, police_posts_made, ... A principal with the right in the whole city has it for every
row; with the right in some grid cells, for rows that fulfil one of the conditions of `where`. Without `where` the right
alone suffices. `or` names another right that suffices, `and` conditions that apply to everybody. For any other rule,
`using` and `check` have the SQL of CREATE POLICY instead.
"""

import tomllib
from collections.abc import Sequence
from typing import Any

from geo_grid.errors import SetupError

_HOLDS = {
    "area": "ST_Covers((select access.my_area('{right}')), geom)",
    "cell": "grid_code in (select m.code from access.my_cells('{right}') m (code))",
    "chain": "grid_code in (select access.my_chain('{right}'))",
    "home": "home_code in (select access.my_cells('{right}'))",
    "zone": "zone_code in (select access.my_zones('{right}'))",
    "unit": "unit_code in (select access.my_units('{right}'))",
    "maker": "made_by_id in (select access.my_people('{right}'))",
    "post": "post_code in (select p.post_code from police_posts p)",
    "not hidden": "(not is_secret or (select access.may('cameras.secret')))",
}
"""Conditions on rows. PostgreSQL evaluates an uncorrelated subquery once per statement, not once per row. Many incidents are
read by several processes (figures.sql of indicators): `cell` calls its function among the tables, since PostgreSQL takes a
subquery that calls it among the columns for one that a single process must work on."""

_KEYS = {"right", "where", "or", "and"}, {"using", "check"}


def read_policies(text: str, file: str) -> list[str]:
    """Return the SQL statements of a declaration in TOML: for each table its row security and its policies.

    Raises
    ------
    SetupError
        The declaration is not valid; the message begins with `file`.
    """
    statements = []
    for table, declared in tomllib.loads(text).items():
        statements.append(f"alter table {table} enable row level security;")
        for names, meaning in declared.items():
            try:
                statements += [_policy(table, one, meaning) for one in names.split(", ")]
            except (KeyError, TypeError, ValueError) as error:
                message = f"{file}: [{table}] {names!r} is not understood: {error}"
                raise SetupError(message) from None
    return statements


def _policy(table: str, command_and_name: str, meaning: dict[str, Any]) -> str:
    command, name = command_and_name.split(" ")
    if not any(meaning.keys() <= keys for keys in _KEYS):
        message = f"it takes right, where, or, and; else using, check; not {', '.join(meaning)}"
        raise ValueError(message)
    clauses = {"select": ("using",), "insert": ("check",), "update": ("using",), "delete": ("using",),
               "all": ("using", "check")}[command]  # fmt: skip
    given = meaning if meaning.keys() & _KEYS[1] else {clauses[0]: _rows(**meaning)}
    if clauses[0] not in given or not given.keys() <= set(clauses):  # a policy without the clause would allow every row
        message = f"{command} takes {' and '.join(clauses)}"
        raise ValueError(message)
    said = {"using": "using", "check": "with check"}
    parts = [f"{said[clause]} (\n    {given[clause].strip()})" for clause in clauses if clause in given]
    return f"create policy {table}_{name} on {table} for {command} {' '.join(parts)};"


def _rows(right: str, where: Sequence[str] = (), **beside: Any) -> str:
    """Return the SQL condition of a declaration with right, where, or, and."""
    enough = [f"(select access.{'city_wide' if where else 'may'}('{right}'))"]
    enough += [f"(select access.may('{beside['or']}'))"] if "or" in beside else []
    enough += [_together([_HOLDS[name].format(right=right) for name in names.split(" and ")]) for names in where]
    needed = [_HOLDS[name] for name in beside.get("and", ())]
    any_of = " or ".join(enough)
    return " and ".join([f"({any_of})", *needed]) if needed else any_of


def _together(conditions: list[str]) -> str:
    return conditions[0] if len(conditions) == 1 else f"({' and '.join(conditions)})"
