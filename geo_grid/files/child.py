"""The process that reads one file, told on its standard input what to read.

It is forked from one that has imported the libraries (`nest`), and puts the walls up before it reads anything but its
job.
"""

import contextlib
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from geo_grid.errors import UnreadableFile, UserError
from geo_grid.files.kinds import DRIVERS
from geo_grid.files.limits import Limits
from geo_grid.files.walls import confine, limit_memory

REFUSED, OUT_OF_MEMORY = 3, 4
"""How it ends when a refusal is its last line, and when the memory did not suffice."""
_PYTHON = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/urandom", "/proc/self")
_NO_OTHER_FILES = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # its neighbours say nothing
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
    "OSR_STRIP_TOWGS84": "YES",
    "OGR_GEOJSON_MAX_OBJ_SIZE": "200",
    "GDAL_NUM_THREADS": "1",
}


EXTRACT, SHAPES, TEXTS, POINTS, WALLS = "extract", "shapes", "texts", "points", "walls"
"""What a process is for: an OpenStreetMap extract, what GDAL reads, any other table, points in bulk, to say which walls
stand."""

_TABLES = ("geo_grid.files.archives", "geo_grid.files.readers")
_NEEDED = {
    EXTRACT: ("geo_grid.files.extracts",),  # with pyproj, beside the lattice that places are put on
    SHAPES: (*_TABLES, "pyogrio.raw"),  # whose libraries are loaded before memory is limited
    TEXTS: _TABLES,
    POINTS: ("geo_grid.files.points",),
    WALLS: (),
}
_OFTEN = ("pyarrow.compute", "pyarrow.parquet")


class _Without:
    """Makes believe that packages are not installed that others import if they are, for most of the time it takes."""

    def __init__(self, *names: str) -> None:
        self.names = [*names]

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse them, and leave others to others."""
        if name.partition(".")[0] in self.names:
            message = f"{name} is not needed to read files"
            raise ModuleNotFoundError(message, name=name)


_WITHOUT = _Without("pandas", "geopandas", "pyproj", "cloudpickle")


def prepare(purpose: str, is_for_more: bool = False) -> None:
    """Import what such a process needs, and read nothing; for more of them, also what some files need."""
    if _WITHOUT not in sys.meta_path:
        sys.meta_path.insert(0, _WITHOUT)
    if purpose == EXTRACT or is_for_more:
        _with_pyproj()
    for name in (*_NEEDED[purpose], *(_OFTEN if is_for_more else ())):
        import_module(name)


def main(asked_by: int, opened: int | None) -> int:
    """Read what is asked, and hand it back on the standard output.

    Parameters
    ----------
    asked_by
        Number of the parent process.
    opened
        Descriptor of the file, where the job names no path.
    """
    job = json.load(sys.stdin)
    if opened is not None:
        job["path"] = f"/proc/self/fd/{opened}"
        job["readable"] = [job["path"]]
    readable = [*map(Path, job["readable"]), *map(Path, _PYTHON), *map(Path, (sys.prefix, sys.base_prefix)),
                Path(__file__).parents[1]]  # fmt: skip
    limits = Limits(**job["limits"])
    scratch = Path(job["scratch"]) if job["scratch"] else None
    standing = confine(readable, scratch, limits.processor_s, limits.unpacked_bytes if scratch else 0)
    if os.getppid() != asked_by:
        return OUT_OF_MEMORY  # who asked ended before this process would have ended with them
    if job["what"] == WALLS:
        print(json.dumps(standing))
        return 0
    return _read(job, limits, scratch)


def purpose_of(job: dict[str, Any]) -> str:
    """Return what a process is started for that has this job."""
    if job["what"] != "table":
        return str(job["what"])
    return SHAPES if Path(job["path"]).suffix.lower() in (*DRIVERS, ".zip") else TEXTS


def _with_pyproj() -> None:
    with contextlib.suppress(ValueError):
        _WITHOUT.names.remove("pyproj")


def _read(job: dict[str, Any], limits: Limits, scratch: Path | None) -> int:
    path, said, sink = Path(job["path"]), job["said"], sys.stdout.buffer
    prepare(purpose := purpose_of(job))
    from geo_grid.files import rows

    try:
        if purpose == EXTRACT:
            from geo_grid.files.extracts import read_extract

            limit_memory(limits.memory_bytes)
            found = read_extract(path, said, job["box"])
        elif purpose == POINTS:
            from geo_grid.files.points import READERS

            limit_memory(limits.memory_bytes + path.stat().st_size)  # a stream of Arrow is mapped
            rows.write(READERS[job["form"]](path), sink)
            return 0
        else:
            from geo_grid.files import archives, readers, vectors
            from geo_grid.files.source import Source
            from geo_grid.files.spelling import Spelling

            _with_pyproj()  # a file may describe its reference system instead of naming it
            limit_memory(limits.memory_bytes)
            source = Source(path, said, job["lon"], job["lat"], scratch, limits, Spelling(**job["spelling"]))
            if purpose == SHAPES:
                source = archives.unpacked(source)
                one_driver(vectors.driver_of(source))
            found = readers.read(source)
        rows.write(rows.Rows(found.about, found.schema, rows.bounded(said, found.batches, limits)), sink)
    except (UnreadableFile, UserError) as error:
        ours = str(error).replace(str(path), said)
        for folder in (path.parent, scratch):  # where parts of it lie is nobody's business
            ours = ours.replace(f"{folder}/", "") if folder is not None else ours
        rows.write_refusal(error, ours, sink)
        return REFUSED
    except (MemoryError, ImportError):  # a library that could not be mapped into what memory is left
        return OUT_OF_MEMORY
    except Exception:
        message = f"{said} cannot be read: it holds what no such file holds"
        rows.write_refusal(UnreadableFile(message), message, sink)
        return REFUSED
    return 0


def one_driver(name: str) -> None:
    """Leave GDAL one driver only, so that a file is never anything but what its name promises."""
    import pyogrio
    from pyogrio.core import _register_drivers

    others = ",".join(driver for driver in pyogrio.list_drivers() if driver != name)
    pyogrio.set_gdal_config_options({**_NO_OTHER_FILES, "OGR_SKIP": others})
    _register_drivers()  # which leaves out those to be skipped, and drops them where they are
    left = set(pyogrio.list_drivers())
    if left != {name}:
        message = f"GDAL keeps other drivers than {name}: {', '.join(sorted(left - {name}))}"
        raise UserError(message)
