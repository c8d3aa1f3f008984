"""The state folder on disk: its permissions, the size of its logs, and the free space of its disk."""

import contextlib
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_OURS = (
    "demo-live.lock",
    "editions",
    "imports",
    "rates",
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
    "workers",
)
"""Files and folders of geo_grid in it; PostgreSQL sets the permissions of its own."""
_HALF_DONE_S = 86400.0
LARGEST_LOG = 16 << 20
"""Most bytes of a log, and of the previous one that is kept beside it."""


def open_state_folder(folder: Path) -> None:
    """Create the folder if it does not exist, and deny other users access to it.

    When root owns it, others may pass through it (mode 0711) but not list it: PostgreSQL, which does not run as root,
    must reach its own folders. The permissions of a folder that everybody may write to, such as /tmp, or that another
    user owns, are not changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_root = os.geteuid() == 0
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & stat.S_ISVTX:
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
    """Hold a shared lock on the folder while the context lasts; at the start, delete what killed servers left unfinished.

    Nothing is deleted while another server holds the lock. Unfinished editions and road graphs are deleted only when they
    are a day old, since the command line makes some too.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # `storage_trouble` reports a disk that cannot be written
            folder.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((folder / "spool.lock").open("ab"))
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder.glob("spool/*"))
                old = time.time() - _HALF_DONE_S
                unfinished = (left for room in ("editions", "roads") for left in folder.glob(f"{room}/.*"))
                _remove(left for left in unfinished if left.stat().st_mtime < old)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def _remove(files: Iterable[Path]) -> None:
    for file in files:
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)


def storage_trouble(folder: Path, least_free_mb: int) -> str | None:
    """Return why nothing more can be stored on the disk of a folder; None: there is room.

    Parameters
    ----------
    least_free_mb
        Free space that is needed, in MiB.
    """
    existing = next((parent for parent in (folder, *folder.absolute().parents) if parent.exists()), folder)
    try:
        disk = os.statvfs(existing)
    except OSError as error:
        return f"it cannot be reached: {error.strerror}"
    if disk.f_flag & os.ST_RDONLY:
        return "its disk is read-only, as after a fault: look at the disk, and mount it for writing"
    free_mb = disk.f_bavail * disk.f_frsize >> 20
    if free_mb < least_free_mb or (disk.f_files and not disk.f_favail):
        return f"its disk is full: {free_mb:,} MB are free, and {least_free_mb:,} are needed; free some space"
    return None


def keep_small(log: Path, largest: int = LARGEST_LOG) -> None:
    """Rotate a log larger than `largest` bytes: copy it to `<name>.1` and truncate it.

    It is truncated in place, not renamed, since the processes that append to it hold it open. A line written between the
    copy and the truncation is lost, and so is the whole content when the disk has no room for the copy.
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
