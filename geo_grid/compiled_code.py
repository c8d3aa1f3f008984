"""Where the compiled code of our own loops is kept, and whether all of it is there.

Does not import numba: a start that finds everything should not wait for what would compile it.
"""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

from llvmlite.binding import get_host_cpu_name

from geo_grid.settings import PACKAGE, default_state_dir

LOOPS = (
    "geo_grid.locate.kernels",
    "geo_grid.response.contour",
    "geo_grid.response.drawing",
    "geo_grid.response.expansion",
    "geo_grid.response.sweep",
)
"""Modules with compiled loops."""


def kept_in() -> Path | None:
    """Return the folder of compiled code; None is beside the sources, unless these cannot be written.

    NUMBA_CACHE_DIR decides when it is set. What is kept there is run as it is: the folder must belong to whoever runs it.
    """
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen)
    if os.access(PACKAGE, os.W_OK):
        return None
    # the variable itself: settings of a server may be wrong in much else while a notebook only wants a loop
    folder = Path(os.environ.get("GEO_GRID_STATE_DIR") or default_state_dir()) / "compiled"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if folder.stat().st_uid == os.geteuid() and os.access(folder, os.W_OK) else None


def is_complete() -> bool:
    """Say whether all loops are compiled as they are written now, for this processor."""
    return stamp().exists()


def stamp() -> Path:
    """Return the file that says that all is compiled, named by what compiled code depends on.

    That is the sources as numba tells them apart, its version and the processor.
    """
    files = [PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in LOOPS]
    told = [(file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    digest = hashlib.sha256(repr((told, version("numba"), get_host_cpu_name())).encode()).hexdigest()[:16]
    return (kept_in() or PACKAGE / "__pycache__") / f"compiled-{digest}"
