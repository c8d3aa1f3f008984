"""What of the answers about points somebody may see; asked of the database, so that index and policies agree."""

from dataclasses import dataclass
from typing import Self

from geo_grid.db import AsyncConnection, load_queries

QUERIES = load_queries("geo_grid.locate", "seen.sql")


@dataclass(frozen=True)
class Seen:
    """What somebody may see.

    Attributes
    ----------
    everywhere
        The whole city; `cells`, `zones` and `posts` say nothing then.
    roster
        Who is on duty.
    cells, zones, posts
        Codes within their grid cells.
    bounds
        West, south, east, north of the outermost cells they know of, in degrees; None: they know of none.
    """

    everywhere: bool = True
    roster: bool = True
    cells: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    posts: frozenset[str] = frozenset()
    bounds: tuple[float, float, float, float] | None = None

    @property
    def only_cells(self) -> frozenset[str] | None:
        """The codes of the grid cells that they may see; None: all."""
        return None if self.everywhere else self.cells

    @property
    def only_posts(self) -> frozenset[str] | None:
        """The codes of the police posts that they may see; None: all."""
        return None if self.everywhere else self.posts

    @classmethod
    async def read(cls, connection: AsyncConnection, everywhere: bool, roster: bool) -> Self:
        """Ask on whose behalf the transaction of `connection` runs."""
        if everywhere:
            return cls(everywhere, roster)
        row = await (await connection.execute(QUERIES["seen"])).fetchone() or {}
        bounds = (row["west"], row["south"], row["east"], row["north"]) if row["west"] is not None else None
        return cls(False, roster, frozenset(row["cells"]), frozenset(row["zones"]), frozenset(row["posts"]), bounds)


EVERYTHING = Seen()
"""What the owner of the database sees."""
