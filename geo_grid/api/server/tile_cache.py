"""Tiles drawn before: in memory, and those of boundaries on disk too, each within a bound, for whoever sees the same."""

import gzip
import hashlib
import logging
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import lmdb
from cachetools import LRUCache

from geo_grid.access import Identity
from geo_grid.changes import Feed
from geo_grid.layers import Layer

log = logging.getLogger(__name__)

_LIVE_S = 5.0
"""How long a tile is given out again of a layer whose changes are not told."""
_TRUSTED_S = 10.0
"""How long silence of the database is taken for no change."""
_WORTH_PACKING = 1024
_DIGEST = 16

type Key = tuple[str | int | tuple[tuple[int, int], ...], ...]


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
    """Keeps tiles. Their keys hold the versions of the tables they are drawn from, so no tile outlives a change."""

    def __init__(self, feed: Feed, memory_bytes: int, folder: Path, disk_bytes: int) -> None:
        self._feed = feed
        self._tiles: LRUCache[Key, Tile] = LRUCache(
            max(memory_bytes, 1), getsizeof=lambda tile: 2 * len(tile.plain) + 400
        )
        self._disk = _Disk(folder, disk_bytes) if disk_bytes else None
        self.asked: Counter[str] = Counter()
        """How many were found in memory or on disk, and how many had to be drawn."""

    @property
    def held_bytes(self) -> int:
        """How much memory the tiles take."""
        return int(self._tiles.currsize)

    def close(self) -> None:
        """Let go of the files."""
        if self._disk is not None:
            self._disk.close()

    def key(self, identity: Identity, edition: str, layer: Layer, place: tuple[int, int, int]) -> Key | None:
        """Name a tile as it is now: everybody who may see the same shares it. None: it is not known what changed.

        Parameters
        ----------
        edition
            Name of the boundaries in force that no other database's have: files outlive databases.
        """
        if self._feed.age_s() > _TRUSTED_S:
            return None
        return layer.name, *place, identity.sight, edition, self._feed.name, self._feed.versions(layer.drawn_from)

    def find(self, key: Key | None, layer: Layer) -> Tile | None:
        """Return a tile that still holds."""
        if key is None:
            return None
        found, where = self._tiles.get(key), "memory"
        if found is None and self._disk is not None and layer.is_boundary:
            plain = self._disk.get(key)
            if plain is not None:
                found, where = Tile(plain), "disk"
                self._remember(key, found)
        if found is not None and not layer.drawn_from and time.monotonic() - found.drawn > _LIVE_S:
            found = None
        self.asked[where if found is not None else "drawn"] += 1
        return found

    def keep(self, key: Key | None, layer: Layer, tile: Tile) -> None:
        """Keep a tile that was drawn after its key was named: it shows that state, or a newer one."""
        if key is None:
            return
        self._remember(key, tile)
        if self._disk is not None and layer.is_boundary:
            self._disk.put(key, tile.plain)

    def _remember(self, key: Key, tile: Tile) -> None:
        if self._tiles.getsizeof(tile) <= self._tiles.maxsize:
            self._tiles[key] = tile


class _Disk:
    """Tiles in one file that several servers share and a restart leaves as it is; emptied when it is full or damaged."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._file: lmdb.Environment | None = None
        self._open()

    def _open(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # not forced to the disk each time: what a power failure damages is told by its digest, and drawn again
            self._file = lmdb.open(
                str(self._folder), map_size=max(self._most_bytes, 1 << 20), sync=False, max_readers=1024
            )
        except (lmdb.Error, OSError) as error:
            log.warning("tiles are not kept on disk: %s", error)
            self._file = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def get(self, key: Key) -> bytes | None:
        try:
            if self._file is not None:
                with self._file.begin(buffers=True) as reading:
                    value = reading.get(_name(key))
                    if value is not None and bytes(value[:_DIGEST]) == _digest(value[_DIGEST:]):
                        return bytes(value[_DIGEST:])
        except lmdb.Error as error:
            self._renew(error)
        return None

    def put(self, key: Key, plain: bytes) -> None:
        try:
            if self._file is not None:
                with self._file.begin(write=True) as writing:
                    writing.put(_name(key), _digest(plain) + plain)
        except lmdb.Error as error:
            self._renew(error)

    def _renew(self, error: Exception) -> None:
        # a server that shares the file goes on with the old one until it ends
        log.log(
            logging.INFO if isinstance(error, lmdb.MapFullError) else logging.WARNING,
            "tiles on disk begin anew: %s",
            error,
        )
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._open()


def _name(key: Key) -> bytes:
    return hashlib.blake2b(repr(key).encode(), digest_size=24).digest()


def _digest(plain: bytes | memoryview) -> bytes:
    return hashlib.blake2b(plain, digest_size=_DIGEST).digest()
