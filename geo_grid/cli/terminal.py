"""What all commands have in common: progress and words on stderr, and a database that is ready."""

import contextlib
import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from geo_grid.errors import UserError, told
from geo_grid.log_lines import JsonLines
from geo_grid.settings import settings

err = Console(stderr=True, highlight=False)
POLITENESS = 10
"""Of `nice`, for what goes on beside a city: its server and its database come first."""
_BAD_ROWS_SHOWN = 100
_bar = threading.Lock()
"""Held by the step that is shown as a bar: a terminal shows one at a time."""

Json = Annotated[bool, typer.Option("--json", help="Machine output on stdout.")]


class Form(StrEnum):
    """How figures are written."""

    CSV = "csv"
    JSON = "json"


def checked(model: Any, **values: Any) -> Any:
    """Return a pydantic model of values that a person gave. Raises UserError, which names each fault."""
    from pydantic import ValidationError

    try:
        return model(**values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {told(f)}".lstrip(": ") for f in error.errors())
        raise UserError(faults) from None


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import large modules without looking for garbage: a tenth of a server's start would go there.

    They leave next to none, and stay: later collections pass them over.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def progress(step: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a step on stderr: a bar on a terminal; elsewhere, and beside another step, a line when it is done."""
    if not err.is_terminal or not _bar.acquire(blocking=False):
        began = datetime.now(UTC)
        yield lambda count: None
        took = (datetime.now(UTC) - began).total_seconds()
        err.print(f"{step} … {took:.1f} s")
        return
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with contextlib.ExitStack() as stack:
        stack.callback(_bar.release)
        bars = stack.enter_context(Bars(*columns, console=err))
        task = bars.add_task(step, total=total)
        yield lambda count: bars.advance(task, count)
        done = total or 1
        bars.update(task, total=done, completed=done)


def log_warnings() -> None:
    """Show what the program logs on stderr as it is now: in colours on a terminal, else as lines of JSON."""
    handler: logging.Handler
    if sys.stderr.isatty():
        handler = RichHandler(console=Console(stderr=True, highlight=False), show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def say(text: str) -> None:
    """Tell a person something, on stderr; stdout is for answers."""
    err.print(text, markup=False, emoji=False, soft_wrap=True)


def say_rows(rows: list[tuple[int, str]]) -> None:
    """Say of each row, by its number, why it is left out; of very many only the first."""
    for row, reason in rows[:_BAD_ROWS_SHOWN]:
        say(f"row {row}: {reason}")
    if len(rows) > _BAD_ROWS_SHOWN:
        say(f"… and {len(rows) - _BAD_ROWS_SHOWN} more rows (all with --json)")


def compile_loops(spared: int = 0, compiled: Callable[[str], object] = lambda module: None) -> None:
    """Compile our own loops before anybody waits for what they answer; at once when that was done before.

    See `geo_grid.compiling.compile_all` for the parameters.
    """
    from geo_grid import compiled_code

    if not compiled_code.is_complete():
        from geo_grid.compiling import compile_all

        compile_all(progress, spared, compiled)


@contextlib.contextmanager
def compiling() -> Iterator[Callable[..., None]]:
    """Compile our own loops beside what the context does.

    Yields a function that waits until those of the modules it is given are compiled; without a module, all.
    """
    from geo_grid.compiled_code import LOOPS

    ready = {module: threading.Event() for module in LOOPS}

    def end(_: Future[None]) -> None:
        for event in ready.values():
            event.set()

    with ThreadPoolExecutor(1) as beside:
        compiled = beside.submit(compile_loops, 1, lambda module: ready[module].set())
        compiled.add_done_callback(end)

        def wait(*modules: str) -> None:
            for module in modules or LOOPS:
                ready[module].wait()
            if not modules or compiled.done():
                compiled.result()  # raises what went wrong

        yield wait
        wait()


@contextlib.contextmanager
def ready_database(migrated: bool = True, is_watched: bool = True, again: bool = False) -> Iterator[str]:
    """Make the database available, migrated, and yield its connection string; see `db.database` and `db.migrate`."""
    from geo_grid.db import connect, database, migrate, translated_errors
    from geo_grid.layers import find_layer

    with database(settings(), is_watched) as conninfo:
        if migrated:
            with translated_errors():
                applied = migrate(conninfo, again=again)
            for name in applied:
                say(f"applied migration {name}")
            if applied:
                from geo_grid.workflow.working_time import begin_calendar

                with connect(conninfo) as connection:
                    begin_calendar(connection, settings().timezone)
            with connect(conninfo) as connection:
                found = connection.execute(find_layer("grid_cells").query("undrawn")).fetchone()
                if found is not None and found["is_undrawn"]:
                    from geo_grid.boundaries import redraw_cells  # only now: it takes longer to load than most commands

                    redraw_cells(connection)
        yield conninfo
