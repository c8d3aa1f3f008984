"""Owners for any number of points: a stream in, the same stream with owners out."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from geo_grid.coordinates import lonlat_problem, not_in, source_crs
from geo_grid.errors import InvalidRows, UnreadableFile, UserError
from geo_grid.exchange.points import READERS, Points, write_points
from geo_grid.locate import EVERYTHING, CityIndex, Seen

FORMS = tuple(READERS)
_REASONS_KEPT = 100


@dataclass(frozen=True)
class Asked:
    """How points are to be located.

    Attributes
    ----------
    crs
        Of the coordinates; see `coordinates.source_crs`.
    levels
        Grid levels whose codes are wanted besides the innermost cell's.
    skip_invalid
        Answer the other points, and name the problem of those that are no places.
    seen
        What whoever asks may see; a point elsewhere is answered as one outside the city.
    most
        So many points are answered at most; any number when None.
    """

    crs: str = "EPSG:4490"
    levels: tuple[int, ...] = ()
    skip_invalid: bool = False
    seen: Seen = EVERYTHING
    most: int | None = None


@dataclass
class Located:
    """How many points were located, how many of them nobody owns, and how many were no places."""

    points: int = 0
    unassigned: int = 0
    invalid: list[tuple[int, str]] = field(default_factory=list)
    invalid_count: int = 0


def locate_points(
    city: CityIndex,
    source: Path,
    sink: Path,
    form: str,
    asked: Asked,
    progress: Callable[[int], None] = lambda count: None,
) -> Located:
    """Find the owners of all points of a file, in its order.

    The answer has the columns grid_code, zone_code, distance_to_boundary_m (to the millimetre) and unassigned,
    grid_code_N for each level asked, and problem when invalid points are skipped; they replace columns
    of the same names. CSV and Arrow keep all other columns. Memory does not grow with the number of
    points, but for an Arrow stream by its largest compressed batch.

    Parameters
    ----------
    form
        `csv`, `json` or `arrow`, of both files.
    progress
        Called with the number of points since the last call.

    Raises
    ------
    UnreadableFile
        The source is not what `form` says.
    InvalidRows
        Points are no places; the first 100 are named. Rows count from 1.
    UnknownCrs
        See `coordinates.source_crs`.
    UserError
        There is no such level, or there are more points than `most`.
    """
    unknown = set(asked.levels) - set(city.levels)
    if unknown and city.levels:
        message = f"there is no grid level {min(unknown)}; the levels are {city.levels}"
        raise UserError(message)
    work = _Work(city, asked)

    def batches() -> Iterator[pa.RecordBatch]:
        for points in READERS[form](source):
            if asked.most is not None and work.done.points + points.table.num_rows > asked.most:
                message = f"there are more than {asked.most:,} points: send them in parts"
                raise UserError(message)
            yield work.answer(points)
            progress(points.table.num_rows)
        if work.done.invalid_count and not asked.skip_invalid:
            message = f"{work.done.invalid_count} of {work.done.points} points are no places"
            raise InvalidRows(message, work.done.invalid)

    try:
        write_points(sink, form, batches(), work.columns, city.edition)
    except (pa.ArrowException, csv.Error, OverflowError) as error:  # columns of one name, numbers beyond all kinds
        message = f"the points cannot be read: {str(error).splitlines()[0]}"
        raise UnreadableFile(message) from None
    return work.done


class _Work:
    def __init__(self, city: CityIndex, asked: Asked) -> None:
        self.city = city
        self.asked = asked
        self.done = Located()
        self._convert = None if asked.crs == "EPSG:4490" else source_crs(asked.crs)
        self._cells = pa.array(city.cells.codes.tolist(), pa.string())
        self._zones = pa.array(city.zones.codes.tolist(), pa.string())
        self._levels = [_ancestors(city, level) for level in asked.levels]
        self._bounds = city.cells.bounds if asked.seen.everywhere else asked.seen.bounds
        if not asked.seen.everywhere:
            self._cells_hidden = _hidden(city.cells.codes.tolist(), asked.seen.cells)
            self._zones_hidden = _hidden(city.zones.codes.tolist(), asked.seen.zones)
        self.columns = [
            "grid_code",
            *(f"grid_code_{level}" for level in asked.levels),
            "zone_code",
            "distance_to_boundary_m",
            "unassigned",
            *(["problem"] if asked.skip_invalid else []),
        ]

    def answer(self, points: Points) -> pa.RecordBatch:
        x, y = _numbers(points.table.column(points.x)), _numbers(points.table.column(points.y))
        lon, lat = self._convert.convert(x, y) if self._convert else (x, y)
        problems = self._problems(x, y, lon, lat)
        bad = np.array(list(problems), dtype=np.int64)
        lon[bad], lat[bad] = 0, 0  # placeholders; the answers are blanked below
        cell, zone = self.city.cells.owners(lon, lat), self.city.zones.owners(lon, lat)
        cell[bad], zone[bad] = -1, -1
        if not self.asked.seen.everywhere:
            cell[self._cells_hidden[cell]] = -1
            zone[self._zones_hidden[zone] | (cell < 0)] = -1
        metres = self.city.cells.distance_to_boundary(lon, lat, cell)
        count = points.table.num_rows
        answers: list[pa.Array] = [
            _codes(cell, self._cells),
            *(_codes(ancestor[cell], codes) for ancestor, codes in self._levels),
            _codes(zone, self._zones),
            pa.array(np.round(metres, 3), mask=np.isnan(metres)),
            pa.array(cell < 0),
        ]
        if self.asked.skip_invalid:
            answers.append(pa.array([problems.get(row) for row in range(count)], pa.string()))
        self._count(problems, int((cell < 0).sum()) - len(bad), count)
        kept = [name for name in points.table.schema.names if name not in self.columns]
        return pa.RecordBatch.from_arrays(
            [*(points.table.column(name) for name in kept), *answers], [*kept, *self.columns]
        )

    def _problems(
        self, x: NDArray[np.float64], y: NDArray[np.float64], lon: NDArray[np.float64], lat: NDArray[np.float64]
    ) -> dict[int, str]:
        with np.errstate(invalid="ignore"):
            wrong = ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))
        problems = {}
        for row in np.flatnonzero(wrong).tolist():
            if np.isnan(x[row]) or np.isnan(y[row]):
                problems[row] = "a coordinate is missing or is no number"
            else:
                is_flat = self._convert is not None and not self._convert.is_geographic
                told = not_in(self.asked.crs, x[row], y[row]) if is_flat else lonlat_problem(lon[row], lat[row])
                problems[row] = told or "is no place"
        if self._bounds is not None:
            west, south, east, north = self._bounds
            outside = ~((west <= lon) & (lon <= east) & (south <= lat) & (lat <= north))
            swapped = outside & (west <= lat) & (lat <= east) & (south <= lon) & (lon <= north)
            for row in np.flatnonzero(swapped).tolist():
                problems[row] = (
                    f"lon {lon[row]} lat {lat[row]} is far outside the city, the other way round inside: swapped"
                )
        return problems

    def _count(self, problems: dict[int, str], unassigned: int, count: int) -> None:
        room = _REASONS_KEPT - len(self.done.invalid)
        first = sorted(problems.items())[: max(0, room)]
        self.done.invalid += [(self.done.points + row + 1, reason) for row, reason in first]
        self.done.invalid_count += len(problems)
        self.done.points += count
        self.done.unassigned += unassigned


def _ancestors(city: CityIndex, level: int) -> tuple[NDArray[np.int32], pa.Array]:
    """Number the cell at a level above each leaf; one place more, for -1, is nobody's."""
    above = city.codes_at(level)
    codes = sorted({code for code in above if code is not None})
    number = {code: index for index, code in enumerate(codes)}
    return np.array([*(number.get(code or "", -1) for code in above), -1], dtype=np.int32), pa.array(codes, pa.string())


def _hidden(codes: list[str], seen: frozenset[str]) -> NDArray[np.bool_]:
    """Say of each code whether it is not seen; one place more, for -1, which hides nothing."""
    return np.array([*(code not in seen for code in codes), False])


def _codes(owner: NDArray[np.int32], codes: pa.Array) -> pa.Array:
    """Name owners (-1 is nobody) without repeating the text of each code."""
    return pa.DictionaryArray.from_arrays(pa.array(owner, mask=owner < 0), codes)


def _numbers(column: pa.Array) -> NDArray[np.float64]:
    """Read a column as floats; NaN where there is no number."""
    if pa.types.is_string(column.type):
        try:
            column = pa.compute.cast(column, pa.float64())
        except pa.ArrowInvalid:
            import pandas as pd  # not at the top: as in `tables`

            numbers: NDArray[np.float64] = pd.to_numeric(column.to_pandas(), errors="coerce").to_numpy(
                np.float64, copy=True
            )
            return numbers
    return np.array(pa.compute.cast(column, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
