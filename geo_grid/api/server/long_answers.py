"""Long answers: made whole on disk, then sent, so that a slow reader keeps nothing waiting but a file."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from geo_grid.api.server.asking import identity_of
from geo_grid.api.server.state import server_of
from geo_grid.errors import InvalidQuery
from geo_grid.settings import Settings

_CHUNK = 256 << 10
_LARGEST = 2 << 30
"""Bytes of one answer that is written here."""


class LongAnswer:
    """One answer being made. It counts against its account until it is sent, or given up."""

    def __init__(self, request: Request, settings: Settings) -> None:
        self._give_back = server_of(request).long_answers.take(identity_of(request).principal_id)
        self.spool = settings.state_dir / "spool"
        self._written = 0
        self._file: BinaryIO | None = None

    @classmethod
    @contextlib.contextmanager
    def begun(cls, request: Request, settings: Settings) -> Iterator[Self]:
        """Begin one; an error gives it up. Raises TooMany when the account has enough of them."""
        answer = cls(request, settings)
        try:
            answer.spool.mkdir(parents=True, exist_ok=True)
            answer._file = tempfile.TemporaryFile(dir=answer.spool)  # noqa: SIM115 (closed when it is sent)
            yield answer
        except BaseException:
            answer.close()
            raise

    @property
    def file(self) -> BinaryIO:
        """Holds the answer; it has no name, so that whatever happens to this process, it leaves nothing behind."""
        if self._file is None:
            message = "this long answer was given up, or sent"
            raise AssertionError(message)
        return self._file

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """Have a folder for a while, for what needs files with names."""
        with tempfile.TemporaryDirectory(dir=self.spool) as folder:
            yield Path(folder)

    def adopt(self, path: Path) -> None:
        """Take a file that was made as the answer; its name may go then."""
        self.file.close()
        self._file = path.open("rb")

    async def write(self, text: str) -> None:
        """Write a part. Raises InvalidQuery when it becomes too much."""
        part = text.encode()
        self._written += len(part)
        if self._written > _LARGEST:
            message = f"this is more than {_LARGEST >> 30} GB: ask for less at once, with a filter, bbox or limit"
            raise InvalidQuery(message)
        if len(part) < _CHUNK:
            self.file.write(part)  # buffered
        else:
            await run_in_threadpool(self.file.write, part)

    def sent(
        self, media_type: str, headers: dict[str, str], afterwards: Callable[[], Awaitable[None]] | None = None
    ) -> StreamingResponse:
        """Send it, now that it is whole.

        Parameters
        ----------
        afterwards
            Done when its last part was taken; the answer is broken off when this fails.
        """
        if afterwards is None:  # else only the end that follows tells that it is whole
            headers = {**headers, "Content-Length": str(self.file.seek(0, 2))}
        return _Sending(self, self._parts(afterwards), media_type, headers)

    async def _parts(self, afterwards: Callable[[], Awaitable[None]] | None) -> AsyncIterator[bytes]:
        self.file.seek(0)
        while part := await run_in_threadpool(self.file.read, _CHUNK):
            yield part
        if afterwards is not None:
            await afterwards()

    def close(self) -> None:
        """Be done with it."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._give_back()


class _Sending(StreamingResponse):
    def __init__(
        self, answer: LongAnswer, parts: AsyncIterator[bytes], media_type: str, headers: dict[str, str]
    ) -> None:
        super().__init__(parts, media_type=media_type, headers=headers)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:  # also when the reader has left
            self._answer.close()
