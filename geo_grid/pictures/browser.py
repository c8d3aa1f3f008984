"""A Chromium that is asked over a pipe (Chrome DevTools Protocol), and that gets every file from whoever asks it.

It has no network: each request of its page is handed to `Answers`, and what is not of our own address fails. So it needs
no port, holds no credential, and opens nothing from elsewhere.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

from geo_grid.errors import GeoGridError

ORIGIN = "http://geo-grid.invalid"
"""Where its pages seem to be: a name that leads nowhere (RFC 2606)."""
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome-headless-shell")
_OF_PLAYWRIGHT = ("chromium_headless_shell-*/*/headless_shell", "chromium-*/*/chrome")
_MEMORY_MB = 3072
"""Most private memory of each of its processes; it reserves much more than it uses."""
_LONGEST_MESSAGE = 1 << 28
_FLAGS = (
    "--headless", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu", "--disable-quic", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-breakpad",
    "--mute-audio", "--hide-scrollbars", "--font-render-hinting=none", "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-dev-shm-usage",
)  # fmt: skip


class Fetched(NamedTuple):
    """An answer to a request of the page."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


type Answers = Callable[[str], Awaitable[Fetched]]
"""Answers GET of a path with its query."""


def find_browser(configured: str | None = None) -> str | None:
    """Return the file of a Chromium: the one that is configured, one of the system, or Playwright's; None: there is none."""
    if configured:
        return shutil.which(configured)
    for name in _NAMES:
        if (found := shutil.which(name)) is not None:
            return found
    kept = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache/ms-playwright"))
    return next((str(one) for form in _OF_PLAYWRIGHT for one in sorted(kept.glob(form), reverse=True)), None)


def told_missing(configured: str | None) -> str:
    """Say what to do where there is no browser."""
    if configured:
        return f"GEO_GRID_CHROMIUM names {configured}, which is no program: name the file of a Chromium"
    return (
        "pictures are made by Chromium, and this server finds none: install it (Debian: apt-get install chromium), or name"
        " its file in GEO_GRID_CHROMIUM"
    )


class Browser:
    """A Chromium with one page."""

    def __init__(
        self, process: asyncio.subprocess.Process, said: asyncio.StreamReader, pipe: asyncio.WriteTransport
    ) -> None:
        self._process, self._said, self._pipe = process, said, pipe
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session: str | None = None
        self._answers: Answers | None = None
        self._at_work: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, command: str, answers: Answers, width: int, height: int, density: float
    ) -> AsyncIterator[Self]:
        """Start a browser with a page of a size while the context lasts; leaving it kills all of its processes.

        Parameters
        ----------
        answers
            Where every file of the page comes from.
        width, height
            Of the page, in CSS pixels.
        density
            Pixels of the picture for each of them.

        Raises
        ------
        GeoGridError
            The browser cannot be started, or ended.
        """
        with tempfile.TemporaryDirectory(prefix="geo-grid-picture-", ignore_cleanup_errors=True) as folder:
            flags = [*_FLAGS, f"--user-data-dir={folder}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
            child_reads, writes = os.pipe()
            reads, child_writes = os.pipe()
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "geo_grid.pictures.start", str(_MEMORY_MB), str(os.getpid()), str(child_reads),
                    str(child_writes), command, *flags, "about:blank",
                    pass_fds=(child_reads, child_writes), start_new_session=True, stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
                    env={name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
                    | {"HOME": folder},
                )  # fmt: skip
            finally:
                os.close(child_reads)
                os.close(child_writes)
            loop = asyncio.get_running_loop()
            said = asyncio.StreamReader(limit=_LONGEST_MESSAGE)
            hearing, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(said), os.fdopen(reads, "rb")
            )
            pipe, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(writes, "wb"))
            browser = cls(process, said, pipe)
            listening = asyncio.create_task(browser._listen())
            try:
                await browser._begin(answers, width, height, density)
                yield browser
            finally:
                for task in (listening, *browser._at_work):
                    task.cancel()
                await asyncio.gather(listening, *browser._at_work, return_exceptions=True)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
                hearing.close()
                pipe.close()

    async def _begin(self, answers: Answers, width: int, height: int, density: float) -> None:
        target = await self.ask("Target.createTarget", url="about:blank")
        attached = await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session, self._answers = attached["sessionId"], answers
        await self.ask("Fetch.enable", patterns=[{"urlPattern": "*"}])
        await self.ask("Page.enable")
        await self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=density, mobile=False
        )

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the protocol, and return its result. Raises GeoGridError when it fails or the browser ended."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._pipe.write(json.dumps(message).encode() + b"\0")
        try:
            result: dict[str, Any] = await answer
        finally:
            del self._waiting[number]
        return result

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript in the page."""
        result = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    async def _listen(self) -> None:
        try:
            while True:
                self._hear(json.loads((await self._said.readuntil(b"\0"))[:-1]))
        except (asyncio.IncompleteReadError, ConnectionError):
            ended = GeoGridError("the browser that makes pictures ended by itself: it may have too little memory")
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(ended)

    def _hear(self, message: dict[str, Any]) -> None:
        if (waiting := self._waiting.get(message.get("id", 0))) is not None and not waiting.done():
            if "error" in message:
                waiting.set_exception(GeoGridError(f"the browser: {message['error']['message']}"))
            else:
                waiting.set_result(message["result"])
        elif message.get("method") == "Fetch.requestPaused":
            task = asyncio.create_task(self._serve(message["params"]))
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)

    async def _serve(self, paused: dict[str, Any]) -> None:
        """Answer a request of the page: what is not read from our own address fails."""
        url, number = paused["request"]["url"], paused["requestId"]
        with contextlib.suppress(GeoGridError):  # the page has gone on, or ended
            if self._answers is None or paused["request"]["method"] != "GET" or not url.startswith(f"{ORIGIN}/"):
                await self.ask("Fetch.failRequest", requestId=number, errorReason="BlockedByClient")
                return
            found = await self._answers(url.removeprefix(ORIGIN).partition("#")[0])
            await self.ask(
                "Fetch.fulfillRequest",
                requestId=number,
                responseCode=found.status,
                responseHeaders=[{"name": name, "value": value} for name, value in found.headers],
                body=base64.b64encode(found.body).decode(),
            )
