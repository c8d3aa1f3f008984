"""Our own loops, compiled by numba once, for the types they are declared with, and never inside somebody's question.

A module of loops marks what is called from outside with `@loop(types)`, and what only other loops call with `@part()`.
`make_ready` compiles what is not in the cache and then forbids numba to compile anything more. Where nobody called it,
as in a notebook, a loop is compiled by its first caller.
"""

import hashlib
import importlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import llvmlite
import numba
from numba import njit

from geo_grid.progress import Progress
from geo_grid.settings import PACKAGE, default_state_dir


def _cache_folder() -> Path | None:
    """Return where compiled code is kept: beside the sources (None), or in the state folder where these cannot be written.

    NUMBA_CACHE_DIR decides when it is set. What is kept there is run as it is: the folder must belong to whoever runs it.
    """
    if numba.config.CACHE_DIR or os.access(PACKAGE, os.W_OK):
        return None
    # the variable itself: settings of a server may be wrong in much else while a notebook only wants a loop
    folder = Path(os.environ.get("GEO_GRID_STATE_DIR") or default_state_dir()) / "compiled"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if folder.stat().st_uid == os.geteuid() and os.access(folder, os.W_OK) else None


if (_folder := _cache_folder()) is not None:
    numba.config.CACHE_DIR = str(_folder)

_loops: list[tuple[Any, tuple[Any, ...]]] = []


def loop[Function: Callable[..., Any]](*types: Any, **options: Any) -> Callable[[Function], Function]:
    """Declare a loop that is called from outside, with numba's types of its arguments; kept on disk once compiled."""

    def declare(function: Function) -> Function:
        try:
            made = njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # compiled code can be kept nowhere: every start pays
            made = njit(nogil=True, **options)(function)
        _loops.append((made, types))
        return cast("Function", made)

    return declare


def part[Function: Callable[..., Any]](**options: Any) -> Callable[[Function], Function]:
    """Declare what only loops of the same module call: compiled into them, and kept with them."""
    return cast("Callable[[Function], Function]", njit(nogil=True, **options))


def make_ready() -> None:
    """Compile, or take from the cache, the loops of all modules that were imported; from then on they take no other types."""
    for made, types in _loops:
        if types not in made.overloads:
            made.compile(types)
        made.disable_compile()


def compile_all(modules: Sequence[str], progress: Progress) -> None:
    """Compile the loops of modules into the cache, side by side, with progress; at once when that was done before.

    Parameters
    ----------
    modules
        Names of modules that declare loops.
    """
    folder = Path(numba.config.CACHE_DIR or PACKAGE / "__pycache__")
    stamp = folder / f"compiled-{_fingerprint(modules)}"
    if stamp.exists():
        return
    with (
        ProcessPoolExecutor(min(len(modules), os.cpu_count() or 1), mp_context=get_context("spawn")) as processes,
        progress("compiling what is quick because it is compiled (once)", len(modules)) as advance,
    ):
        for done in as_completed([processes.submit(_compile, name) for name in modules]):
            done.result()
            advance(1)
    try:
        folder.mkdir(exist_ok=True)
        stamp.touch()
    except OSError:
        return  # it cannot be kept: the next start compiles again


def _compile(module: str) -> None:
    importlib.import_module(module)
    make_ready()


def _fingerprint(modules: Sequence[str]) -> str:
    """Return what compiled code depends on: the sources as numba tells them apart, its version and the processor."""
    files = [PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in modules]
    told = [(file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    processor = llvmlite.binding.get_host_cpu_name()
    return hashlib.sha256(repr((told, numba.__version__, processor)).encode()).hexdigest()[:16]
