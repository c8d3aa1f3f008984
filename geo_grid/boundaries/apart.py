"""What may take any time and memory of drafts, such as to compare shapes: a server has it done in a process with limits."""

from functools import lru_cache

from geo_grid.boundaries.division import Division
from geo_grid.boundaries.drafts import edit_draft, rebase
from geo_grid.boundaries.findings import Finding
from geo_grid.boundaries.reading import QUERIES, read_division
from geo_grid.boundaries.review import draft_findings
from geo_grid.boundaries.steps import AnyStep
from geo_grid.db import connect

_SMALL = 400
"""Most coordinates of a step that a server does in a thread: 200 vertices give at most some 20,000 crossings."""


def is_small(arguments: object) -> bool:
    """Say whether a step with these arguments takes little time, whatever its shapes are."""
    return _numbers(arguments) <= _SMALL


def _numbers(given: object) -> int:
    if isinstance(given, dict):
        return sum(map(_numbers, given.values()))
    if isinstance(given, list):
        return sum(map(_numbers, given))
    return int(isinstance(given, int | float))


def in_force_apart(seeing_all: str) -> Division:
    """Return the cells in force; each process reads them once per edition. `seeing_all`: connection string of a role that
    sees every cell.
    """
    with connect(seeing_all) as connection:
        newest = connection.execute(QUERIES["newest"]).fetchone()
    return _division(seeing_all, newest["edition_id"] if newest else None)


@lru_cache(maxsize=1)
def _division(seeing_all: str, _edition: int | None) -> Division:
    with connect(seeing_all) as connection:
        return read_division(connection)


def edit_apart(conninfo: str, seeing_all: str, draft_id: int, step: AnyStep, author: str) -> None:
    """Do a step with the rights of the principal that `conninfo` names; see `edit_draft`."""
    in_force = in_force_apart(seeing_all)
    with connect(conninfo) as connection:
        edit_draft(connection, draft_id, step, author, in_force=in_force)


def rebase_apart(conninfo: str, seeing_all: str, draft_id: int) -> None:
    """Rebase a draft with the rights of the principal that `conninfo` names; see `rebase`."""
    in_force = in_force_apart(seeing_all)
    with connect(conninfo) as connection:
        rebase(connection, draft_id, in_force)


def all_findings_apart(conninfo: str, seeing_all: str, draft_id: int) -> list[Finding]:
    """Examine every cell of a draft that whoever `conninfo` is may see; see `draft_findings`."""
    in_force = in_force_apart(seeing_all)
    with connect(conninfo) as connection:
        return draft_findings(connection, draft_id, in_force, every=True)
