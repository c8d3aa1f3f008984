"""ffmpeg as the server sees it: a child behind walls, whose picture comes by a pipe."""

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from geo_grid.errors import ProgramMissing
from geo_grid.feeds.relay import Ends
from geo_grid.feeds.rtsp import LONGEST_HEAD, BrokenStream

log = logging.getLogger(__name__)

type Form = Literal["rtsp", "ps"]

_START_S = 10.0
_PACKAGE = Path(__file__).parents[2]
_ENVIRONMENT = {"PYTHONPATH": str(_PACKAGE), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
"""All that the process knows of ours: no secret."""
_SAID_BYTES = 4096


def find_program() -> str:
    """Return the path of ffmpeg. Raises ProgramMissing, which says what to install."""
    found = shutil.which("ffmpeg", path="/usr/bin:/bin")
    if found is None:
        message = "live pictures need ffmpeg, which is not installed on the server: apt-get install ffmpeg (Debian), and open the camera again"
        raise ProgramMissing(message)
    return str(Path(found).resolve())


@dataclass
class Program:
    """A running ffmpeg.

    Attributes
    ----------
    ours
        The connection over which it asks for the picture.
    picture
        The fragmented MP4 that it makes.
    local
        The address that it asks for, if it does.
    """

    process: asyncio.subprocess.Process
    ours: Ends
    picture: asyncio.StreamReader
    local: str


@contextlib.asynccontextmanager
async def started(processor_s: int, form: Form) -> AsyncIterator[Program]:
    """Start ffmpeg while the context lasts; it is dead when this is left, and when the server is.

    Parameters
    ----------
    processor_s
        Most seconds of processor that it may take.
    form
        Whether it asks for the picture by RTSP, or is sent a program stream.

    Raises
    ------
    ProgramMissing
        It is not installed.
    BrokenStream
        It does not start.
    """
    program, path = find_program(), f"/{secrets.token_hex(8)}"
    here, there = socket.socketpair()
    with here, there:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "geo_grid.feeds.child", program, str(there.fileno()), str(os.getpid()), str(processor_s), form, path,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True, pass_fds=(there.fileno(),), env=_ENVIRONMENT, cwd="/",
        )  # fmt: skip
        said = asyncio.create_task(_last_words(process))
        writer = None
        try:
            there.close()
            ours, port = await _connected(here)
            writer = ours[1]
            if process.stdout is None:
                raise AssertionError
            yield Program(process, ours, process.stdout, f"rtsp://127.0.0.1:{port}{path}")
        finally:
            level = logging.DEBUG if process.returncode is None else logging.INFO  # of one that ended by itself
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            if writer is not None:
                writer.close()
            await process.wait()
            if words := await said:
                log.log(level, "ffmpeg said: %s", words)


async def _connected(here: socket.socket) -> tuple[Ends, int]:
    """Take over the socket that the child listens at, and the one connection that comes. Raises BrokenStream."""
    here.settimeout(_START_S)
    try:
        async with asyncio.timeout(_START_S):
            told, descriptors, _, _ = await asyncio.to_thread(socket.recv_fds, here, 16, 1)
            if not descriptors:
                raise OSError  # it ended before
            with socket.socket(fileno=descriptors[0]) as listening:
                listening.setblocking(False)
                connection, _ = await asyncio.get_running_loop().sock_accept(listening)
            return await asyncio.open_connection(sock=connection, limit=LONGEST_HEAD), int(told)
    except OSError:  # TimeoutError is one
        message = "ffmpeg does not start on the server: geo-grid doctor says more"
        raise BrokenStream(message) from None


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """Return the end of what it says, for the log; it knows no address and no password of ours."""
    said = b""
    while process.stderr is not None and (block := await process.stderr.read(_SAID_BYTES)):
        said = (said + block)[-_SAID_BYTES:]
    return " / ".join(said.decode("utf-8", "replace").split("\n")).strip(" /")[:500]
