"""Functions compiled by numba, once, for declared argument types, and never during a request.

A module marks functions that Python calls with `@loop(types)`, and functions that only compiled ones call with `@part()`.
`make_ready` compiles those that are not in the cache, and then forbids further compilation. Without it, as in a notebook,
the first call compiles. `compile_all` fills the cache beforehand. Compiled functions release the GIL while they run.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, cast

import numba
from numba import njit

from geo_grid.compiled_code import LOOPS, kept_in, stamp
from geo_grid.forking import end_with_parent
from geo_grid.progress import Progress

if (_folder := kept_in()) is not None:
    numba.config.CACHE_DIR = str(_folder)

_POLITE = 10
"""Niceness of the processes that compile: at a first start they are to use what loading the demo leaves, not to slow it."""

_loops: list[tuple[Any, tuple[Any, ...]]] = []


def loop[Function: Callable[..., Any]](*types: Any, **options: Any) -> Callable[[Function], Function]:
    """Declare a function that Python calls, with the numba types of its arguments; its machine code is cached on disk."""

    def declare(function: Function) -> Function:
        try:
            compiled = njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # no folder for the cache can be written: every start compiles again
            compiled = njit(nogil=True, **options)(function)
        _loops.append((compiled, types))
        return cast("Function", compiled)

    return declare


def part[Function: Callable[..., Any]](**options: Any) -> Callable[[Function], Function]:
    """Declare a function that only compiled functions of the same module call: it is compiled and cached with them."""
    return cast("Callable[[Function], Function]", njit(nogil=True, **options))


def make_ready() -> None:
    """Compile, or load from the cache, the functions of all imported modules; afterwards they accept no other types."""
    with _without_blas():
        for compiled, types in _loops:
            _compile_if_new(compiled, types)
            compiled.disable_compile()


def compile_all(progress: Progress, spared: int = 0, compiled: Callable[[str], object] = lambda module: None) -> None:
    """Compile all functions into the cache, modules in parallel processes. Blocks for some tens of seconds.

    Parameters
    ----------
    spared
        Cores that are left to others meanwhile; one process compiles in any case.
    compiled
        Called with the name of each module of `LOOPS` when its functions are in the cache.
    """
    at_once = max(1, min(len(LOOPS), (os.cpu_count() or 1) - spared))
    with (
        # whoever waits for a loop waits for others too, which go on meanwhile
        ProcessPoolExecutor(at_once, get_context("spawn"), initializer=_begin) as processes,
        progress("compiling what is quick because it is compiled (once)", len(LOOPS)) as advance,
    ):
        modules = {processes.submit(_compile, module): module for module in LOOPS}
        for done in as_completed(modules):
            done.result()
            compiled(modules[done])
            advance(1)
    done_with = stamp()
    try:
        done_with.parent.mkdir(exist_ok=True)
        done_with.touch()
    except OSError:
        return  # the cache cannot be written: the next start compiles again


def _begin() -> None:
    """Let others go before this process, and end it with its parent: left alone, it would wait for work for ever."""
    os.nice(_POLITE)
    end_with_parent()


def _compile(module: str) -> None:
    importlib.import_module(module)
    with _without_blas():
        for compiled, types in _loops:
            if compiled.py_func.__module__ == module:  # those of the modules it imports are compiled elsewhere
                _compile_if_new(compiled, types)


@contextlib.contextmanager
def _without_blas() -> Iterator[None]:
    """Let numba find no BLAS: at its first function it loads all of scipy.linalg, half a second and 14 MB, which none of ours uses."""
    modules = cast("dict[str, Any]", sys.modules)
    name = "scipy.linalg"
    if name in modules:
        yield
        return
    modules[name] = None  # an import of it fails, as where it is not installed
    try:
        yield
    finally:
        del modules[name]


def _compile_if_new(compiled: Any, types: tuple[Any, ...]) -> None:
    if types not in compiled.overloads:
        compiled.compile(types)
