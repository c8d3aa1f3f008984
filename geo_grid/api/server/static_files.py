"""Scripts, styles and pictures of the pages, compressed once for all readers."""

import gzip
from os import PathLike
from pathlib import Path

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_WORTH_PACKING = 1024
"""Bytes below which a file is sent as it is."""
_LONGEST = 255
"""Characters of a path; of each folder that it names the file system is asked, whether it is there or not."""
_TEXT = ("text/", "application/javascript", "application/json", "application/manifest+json", "image/svg+xml")
"""Beginnings of the media types that are compressed; others are compressed already."""


class StaticText(StaticFiles):
    """Serves a folder. Text is compressed in a thread when it is asked for first, and kept in memory, some megabytes.

    Compressed for each reader, one stranger with a few connections would keep the event loop from everybody else.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._packed: dict[str, tuple[str, bytes]] = {}

    def get_path(self, scope: Scope) -> str:
        """Return the path of a file in the folder. Raises HTTPException where it is longer than any of ours."""
        if len(scope["path"]) > _LONGEST:
            raise HTTPException(404)
        return super().get_path(scope)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, compressed when the request allows it and no part of the file is asked for."""
        whole = await super().get_response(path, scope)
        asked = Headers(scope=scope)
        if not (
            isinstance(whole, FileResponse)
            and whole.media_type is not None
            and whole.media_type.startswith(_TEXT)
            and int(whole.headers["content-length"]) >= _WORTH_PACKING
        ):
            return whole
        if "gzip" not in asked.get("accept-encoding", "") or "range" in asked:
            return whole
        version, packed = self._packed.get(path, ("", b""))
        if version != whole.headers["etag"]:
            version, packed = whole.headers["etag"], await to_thread.run_sync(_pack, whole.path)
            self._packed[path] = version, packed
        kept = {name: value for name, value in whole.headers.items() if name not in ("content-length", "accept-ranges")}
        return Response(packed, headers={**kept, "content-encoding": "gzip", "vary": "Accept-Encoding"})


def _pack(path: str | PathLike[str]) -> bytes:
    return gzip.compress(Path(path).read_bytes(), 9, mtime=0)
