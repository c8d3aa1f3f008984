"""POST /cameras/{gb28181_id}/openings: who opens which camera, why, for which incident; and its live picture, /feeds."""

import unicodedata
from contextlib import nullcontext, suppress
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from geo_grid.api.server.asking import asker_of, identity_of, read_once, writing
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.errors import Forbidden, NotFound
from geo_grid.feeds.addresses import QUERIES
from geo_grid.feeds.live import NO_FEED, Feed, Opened
from geo_grid.feeds.steering import MovementAsked, can_steer, refusal_of, steer, steers_values
from geo_grid.feeds.watched import open_camera, refuse_picture
from geo_grid.texts import WithoutPasswords
from geo_grid.wording import Worded

router = APIRouter(tags=["cameras"], responses=PROBLEM_RESPONSES | {404: PROBLEM}, route_class=GuardedRoute)

CameraId = Annotated[str, Path(pattern=r"^([0-9]{20}|LOCAL-[0-9A-Za-z._-]{1,26})$")]
FeedId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{24}$")]
_LETTERS = 2
"""Or digits, of a reason: signs, and what nobody sees, are none."""
_FIRST_PICTURE_S = 25.0
"""Seconds for which the question for a playlist waits until there is a picture, or it is known why there is none."""


class Opening(BaseModel):
    """Why a camera is opened."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: WithoutPasswords = Field(min_length=2, max_length=500)
    incident_id: int | None = Field(None, ge=1, le=2**63 - 1)

    @field_validator("reason")
    @classmethod
    def _says_something(cls, reason: str) -> str:
        if sum(one.isalnum() and not unicodedata.name(one, "").endswith("FILLER") for one in reason) < _LETTERS:
            message = "say in words why the camera is opened"
            raise ValueError(message)
        return reason


class FeedState(BaseModel):
    """A live picture: where it is played from, until when, and why not any more."""

    feed_id: str
    gb28181_id: str
    playlist: str = Field(description="HLS; each of its parts is asked for by whoever opened it")
    ends_at: datetime
    state: Literal["opening", "live", "ended"]
    why: Worded = Field(description="why it ended; empty before")
    codec: str | None = Field(description="RFC 6381: whether this browser plays it, it knows itself")
    steers: bool = Field(description="whoever opened it can steer the camera now: POST /feeds/{feed_id}/movements")


class AccessRecord(BaseModel):
    """调阅登记: the row of the audit, and the picture; null: no address of it is registered here, and its platform shows it."""

    audit_id: int
    feed: FeedState | None


def _state(feed: Feed, steers: bool) -> FeedState:
    is_over = not feed.is_live
    return FeedState(
        feed_id=feed.feed_id,
        gb28181_id=feed.opened.gb28181_id,
        playlist=f"/feeds/{feed.feed_id}/live.m3u8",
        ends_at=feed.ends_at,
        state="ended" if is_over else "live" if feed.fragments.has_picture else "opening",
        why=feed.why,
        codec=feed.fragments.codec,
        steers=steers and not is_over,
    )


@router.post("/cameras/{gb28181_id}/openings", status_code=201)
async def post_opening(request: Request, gb28181_id: CameraId, opening: Opening) -> AccessRecord:
    """Register that a camera is opened, and begin its picture where its address is registered."""
    identity, feeds = identity_of(request), server_of(request).camera_feeds
    asker = asker_of(request)
    camera = (await read_once(request, QUERIES["to_open"], {"gb28181_id": gb28181_id}))["camera_id"]
    stream = await feeds.stream(camera, asker) if camera is not None else None
    with feeds.place(identity.principal_id) if stream else nullcontext():
        async with writing(request) as database:
            recorded = await open_camera(database, gb28181_id, opening.reason, opening.incident_id)
            steers = recorded is not None and stream is not None and await can_steer(database, recorded.camera_id)
        if recorded is None:
            message = f"there is no camera {gb28181_id}"
            raise NotFound(message)
        opened = Opened(*recorded, gb28181_id, opening.incident_id, identity.principal_id, identity.login_name, asker)
        feed = feeds.begin(opened, stream) if stream and recorded.camera_id == camera else None
    return AccessRecord(audit_id=recorded.audit_id, feed=_state(feed, steers) if feed else None)


@router.get("/feeds/{feed_id}")
async def get_feed(request: Request, feed_id: FeedId) -> FeedState:
    """Say how a picture of one's own is, and why it ended."""
    feed = await _mine(request, feed_id)
    may = await read_once(request, QUERIES["steers"], steers_values(feed.opened.camera_id))
    return _state(feed, may["steers"])


@router.post("/feeds/{feed_id}/movements", status_code=204, response_class=Response, responses={409: PROBLEM})
async def post_movement(request: Request, feed_id: FeedId, asked: MovementAsked) -> Response:
    """Have the camera of a picture of one's own move, for some seconds at most; it is always told to stop after."""
    feed = await _mine(request, feed_id)
    await _refuse_hidden(request, feed)
    async with writing(request) as database:
        why = await steer(database, feed.opened.audit_id, feed.opened.camera_id, asked)
    if why is not None:
        raise refusal_of(why)
    return Response(status_code=204)


@router.delete("/feeds/{feed_id}", status_code=204, response_class=Response)
async def delete_feed(request: Request, feed_id: FeedId) -> Response:
    """Close a picture of one's own."""
    await server_of(request).camera_feeds.close(await _mine(request, feed_id))
    return Response(status_code=204)


@router.get(
    "/feeds/{feed_id}/{part}",
    response_class=Response,
    responses={200: {"description": "the playlist (HLS), or a part of the picture that it names",
                     "content": {"application/vnd.apple.mpegurl": {"schema": {"type": "string"}},
                                 "video/mp4": {"schema": {"type": "string", "format": "binary"}}}}},
)  # fmt: skip
async def get_part(
    request: Request,
    feed_id: FeedId,
    part: Annotated[str, Path(pattern=r"^(live\.m3u8|init\.mp4|[0-9]{1,9}\.m4s)$")],
) -> Response:
    """Answer with the playlist, or a part of the picture: rights, secrecy, cells and time are asked about each time."""
    feed = await _mine(request, feed_id)
    await _refuse_hidden(request, feed)
    if part == "live.m3u8":
        await feed.first_picture(_FIRST_PICTURE_S)
        feed.refuse_over()
        return Response(feed.fragments.playlist(), media_type="application/vnd.apple.mpegurl")
    fragment = None if part == "init.mp4" else feed.fragments.find(int(part.removesuffix(".m4s")))
    content = feed.fragments.beginning if part == "init.mp4" else fragment.content if fragment else None
    if content is None:
        message = "this part of the picture is gone, or not there yet: the playlist names those that are"
        raise NotFound(message)
    return Response(content, media_type="video/mp4")


async def _mine(request: Request, feed_id: str) -> Feed:
    """Return a feed of whoever asks; another's is as if it did not exist, but for the record. Raises NotFound."""
    feed = server_of(request).camera_feeds.find(feed_id)
    if feed.opened.principal_id != identity_of(request).principal_id:
        await _note(request, feed, "another's")
        raise NO_FEED
    feed.touch()
    return feed


async def _refuse_hidden(request: Request, feed: Feed) -> None:
    """Refuse a picture whose time is over, or whose camera whoever asks may not see any more. Raises NotFound."""
    may = (
        feed.is_live and (await read_once(request, QUERIES["may_see"], {"camera_id": feed.opened.camera_id}))["may_see"]
    )
    if may:
        return
    if feed.is_live:
        await server_of(request).camera_feeds.close(feed, "right")
    await _note(request, feed, feed.ending or "expired")
    feed.refuse_over()


async def _note(request: Request, feed: Feed, why: str) -> None:
    with suppress(Forbidden):  # the credential is worth nothing since a moment: how the picture ended is on record
        async with writing(request) as database:
            await refuse_picture(database, feed.opened.audit_id, feed.opened.gb28181_id, why)
