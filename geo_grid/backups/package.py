"""The file of a backup: a ZIP (APPNOTE 6.3) of what pg_dump wrote, the road graph and a manifest, encrypted by age if asked.

Each part has its CRC-32, and the manifest, which is written last, the SHA-256 of the dump: a file that was cut off or
changed is noticed before anything is restored.
"""

import contextlib
import errno
import hashlib
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pydantic import AwareDatetime, BaseModel, ValidationError

from geo_grid.errors import SetupError, UnreadableFile, UnwritableFile, UserError

FORM = 1
"""Of this file; a program refuses those of a later one."""
DUMP, ROADS, MANIFEST = "database.dump", "roads/", "manifest.json"
BLOCK = 1 << 20
_NO_UNNAMED = errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL
"""What filesystems say that have no files without a name (open(2), O_TMPFILE)."""
_AGE_HEADER = b"age-encryption.org/"
_SECRET_HEAD = "AGE-SECRET-KEY-"  # noqa: S105 (how all of them begin)


class Manifest(BaseModel):
    """What a backup says of itself.

    Attributes
    ----------
    form
        Version of the file's form.
    made_at
        When the snapshot of the database was taken.
    made_by, postgresql, postgis
        Versions of geo_grid, and of the database that was dumped.
    migration
        Number of the newest migration.
    city
        Tells this city from others: digest of its first edition; None: there was none.
    rows
        Rows by table (schema.table), in the snapshot.
    audit_id, audit_hash
        Last row of the audit's chain; None: there was none.
    graph_key
        Key of the road graph of the imported roads; None: there was none.
    has_graph
        Whether the graph is in the file.
    dump_sha256
        SHA-256 of the dump, hexadecimal.
    """

    form: int
    made_at: AwareDatetime
    made_by: str
    postgresql: str
    postgis: str
    migration: int
    city: str | None
    rows: dict[str, int]
    audit_id: int | None
    audit_hash: str | None
    graph_key: str | None
    has_graph: bool
    dump_sha256: str


@contextlib.contextmanager
def written(path: Path, recipients: list[str]) -> Iterator[IO[bytes]]:
    """Write a new file that appears under its name when the context ends well, encrypted for `recipients` if there are any.

    Raises
    ------
    UnwritableFile
        It exists already, or cannot be written.
    SetupError
        age is not installed.
    UserError
        age refuses a recipient.
    """
    if path.exists():
        message = f"{path} exists already: choose another name, or delete it first"
        raise UnwritableFile(message)
    for one in recipients:
        if one.strip().upper().startswith(_SECRET_HEAD):
            message = "that is a secret key of age, which nobody should see: its public key, age1…, is what backups are encrypted for"
            raise UserError(message)
    try:
        with _unfinished(path) as file:
            if recipients:
                with _age(["--encrypt", *(f"--recipient={one}" for one in recipients)], file) as sealed:
                    yield sealed
            else:
                yield file
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise UnwritableFile(message) from None


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, mode 0600, that gets a name when the context ends well: until then nothing of it stays if this process is killed.

    Raises
    ------
    OSError
        It cannot be made, or something has that name meanwhile.
    """
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError as error:
        if error.errno not in _NO_UNNAMED:
            raise
        with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", dir=path.parent) as named:
            yield named.file
            os.link(named.name, path)
        return
    with os.fdopen(descriptor, "wb") as file:
        yield file
        # open(2), O_TMPFILE; src_dir_fd is not used, and has os.link ask linkat(2), which follows what is in /proc
        os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)


@contextlib.contextmanager
def _age(arguments: list[str], output: IO[bytes]) -> Iterator[IO[bytes]]:
    """Run age, and yield what is its input; its output goes to a file."""
    try:
        process = subprocess.Popen(["age", *arguments], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE)
    except FileNotFoundError:
        message = "age is not installed, which encrypts backups (Debian: apt-get install age)"
        raise SetupError(message) from None
    with process:
        try:
            if process.stdin is None or process.stderr is None:
                raise AssertionError
            with contextlib.suppress(BrokenPipeError), process.stdin as given:
                yield given
            said = process.stderr.read().decode(errors="replace").strip()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise UserError(_what_age_said(said))


def _what_age_said(said: str) -> str:
    lines = [line.removeprefix("age: ") for line in said.splitlines() if "report unexpected" not in line]
    return f"age refuses: {(lines or ['no message'])[0].removeprefix('error: ')}"


@contextlib.contextmanager
def opened(path: Path, identity: Path | None, scratch: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """Open a backup, and read its manifest; an encrypted one is decrypted into the folder `scratch` meanwhile.

    Parameters
    ----------
    identity
        File with the key that decrypts it (`age-keygen`).

    Raises
    ------
    UnreadableFile
        It is missing, truncated, or no backup.
    UserError
        It is encrypted and no key was given, or not for this key; a later geo_grid made it.
    SetupError
        age is not installed.
    """
    try:
        with path.open("rb") as file:
            is_sealed = file.read(len(_AGE_HEADER)) == _AGE_HEADER
            if not is_sealed and identity is not None:
                message = f"{path} is not encrypted: leave --identity out"
                raise UserError(message)
            with (
                _unsealed(path, identity, scratch) if is_sealed else contextlib.nullcontext(path) as plain,
                zipfile.ZipFile(plain) as package,
            ):
                yield package, _manifest(path, package)
    except FileNotFoundError:
        message = f"{path}: there is no such file"
        raise UnreadableFile(message) from None
    except (zipfile.BadZipFile, EOFError):
        message = f"{path} is no backup of geo_grid, or was cut off: nothing was restored"
        raise UnreadableFile(message) from None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise UnreadableFile(message) from None


@contextlib.contextmanager
def _unsealed(path: Path, identity: Path | None, scratch: Path) -> Iterator[Path]:
    if identity is None:
        message = f"{path} is encrypted: name the file with its key, --identity FILE"
        raise UserError(message)
    with tempfile.NamedTemporaryFile(dir=scratch) as plain, path.open("rb") as sealed:
        with _age(["--decrypt", f"--identity={identity}"], plain) as given:
            for block in iter(lambda: sealed.read(BLOCK), b""):
                given.write(block)
        yield Path(plain.name)


def _manifest(path: Path, package: zipfile.ZipFile) -> Manifest:
    try:
        with package.open(MANIFEST) as file:
            text = file.read(BLOCK)
        form = _form(text)
        if form > FORM:
            message = f"{path} was made by a later geo_grid: restore it with that"
            raise UserError(message)
        return Manifest.model_validate_json(text)
    except (KeyError, ValidationError):
        message = f"{path} is no backup of geo_grid: it has no manifest that can be read"
        raise UnreadableFile(message) from None


class _Form(BaseModel):
    form: int


def _form(text: bytes) -> int:
    return _Form.model_validate_json(text).form


class Digested:
    """Copies a stream, and knows the SHA-256 of what was copied (`hexdigest`)."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._digest = source, hashlib.sha256()

    def into(self, sink: Any) -> None:
        """Copy all that is left."""
        for block in iter(lambda: self._source.read(BLOCK), b""):
            self._digest.update(block)
            sink.write(block)

    def hexdigest(self) -> str:
        """SHA-256 of what was copied, hexadecimal."""
        return self._digest.hexdigest()
