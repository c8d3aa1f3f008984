"""Our own loops, compiled by numba once, for the types they are declared with, and never inside somebody's question.

A module of loops marks what is called from outside with `@loop(types)`, and what only other loops call with `@part()`.
`make_ready` compiles what is not in the cache and then forbids numba to compile anything more. Where nobody called it,
as in a notebook, a loop is compiled by its first caller. `compile_all` fills the cache, once, for everybody.
"""

import importlib
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, cast

import numba
from numba import njit

from geo_grid.compiled_code import LOOPS, kept_in, stamp
from geo_grid.progress import Progress

if (_folder := kept_in()) is not None:
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


def compile_all(progress: Progress) -> None:
    """Compile all loops into the cache, side by side, with progress."""
    with (
        ProcessPoolExecutor(min(len(LOOPS), os.cpu_count() or 1), mp_context=get_context("spawn")) as processes,
        progress("compiling what is quick because it is compiled (once)", len(LOOPS)) as advance,
    ):
        for done in as_completed([processes.submit(_compile, name) for name in LOOPS]):
            done.result()
            advance(1)
    done_with = stamp()
    try:
        done_with.parent.mkdir(exist_ok=True)
        done_with.touch()
    except OSError:
        return  # it cannot be kept: the next start compiles again


def _compile(module: str) -> None:
    importlib.import_module(module)
    make_ready()
