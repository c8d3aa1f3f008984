"""Live pictures of cameras: who sees which until when. A picture is in memory for some seconds, and nowhere else."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol, Self

import psycopg

from geo_grid.db import Asker, AsyncConnection, AsyncPool, acting, fetch_one, translated_errors
from geo_grid.errors import Busy, GeoGridError, NotFound, ProgramMissing, TooMany
from geo_grid.feeds.addresses import QUERIES, Hosts
from geo_grid.feeds.calls import PlatformPicture, PlatformStream, Reception
from geo_grid.feeds.fragments import Fragments
from geo_grid.feeds.program import Form, find_program, started
from geo_grid.feeds.relay import Ends, Relay, Stream
from geo_grid.feeds.rtsp import BrokenStream
from geo_grid.settings import Settings

log = logging.getLogger(__name__)

type Ending = Literal["closed", "expired", "left", "right", "broken", "server"]

_LOOK_S, _LEFT_S = 2.0, 15.0
"""Seconds between looks at rights and time, and after which a feed that nobody asks for ends."""
_NOTED_S = 20.0
"""Seconds between notes that a feed is shown: after a minute without one its end is recorded by whatever server there is."""
_FIRST_PICTURE_S = 20.0
_REMEMBERED_S = 600.0
"""Seconds for which a feed that ended can say why."""
_BLOCK = 64 << 10
_PROCESSOR_SHARE, _PROCESSOR_S = 0.2, 30.0
_COME_BACK_S = 10.0
_WORDS: dict[Ending, str] = {
    "closed": "this picture was closed",
    "expired": "the minutes of this picture are over: open the camera again if it is needed still",
    "left": "nobody watched this picture any more: open the camera again",
    "right": "you may not see this camera any more",
    "broken": "the picture broke off",
    "server": "the server was stopped: open the camera again",
}
NO_FEED = NotFound("there is no such picture: open the camera again")


class Source(Protocol):
    """A way to the picture of a camera. `connect` and `carry` raise BrokenStream, which says why there is none."""

    @property
    def form(self) -> Form:
        """How ffmpeg is given it: it asks for it itself by RTSP, or is sent a program stream (PS)."""

    async def connect(self) -> None:
        """Reach whoever sends it."""

    async def carry(self, ours: Ends, local: str) -> None:
        """Carry it to ffmpeg over `ours`, which asks for the address `local`, until one side ends it."""


class _Over(Exception):
    """A feed ends as it should."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending)
        self.ending = ending


@dataclass(frozen=True)
class Opened:
    """An opening, as it was recorded: who, which, for what, and with which credential."""

    audit_id: int
    camera_id: int
    gb28181_id: str
    incident_id: int | None
    principal_id: int
    login_name: str
    asker: Asker


@dataclass
class Feed:
    """One live picture for one account.

    Attributes
    ----------
    ends_at, ends
        When its minutes are over; the second in seconds of `time.monotonic`.
    asked
        When its user asked for it last.
    ending, why
        None and empty while it lives.
    """

    feed_id: str
    opened: Opened
    ends_at: datetime
    ends: float
    asked: float
    fragments: Fragments = field(default_factory=Fragments)
    ending: Ending | None = None
    why: str = ""
    pictured: float | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def touch(self) -> None:
        """Note that its user asks for it."""
        self.asked = time.monotonic()

    def change(self) -> None:
        """Wake those who wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def first_picture(self, longest_s: float) -> None:
        """Wait until there is a picture, or the feed ended, or it takes too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                while self.ending is None and not self.fragments.has_picture:
                    await self._changed.wait()

    @property
    def is_live(self) -> bool:
        """Whether it lives, and its time is not over."""
        return self.ending is None and time.monotonic() < self.ends

    def refuse_over(self) -> None:
        """Raise NotFound, which says why, when it is over."""
        if not self.is_live:
            raise NotFound(self.why or _WORDS["expired"])


class CameraFeeds:
    """The live pictures of one server. Its methods belong on the event loop.

    Parameters
    ----------
    pool
        Connections for checks with the rights of whoever watches.
    own_pool, service
        Connections and credential of the server itself, which alone reads addresses, and records endings.
    letter
        What ids of its feeds begin with.
    """

    def __init__(self, settings: Settings, pool: AsyncPool, own_pool: AsyncPool, service: Asker, letter: str) -> None:
        self._minutes = settings.feed_minutes
        self._most, self._each = settings.feeds_at_once, settings.feeds_per_account
        self._hosts = Hosts(settings.stream_netrc)
        self._reception = None if settings.sip_id is None else Reception(
            settings.sip_id, settings.sip_host, settings.media_host, settings.media_port_range, settings.media_transport
        )  # fmt: skip
        self._pool, self._own_pool, self._service = pool, own_pool, service
        self._letter = letter
        self._feeds: dict[str, Feed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._beginning: Counter[int] = Counter()

    @classmethod
    @contextlib.asynccontextmanager
    async def kept(
        cls, settings: Settings, pool: AsyncPool, own_pool: AsyncPool, service: Asker, letter: str
    ) -> AsyncIterator[Self]:
        """Keep feeds while the context lasts; leaving ends all."""
        feeds = cls(settings, pool, own_pool, service, letter)
        try:
            yield feeds
        finally:
            tasks = list(feeds._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.contextmanager
    def place(self, principal_id: int) -> Iterator[None]:
        """Hold the place of one more feed while it is opened.

        Raises
        ------
        ProgramMissing
            ffmpeg is not installed.
        TooMany, Busy
            The account, or the server, has as many as it may.
        """
        find_program()
        alive = [feed for feed in self._feeds.values() if feed.ending is None]
        if sum(one.opened.principal_id == principal_id for one in alive) + self._beginning[principal_id] >= self._each:
            message = f"{self._each} pictures of yours are open: close one of them first"
            raise TooMany(message, _COME_BACK_S)
        if len(alive) + self._beginning.total() >= self._most:
            message = f"{self._most} pictures are open on this server: wait until somebody closes one"
            raise Busy(message, _COME_BACK_S)
        self._beginning[principal_id] += 1
        try:
            yield
        finally:
            self._beginning[principal_id] -= 1

    async def stream(self, camera_id: int, asker: Asker) -> Stream | PlatformStream | None:
        """Return where the picture of a camera is, or which platform can be called for it; None: neither is known.

        Raises
        ------
        SetupError
            The passwords of hosts cannot be read.
        """
        with translated_errors():
            async with acting(self._own_pool, self._as_service(asker)) as connection:
                row = await fetch_one(connection, QUERIES["stream_of"], {"camera_id": camera_id})
        platform = row.pop("platform_code")
        if row["host"] is not None:
            return Stream(**row, login=self._hosts.login(row["host"]))
        return PlatformStream(platform, camera_id) if platform is not None and self._reception is not None else None

    def begin(self, opened: Opened, stream: Stream | PlatformStream) -> Feed:
        """Begin the feed of a camera whose opening was recorded, within its `place`."""
        life = timedelta(minutes=self._minutes)
        now = time.monotonic()
        feed_id = self._letter + secrets.token_urlsafe(18)[1:]
        feed = Feed(feed_id, opened, datetime.now(UTC) + life, now + life.total_seconds(), now)
        self._feeds[feed.feed_id] = feed
        task = asyncio.create_task(self._live(feed, stream))
        self._tasks[feed.feed_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(feed.feed_id, None))
        return feed

    def find(self, feed_id: str) -> Feed:
        """Return a feed, also one that ended lately. Raises NotFound."""
        feed = self._feeds.get(feed_id)
        if feed is None:
            raise NO_FEED
        return feed

    async def close(self, feed: Feed, ending: Ending = "closed") -> None:
        """End a feed, and wait until its record is written."""
        task = self._tasks.get(feed.feed_id)
        if feed.ending is None:
            self._end(feed, ending)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def _as_service(self, asker: Asker) -> Asker:
        return asker._replace(credential=self._service.credential)

    async def _live(self, feed: Feed, stream: Stream | PlatformStream) -> None:
        """Run a feed to its end, and record it."""
        try:
            await self._run(feed, stream)
        except _Over as over:
            self._end(feed, over.ending)
        except (BrokenStream, ProgramMissing, Busy) as broken:
            self._end(feed, "broken", str(broken))
        except (GeoGridError, psycopg.Error) as error:  # rights cannot be checked: nobody sees anything
            log.warning("a picture ended, since rights to it could not be checked: %s", error)
            self._end(feed, "right")
        except asyncio.CancelledError:
            self._end(feed, "server")
        except Exception:
            log.exception("a picture ended by a fault")
            self._end(feed, "broken")
        finally:
            self._end(feed, "broken")
            await self._record(feed)
            asyncio.get_running_loop().call_later(_REMEMBERED_S, self._feeds.pop, feed.feed_id, None)

    def _source(self, feed: Feed, stream: Stream | PlatformStream) -> AbstractAsyncContextManager[Source]:
        if isinstance(stream, Stream):
            return Relay.opened(stream)
        if self._reception is None:
            raise AssertionError

        async def as_service(do: Callable[[AsyncConnection], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
            with translated_errors():
                async with acting(self._own_pool, self._as_service(feed.opened.asker), read_only=False) as connection:
                    return await do(connection)

        return PlatformPicture.called(stream, self._reception, as_service)

    async def _run(self, feed: Feed, stream: Stream | PlatformStream) -> None:
        async with self._source(feed, stream) as source:
            connecting = asyncio.create_task(source.connect())
            watching = asyncio.create_task(self._watch(feed))
            tasks = {connecting, watching}
            try:
                processor_s = _PROCESSOR_S + _PROCESSOR_SHARE * self._minutes * 60
                async with started(int(processor_s), source.form) as program:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    if watching.done():
                        watching.result()
                    connecting.result()
                    carrying = asyncio.create_task(source.carry(program.ours, program.local))
                    tasks |= {carrying, asyncio.create_task(_show(feed, program.picture))}
                    done, _ = await asyncio.wait(tasks - {connecting}, return_when=asyncio.FIRST_COMPLETED)
                    for task in sorted(done, key=lambda one: one is not carrying):  # the camera's own words first
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, feed: Feed) -> None:
        """Look at time and rights now and then, whether or not anybody asks. Raises _Over, BrokenStream."""
        began = noted = time.monotonic()
        await self._note(feed, "note")
        while True:
            await asyncio.sleep(max(0.0, min(_LOOK_S, feed.ends - time.monotonic())))
            now = time.monotonic()
            if now >= feed.ends:
                raise _Over("expired")
            if now - feed.asked > _LEFT_S:
                raise _Over("left")
            if not feed.fragments.has_picture and now - began > _FIRST_PICTURE_S:
                message = f"no picture came within {_FIRST_PICTURE_S:.0f} s"
                raise BrokenStream(message)
            with translated_errors():
                async with acting(self._pool, feed.opened.asker) as connection:
                    may = await fetch_one(connection, QUERIES["may_see"], {"camera_id": feed.opened.camera_id})
            if not may["may_see"]:
                raise _Over("right")
            if now - noted > _NOTED_S:
                noted = now
                await self._note(feed, "note")

    def _end(self, feed: Feed, ending: Ending, why: str = "") -> None:
        """Take a feed out of force, once; its pictures are gone from then on."""
        if feed.ending is None:
            feed.ending, feed.why = ending, why or _WORDS[ending]
            feed.fragments.forget()
            feed.change()

    async def _record(self, feed: Feed) -> None:
        try:
            await self._note(feed, "end")
        except (psycopg.Error, GeoGridError) as error:
            opened = feed.opened
            log.error(
                "the end of opening %s of camera %s was not recorded: %s", opened.audit_id, opened.gb28181_id, error
            )

    async def _note(self, feed: Feed, name: Literal["note", "end"]) -> None:
        """Note that a feed is shown, or how it ended. Raises psycopg.Error, GeoGridError."""
        opened = feed.opened
        seconds = 0.0 if feed.pictured is None else time.monotonic() - feed.pictured
        values = {
            "opening": opened.audit_id, "named": opened.login_name, "gb28181_id": opened.gb28181_id,
            "incident_id": opened.incident_id, "seconds": round(seconds, 1), "ending": feed.ending,
            "why": feed.why if feed.ending == "broken" else None,
        }  # fmt: skip
        async with acting(self._own_pool, self._as_service(opened.asker), read_only=False) as connection:
            await connection.execute(QUERIES[name], values)


async def _show(feed: Feed, picture: asyncio.StreamReader) -> None:
    """Take the picture as ffmpeg makes it. Raises BrokenStream."""
    while block := await picture.read(_BLOCK):
        if feed.fragments.take(block):
            if feed.pictured is None:
                feed.pictured = time.monotonic()
            feed.change()
    await asyncio.sleep(0.5)  # whoever carries it says better why, if it was the camera
    message = "the camera sends what ffmpeg makes no picture of"
    raise BrokenStream(message)
