"""Walls around a program that reads what strangers wrote."""

import subprocess
from functools import partial
from pathlib import Path

import pytest

from geo_grid.files.walls import confine_program

_RUNS_WITH = [Path(path) for path in ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache")]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (folder := tmp_path / "own").mkdir()
    (folder / "given").write_text("given")
    return folder


def run(own: Path, command: str) -> subprocess.CompletedProcess[str]:
    walls = partial(confine_program, _RUNS_WITH, own, 1 << 30, 2)
    return subprocess.run(["/bin/sh", "-c", command], preexec_fn=walls, capture_output=True, text=True, check=False)


def test_it_works_in_its_own_folder(own: Path) -> None:
    assert run(own, f"cat {own}/given > {own}/made").returncode == 0
    assert (own / "made").read_text() == "given"


@pytest.mark.parametrize("command", ["cat {own}/../secret", "echo lost > {own}/../secret", "cat /etc/passwd"])
def test_it_reads_and_writes_nothing_else(own: Path, command: str) -> None:
    (own.parent / "secret").write_text("kept")
    done = run(own, command.format(own=own))
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert (own.parent / "secret").read_text() == "kept"


def test_it_ends_when_it_has_used_its_time(own: Path) -> None:
    assert run(own, "while true; do true; done").returncode == -9
