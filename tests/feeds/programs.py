"""The ffmpegs of a server that runs in this process, and what each of them may touch."""

import re
from pathlib import Path


def programs() -> list[Path]:
    """Folders of /proc, without those of ffmpegs that play the cameras of tests."""
    ours, found = Path("/proc/self").resolve().name, []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes().split(b"\0")
            is_child = f"\nPPid:\t{ours}\n" in (process / "status").read_text()
        except OSError:  # it is over
            continue
        if said[0] == b"ffmpeg" and b"lavfi" not in said and is_child:
            found.append(process)
    return found


def assert_it_can_write_nothing(program: Path) -> None:
    """It has nothing open but pipes and sockets, and no network but ours; and the kernel lets it write no file."""
    held = {one.name: one.readlink().as_posix() for one in (program / "fd").iterdir()}
    assert held.pop("0") == "/dev/null"
    assert {one.partition(":")[0] for one in held.values()} == {"pipe", "socket"}
    assert len(held) == 3
    assert re.search(r"Max file size +0 ", (program / "limits").read_text())
    assert (program / "ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def files(folder: Path) -> set[tuple[str, int]]:
    """Files of a state folder with their sizes, without logs."""
    return {(str(one), one.stat().st_size) for one in folder.rglob("*") if one.is_file() and one.suffix != ".log"}


def in_memory() -> set[tuple[str, int]]:
    """Files of this program in memory, neither of PostgreSQL nor of other tests at the same time, nor semaphores."""
    others = ("PostgreSQL", "geo_grid_test_", "sem.")
    found = (one for one in Path("/dev/shm").iterdir() if not one.name.startswith(others))
    return {file for one in found for file in (files(one) if one.is_dir() else {(str(one), one.stat().st_size)})}
