"""Files sent by a page: tried, kept with their report until they are confirmed or forgotten."""

import contextlib
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from collections.abc import Mapping as Named
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from geo_grid.db import Connection, connect
from geo_grid.errors import InvalidRows, NotFound, NotOffered, UnreadableFile, UserError
from geo_grid.exchange.importing import Mapping, Report, import_file
from geo_grid.files.door import Asking
from geo_grid.files.kinds import FORMATS, unknown_kind
from geo_grid.files.limits import SENT
from geo_grid.files.spelling import Spelling
from geo_grid.layers import Layer, find_layer
from geo_grid.progress import silent
from geo_grid.wording import as_parameters

_KEPT_S = 3600.0
"""A file that nobody confirms is forgotten after so long."""
MOST_WAITING, MOST_WAITING_BYTES = 8, 512 << 20
"""Files of one account that may wait, and their bytes: with one more, its oldest are forgotten."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Asked:
    """How a file is to be read; see `import_file`."""

    layer: str
    source_crs: str | None
    columns: Named[str, str]
    constants: Named[str, str]
    lon_column: str | None
    lat_column: str | None
    timezone: str
    datetime_format: str | None = None
    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    received_now: bool = False


@dataclass(frozen=True)
class Upload:
    """A file that waits for its confirmation.

    Attributes
    ----------
    principal_id
        Who sent it, and alone may confirm it.
    """

    upload_id: str
    principal_id: int
    file_name: str
    asked: Asked

    def path(self, folder: Path) -> Path:
        """Return where the file is: under a name of ours with the ending of theirs."""
        return folder / self.upload_id / f"upload{Path(self.file_name).suffix.lower()}"


def keep(folder: Path, file: BinaryIO, file_name: str, principal_id: int, asked: Asked) -> Upload:
    """Keep a file that was sent; of the same account's that wait, the oldest are forgotten when they are too many.

    Raises
    ------
    NotFound, NotOffered
        There is no such layer, or it does not take files this way.
    UnreadableFile
        Its ending says that it is of no known kind.
    """
    layer = find_layer(asked.layer)
    if not layer.is_editable:
        message = f"{layer.name} takes no files here: use geo-grid import {layer.name} FILE on the server"
        raise NotOffered(message)
    plain = Path(file_name.replace("\\", "/")).name[:200]
    if Path(plain).suffix.lower() not in FORMATS:
        message = f"{unknown_kind(repr(plain[:80]), Path(plain).suffix.lower())} (a Shapefile goes into a .zip)"
        raise UnreadableFile(message)
    forget_old(folder)
    size = file.seek(0, 2)
    file.seek(0)
    _make_room(folder, principal_id, size)
    upload = Upload(secrets.token_urlsafe(16), principal_id, plain, asked)
    path = upload.path(folder)
    try:
        path.parent.mkdir(parents=True, mode=0o700)
        with path.open("wb") as kept:
            shutil.copyfileobj(file, kept, _BLOCK)
        told = {"principal_id": principal_id, "file_name": plain, "asked": vars(asked)}
        (path.parent / "upload.told").write_text(json.dumps(told), encoding="utf-8")
    except OSError:
        forget(folder, upload)
        raise
    return upload


def _make_room(folder: Path, principal_id: int, size: int) -> None:
    """Forget the oldest files of an account until one more of so many bytes is within its quota."""
    waiting = []
    for kept in _waiting(folder, principal_id):
        with contextlib.suppress(OSError):  # forgotten meanwhile
            waiting.append((kept.stat().st_mtime, sum(part.stat().st_size for part in kept.iterdir()), kept))
    waiting.sort(reverse=True)
    count, octets = 1, size
    for _, held, kept in waiting:
        count, octets = count + 1, octets + held
        if count > MOST_WAITING or octets > MOST_WAITING_BYTES:
            shutil.rmtree(kept, ignore_errors=True)


def _waiting(folder: Path, principal_id: int) -> Iterator[Path]:
    """Yield the folders of an account's files."""
    for kept in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError, ValueError):  # forgotten meanwhile, or not whole
            if json.loads((kept / "upload.told").read_text(encoding="utf-8"))["principal_id"] == principal_id:
                yield kept


def count_waiting(folder: Path, principal_id: int) -> int:
    """Return how many files of an account wait to be confirmed."""
    return sum(1 for _ in _waiting(folder, principal_id))


def find(folder: Path, upload_id: str, principal_id: int) -> Upload:
    """Find a file that waits. Raises NotFound: it is somebody else's, was confirmed, or is forgotten."""
    message = "this import waits no longer: it was confirmed, or forgotten after an hour; send the file again"
    try:
        told = json.loads((folder / upload_id / "upload.told").read_text(encoding="utf-8"))
    except OSError:
        raise NotFound(message) from None
    if told["principal_id"] != principal_id:
        raise NotFound(message)
    return Upload(upload_id, principal_id, told["file_name"], Asked(**told["asked"]))


def run(
    connection: Connection,
    folder: Path,
    upload: Upload,
    skip_invalid: bool,
    dry_run: bool,
    crs_is_certain: bool = False,
) -> Report:
    """Try the import of a file, or do it, in the caller's transaction; raises as `import_file` does."""
    asked = upload.asked
    layer: Layer = find_layer(asked.layer)
    try:
        mapping = Mapping(
            dict(asked.columns), dict(asked.constants), asked.lon_column, asked.lat_column, asked.datetime_format,
            Spelling(asked.encoding, asked.separator, asked.decimal),
        )  # fmt: skip
        return import_file(
            connection, layer, upload.path(folder), silent, asked.source_crs, mapping, skip_invalid,
            timezone=asked.timezone, dry_run=dry_run, asking=Asking(SENT, upload.file_name),
            received_now=asked.received_now, crs_is_certain=crs_is_certain,
        )  # fmt: skip
    except InvalidRows as error:
        raise InvalidRows(as_parameters(str(error)), error.rows) from None
    except UserError as error:
        raise type(error)(as_parameters(str(error))) from None


def run_apart(
    conninfo: str, folder: Path, upload: Upload, skip_invalid: bool, dry_run: bool, crs_is_certain: bool = False
) -> Report:
    """Try the import of a file, or do it, in a transaction of whoever `conninfo` is; see `run`.

    Rows and shapes are checked one by one: a server calls it in a process with limits.
    """
    with connect(conninfo) as connection:
        return run(connection, folder, upload, skip_invalid, dry_run, crs_is_certain)


def forget(folder: Path, upload: Upload) -> None:
    """Forget a file."""
    shutil.rmtree(folder / upload.upload_id, ignore_errors=True)


def forget_old(folder: Path) -> None:
    """Forget the files that nobody confirmed in time."""
    for kept in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError):  # forgotten meanwhile
            if time.time() - kept.stat().st_mtime > _KEPT_S:
                shutil.rmtree(kept, ignore_errors=True)


def as_told(upload: Upload, report: Report, most: int = 200) -> dict[str, Any]:
    """Return what a page shows of a report: at most so many bad rows."""
    return {
        "import_id": upload.upload_id,
        "file_name": upload.file_name,
        "layer": report.layer,
        "rows": report.rows,
        "importable": report.imported,
        "bad_row_count": len(report.skipped),
        "duplicates": report.duplicates,
        "unassigned": report.unassigned,
        "bad_rows": [{"row": row, "reason": reason} for row, reason in report.skipped[:most]],
        "columns": report.columns,
        "fields": report.fields,
        "notes": report.notes,
        "datum_doubt": report.datum_doubt,
    }
