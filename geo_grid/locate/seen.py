"""What a principal may see of answers about points, read from the database so that memory and row policies agree."""

from dataclasses import dataclass
from typing import Self

from geo_grid.db import AsyncConnection, load_queries

QUERIES = load_queries("geo_grid.locate", "seen.sql")


@dataclass(frozen=True)
class Seen:
    """What a principal may see. Immutable; may be shared by threads.

    Attributes
    ----------
    everywhere
        Whether it is the whole city; `cells`, `zones` and `posts` are not used then.
    roster
        Whether the principal may see who is on duty.
    cells, zones, posts
        Codes of what lies within the principal's grid cells.
    bounds
        West, south, east, north in degrees of the outermost cells that the principal may see; None: there are none.
    """

    everywhere: bool = True
    roster: bool = True
    cells: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    posts: frozenset[str] = frozenset()
    bounds: tuple[float, float, float, float] | None = None

    @property
    def only_cells(self) -> frozenset[str] | None:
        """Codes of the grid cells that the principal may see; None: all."""
        return None if self.everywhere else self.cells

    @property
    def only_posts(self) -> frozenset[str] | None:
        """Codes of the police posts that the principal may see; None: all."""
        return None if self.everywhere else self.posts

    @classmethod
    async def read(cls, connection: AsyncConnection, everywhere: bool, roster: bool) -> Self:
        """Read the sets for the principal of the connection's transaction."""
        if everywhere:
            return cls(everywhere, roster)
        row = await (await connection.execute(QUERIES["seen"])).fetchone() or {}
        bounds = (row["west"], row["south"], row["east"], row["north"]) if row["west"] is not None else None
        return cls(False, roster, frozenset(row["cells"]), frozenset(row["zones"]), frozenset(row["posts"]), bounds)


EVERYTHING = Seen()
"""The sets of the database's owner."""
