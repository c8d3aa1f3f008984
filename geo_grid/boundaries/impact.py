"""What a draft would change, told before it is brought into force."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from psycopg import sql

from geo_grid.boundaries.division import Cell, Division, Edits
from geo_grid.boundaries.drafts import QUERIES
from geo_grid.db import Connection
from geo_grid.locate import Locator

_COUNTED = {
    "open incidents": ("incidents", "closed_at is null"),
    "incidents of 12 months": ("incidents", "received_at > now() - interval '12 months'"),
    "cameras": ("cameras", "true"),
}


@dataclass(frozen=True)
class Flow:
    """Things of one kind that go from a cell to another; None: to nobody."""

    kind: str
    from_code: str
    to_code: str | None
    count: int


@dataclass
class Impact:
    """What changes.

    Attributes
    ----------
    opened, changed, retired
        Codes of cells.
    flows
        Who loses how many of what to whom.
    stay
        How many of each kind lie in changed cells and keep their owner.
    left_duties
        People whose duty hangs on a code that goes: code, duty and name.
    """

    opened: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    stay: dict[str, int] = field(default_factory=dict)
    left_duties: list[tuple[str, str, str]] = field(default_factory=list)


def impact_of(connection: Connection, before: Division, edits: Edits) -> Impact:
    """Tell what edits would change: cells, the owners of what lies in them, and duties.

    Only what lies in a changed cell can change its owner; those points are located again in memory.
    """
    found = Impact(
        opened=sorted(code for code in edits if code not in before.cells),
        changed=sorted(code for code, cell in edits.items() if cell is not None and code in before.cells),
        retired=sorted(code for code, cell in edits.items() if cell is None),
    )
    leaves = [code for code in (*found.changed, *found.retired) if not before.children(code)]
    if not leaves:
        return found
    locator = _locator(before.edited(edits), [before.cells[code] for code in leaves])
    for kind, (table, counts) in _COUNTED.items():
        statement = sql.SQL(QUERIES["points_of"]).format(table=sql.Identifier(table), counts=sql.SQL(counts))
        rows = connection.execute(statement, {"codes": leaves}).fetchall()
        if not rows:
            continue
        owners = locator.owners(np.array([row["lon"] for row in rows]), np.array([row["lat"] for row in rows]))
        moved: dict[tuple[str, str | None], int] = {}
        for row, owner in zip(rows, owners.tolist(), strict=True):
            code = None if owner < 0 else str(locator.codes[owner])
            if code != row["grid_code"]:
                moved[row["grid_code"], code] = moved.get((row["grid_code"], code), 0) + 1
        found.stay[kind] = len(rows) - sum(moved.values())
        found.flows += [Flow(kind, start, end, count) for (start, end), count in sorted(moved.items(), key=str)]
    duties = connection.execute(QUERIES["duties_of"], {"codes": found.retired}).fetchall()
    found.left_duties = [(row["grid_code"], row["duty_role"], row["person_name"]) for row in duties]
    return found


def _locator(after: Division, changed: list[Cell]) -> Locator:
    """Build a locator of the cells that may own what lies in changed ones."""
    near = {
        cell.grid_code: cell for one in changed for cell in after.near(one.shape) if not after.children(cell.grid_code)
    }
    import geopandas as gpd  # not at the top: a server imports this package, and starts a second sooner without

    frame: Any = gpd.GeoDataFrame({"grid_code": list(near)}, geometry=[cell.shape for cell in near.values()], crs=4490)
    return Locator.from_geodataframe(frame, "grid_code")
