"""Work in a process with limits of memory and time: it cannot take the server along, and ends with who asked."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from geo_grid.confined import Confined
from geo_grid.errors import Busy, Conflict, TooMuch

PATIENCE_S = 60.0


def own_id() -> int:
    return os.getpid()


def grow(megabytes: int) -> int:
    return len(bytearray(megabytes << 20))


def hang(note: str) -> None:
    Path(note).write_text(str(os.getpid()))
    time.sleep(3600)


def refuse() -> None:
    print("solvers talk")
    message = "it cannot be"
    raise Conflict(message)


def die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def said(note: Path) -> str:
    return note.read_text() if note.exists() else ""


def ask_and_hang(note: str) -> None:
    async def ask() -> None:
        async with Confined.opened(1, 0, 512, PATIENCE_S) as confined, confined.turn() as turn:
            await turn.do(hang, note)

    asyncio.run(ask())


async def noted(note: Path) -> int:
    deadline = time.monotonic() + PATIENCE_S
    while not said(note):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    return int(said(note))


def test_it_answers_raises_and_is_kept_for_the_next_question() -> None:
    async def ask() -> None:
        async with Confined.opened(1, 1, 512, PATIENCE_S) as confined:
            async with confined.turn() as turn:
                worked = await turn.do(own_id)
                with pytest.raises(Conflict, match="it cannot be"):
                    await turn.do(refuse)
                assert await turn.do(own_id) == worked != os.getpid()
                assert await turn.do(len, b"x" * (3 << 20)) == 3 << 20
        assert not runs(worked)

    asyncio.run(ask())


def test_too_much_memory_or_time_and_crashes_are_said_and_the_next_question_is_answered() -> None:
    async def ask() -> None:
        async with Confined.opened(1, 0, 512, PATIENCE_S) as confined:
            async with confined.turn() as turn:
                with pytest.raises(TooMuch, match="more than the 512 MB"):
                    await turn.do(grow, 2000)
                with pytest.raises(TooMuch, match="more than the 512 MB"):
                    await turn.do(die)
                assert await turn.do(grow, 1) == 1 << 20
                confined.timeout_s = 0.2
                with pytest.raises(TooMuch, match="ask for less"):
                    await turn.do(time.sleep, 3600)
                confined.timeout_s = PATIENCE_S
                assert await turn.do(grow, 1) == 1 << 20

    asyncio.run(ask())


def test_who_goes_away_takes_the_process_along_and_too_many_are_told_to_come_back(tmp_path: Path) -> None:
    async def ask() -> None:
        async with Confined.opened(1, 1, 512, PATIENCE_S) as confined:

            async def one(note: Path) -> None:
                async with confined.turn() as turn:
                    await turn.do(hang, str(note))

            first = asyncio.create_task(one(tmp_path / "first"))
            worked = await noted(tmp_path / "first")
            second = asyncio.create_task(one(tmp_path / "second"))
            await asyncio.sleep(0.1)
            with pytest.raises(Busy) as busy:
                await one(tmp_path / "third")
            assert busy.value.retry_after_s > 0
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert not runs(worked)
            assert runs(await noted(tmp_path / "second"))  # its turn came
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)

    asyncio.run(ask())


def test_it_ends_with_a_server_that_is_killed(tmp_path: Path) -> None:
    """It works, so that it reads nothing; and the fork server lives as long as it does."""
    note = tmp_path / "note"
    code = f"from tests.test_confined import ask_and_hang; ask_and_hang({str(note)!r})"
    with subprocess.Popen([sys.executable, "-c", code]) as server:
        worked = asyncio.run(noted(note))
        assert runs(worked)
        server.kill()
    deadline = time.monotonic() + PATIENCE_S
    while runs(worked):
        assert time.monotonic() < deadline
        time.sleep(0.05)
