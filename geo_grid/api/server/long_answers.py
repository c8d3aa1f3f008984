"""Long answers: written to disk completely, then sent, so that a slow client occupies no connection or thread."""

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
"""Most bytes of one answer."""


class LongAnswer:
    """One long answer. It counts towards its account's limit until it is sent or discarded."""

    def __init__(self, request: Request, settings: Settings) -> None:
        self._give_back = server_of(request).long_answers.take(identity_of(request).principal_id)
        self.spool = settings.state_dir / "spool"
        self._written = 0
        self._file: BinaryIO | None = None

    @classmethod
    @contextlib.contextmanager
    def begun(cls, request: Request, settings: Settings) -> Iterator[Self]:
        """Begin an answer; an exception in the context discards it. Raises TooMany at the account's limit."""
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
        """The file of the answer. It has no name, so the system deletes it even if the process is killed."""
        if self._file is None:
            message = "this long answer was given up, or sent"
            raise AssertionError(message)
        return self._file

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """Make a temporary folder for the context, for formats that need files with names."""
        with tempfile.TemporaryDirectory(dir=self.spool) as folder:
            yield Path(folder)

    def adopt(self, path: Path) -> None:
        """Use a finished file as the answer; its name may be deleted afterwards."""
        self.file.close()
        self._file = path.open("rb")

    async def write(self, text: str) -> None:
        """Append text. Raises InvalidQuery when the answer becomes too large."""
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
        """Return the response that sends the complete file.

        Parameters
        ----------
        afterwards
            Called after the last part was sent; if it fails, the connection is broken off, so that the client does not take
            the answer for complete.
        """
        if afterwards is None:  # with a length, the client would take it for complete before `afterwards` has run
            headers = {**headers, "Content-Length": str(self.file.seek(0, 2))}
        return _Sending(self, self._parts(afterwards), media_type, headers)

    async def _parts(self, afterwards: Callable[[], Awaitable[None]] | None) -> AsyncIterator[bytes]:
        self.file.seek(0)
        while part := await run_in_threadpool(self.file.read, _CHUNK):
            yield part
        if afterwards is not None:
            await afterwards()

    def close(self) -> None:
        """Close the file, and release the account's share."""
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
        finally:  # also when the client has disconnected
            self._answer.close()
