"""The process that reads one file: `python -m geo_grid.files.child`, told on its standard input what to read.

It puts the walls up before it imports anything that could read a stranger's bytes.
"""

import json
import os
import sys
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


class _Without:
    """Makes believe that packages are not installed that others import if they are, for most of the time it takes."""

    def __init__(self, *names: str) -> None:
        self.names = [*names]

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse them, and leave others to others."""
        if name.partition(".")[0] in self.names:
            message = f"{name} is not needed to read files"
            raise ModuleNotFoundError(message, name=name)


def main() -> int:
    """Read what is asked, and hand it back on the standard output."""
    job = json.load(sys.stdin)
    readable = [*map(Path, job["readable"]), *map(Path, _PYTHON), *map(Path, (sys.prefix, sys.base_prefix)),
                Path(__file__).parents[1]]  # fmt: skip
    limits = Limits(**job["limits"])
    scratch = Path(job["scratch"]) if job["scratch"] else None
    standing = confine(readable, scratch, limits.processor_s, limits.unpacked_bytes if scratch else 0)
    if os.getppid() != job["parent"]:
        return OUT_OF_MEMORY  # who asked ended before this process would have ended with them
    if job["what"] == "walls":
        print(json.dumps(standing))
        return 0
    return _read(job, limits, scratch)


def _read(job: dict[str, Any], limits: Limits, scratch: Path | None) -> int:
    path, said, sink = Path(job["path"]), job["said"], sys.stdout.buffer
    without = _Without("pandas", "geopandas", "pyproj", "cloudpickle")
    sys.meta_path.insert(0, without)
    from geo_grid.files import rows

    try:
        if job["what"] == "extract":
            without.names.remove("pyproj")  # stands beside the lattice that places are put on
            from geo_grid.files.extracts import read_extract

            limit_memory(limits.memory_bytes)
            found = read_extract(path, said, job["box"])
        else:
            from geo_grid.files import archives, readers, vectors
            from geo_grid.files.source import Source
            from geo_grid.files.spelling import Spelling

            is_gdals = path.suffix.lower() in (*DRIVERS, ".zip")
            if is_gdals:
                import pyogrio  # noqa: F401 (its libraries are loaded before memory is limited; nothing is opened yet)
            without.names.remove("pyproj")  # a file may describe its reference system instead of naming it
            limit_memory(limits.memory_bytes)
            source = Source(path, said, job["lon"], job["lat"], scratch, limits, Spelling(**job["spelling"]))
            if is_gdals:
                source = archives.unpacked(source)
                one_driver(vectors.driver_of(source))
            found = readers.read(source)
        rows.write(rows.Rows(found.about, found.schema, rows.bounded(said, found.batches, limits)), sink)
    except (UnreadableFile, UserError) as error:
        ours = str(error).replace(str(path), said)
        for folder in (path.parent, scratch):  # where parts of it lie is nobody's business
            ours = ours.replace(f"{folder}/", "") if folder is not None else ours
        rows.write_refusal(type(error).__name__, ours, sink)
        return REFUSED
    except (MemoryError, ImportError):  # a library that could not be mapped into what memory is left
        return OUT_OF_MEMORY
    except Exception:
        rows.write_refusal("UnreadableFile", f"{said} cannot be read: it holds what no such file holds", sink)
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


if __name__ == "__main__":
    sys.exit(main())
