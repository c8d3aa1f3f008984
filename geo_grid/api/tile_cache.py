"""Tiles drawn before, kept in memory within a bound, for whoever sees the same."""

import gzip
import hashlib
import time
from dataclasses import dataclass, field
from functools import cached_property

from cachetools import LRUCache

from geo_grid.access import Identity
from geo_grid.db import Changes

_LIVE_S = 5.0
"""How long a tile is given out again of a layer whose changes are not announced."""
_ANNOUNCED = {"grid_cells", "patrol_zones", "police_posts", "response_circles", "cameras", "facilities"}
_TRUSTED_S = 10.0
"""How long silence of the database is taken for no change."""
_WORTH_PACKING = 1024

type Key = tuple[str, str, int, int, int]


@dataclass(frozen=True)
class Tile:
    """A tile as it is sent.

    Attributes
    ----------
    plain
        The tile; empty: there is nothing in it.
    drawn
        When it was drawn, on this process's clock.
    """

    plain: bytes
    drawn: float = field(default_factory=time.monotonic)

    @cached_property
    def packed(self) -> bytes:
        """Gzip of it, made when first wanted; empty where that is not worth it."""
        return gzip.compress(self.plain, 5, mtime=0) if len(self.plain) >= _WORTH_PACKING else b""

    @cached_property
    def etag(self) -> str:
        """Strong, of the content."""
        return f'"{hashlib.blake2b(self.plain, digest_size=12).hexdigest()}"'


class TileCache:
    """Keeps tiles; those of boundaries until the next edition, those of things that move for seconds."""

    def __init__(self, changes: Changes, most_bytes: int) -> None:
        self._changes = changes
        self._tiles: LRUCache[Key, Tile] = LRUCache(
            max(most_bytes, 1), getsizeof=lambda tile: 2 * len(tile.plain) + 300
        )
        self.generation = 0
        changes.on_change(self._forget)

    def _forget(self, _: set[str]) -> None:
        self.generation += 1
        self._tiles.clear()

    @staticmethod
    def key(identity: Identity, edition: int | None, layer: str, place: tuple[int, int, int]) -> Key:
        """Name a tile: everybody who may see the same shares it."""
        return f"{identity.sight} {edition}", layer, *place

    def find(self, key: Key) -> Tile | None:
        """Return a tile that still holds."""
        found = self._tiles.get(key)
        if found is None or self._changes.age_s() > _TRUSTED_S:
            return None
        if key[1] not in _ANNOUNCED and time.monotonic() - found.drawn > _LIVE_S:
            return None
        return found

    def keep(self, key: Key, tile: Tile, generation: int) -> None:
        """Keep a tile, unless something changed since `generation`, when drawing began, or it is too large."""
        if generation == self.generation and self._tiles.getsizeof(tile) <= self._tiles.maxsize:
            self._tiles[key] = tile
