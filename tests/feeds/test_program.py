"""ffmpeg has nothing but its one connection, and does not outlive who started it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from geo_grid.errors import ProgramMissing
from geo_grid.feeds import program
from geo_grid.feeds.relay import Relay, Stream
from geo_grid.feeds.rtsp import BrokenStream, Login
from tests.feeds import cameras

SERVER = """
import asyncio, sys
from geo_grid.feeds.program import started
from geo_grid.feeds.relay import Relay, Stream

async def serve():
    stream = Stream("recorder", "127.0.0.1", int(sys.argv[1]), sys.argv[2])
    async with started(60, "rtsp") as made, Relay.opened(stream) as relay:
        await relay.connect()
        asyncio.create_task(relay.carry(made.ours, made.local))
        await made.picture.readexactly(1000)
        print(made.process.pid, flush=True)
        while await made.picture.read(65536):
            pass

asyncio.run(serve())
"""


def test_it_ends_with_the_server_even_one_that_is_killed() -> None:
    with cameras.source() as source, cameras.camera(source) as camera:
        with subprocess.Popen(
            [sys.executable, "-c", SERVER, str(camera.port), camera.PATH], stdout=subprocess.PIPE, text=True
        ) as server:
            pid = int(server.stdout.readline())
            said = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert said.startswith(b"ffmpeg\0")
            os.kill(server.pid, signal.SIGKILL)
        deadline = time.monotonic() + 90
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline, "ffmpeg goes on without its server"
            time.sleep(0.05)


def refusal(camera: cameras.Camera) -> str:
    """What is said of a camera that is asked with a wrong password."""
    stream = Stream("recorder", "127.0.0.1", camera.port, camera.PATH, Login("operator", "wrong"))

    async def ask() -> str:
        async with program.started(60, "rtsp") as made, Relay.opened(stream) as relay:
            with pytest.raises(BrokenStream) as refused:
                await relay.connect()
                await relay.carry(made.ours, made.local)
            return str(refused.value)

    return asyncio.run(ask())


@pytest.mark.parametrize("manner", ["plays", "slams"])
def test_a_wrong_password_is_said_to_be_one(manner: str) -> None:
    with cameras.camera(None, manner, login=("operator", "right")) as camera:
        assert "recorder does not accept the name and password" in refusal(camera)
        asked = [head.split(" ")[0] for head in camera.heads]
        assert (
            asked.count("DESCRIBE") <= 2 >= asked.count("OPTIONS")
        )  # once without and once with it, no more: accounts get locked


def test_where_it_is_missing_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ProgramMissing, match="apt-get install ffmpeg"):
        program.find_program()
