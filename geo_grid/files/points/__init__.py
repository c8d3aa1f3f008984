"""Points in bulk, read in the child process batch by batch: CSV, JSON, Arrow streams and Parquet."""

from collections.abc import Callable
from pathlib import Path

from geo_grid.files.points.arrow_stream import read_arrow
from geo_grid.files.points.csv_text import read_csv
from geo_grid.files.points.json_text import read_json
from geo_grid.files.points.parquet_file import read_parquet
from geo_grid.files.rows import Rows

READERS: dict[str, Callable[[Path], Rows]] = {
    "csv": read_csv,
    "json": read_json,
    "arrow": read_arrow,
    "parquet": read_parquet,
}
"""By form. Each says in `about` which columns are lon and lat, or for Parquet how many rows there are, and looks at no
more than the beginning, or end, until batches are taken. They raise UnreadableFile, of points that are no pairs InvalidRows.
"""
