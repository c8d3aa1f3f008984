"""The state folder on disk: closed to other users of this machine, and its logs kept small."""

import contextlib
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_OURS = (
    "editions",
    "imports",
    "roads",
    "spool",
    "spool.lock",
    "tiles",
    "tmp",
    "server.lock",
    "server.log",
    "server.log.1",
    "command.log",
    "start.lock",
    "users.lock",
)
"""Kept by us in it; PostgreSQL's own are closed by PostgreSQL."""
_HALF_DONE_S = 86400.0
LARGEST_LOG = 16 << 20
"""Bytes of a log, and of the one before it."""


def open_state_folder(folder: Path) -> None:
    """Make the folder if it is not there, and close it to other users.

    Root's can be passed through, but not listed: PostgreSQL, which does not run as root, must reach its own folders.
    A folder that belongs to everybody, such as /tmp, or to somebody else stays as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_root = os.geteuid() == 0
    found = folder.stat()
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX:
        return
    _close(folder, 0o711 if is_root else 0o700)
    if is_root:
        for name in _OURS:
            with contextlib.suppress(FileNotFoundError):
                _close(folder / name, 0o700)


def _close(path: Path, most: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~most:
        path.chmod(mode & most)


@contextlib.contextmanager
def swept(folder: Path) -> Iterator[None]:
    """Remove what killed servers left half-done, unless another server uses the folder; it counts as used meanwhile.

    Half-made editions and road graphs go when they are a day old: the command line makes some too.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # of a disk that takes nothing: `storage_trouble` says so
            folder.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((folder / "spool.lock").open("ab"))
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder.glob("spool/*"))
                old = time.time() - _HALF_DONE_S
                made = (left for room in ("editions", "roads") for left in folder.glob(f"{room}/.*"))
                _remove(left for left in made if left.stat().st_mtime < old)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)


def storage_trouble(folder: Path, least_free_mb: int) -> str | None:
    """Say why nothing more may be stored where a folder is; None: there is room."""
    there = next((parent for parent in (folder, *folder.absolute().parents) if parent.exists()), folder)
    try:
        found = os.statvfs(there)
    except OSError as error:
        return f"it cannot be reached: {error.strerror}"
    if found.f_flag & os.ST_RDONLY:
        return "its disk is read-only, as after a fault: look at the disk, and mount it for writing"
    free_mb = found.f_bavail * found.f_frsize >> 20
    if free_mb < least_free_mb or (found.f_files and not found.f_favail):
        return f"its disk is full: {free_mb:,} MB are free, and {least_free_mb:,} are needed; free some space"
    return None


def keep_small(log: Path, largest: int = LARGEST_LOG) -> None:
    """Move what a log says to `<name>.1` when it has grown too large.

    It is emptied in place, not renamed: whoever appends to it holds it open. A line that is written between copying
    and emptying is lost; a copy that no disk can hold is too, for no log may fill a disk.
    """
    if not log.is_file() or log.stat().st_size <= largest:
        return
    older = log.with_name(f"{log.name}.1")
    try:
        older.touch(mode=0o600)
        shutil.copyfile(log, older)
    except OSError:
        older.unlink(missing_ok=True)
    os.truncate(log, 0)
