"""Names in memory: a few large strings that are searched as they are, which takes a millisecond for 200,000 names."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

type Match = Literal["exact", "beginning", "inside", "initials"]
MATCHES: tuple[Match, ...] = ("exact", "beginning", "inside", "initials")
"""From the best to the weakest."""
KINDS = (
    "grid_cell", "patrol_zone", "police_post", "facility", "registered_place", "place", "road", "camera",
)  # fmt: skip
"""In the order in which equally good matches are told."""
_END = "\n"
_MOST_HITS = 5_000
"""Hits that are ranked at most, and as many that begin with it: a single common character has more, and nobody looks at
them."""
_INSIDE_CODES = 4
"""Characters of a code, at least, that are looked for inside of codes too: the last digits of a long one."""


@dataclass(frozen=True)
class Entry:
    """One name: of what kind, its code, and where it is, in degrees (EPSG:4490)."""

    kind: str
    code: str
    name: str
    lon: float
    lat: float


@dataclass(frozen=True)
class Hit:
    """An entry that was found, and how well it matches."""

    entry: Entry
    match: Match


def folded(text: str) -> str:
    """Return a text as it is compared: one form of width and case, without white space."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


class _Column:
    """Texts one after the other, each on a line of its own, and where each begins."""

    def __init__(self, texts: list[str]) -> None:
        self.joined = _END + _END.join(texts) + _END
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        self.starts: NDArray[np.int64] = np.concatenate(([1], 1 + np.cumsum(lengths + 1)))[: len(texts)]

    def __getitem__(self, row: int) -> str:
        return self.joined[self.starts[row] : self.joined.index(_END, int(self.starts[row]))]

    def hits(self, wanted: str, is_inside: bool = True) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows that hold a text, and for each 0 when it is all of it, 1 at its beginning, 2 inside.

        Without `is_inside` only rows that begin with it, which is much faster for a single character.
        """
        found = islice(_positions(self.joined, _END + wanted), _MOST_HITS)
        positions = np.fromiter(found, np.int64) + 1
        if is_inside:
            anywhere = np.fromiter(islice(_positions(self.joined, wanted), _MOST_HITS), np.int64)
            positions = np.union1d(positions, anywhere)
        rows = np.searchsorted(self.starts, positions, side="right") - 1
        rows, first = np.unique(rows, return_index=True)
        at = positions[first]
        begins = at == self.starts[rows]
        ends = np.fromiter((self.joined[int(one) + len(wanted)] == _END for one in at), bool, len(at))
        return rows, np.where(begins, np.where(ends, 0, 1), 2)


class Names:
    """An immutable index of names; threads share it."""

    def __init__(self, entries: Iterable[Entry], letters: dict[int, str]) -> None:
        """`letters`: first letter of each character, as `pinyin.first_letters` returns it."""
        rows = list(entries)
        self.size = len(rows)
        self._names = [one.name for one in rows]
        plain = [folded(one.name) for one in rows]
        self._folded = _Column(plain)
        self._codes = _Column([one.code.replace(_END, " ") for one in rows])
        self._lower_codes = _Column([one.code.replace(_END, " ").lower() for one in rows])
        self._initials = _Column([one.translate(letters) for one in plain])
        self._kinds = np.fromiter((KINDS.index(one.kind) for one in rows), np.int8, self.size)
        self._lon = np.fromiter((one.lon for one in rows), np.float64, self.size)
        self._lat = np.fromiter((one.lat for one in rows), np.float64, self.size)

    @classmethod
    def empty(cls) -> Self:
        """Return an index of nothing."""
        return cls([], {})

    def find(
        self,
        wanted: str,
        near: tuple[float, float] | None = None,
        inside: tuple[float, float, float, float] | None = None,
        kinds: Iterable[str] = KINDS,
    ) -> Iterator[Hit]:
        """Yield what is called so, the best match first.

        Parameters
        ----------
        wanted
            Part of a name, several parts of it with spaces between them, a code or the beginning of one, or first letters
            of its pinyin.
        near
            Lon, lat in degrees: of matches that are equally good, the nearer comes first.
        inside
            West, south, east, north in degrees: what lies outside comes after all that lies inside.
        """
        parts = sorted(filter(None, map(folded, wanted.split())), key=len, reverse=True)
        if not parts or not self.size:
            return
        best = np.full(self.size, len(MATCHES), np.int8)
        rows, how = self._folded.hits("".join(map(folded, wanted.split())))
        best[rows] = how
        if len(parts) > 1:
            rows, _ = self._folded.hits(parts[0])
            rest = set(parts[1:])  # the same part a hundred times is one
            texts = ((row, self._folded[row]) for row in rows)
            others = [row for row, text in texts if all(part in text for part in rest)]
            best[others] = np.minimum(best[others], 2)
        code = parts[0] if len(parts) == 1 else wanted.strip().lower()
        rows, how = self._lower_codes.hits(code, is_inside=len(code) >= _INSIDE_CODES)
        best[rows] = np.minimum(best[rows], how)
        if len(parts) == 1 and parts[0].isascii() and parts[0].isalpha():
            rows, _ = self._initials.hits(parts[0], is_inside=False)
            best[rows] = np.minimum(best[rows], 3)
        wanted_kinds = np.isin(self._kinds, [KINDS.index(kind) for kind in kinds])
        found = np.flatnonzero((best < len(MATCHES)) & wanted_kinds)
        for row in found[np.lexsort(self._ranks(found, best, near, inside))]:
            yield Hit(self._entry(int(row)), MATCHES[best[row]])

    def _ranks(
        self,
        found: NDArray[np.int64],
        best: NDArray[np.int8],
        near: tuple[float, float] | None,
        inside: tuple[float, float, float, float] | None,
    ) -> tuple[NDArray[np.float64], ...]:
        """Return the keys for np.lexsort, the last one first: match, scope, distance in steps of two, kind, length."""
        lon, lat = self._lon[found], self._lat[found]
        length = np.fromiter((len(self._names[row]) for row in found), np.float64, len(found))
        steps = np.zeros(len(found))
        if near is not None:
            squeezed = np.cos(np.radians(near[1]))
            far_km = 111.32 * np.hypot((lon - near[0]) * squeezed, lat - near[1])  # of a degree on the equator, WGS 84
            steps = np.floor(np.log2(1 + far_km))
        outside = np.zeros(len(found))
        if inside is not None:
            west, south, east, north = inside
            outside = ((lon < west) | (lon > east) | (lat < south) | (lat > north)).astype(float)
        return length, self._kinds[found].astype(float), steps, outside, best[found].astype(float)

    def _entry(self, row: int) -> Entry:
        return Entry(
            KINDS[self._kinds[row]], self._codes[row], self._names[row], float(self._lon[row]), float(self._lat[row])
        )


def _positions(joined: str, wanted: str) -> Iterator[int]:
    at = joined.find(wanted)
    while at >= 0:
        yield at
        at = joined.find(wanted, at + 1)
