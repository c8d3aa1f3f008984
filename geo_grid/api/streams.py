"""/streams: hosts that pictures of cameras come from, and which stream of theirs is whose."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.api.server.asking import reading, writing
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.feeds.addresses import (
    MOST_ADDRESSES,
    CameraAddress,
    KnownHost,
    StreamHost,
    list_hosts,
    put_addresses,
    put_host,
    remove_host,
)

router = APIRouter(
    prefix="/streams",
    tags=["cameras"],
    responses=PROBLEM_RESPONSES | {404: PROBLEM},
    route_class=GuardedRoute,
)
Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="what we call the host")]


class KnownHosts(BaseModel):
    """Registered hosts, by name."""

    hosts: list[KnownHost]


class Addresses(BaseModel):
    """Where the pictures of cameras are on a host."""

    model_config = ConfigDict(extra="forbid")

    cameras: list[CameraAddress] = Field(min_length=1, max_length=MOST_ADDRESSES)


class AddressCount(BaseModel):
    """How many cameras have an address on the host now."""

    camera_count: int


@router.get("/hosts")
async def get_hosts(request: Request) -> KnownHosts:
    """List the hosts that pictures may come from."""
    async with reading(request) as database:
        return KnownHosts(hosts=await list_hosts(database))


@router.put("/hosts/{host_name}", status_code=204, response_class=Response)
async def put_stream_host(request: Request, host_name: Name, host: StreamHost) -> Response:
    """Register a host, or change it. Its name and password stand in a file of the server, not here."""
    async with writing(request) as database:
        await put_host(database, host_name, host)
    return Response(status_code=204)


@router.delete("/hosts/{host_name}", status_code=204, response_class=Response)
async def delete_stream_host(request: Request, host_name: Name) -> Response:
    """Remove a host and all addresses on it; pictures that are open go on to their end."""
    async with writing(request) as database:
        await remove_host(database, host_name)
    return Response(status_code=204)


@router.put("/hosts/{host_name}/cameras")
async def put_camera_addresses(request: Request, host_name: Name, addresses: Addresses) -> AddressCount:
    """Register where the pictures of cameras are on a host; of cameras that are not named nothing changes."""
    async with writing(request) as database:
        return AddressCount(camera_count=await put_addresses(database, host_name, addresses.cameras))
