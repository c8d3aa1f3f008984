"""The folder that caches the machine code of our numba functions, and whether it is complete.

Does not import numba, which takes seconds: a start with a complete cache does not need the compiler.
"""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

from llvmlite.binding import get_host_cpu_name

from geo_grid.settings import PACKAGE, default_state_dir

LOOPS = (
    "geo_grid.locate.kernels",
    "geo_grid.response.sweep",
    "geo_grid.response.contour",
    "geo_grid.response.drawing",
    "geo_grid.response.expansion",
)
"""Modules with functions compiled by numba, those that take longest first: several are compiled at a time."""


def kept_in() -> Path | None:
    """Return the cache folder; None stands for numba's default, __pycache__ beside the sources.

    NUMBA_CACHE_DIR decides when it is set; else the folder `compiled` of the state folder when the sources are read-only.
    Cached machine code is run unchecked, so a folder of another user is not used.
    """
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen)
    if os.access(PACKAGE, os.W_OK):
        return None
    # read from the environment, not from Settings: a notebook needs no valid settings of a server
    folder = Path(os.environ.get("GEO_GRID_STATE_DIR") or default_state_dir()) / "compiled"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if folder.stat().st_uid == os.geteuid() and os.access(folder, os.W_OK) else None


def is_complete() -> bool:
    """Say whether the cache holds all functions as they are written now, compiled for this processor."""
    return stamp().exists()


def stamp() -> Path:
    """Return the marker file of a complete cache. Its name is a digest of all that the machine code depends on:

    time and size of the sources (as numba checks them), numba's version and the model of the processor.
    """
    files = [PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in LOOPS]
    sources = [(file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    digest = hashlib.sha256(repr((sources, version("numba"), get_host_cpu_name())).encode()).hexdigest()[:16]
    return (kept_in() or PACKAGE / "__pycache__") / f"compiled-{digest}"
