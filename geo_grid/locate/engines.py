"""The owner of each point as a step of an engine that works on many batches at once: Dask, Spark, Ray, DuckDB, SedonaDB.

    owners = Owners(Locator.load(folder))
    frame.map_partitions(owners.frame)                                  # Dask
    frame.mapInArrow(owners.batches, owners.spark_schema(frame.schema)) # Spark
    dataset.map_batches(owners.table, batch_format="pyarrow")           # Ray
    owners.reader(relation)                                             # DuckDB, SedonaDB: a stream of Arrow batches

None of them is imported here. See docs/bulk.md.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from geo_grid.coordinates import source_crs
from geo_grid.cores import in_order
from geo_grid.errors import InvalidCoordinates, UnreadableFile
from geo_grid.files.kinds import coordinate_columns
from geo_grid.locate.arrow_points import Floats, PointColumns
from geo_grid.locate.locator import Locator

if TYPE_CHECKING:
    import pandas as pd


class Owners:
    """Adds a column with the code of the polygon that owns the point of each row; null where there is none.

    It travels to workers as the path of a saved Locator, which must be the same on each machine; all processes of a
    machine share one copy of it in memory. The same batch always gets the same answer, so that an engine may do it again:
    a worker that finds another Locator at the path refuses.

    A row whose point is missing (null, an empty point, or NaN for both coordinates) has no owner. Rows with anything else
    that is no place, such as a latitude of 91, raise InvalidCoordinates.

    Parameters
    ----------
    locator
        Saved, or loaded.
    column
        Name of the added column; it replaces one of the same name.
    lon, lat
        Names of the columns with longitudes or eastings, and latitudes or northings. None: the usual names, or in Arrow
        also points as WKB or GeoArrow; see `PointColumns.of`.
    crs
        Of the points, see `coordinates.source_crs`.

    Raises
    ------
    ValueError
        The Locator was not saved: each task would carry all of it.
    UnknownCrs
        See `coordinates.source_crs`.
    """

    def __init__(
        self,
        locator: Locator,
        column: str = "owner",
        lon: str | None = None,
        lat: str | None = None,
        crs: str = "EPSG:4490",
    ) -> None:
        if locator.path is None or locator.digest is None:
            message = "the Locator is not saved: workers open its file, so save it first"
            raise ValueError(message)
        self.path, self.digest = locator.path.resolve(), locator.digest
        self.column = column
        self.crs = source_crs(crs).name
        self._names = (lon, lat)

    def frame(self, frame: "pd.DataFrame") -> "pd.DataFrame":
        """Answer a DataFrame of pandas: for `map_partitions` of Dask."""
        import pandas as pd

        x, y = coordinate_columns("the frame", [str(name) for name in frame.columns], *self._names)
        owner = self._owners(
            frame[x].to_numpy(np.float64, na_value=np.nan), frame[y].to_numpy(np.float64, na_value=np.nan)
        )
        return frame.assign(**{self.column: pd.Series(owner.to_pandas().to_numpy(), frame.index, dtype="str")})

    def batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Answer batches of Arrow one after the other: for `mapInArrow` of Spark."""
        return map(self._batch, batches)

    def table(self, table: pa.Table) -> pa.Table:
        """Answer a table of Arrow: for `map_batches` of Ray with the batch format `pyarrow`."""
        return pa.Table.from_batches(self.batches(table.to_batches()), self._schema(table.schema))

    def reader(self, source: Any, cores: int = 1) -> pa.RecordBatchReader:
        """Answer a stream of Arrow batches as it is read: for DuckDB, SedonaDB, and whatever else speaks Arrow.

        Parameters
        ----------
        source
            Anything with `__arrow_c_stream__` (Arrow PyCapsule interface): a relation, a table, a reader.
        cores
            Threads that look.
        """
        stream = pa.RecordBatchReader.from_stream(source)
        return pa.RecordBatchReader.from_batches(self._schema(stream.schema), in_order(self._batch, stream, cores))

    def spark_schema(self, schema: Any) -> Any:
        """Return a `StructType` of Spark with the added column, for `mapInArrow`."""
        return type(schema)([one for one in schema.fields if one.name != self.column]).add(self.column, "string")

    def _schema(self, schema: pa.Schema) -> pa.Schema:
        kept = [one for one in schema if one.name != self.column]
        return pa.schema([*kept, pa.field(self.column, pa.string())], schema.metadata)

    def _batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        lon, lat = self._names
        if lon or lat:
            columns = PointColumns(coordinate_columns("the batch", batch.schema.names, lon, lat))
        else:
            columns = PointColumns.of("the batch", batch.schema)
        found = columns.read(batch)
        if found.wrong:
            row, reason = min(found.wrong.items())
            message = f"point {row}: {reason}"
            raise InvalidCoordinates(message)
        schema = self._schema(batch.schema)
        kept = [batch.column(one.name) for one in schema if one.name != self.column]
        return pa.RecordBatch.from_arrays([*kept, self._owners(found.x, found.y)], schema=schema)

    def _owners(self, x: Floats, y: Floats) -> pa.Array:
        locator, codes = _opened(self.path, self.digest)
        if self.crs not in ("EPSG:4490", "EPSG:4326"):
            lon, lat = source_crs(self.crs).convert(x, y)
        else:
            lon, lat = x, y
        missing = np.isnan(x) & np.isnan(y)
        if missing.any():
            lon, lat = np.where(missing, 0, lon), np.where(missing, 0, lat)
        owner = locator.owners(lon, lat)
        return codes.take(pa.array(owner, mask=missing | (owner < 0)))


@lru_cache(maxsize=8)
def _opened(path: Path, digest: str) -> tuple[Locator, pa.Array]:
    """Open a saved Locator once in a process; return it with its codes."""
    locator = Locator.load(path)
    if locator.digest != digest:
        message = f"{path} is another Locator than the one this work was begun with: begin it again"
        raise UnreadableFile(message)
    return locator, pa.array(locator.codes.tolist(), pa.string())
