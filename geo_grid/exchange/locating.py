"""Owners for any number of points: a stream in, the same stream with owners out."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geo_grid.coordinates import SourceCrs, lonlat_problem, not_in, source_crs
from geo_grid.cores import in_order
from geo_grid.errors import InvalidRows, UnreadableFile, UserError
from geo_grid.exchange.points import write_parquet, write_points
from geo_grid.files.door import read_points
from geo_grid.files.kinds import POINTS
from geo_grid.files.limits import Limits, of_operator
from geo_grid.files.rows import Rows
from geo_grid.locate import EVERYTHING, CityIndex, Seen
from geo_grid.locate.arrow_points import Found, PointColumns
from geo_grid.progress import Progress, silent

FILE_FORMS = tuple(POINTS)
"""Of points in a file."""
_OURS = ("EPSG:4490", "EPSG:4326")
"""Reference systems whose coordinates are ours but for the lattice."""
_REASONS_KEPT = 100


@dataclass(frozen=True)
class Asked:
    """How points are to be located.

    Attributes
    ----------
    crs
        Of the coordinates; see `coordinates.source_crs`. None: what the file itself says, or else CGCS2000.
    levels
        Grid levels whose codes are wanted besides the innermost cell's.
    skip_invalid
        Answer the other points, and name the problem of those that are no places.
    seen
        What whoever asks may see; a point elsewhere is answered as one outside the city.
    most
        So many points are answered at most; any number when None.
    cores
        Threads that look.
    limits
        What reading the points may take.
    """

    crs: str | None = "EPSG:4490"
    levels: tuple[int, ...] = ()
    skip_invalid: bool = False
    seen: Seen = EVERYTHING
    most: int | None = None
    cores: int = 1
    limits: Limits = field(default_factory=of_operator)


@dataclass
class Located:
    """How many rows were read, of how many the point is owned by nobody, how many have none, and which are no places."""

    points: int = 0
    unassigned: int = 0
    missing: int = 0
    invalid: list[tuple[int, str]] = field(default_factory=list)
    invalid_count: int = 0


def locate_points(
    city: CityIndex,
    source: Path,
    sink: Path,
    form: str,
    asked: Asked,
    progress: Progress = silent,
    look: Callable[[], None] = lambda: None,
) -> Located:
    """Find the owners of all points of a file, in its order. The file is read in a confined process.

    The answer has the columns grid_code, zone_code, distance_to_boundary_m (to the millimetre) and unassigned,
    grid_code_N for each level asked, and problem when invalid points are skipped; they replace columns
    of the same names. CSV, Arrow and Parquet keep all other columns. A row of Parquet whose point is null stays, and all
    its answers are null. Memory does not grow with the number of points, but for an Arrow stream by its largest
    compressed batch.

    Parameters
    ----------
    form
        One of `FILE_FORMS`, of both files.
    progress
        Advanced by points.
    look
        Called now and then while the file is read; what it raises ends everything.

    Raises
    ------
    UnreadableFile
        The source is not what `form` says.
    InvalidRows
        Points are no places; the first 100 are named. Rows count from 1.
    UnknownCrs
        See `coordinates.source_crs`.
    UserError
        There is no such level, it is asked for twice, or there are more points than `most`.
    """
    if len(set(asked.levels)) < len(asked.levels):
        message = "a grid level is asked for twice"
        raise UserError(message)
    unknown = set(asked.levels) - set(city.levels)
    if unknown and city.levels:
        message = f"there is no grid level {min(unknown)}; the levels are {city.levels}"
        raise UserError(message)
    done = Located()

    def taken(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        count = 0
        for batch in batches:
            count += batch.num_rows
            if asked.most is not None and count > asked.most:
                message = f"there are more than {asked.most:,} points: send them in parts"
                raise UserError(message)
            yield batch

    def batches(read: Rows, advance: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
        columns = _columns(form, read)
        crs = source_crs(asked.crs or columns.crs or _OURS[0])
        work = _Work(city, asked, crs, columns, read.about.get("wrong"), form == "parquet")
        yield work.answer(_no_rows(read.schema)).batch  # the columns, even when no rows follow
        for answer in in_order(work.answer, taken(read.batches), asked.cores):
            _count(done, answer)
            yield answer.batch
            advance(answer.batch.num_rows)
        if done.invalid_count and not asked.skip_invalid:
            message = f"{done.invalid_count} of {done.points} points are no places"
            raise InvalidRows(message, done.invalid)

    try:
        with (
            read_points(source, form, asked.limits, look) as read,
            progress(f"locating {source.name}", read.about.get("rows")) as advance,
        ):
            if form == "parquet":
                write_parquet(sink, batches(read, advance), city.edition)
            else:
                write_points(sink, form, batches(read, advance), answer_columns(asked), city.edition)
    except (pa.ArrowException, OverflowError) as error:  # columns of one name, numbers beyond all kinds
        message = f"the points cannot be read: {str(error).splitlines()[0]}"
        raise UnreadableFile(message) from None
    return done


def answer_columns(asked: Asked) -> list[str]:
    """Name the columns of an answer."""
    return [
        "grid_code",
        *(f"grid_code_{level}" for level in asked.levels),
        "zone_code",
        "distance_to_boundary_m",
        "unassigned",
        *(["problem"] if asked.skip_invalid else []),
    ]


def _columns(form: str, read: Rows) -> PointColumns:
    if "lon" in read.about:
        return PointColumns((read.about["lon"], read.about["lat"]))
    return PointColumns.of(POINTS[form], read.schema)


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


@dataclass(frozen=True)
class _Answer:
    """The answer to a batch: its rows with the owners, how many of them have none, or no point, and what is wrong by row."""

    batch: pa.RecordBatch
    unassigned: int
    missing: int
    problems: dict[int, str]


class _Work:
    """Answers batches, in any thread."""

    def __init__(
        self,
        city: CityIndex,
        asked: Asked,
        crs: SourceCrs,
        points: PointColumns,
        wrong: str | None,
        keeps_nulls: bool,
    ) -> None:
        self.city = city
        self.asked = asked
        self.columns = answer_columns(asked)
        self._crs, self._points, self._wrong = crs, points, wrong
        self._keeps_nulls = keeps_nulls
        self._bounds = city.cells.bounds if asked.seen.everywhere else asked.seen.bounds
        # the codes that an answer may name go with it: none of others
        seen = asked.seen
        self._cells = _numbered(city.cells.codes, None if seen.everywhere else seen.cells)
        self._zones = _numbered(city.zones.codes, None if seen.everywhere else seen.zones)
        self._levels = [_numbered_above(city, level, self._cells) for level in asked.levels]

    def answer(self, batch: pa.RecordBatch) -> _Answer:
        found = self._points.read(batch)
        found.missing &= self._keeps_nulls
        if self._wrong is not None:
            said = batch.column(self._wrong).to_pylist()
            found.wrong |= {row: why for row, why in enumerate(said) if why is not None}
        lon, lat = (found.x, found.y) if self._crs.name in _OURS else self._crs.convert(found.x, found.y)
        problems = self._problems(found, lon, lat)
        bad = np.array(list(problems), dtype=np.int64)
        nowhere = found.missing.copy()
        nowhere[bad] = True
        lon[nowhere], lat[nowhere] = 0, 0  # placeholders; the answers are blanked below
        cell, zone, metres = self._look(lon, lat)
        cell[nowhere], zone[nowhere], metres[nowhere] = -1, -1, np.nan
        if not self.asked.seen.everywhere:
            cell[self._cells[0][cell] < 0] = -1
            zone[(self._zones[0][zone] < 0) | (cell < 0)] = -1
            metres[cell < 0] = np.nan
        count = batch.num_rows
        answers: list[pa.Array] = [
            _codes(cell, self._cells),
            *(_codes(cell, above) for above in self._levels),
            _codes(zone, self._zones),
            pa.array(np.round(metres, 3), mask=np.isnan(metres)),
            pa.array(cell < 0, mask=found.missing),
        ]
        if self.asked.skip_invalid:
            answers.append(pa.array([problems.get(row) for row in range(count)], pa.string()))
        kept = [one for one in batch.schema if one.name not in (*self.columns, self._wrong)]
        named = [pa.field(name, answer.type) for name, answer in zip(self.columns, answers, strict=True)]
        owned = pa.RecordBatch.from_arrays(
            [*(batch.column(one.name) for one in kept), *answers],
            schema=pa.schema([*kept, *named], batch.schema.metadata),
        )
        missing = int(found.missing.sum())
        return _Answer(owned, int((cell < 0).sum()) - len(bad) - missing, missing, problems)

    def _look(
        self, lon: NDArray[np.float64], lat: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
        """Return cell, zone and metres to the border of the cell, of neighbours one after the other."""
        cell, zone, metres = np.empty(len(lon), np.int32), np.empty(len(lon), np.int32), np.empty(len(lon))
        order, x, y = self.city.cells.by_place(lon, lat)
        cells = self.city.cells.owners(x, y)
        cell[order], zone[order] = cells, self.city.zones.owners(x, y)
        metres[order] = self.city.cells.distance_to_boundary(x, y, cells)
        return cell, zone, metres

    def _problems(self, found: Found, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> dict[int, str]:
        x, y = found.x, found.y
        with np.errstate(invalid="ignore"):
            wrong = ~found.missing & ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))
        problems = {}
        for row in np.flatnonzero(wrong).tolist():
            if np.isnan(x[row]) or np.isnan(y[row]):
                problems[row] = found.wrong.get(row, "a coordinate is missing or is no number")
            else:
                told = (
                    lonlat_problem(lon[row], lat[row])
                    if self._crs.is_geographic
                    else not_in(self._crs.name, x[row], y[row])
                )
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


def _count(done: Located, answer: _Answer) -> None:
    room = _REASONS_KEPT - len(done.invalid)
    first = sorted(answer.problems.items())[: max(0, room)]
    done.invalid += [(done.points + row + 1, reason) for row, reason in first]
    done.invalid_count += len(answer.problems)
    done.points += answer.batch.num_rows
    done.unassigned += answer.unassigned
    done.missing += answer.missing


type _Numbered = tuple[NDArray[np.int32], pa.Array]
"""Of the n owners: the numbers of their codes, -1 for none, and for n, which is nobody; and those codes."""


def _numbered(codes: NDArray[Any], seen: Container[str] | None) -> _Numbered:
    """Number the codes of owners, each its own, that are seen; all when None."""
    is_seen = np.ones(len(codes), np.bool_) if seen is None else np.array([c in seen for c in codes.tolist()], np.bool_)
    numbers = np.where(is_seen, np.cumsum(is_seen) - 1, -1)
    return np.append(numbers, -1).astype(np.int32), pa.array(codes[is_seen], pa.string())


def _numbered_above(city: CityIndex, level: int, leaves: _Numbered) -> _Numbered:
    """Number the codes of cells at a level, for each leaf cell that is seen."""
    above = [code if number >= 0 else None for code, number in zip(city.codes_at(level), leaves[0], strict=False)]
    codes = pa.array(above, pa.string()).dictionary_encode()
    numbers = codes.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.append(numbers, -1).astype(np.int32), codes.dictionary


def _codes(owner: NDArray[np.int32], numbered: _Numbered) -> pa.Array:
    """Name owners (-1 is nobody) without repeating the text of each code."""
    numbers, codes = numbered
    found = numbers[owner]
    return pa.DictionaryArray.from_arrays(pa.array(found, mask=found < 0), codes)
