"""Rows that come back from a process that reads a file, as they are read, so that memory need not grow with the file."""

import contextlib
import io
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from geo_grid.errors import GeoGridError, UnreadableFile, UserError
from geo_grid.files.child import OUT_OF_MEMORY, REFUSED
from geo_grid.files.forked import Reading, reading
from geo_grid.files.limits import Limits
from geo_grid.files.rows import Rows

_LOOK_S = 0.2
_BLOCK = 1 << 20
_REFUSALS = {"UnreadableFile": UnreadableFile, "UserError": UserError}


class Told(io.RawIOBase):
    """All that a process says, as long as it may be waited for, and as much as it may say.

    Parameters
    ----------
    look
        Called now and then while it is waited for; what it raises ends the reading.

    Reading raises UnreadableFile when it took more than `Limits.wall_s`, or is more than `Limits.answer_bytes`.
    """

    def __init__(self, process: Reading, said: str, limits: Limits, look: Callable[[], None]) -> None:
        self._answer, self._said, self._limits, self._look = process.answer, said, limits, look
        self._waited_s = 0.0
        # the process counts itself, but what is its word?
        self._room = limits.answer_bytes * 5 // 4 + _BLOCK
        self._waiting = select.poll()  # select() knows no descriptor beyond 1,023
        self._waiting.register(process.answer, select.POLLIN)

    def readable(self) -> bool:
        """Say that it can be read (io.RawIOBase)."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what there is, or wait for it (io.RawIOBase)."""
        while not self._waiting.poll(0):
            began = time.monotonic()
            self._waiting.poll(_LOOK_S * 1000)
            self._look()
            self._waited_s += time.monotonic() - began
            if self._waited_s > self._limits.wall_s:
                message = f"{self._said} was not read within {self._limits.wall_s:.0f} s, and was given up: divide it"
                raise UnreadableFile(message)
        count = os.readv(self._answer, [buffer])
        self._room -= count
        if self._room < 0:
            message = f"{self._said} holds more than {self._limits.answer_bytes >> 20:,} MB: divide it"
            raise UnreadableFile(message)
        return count


@contextlib.contextmanager
def handed_back(
    job: dict[str, Any],
    said: str,
    limits: Limits,
    opened: IO[bytes] | None = None,
    look: Callable[[], None] = lambda: None,
) -> Iterator[Rows]:
    """Have a file read in a confined process, which is dead when this is left.

    Parameters
    ----------
    job
        What `child.main` is told.
    said
        What the sender of the file calls it.
    opened
        The file, where its path is not in the job.
    look
        See `Told`.

    Raises
    ------
    UnreadableFile, UserError
        What the process refused, and why; or it took more than it may. Taking batches raises the same.
    """
    with reading({**job, "said": said}, opened) as process:
        told = Told(process, said, limits, look)
        answer = _Answer(process, told, said, limits, Path(job.get("path", "")).suffix.lower())
        about = answer.told.readline()
        try:
            reader = pa.ipc.open_stream(answer.told) if about.strip() else None
        except (pa.ArrowException, OSError):
            reader = None
        if reader is None:
            raise answer.no_table()
        yield Rows(json.loads(about), reader.schema, answer.batches(reader))


class _Answer:
    """What a process says, and what its end means."""

    def __init__(self, process: Reading, told: Told, said: str, limits: Limits, suffix: str) -> None:
        self.told = io.BufferedReader(told, _BLOCK)
        self._process, self._said, self._limits, self._suffix = process, said, limits, suffix

    def batches(self, reader: pa.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
        """Pass the rows on, and raise behind them why there are no more, if these are not all."""
        while True:
            try:
                batch = reader.read_next_batch()
                batch.validate(full=True)
            except StopIteration:
                break
            except (pa.ArrowException, OSError):
                raise self.no_table() from None
            yield batch
        if (problem := self.problem()) is not None:
            raise problem

    def problem(self) -> GeoGridError | None:
        """Return what is wrong, in the words of the process if it has some; None: it said all that it has."""
        rest = self.told.read()  # first: it does not end before all is read
        code = self._process.code()
        if code == 0:
            return None
        if code == REFUSED:
            refusal = json.loads(rest[rest.rfind(b"\n") + 1 :])
            return _REFUSALS.get(refusal["refused"], GeoGridError)(refusal["message"])
        return _ended(code, self._said, self._limits, self._suffix)

    def no_table(self) -> GeoGridError:
        """Return why what it said so far is no table."""
        return self.problem() or UnreadableFile(f"{self._said}: what reading it brought is no table")


def _ended(code: int, said: str, limits: Limits, suffix: str) -> UnreadableFile:
    """Say why a process ended that did not say it itself."""
    if code == -signal.SIGXCPU:
        return UnreadableFile(f"{said} takes more than {limits.processor_s} s to read, and was given up: divide it")
    what = f"needs more than {limits.memory_bytes >> 20:,} MB of memory to read" if code in (
        OUT_OF_MEMORY, -signal.SIGABRT
    ) else "is broken, or needs more memory to read than there is for one file"  # fmt: skip
    sheet = ", and delete cells far away from a sheet's table" if suffix == ".xlsx" else ""
    return UnreadableFile(f"{said} {what}: divide it{sheet}")
