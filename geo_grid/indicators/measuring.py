"""Counting and measuring incidents that the database sends as records of fixed size.

The database finds the incidents and says what group each belongs to; they are counted, and their times sorted, here. Sorting
a million times in a column of numpy takes a hundredth of a second; PostgreSQL needs seconds for an ordered-set aggregate of
each of twenty thousand cells (`make bench-workflow ONLY=indicators`).
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo_grid.cores import in_order, usable_cores
from geo_grid.errors import InvalidQuery
from geo_grid.indicators.definitions import CLOCKS, LONGEST_S, Code
from geo_grid.indicators.figures import Times

FLAGS = ("closed", "not_solved", "due", "on_time")
"""What is counted of incidents besides themselves, by the bits of a record's `flags`, the lowest first."""
_LONGEST_US = LONGEST_S * 1_000_000
_NO_CLOCK = np.iinfo(np.int64).min
_PERCENTS = (50, 90)
type Row = dict[str, Any]
type _Numbers = NDArray[np.int64]


def clocks_of(codes: Iterable[Code]) -> list[str]:
    """Return the clocks that a record has for these indicators, in their order."""
    return list(dict.fromkeys(clock for code in codes if code in CLOCKS for clock in CLOCKS[code]))


def measure(
    rows: Sequence[Row], by: Sequence[str], codes: Sequence[Code], cells: Mapping[int, str | None], most: int
) -> list[Row]:
    """Count and measure the incidents of each group.

    Parameters
    ----------
    rows
        By what is grouped by other than the cell, in columns of its names: `records`, of some or all of its incidents one after
        the other, big-endian, each of `cell` (8 bytes; 0: in none, or not grouped by), `flags` (2 bytes) and the clocks of
        `clocks_of(codes)` (8 bytes each: microseconds since any moment, the least number where there is none).
    by
        What is grouped by.
    cells
        Code of each number of a cell, and none of 0; incidents of others count as in none.
    most
        Most groups.

    Returns
    -------
    A row for each group that has incidents: what is grouped by, `count`, `FLAGS`, and for each stage among `codes` its
    `n`, `out_of_order`, `over_a_day`, `no_clock`, and `p50_s` and `p90_s` in seconds: the least time within which at least
    that share of the n lies (nearest rank); None where n is 0.

    Raises
    ------
    InvalidQuery
        There are more groups.
    """
    clocks = clocks_of(codes)
    kind = np.dtype([("cell", ">i8"), ("flags", ">i2"), *((clock, ">i8") for clock in clocks)])
    others = [name for name in by if name != "cell"]
    parts: dict[tuple[Any, ...], list[bytes]] = {}
    for row in rows:
        parts.setdefault(tuple([row[name] for name in others]), []).append(row["records"])
    records = np.frombuffer(b"".join(itertools.chain(*parts.values())), dtype=kind)
    of_row = np.repeat(np.arange(len(parts)), [sum(map(len, some)) // kind.itemsize for some in parts.values()])
    numbers = np.array(sorted(cells), dtype=np.int64)
    cell = _places(records["cell"].astype(np.int64), numbers)
    order = _order(cell, of_row)
    records, of_row = records[order], of_row[order]
    of_record = (of_row << 32) + cell[order]
    begins = np.flatnonzero(np.diff(of_record, prepend=-1))
    keys, counts = of_record[begins], np.diff(begins, append=len(records))
    if len(keys) > most:
        message = (
            f"this has more than {most:,} rows: ask for a shorter time, longer periods, or the cells of a higher level"
        )
        raise InvalidQuery(message)
    group = np.repeat(np.arange(len(keys)), counts)
    columns: dict[str, Iterable[Any]] = {"count": counts.tolist()}
    flags = records["flags"].astype(np.int16)
    for bit, name in enumerate(FLAGS):
        columns[name] = np.bincount(group[flags & 1 << bit != 0], minlength=len(keys)).tolist()
    at = {clock: records[clock].astype(np.int64) for clock in clocks}
    stages = [stage for stage in CLOCKS if stage in codes]
    ends = ([at[clock] for clock in CLOCKS[stage]] for stage in stages)
    columns |= zip(stages, in_order(lambda both: _times(group, counts, *both), ends, usable_cores()), strict=True)
    of_others = [dict(zip(others, key, strict=True)) for key in parts]
    made = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for row, key in zip(made, keys.tolist(), strict=True):
        row.update(of_others[key >> 32])
        if "cell" in by:
            row["cell"] = cells[numbers[key & 0xFFFFFFFF]]
    return made


def _places(cell: _Numbers, numbers: _Numbers) -> _Numbers:
    """Return the place of each cell among sorted numbers; of one that is not there, that of 0."""
    places = np.minimum(np.searchsorted(numbers, cell), len(numbers) - 1)
    return np.where(numbers[places] == cell, places, np.searchsorted(numbers, 0))


def _order(cell: _Numbers, of_row: _Numbers) -> _Numbers:
    """Return the places of records in the order of their rows, and in it of their cells: a stable sort of numbers of two
    bytes takes a tenth of the time of others.
    """
    by_cell = np.argsort(_short(cell), kind="stable")
    return by_cell[np.argsort(_short(of_row[by_cell]), kind="stable")]


def _short(numbers: _Numbers) -> NDArray[np.unsignedinteger]:
    return numbers.astype(np.min_scalar_type(numbers.max(initial=0)))


def _times(group: _Numbers, counts: _Numbers, since: _Numbers, until: _Numbers) -> list[Times]:
    """Return what is told of the times from one clock to another, by group, of incidents in the order of groups."""
    has_both = (since != _NO_CLOCK) & (until != _NO_CLOCK)
    group, took = group[has_both], until[has_both] - since[has_both]
    is_below, is_over = took < 0, took > _LONGEST_US
    clocked, below, over = (
        np.bincount(some, minlength=len(counts)) for some in (group, group[is_below], group[is_over])
    )
    n, span, is_kept = clocked - below - over, _LONGEST_US + 1, ~(is_below | is_over)
    # by group, and in it by length; a stable sort is quick where groups are in order already
    ordered = np.sort(group[is_kept] * span + took[is_kept], kind="stable")
    begins, filled = np.cumsum(n) - n, np.flatnonzero(n)
    percentiles: list[list[float | None]] = []
    for percent in _PERCENTS:
        found: list[float | None] = [None] * len(counts)
        ranks = (begins + -(-n * percent // 100) - 1)[filled]
        for number, value in zip(filled.tolist(), ((ordered[ranks] - filled * span) / 1e6).tolist(), strict=True):
            found[number] = value
        percentiles.append(found)
    return list(map(Times, n.tolist(), *percentiles, (counts - clocked).tolist(), below.tolist(), over.tolist()))
