"""The lower platforms: who may register, what is asked of each and when, and what of it goes into the register.

Everything happens on one event loop. What comes from the network is put aside at once; a look, twice a second, does the rest,
so that no number of messages makes more work for the database than a batch for each platform.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from geo_grid.cameras.calling import Calling
from geo_grid.cameras.endings import Endings, Motion, News
from geo_grid.cameras.link import Link, Timing
from geo_grid.cameras.links import (
    MOST_PLATFORMS,
    QUERIES,
    all_offline,
    move_cameras,
    note_links,
    note_refusals,
    report_of_platform,
)
from geo_grid.cameras.states import StateReport
from geo_grid.cameras.steering import Steering
from geo_grid.cameras.told_positions import ToldPosition, placed
from geo_grid.db import AsyncConnection, AsyncPool, translated_errors
from geo_grid.errors import GeoGridError, SetupError
from geo_grid.gb28181.manscdp import catalogue_query, new_serial, position_query, read_body
from geo_grid.gb28181.sip import Agent, Identity, Known, Peer, Sockets
from geo_grid.gb28181.sip.registrar import NoPassword
from geo_grid.netrc_file import read_login

log = logging.getLogger(__name__)

_LOOK_S, _READ_S, _SEEN_S = 0.5, 2.0, 10.0
"""Seconds between looks, readings of who may register, and notes that the door is open."""
_SERVE_S = 0.1
"""Seconds between readings of which cameras are to move or to be called: somebody holds a button, and looks at the picture."""
_CATALOGUE, _POSITIONS = "Catalog", "presence"
"""Events that are subscribed to (GB/T 28181-2016, 9.11 and A.2.4)."""
_MOVED = ("Notify", "MobilePosition")
_POSITION_EVERY_S = 15
_NO_DIALOG = 481
_NO_SUBSCRIPTION = (
    "it does not take a subscription (SIP status {status}): its catalogue is asked for now and then alone"
)
_NOT_TAKEN = "{count} positions that it told at once were not taken, such as of {first}"


@dataclass(frozen=True)
class Taken:
    """What an import did: new cameras, items that were refused, and what the operator should know."""

    imported: int
    refused: int
    note: str


type TakeCatalogue = Callable[[Path, str, bool], Awaitable[Taken]]
"""Imports a file of a platform, by its code, and whether it is the whole catalogue; raises GeoGridError."""


class LowerPlatforms:
    """The platforms that register with us; told by the agent what they do and say (`sip.Hears`).

    Parameters
    ----------
    pool
        Connections of the owner of the database.
    netrc
        File with the passwords of platforms.
    folder
        Where catalogues are kept while they come; it is ours alone.
    """

    def __init__(
        self,
        identity: Identity,
        pool: AsyncPool,
        netrc: Path | None,
        folder: Path,
        take_catalogue: TakeCatalogue,
        timing: Timing,
    ) -> None:
        self._identity, self._pool, self._netrc, self._folder = identity, pool, netrc, folder
        self._take_catalogue, self._timing = take_catalogue, timing
        self.agent = Agent(identity, self._find, self)
        self._endings = Endings(self.agent, self._tell, timing.ending_s)
        self._steering = Steering(self.agent.ask, self._tell, self._endings)
        self._calling = Calling(self.agent, identity, self._endings)
        self._sockets: Sockets | None = None
        self._links: dict[str, Link] = {}
        self._asked: dict[str, datetime | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking: dict[str, set[asyncio.Task[None]]] = {}
        self._told = ""

    @contextlib.asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[Sockets]:
        """Listen, and look after platforms, while the context lasts.

        Raises
        ------
        SetupError
            The port is in use, or not permitted.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._folder.iterdir():
            left.unlink()
        async with Sockets.opened(host, port, self.agent.take, self.agent.unframed) as sockets:
            self._sockets = sockets
            self.agent.speak_through(sockets)
            keeping, serving = asyncio.create_task(self._keep()), asyncio.create_task(self._serve())
            try:
                yield sockets
            finally:
                for task in (keeping, serving, *self._tasks):
                    task.cancel()
                await asyncio.gather(keeping, serving, *self._tasks, return_exceptions=True)
                await asyncio.gather(self._steering.end(), self._calling.end())
                await self._endings.end()
                for link in self._links.values():
                    link.drop()
                with contextlib.suppress(psycopg.Error, GeoGridError):
                    await self._write(self._note_left)

    # what the agent tells

    def on_registered(self, gb28181_id: str, peer: Peer, is_new: bool) -> None:
        """See `sip.Hears`."""
        if (link := self._links.get(gb28181_id)) is not None:
            now = time.monotonic()
            link.come(peer.transport, now, is_new)
            self._start_anew(link, now)

    def on_left(self, gb28181_id: str) -> None:
        """See `sip.Hears`."""
        if (link := self._links.get(gb28181_id)) is not None:
            link.go(time.monotonic(), "it said that it goes, and did not come back")

    def on_message(self, gb28181_id: str, body: bytes) -> int:
        """See `sip.Hears`."""
        link, told, now = self._links.get(gb28181_id), read_body(body), time.monotonic()
        if link is None or told is None:
            return 400
        link.hear(now)
        if (told.kind, told.command) == ("Response", "Catalog"):
            return link.answer(told, now)
        if (told.kind, told.command) == _MOVED:  # which many send unasked
            link.positions.take(told)
        return 200  # keep-alives, and what we ask for nothing of: alarms, records

    def on_notify(self, gb28181_id: str, body: bytes) -> int:
        """See `sip.Hears`."""
        link, told, now = self._links.get(gb28181_id), read_body(body), time.monotonic()
        if link is None or told is None:
            return 400
        link.hear(now)
        if told.command == "Catalog":
            link.notify(told, now)
        elif (told.kind, told.command) == _MOVED:
            link.positions.take(told)
        return 200

    def on_subscription_over(self, gb28181_id: str, event: str) -> None:
        """See `sip.Hears`."""
        link = self._links.get(gb28181_id)
        if link is not None and event == _POSITIONS:
            link.follow_at = time.monotonic() + self._timing.pause_s
        elif link is not None:
            link.note.subscribed_until, link.is_changed = None, True
            link.subscribe_at = time.monotonic() + self._timing.pause_s

    def on_hung_up(self, call_id: str) -> None:
        """See `sip.Hears`."""
        self._calling.on_hung_up(call_id)

    def _find(self, gb28181_id: str) -> Known | None:
        if gb28181_id not in self._links:
            return None
        try:
            login = read_login(self._netrc, gb28181_id, "GEO_GRID_SIP_NETRC") if self._netrc is not None else None
        except SetupError as error:
            self._tell(str(error))
            raise NoPassword from None
        if login is None or not login[1]:
            raise NoPassword
        return Known(gb28181_id, login[0] or gb28181_id, login[1])

    # what is done again and again

    async def _keep(self) -> None:
        begun, read_at, seen_at = False, 0.0, 0.0
        while True:
            now = time.monotonic()
            try:
                if not begun:
                    await self._write(self._note_open)
                    begun = True
                if now >= read_at:
                    await self._read()
                    read_at = now + _READ_S
                if now >= seen_at:
                    await self._write(self._note_seen)
                    seen_at = now + _SEEN_S
                for link in list(self._links.values()):
                    await self._look_after(link)
                await self._note_changes()
                self._told = ""
            except (psycopg.Error, OSError, GeoGridError) as error:
                self._tell(f"platforms are not looked after; trying again: {error}")
            await asyncio.sleep(_LOOK_S)

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:  # logged once, not each time
            log.warning("%s", trouble)
        self._told = trouble

    async def _serve(self) -> None:
        """Do what people who watch pictures wait for: steer cameras, and call for pictures."""
        has_inherited = False
        while True:
            try:
                if not has_inherited:  # before anything of this process is there
                    await self._inherit()
                    has_inherited = True
                self._endings.look()
                is_busy = self._calling.is_busy or self._endings.has_news
                if is_busy or any(link.note.is_online for link in self._links.values()):
                    await self._exchange()
            except (psycopg.Error, OSError, GeoGridError) as error:
                self._tell(f"cameras are not steered, and pictures not called for; trying again: {error}")
            await asyncio.sleep(_SERVE_S)

    async def _inherit(self) -> None:
        """Read what the process before this one has left to be ended."""
        with translated_errors():
            async with self._pool.connection() as connection:
                dialogs = await (await connection.execute(QUERIES["left_dialogs"])).fetchall()
                motions = await (await connection.execute(QUERIES["left_in_motion"])).fetchall()
        self._endings.inherit(dialogs, motions)

    async def _exchange(self) -> None:
        news, endings = self._calling.news(), self._endings.news()

        async def both(connection: AsyncConnection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            for one in news:
                await connection.execute(QUERIES["answer_call"], one)
            await _note_endings(connection, endings)
            movements = await (await connection.execute(QUERIES["take_movements"])).fetchall()
            for motion in self._endings.in_motion([Motion.of(row) for row in movements]):
                await connection.execute(QUERIES["in_motion"], motion)
            return movements, await (await connection.execute(QUERIES["calls"])).fetchall()

        try:
            movements, calls = await self._write(both)
        except BaseException:
            self._calling.take_back(news)
            self._endings.take_back(endings)
            raise
        for row in movements:
            self._steering.take(row)
        self._calling.take(calls)

    async def _read(self) -> None:
        """Read who may register, and whom somebody wants to be asked again."""
        with translated_errors():
            async with self._pool.connection() as connection:
                rows = await (await connection.execute(QUERIES["may_register"], {"most": MOST_PLATFORMS})).fetchall()
        wanted = {row["gb28181_id"]: row for row in rows}
        for gb28181_id, link in list(self._links.items()):
            if gb28181_id not in wanted or wanted[gb28181_id]["platform_code"] != link.platform_code:
                link.drop()
                self.agent.forget(gb28181_id)
                del self._links[gb28181_id]
                self._asking.pop(gb28181_id, None)
        for gb28181_id, row in wanted.items():
            if gb28181_id not in self._links:
                link = self._links[gb28181_id] = Link(
                    row["platform_code"], gb28181_id, self._folder, self._timing, self._identity.zone, row["source_crs"]
                )
                self._asked[gb28181_id] = row["asked_at"]
                if row["was_there"]:  # before this process: it has time to come back
                    link.away_since = time.monotonic() + self._timing.lost_s
            elif row["asked_at"] != self._asked[gb28181_id] and self._links[gb28181_id].answers is None:
                self._asked[gb28181_id] = row["asked_at"]
                self._links[gb28181_id].query_at = 0.0
            self._links[gb28181_id].source_crs = row["source_crs"]

    async def _look_after(self, link: Link) -> None:
        now = time.monotonic()
        registration = self.agent.registration(link.gb28181_id)
        if registration is not None and now - registration.heard > self._timing.lost_s:
            registration = None
        if registration is None and link.note.is_online:
            self.agent.forget(link.gb28181_id)
            link.go(now, "it is gone: it neither registers nor sends keep-alives")
        if link.away_since is not None and now - link.away_since >= self._timing.gone_s:
            since = datetime.now(UTC)
            await self._write(lambda connection: all_offline(connection, link.platform_code, since))
            link.away_since = None
        if not link.is_busy and (path := link.whole(now)) is not None:
            self._begin(link, partial(self._import, link, path, is_whole=True))
        elif (path := link.fresh(now)) is not None:
            self._begin(link, partial(self._import, link, path, is_whole=False))
        elif registration is not None:
            self._start_anew(link, now)
            if not link.is_busy:
                self._ask(link, now)
        await self._write_told(link, now)

    def _ask(self, link: Link, now: float) -> None:
        """Ask a platform that is there for what is due, one thing at a time."""
        if link.damping.is_burst:
            link.ask_soon(now)
        if link.answers is None and now >= link.query_at:
            self._asks(link, self._begin(link, partial(self._query, link)))
        elif now >= link.subscribe_at:
            self._asks(link, self._begin(link, partial(self._subscribe, link)))
        elif now >= link.follow_at:
            link.follow_at = math.inf
            self._asks(link, self._start(link, partial(self._follow, link)))

    def _asks(self, link: Link, task: asyncio.Task[None]) -> None:
        """Remember a question that waits for its answer."""
        asking = self._asking.setdefault(link.gb28181_id, set())
        asking.add(task)
        task.add_done_callback(asking.discard)

    def _start_anew(self, link: Link, now: float) -> None:
        """Ask a platform for everything that registered anew, as soon as it may be; what its last process was asked is not waited for."""
        if link.anew_at is None or now < link.anew_at:
            return
        self.agent.start_anew(link.gb28181_id)
        for task in self._asking.get(link.gb28181_id, ()):
            task.cancel()
        link.start_anew(now)

    async def _write_told(self, link: Link, now: float) -> None:
        """Write the positions and states that a platform told, a batch of each."""
        if positions := link.positions.due():
            try:
                await self._move(link, positions)
            except BaseException:
                link.positions.take_back(positions)
                raise
        if states := link.states(now):
            told = [
                (device, StateReport(gb28181_id=device, state=state, since=since)) for device, state, since in states
            ]
            try:
                await self._write(lambda connection: report_of_platform(connection, link.platform_code, told))
            except BaseException:
                link.damping.take_back([(device, state) for device, state, _ in states], now)
                raise

    def _begin(self, link: Link, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Do something for a platform beside the looks; one thing at a time."""

        def end(_: asyncio.Task[None]) -> None:
            link.is_busy = False

        link.is_busy = True
        task = self._start(link, work)
        task.add_done_callback(end)
        return task

    def _start(self, link: Link, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        async def do() -> None:
            try:
                await work()
            except (psycopg.Error, OSError, GeoGridError) as error:
                self._tell(f"platform {link.platform_code}: {error}")

        task = asyncio.create_task(do())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _query(self, link: Link) -> None:
        """Ask for the catalogue; its answers are messages of their own."""
        serial = link.begin(time.monotonic())
        status = await self.agent.ask(link.gb28181_id, catalogue_query(serial, link.gb28181_id))
        asked = link.answers is not None and link.answers.serial == serial
        if asked and link.answers is not None and not link.answers.received and (status is None or status >= 300):
            link.give_up(
                time.monotonic(), "it does not answer" if status is None else f"it refuses the query ({status})"
            )

    async def _subscribe(self, link: Link) -> None:
        wanted = self._timing.subscription_s
        query, due = catalogue_query(new_serial(), link.gb28181_id), link.subscribe_at
        status, granted = await self.agent.subscribe(link.gb28181_id, _CATALOGUE, query, wanted)
        if link.subscribe_at != due:  # it ended the subscription, or registered anew, before its answer was read
            return
        now = time.monotonic()
        if granted:
            link.note.subscribed_until = datetime.now(UTC) + timedelta(seconds=granted)
            link.subscribe_at = now + 0.8 * granted
        else:
            link.note.subscribed_until = None
            link.subscribe_at = now + self._timing.again_s
            link.remark("subscription", _NO_SUBSCRIPTION.format(status="none" if status is None else status))
        link.is_changed = True

    async def _follow(self, link: Link) -> None:
        """Subscribe to positions, beside all else. A platform that refuses is not asked again until it registers anew: many have none."""
        wanted = self._timing.subscription_s
        query = position_query(new_serial(), link.gb28181_id, _POSITION_EVERY_S)
        status, granted = await self.agent.subscribe(link.gb28181_id, _POSITIONS, query, wanted)
        if link.follow_at != math.inf:  # see `_subscribe`
            return
        if granted:
            link.follow_at = time.monotonic() + 0.8 * granted
        elif status is None or status == _NO_DIALOG:
            link.follow_at = time.monotonic() + self._timing.again_s

    async def _move(self, link: Link, told: Sequence[ToldPosition]) -> None:
        """Write positions; what is wrong with some is noted when the platform is noted next."""
        good, wrong = await asyncio.to_thread(placed, told, link.source_crs)
        refused = await self._write(lambda connection: move_cameras(connection, link.platform_code, good))
        wrong += [f"{camera}: {why}" for camera, why in refused]
        if wrong:
            link.remark("positions", _NOT_TAKEN.format(count=len(wrong), first=wrong[0]))

    async def _import(self, link: Link, path: Path, is_whole: bool) -> None:
        try:
            taken = await self._take_catalogue(path, link.platform_code, is_whole)
        except GeoGridError as error:
            link.fail(time.monotonic(), str(error), is_whole)
            return
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        if is_whole:
            link.conclude(time.monotonic(), taken.imported, taken.refused, taken.note)

    async def _note_open(self, connection: AsyncConnection) -> None:
        port = self._sockets.port if self._sockets is not None else 0
        await connection.execute(QUERIES["begin"], {"gb28181_id": self._identity.gb28181_id, "port": port})

    async def _note_left(self, connection: AsyncConnection) -> None:
        await _note_endings(connection, self._endings.news())
        await connection.execute(QUERIES["left"])

    async def _note_seen(self, connection: AsyncConnection) -> None:
        connections = self._sockets.connections if self._sockets is not None else 0
        await connection.execute(QUERIES["seen"], {"connections": connections})
        await note_refusals(connection, self.agent.refusals.taken())

    async def _note_changes(self) -> None:
        changed = [link for link in self._links.values() if link.is_changed]
        if not changed:
            return
        for link in changed:
            link.is_changed = False
        try:
            await self._write(lambda connection: note_links(connection, [link.note for link in changed]))
        except BaseException:
            for link in changed:
                link.is_changed = True
            raise

    async def _write[T](self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        with translated_errors():
            async with self._pool.connection() as connection, connection.transaction():
                return await work(connection)


async def _note_endings(connection: AsyncConnection, news: Sequence[News]) -> None:
    for name, values in news:
        await connection.execute(QUERIES[name], values)
