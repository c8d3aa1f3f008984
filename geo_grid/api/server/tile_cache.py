"""Cache of vector tiles: in memory, and those of boundaries on disk too, both bounded; shared by principals who see the
same."""

import gzip
import hashlib
import logging
import math
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
from geo_grid.layers.items import Narrowing

log = logging.getLogger(__name__)

_LIVE_S, _PASSING_S = 5.0, 15.0
"""Seconds that a tile is cached of a layer that writes no changes, and of one that has columns which change without one."""
_TRUSTED_S = 10.0
"""Seconds that cached tiles are served while the feed of changes cannot be read."""
_WORTH_PACKING = 1024
_DIGEST = 16

type Key = tuple[str | int | tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True)
class Tile:
    """A tile as it is sent.

    Attributes
    ----------
    plain
        The encoded tile (Mapbox Vector Tile); empty: it has no features.
    drawn
        When it was drawn, in seconds of `time.monotonic`.
    """

    plain: bytes
    drawn: float = field(default_factory=time.monotonic)

    @cached_property
    def packed(self) -> bytes:
        """The tile compressed with gzip, on first use; empty if that is not smaller."""
        return gzip.compress(self.plain, 5, mtime=0) if len(self.plain) >= _WORTH_PACKING else b""

    @cached_property
    def etag(self) -> str:
        """Strong entity tag, a digest of the content."""
        return f'"{hashlib.blake2b(self.plain, digest_size=12).hexdigest()}"'


class TileCache:
    """Caches tiles. Keys include the versions of the tables that a tile is drawn from, so a change makes it unreachable."""

    def __init__(self, feed: Feed, memory_bytes: int, folder: Path, disk_bytes: int) -> None:
        self._feed = feed
        self._tiles: LRUCache[Key, Tile] = LRUCache(
            max(memory_bytes, 1), getsizeof=lambda tile: 2 * len(tile.plain) + 400
        )
        self._disk = _Disk(folder, disk_bytes) if disk_bytes else None
        self.asked: Counter[str] = Counter()
        """Number of lookups by result: memory, disk, or drawn."""

    @property
    def held_bytes(self) -> int:
        """Bytes of the tiles in memory."""
        return int(self._tiles.currsize)

    def close(self) -> None:
        """Close the file on disk."""
        if self._disk is not None:
            self._disk.close()

    def key(
        self,
        identity: Identity,
        edition: str,
        layer: Layer,
        place: tuple[int, int, int],
        narrowing: Narrowing | None = None,
    ) -> Key | None:
        """Return the key of a tile in its present state, shared by all who may see the same; None: do not cache, since the
        feed of changes cannot be read, or the tile is narrowed by what changes without a change in the feed.

        Parameters
        ----------
        edition
            Name of the edition in force, unique among databases: the file may outlive one.
        narrowing
            What it is narrowed to, of the columns that the layer can be narrowed by.
        """
        only = {name: values for name, values in (narrowing or {}).items() if name in layer.narrowed_by}
        if self._feed.age_s() > _TRUSTED_S or only.keys() & layer.passing:
            return None
        state = self._feed.name, self._feed.versions(layer.drawn_from)
        return layer.name, *place, identity.sight, edition, *state, *([repr(sorted(only.items()))] if only else [])

    def find(self, key: Key | None, layer: Layer) -> Tile | None:
        """Return the cached tile of a key, or None."""
        if key is None:
            return None
        found, where = self._tiles.get(key), "memory"
        if found is None and self._disk is not None and layer.is_boundary:
            plain = self._disk.get(key)
            if plain is not None:
                found, where = Tile(plain), "disk"
                self._remember(key, found)
        kept_s = _LIVE_S if not layer.drawn_from else _PASSING_S if layer.passing else math.inf
        if found is not None and time.monotonic() - found.drawn > kept_s:
            found = None
        self.asked[where if found is not None else "drawn"] += 1
        return found

    def keep(self, key: Key | None, layer: Layer, tile: Tile) -> None:
        """Cache a tile. It must have been drawn after its key was made, so that it shows that state or a newer one."""
        if key is None:
            return
        self._remember(key, tile)
        if self._disk is not None and layer.is_boundary:
            self._disk.put(key, tile.plain)

    def _remember(self, key: Key, tile: Tile) -> None:
        if self._tiles.getsizeof(tile) <= self._tiles.maxsize:
            self._tiles[key] = tile


class _Disk:
    """Tiles in one LMDB file, which several servers share and which survives a restart; replaced when full or damaged."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._file: lmdb.Environment | None = None
        self._open()

    def _open(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # without fsync: a tile that a power failure damages is recognised by its digest, and drawn again
            self._file = lmdb.open(
                str(self._folder), map_size=max(self._most_bytes, 1 << 20), sync=False, max_readers=1024
            )
        except (lmdb.Error, OSError) as error:
            log.warning("the cache of tiles on disk cannot be opened; tiles are cached in memory only: %s", error)
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
        # another server that has the old file open keeps using it until it ends
        log.log(
            logging.INFO if isinstance(error, lmdb.MapFullError) else logging.WARNING,
            "the cache of tiles on disk is replaced by an empty one: %s",
            error,
        )
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._open()


def _name(key: Key) -> bytes:
    return hashlib.blake2b(repr(key).encode(), digest_size=24).digest()


def _digest(plain: bytes | memoryview) -> bytes:
    return hashlib.blake2b(plain, digest_size=_DIGEST).digest()
