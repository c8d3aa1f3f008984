"""Registered hosts, and which stream of theirs is whose picture; their passwords are in a file of the server's, nowhere else."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import psycopg
from pydantic import BaseModel, ConfigDict, Field, field_validator

from geo_grid.db import AsyncConnection, fetch_one, load_queries
from geo_grid.errors import NotFound, UserError
from geo_grid.feeds.rtsp import Login
from geo_grid.netrc_file import read_login
from geo_grid.texts import WithoutPasswords

QUERIES = load_queries("geo_grid.feeds", "feeds.sql")
MOST_ADDRESSES = 1000
"""Most addresses that are registered at once."""
_PATH = re.compile(r"/[!-~]{0,999}", re.ASCII)
_PASSWORD = re.compile(r"(?:passw(?:or)?d|passwd|pwd|psw)=|/[^/?]*:[^/?]*@", re.ASCII | re.IGNORECASE)
"""Of a person's or a recorder's log-in; a token of the stream alone is a part of its address."""

type HostName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="what we call the host")]


class StreamHost(BaseModel):
    """A host that pictures may come from: a platform, a recorder or a camera that speaks RTSP."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    host: str = Field(
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,45})$",
        description="name or IP address; nothing else is ever connected to",
    )
    port: int = Field(554, ge=1, le=65535)
    note: WithoutPasswords = Field("", max_length=500)


class KnownHost(StreamHost):
    """A registered host, and how many cameras have an address there."""

    name: str
    camera_count: int


class CameraAddress(BaseModel):
    """Where the picture of a camera is on a host."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    gb28181_id: str = Field(max_length=32)
    path: str | None = Field(description="of the address rtsp://host:port/path; null: it has none any more")

    @field_validator("path")
    @classmethod
    def _is_path(cls, path: str | None) -> str | None:
        if path is not None and not _PATH.fullmatch(path):
            message = "a path begins with / and has no spaces; the host, its port and its password do not belong in it"
            raise ValueError(message)
        if path is not None and _PASSWORD.search(path):
            message = (
                "a password stands in this path: passwords are in the file of GEO_GRID_STREAM_NETRC alone, by host"
            )
            raise ValueError(message)
        return path


class Hosts:
    """The names and passwords of hosts, in a file of the form .netrc."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def login(self, host: str) -> Login | None:
        """Return the name and password for a host; None: it is asked without. The file is read each time, so that it may change.

        Raises
        ------
        SetupError
            The file cannot be read, or others can read it.
        """
        if self._file is None:
            return None
        found = read_login(self._file, host, "GEO_GRID_STREAM_NETRC")
        return Login(*found) if found else None


async def list_hosts(connection: AsyncConnection) -> list[KnownHost]:
    """List registered hosts."""
    rows = await connection.execute(QUERIES["hosts"])
    return [KnownHost.model_validate(row) for row in await rows.fetchall()]


async def put_host(connection: AsyncConnection, name: str, host: StreamHost) -> None:
    """Register a host, or change it."""
    await connection.execute(QUERIES["put_host"], {"name": name, **host.model_dump()})


async def remove_host(connection: AsyncConnection, name: str) -> None:
    """Remove a host and the addresses on it. Raises NotFound."""
    if not (await connection.execute(QUERIES["remove_host"], {"name": name})).rowcount:
        raise _missing(name)


async def put_addresses(connection: AsyncConnection, name: str, addresses: Sequence[CameraAddress]) -> int:
    """Register where the pictures of cameras are on a host; return how many addresses it has then.

    Raises
    ------
    NotFound
        There is no such host.
    UserError
        Some of the cameras are not there.
    """
    host = await (await connection.execute(QUERIES["host"], {"name": name})).fetchone()
    if host is None:
        raise _missing(name)
    values = {
        "stream_host_id": host["stream_host_id"],
        "ids": [one.gb28181_id for one in addresses], "paths": [one.path for one in addresses],
    }  # fmt: skip
    unclear = await (await connection.execute(QUERIES["unclear"], values)).fetchall()
    if unclear:
        some = ", ".join(row["gb28181_id"] for row in unclear[:5])
        message = f"{len(unclear)} of these cameras are not there, or there twice, such as {some}: nothing was changed"
        raise UserError(message)
    try:
        await connection.execute(QUERIES["withdraw_addresses"], values)
        await connection.execute(QUERIES["put_addresses"], values)
    except psycopg.errors.UniqueViolation:
        message = "a camera stands twice in the list: nothing was changed"
        raise UserError(message) from None
    return int((await fetch_one(connection, QUERIES["count"], values))["count"])


def _missing(name: str) -> NotFound:
    return NotFound(f"there is no host {name}: GET /streams/hosts lists them")
