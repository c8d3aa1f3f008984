"""One lower platform: its catalogue as it comes, what it notifies, and how it stands with it; no database and no network."""

import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from geo_grid.cameras.damping import Damping
from geo_grid.cameras.links import LinkNote, is_camera
from geo_grid.cameras.states import State
from geo_grid.cameras.told_positions import ToldPositions
from geo_grid.errors import TooMuch
from geo_grid.gb28181.answers import Answers
from geo_grid.gb28181.catalogue import STATES
from geo_grid.gb28181.ids import DIGITS
from geo_grid.gb28181.manscdp import Body, Item, items_of, new_serial

_STAYS = "the register stays as it was"
_MOST_FRESH, _LARGEST_FRESH = 5_000, 8 << 20
"""Cameras that are notified and wait, and their bytes."""
_SHARE_OF_BURST = 20
_OFTEN = 3


@dataclass(frozen=True)
class Timing:
    """How long things last, in seconds.

    Attributes
    ----------
    quiet_s
        Without another answer, a catalogue has stopped.
    settle_s
        A catalogue that is whole by its own count may go on for so long, if it lies.
    lost_s
        A platform that was not heard of for so long is gone.
    gone_s
        Then its cameras are offline, unless it is back.
    hold_s, doubt_s
        See `Damping`.
    sure_s
        After a platform came back, what it says is offline is.
    gather_s
        Cameras that are notified wait for others.
    pause_s
        Between two queries of a catalogue, unless somebody asks.
    again_s
        After a catalogue that did not come whole, and a subscription that was refused.
    anew_s
        A platform that registers anew is asked for all again at once, and then once in so long; one that did so three times within
        `again_s`, once in that.
    every_s
        Between catalogues that came whole.
    subscription_s
        A subscription is asked for so long.
    ending_s
        A call or a movement that could not be ended at its platform for so long is forgotten.
    """

    quiet_s: float = 30.0
    settle_s: float = 1.0
    lost_s: float = 180.0
    gone_s: float = 60.0
    hold_s: float = 15.0
    doubt_s: float = 90.0
    sure_s: float = 60.0
    gather_s: float = 5.0
    pause_s: float = 60.0
    again_s: float = 600.0
    anew_s: float = 30.0
    every_s: float = 86_400.0
    subscription_s: int = 3600
    ending_s: float = 300.0


@dataclass
class Link:
    """A platform that may register. Times are seconds of one clock.

    Attributes
    ----------
    note
        What is written down of it; `is_changed` when it has to be.
    answers
        The catalogue that comes now.
    zone, source_crs
        Of times that name no zone, and the datum of what it tells.
    positions
        Of its devices that move, until they are written.
    query_at, subscribe_at, follow_at
        When it is asked next, while it is there: for its catalogue, what changes in it, and positions.
    anew_at
        When it is asked for all as if it had never been there, since it registered anew; None: it did not.
    away_since
        Since when it is gone; None: it is there, or was never, or its cameras are offline already.
    """

    platform_code: str
    gb28181_id: str
    folder: Path
    timing: Timing
    zone: ZoneInfo
    source_crs: str
    note: LinkNote = field(init=False)
    damping: Damping = field(init=False)
    positions: ToldPositions = field(init=False)
    is_changed: bool = True
    is_busy: bool = False
    answers: Answers | None = None
    query_at: float = 0.0
    subscribe_at: float = 0.0
    follow_at: float = 0.0
    anew_at: float | None = None
    away_since: float | None = None
    _queried: float = float("-inf")
    _answered: float = 0.0
    _concluded: float = float("-inf")
    _came: float = float("-inf")
    _noted: float = float("-inf")
    _fresh: dict[str, Item] = field(default_factory=dict)
    _fresh_since: float = 0.0
    _fresh_octets: int = 0
    _absence: str = ""
    _fault: str = ""
    _begun_anew: deque[float] = field(default_factory=lambda: deque(maxlen=_OFTEN))
    _remarks: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.note = LinkNote(self.platform_code)
        self.damping = Damping(self.timing.hold_s, self.timing.doubt_s)
        self.positions = ToldPositions(self.zone)

    def come(self, transport: str, now: float, is_new: bool) -> None:
        """It registered; `is_new`: it was not there just before, or is another process than before."""
        self.note.transport, self.note.heard_at = transport, datetime.now(UTC)
        self.note.is_online = self.is_changed = True
        self._say(absence="")
        if is_new:
            self.note.registered_at = datetime.now(UTC)
            if self._came == float("-inf"):
                self.start_anew(now)
                self._begun_anew.clear()
            elif self.anew_at is None:
                self.anew_at = max(now, self._may_start_anew())
            self.away_since, self._came = None, now

    def _may_start_anew(self) -> float:
        """Return since when it may be asked for all again: one that registers anew all the time is not asked all the time."""
        begun, timing = self._begun_anew, self.timing
        is_often = len(begun) == _OFTEN and begun[-1] - begun[0] < timing.again_s
        return begun[-1] + (timing.again_s if is_often else timing.anew_s) if begun else float("-inf")

    def start_anew(self, now: float) -> None:
        """Ask for everything at once: what it was asked, and subscribed to, is gone with the process that registered before."""
        self.drop()
        self.anew_at = None
        self._begun_anew.append(now)
        self.query_at = self.subscribe_at = self.follow_at = now
        self.note.subscribed_until, self.is_changed = None, True

    def go(self, now: float, why: str) -> None:
        """It is gone: it says so, or is silent."""
        if self.note.is_online:
            self.note.is_online, self.note.subscribed_until, self.is_changed = False, None, True
            self._say(absence=why)
            self.away_since = now
        if self.answers is not None:
            self.give_up(now, "it went away")

    def hear(self, now: float) -> None:
        """It was heard of: written down now and then."""
        if now - self._noted > 30.0:
            self._noted, self.note.heard_at, self.is_changed = now, datetime.now(UTC), True

    def begin(self, now: float) -> int:
        """Begin a catalogue, and return the number of its query."""
        serial = new_serial()
        self.answers = Answers(self._path(), serial)
        self._queried = self._answered = now
        self.query_at = now + self.timing.every_s
        self.note.queried_at, self.note.announced, self.note.received = datetime.now(UTC), None, 0
        self.is_changed = True
        return serial

    def answer(self, body: Body, now: float) -> int:
        """Take an answer to a query of a catalogue, and return the status for it; one that nobody asked for changes nothing."""
        if self.answers is None or self.answers.serial != body.serial:
            return 200
        self._answered = now
        try:
            self.answers.add(body)
        except TooMuch as error:
            self.give_up(now, str(error))
            return 413
        self.note.announced, self.note.received = self.answers.announced, self.answers.received
        self.is_changed = True
        return 200

    def give_up(self, now: float, why: str) -> None:
        """End a catalogue that did not come whole."""
        if self.answers is not None:
            self.answers.drop()
            self.answers = None
        self._say(fault=f"catalogue: {why}; {_STAYS}")
        self._ask_later(now)

    def fail(self, now: float, why: str, is_whole: bool) -> None:
        """Note that what came could not be imported."""
        self._say(fault=f"{'catalogue' if is_whole else 'what it notified'}: {why}")
        if is_whole:
            self._ask_later(now)

    def _ask_later(self, now: float) -> None:
        if self.query_at > now:  # else a query is due already, since it registered anew
            self.query_at = now + self.timing.again_s

    def _say(self, absence: str | None = None, fault: str | None = None) -> None:
        """Say what is wrong; None: what was."""
        self._absence = self._absence if absence is None else absence
        self._fault = self._fault if fault is None else fault
        self.note.trouble, self.is_changed = "; ".join(filter(None, (self._absence, self._fault))), True

    def remark(self, about: str, said: str) -> None:
        """Note something that is no fault, instead of what was noted about the same."""
        self._remarks[about] = said
        self.note.note = "; ".join(filter(None, self._remarks.values()))

    def whole(self, now: float) -> Path | None:
        """Return the file of a catalogue that came whole; None: there is none, or not yet. One that stopped, or lied, is given up."""
        answers = self.answers
        if answers is None:
            return None
        silent_s = now - self._answered
        if answers.is_whole and silent_s >= self.timing.settle_s:
            self.answers = None
            if answers.received:
                return answers.close()
            answers.drop()
            self._say(fault=f"catalogue: it says that it has no devices; {_STAYS}")
        elif (
            answers.announced is not None and answers.received > answers.announced and silent_s >= self.timing.settle_s
        ):
            self.give_up(now, f"it announced {answers.announced:,} devices and sent {answers.received:,}: it lies")
        elif silent_s >= self.timing.quiet_s:
            if answers.announced is None:
                said = (
                    f"it sent {answers.received:,} devices and did not say how many it has"
                    if answers.received
                    else "it did not answer"
                )
            elif answers.twice:
                said = (
                    f"it announced {answers.announced:,} devices and sent {answers.received:,}, and {answers.twice:,} again:"
                    " it counts some twice, or stopped half way"
                )
            else:
                said = f"it announced {answers.announced:,} devices and sent {answers.received:,}: it stopped half way"
            self.give_up(now, said)
        return None

    def conclude(self, now: float, imported: int, refused: int, note: str) -> None:
        """Note that a whole catalogue went into the register."""
        self.note.whole_at, self.note.imported, self.note.refused = datetime.now(UTC), imported, refused
        self.remark("catalogue", note)
        self._say(fault="")
        self._concluded = now
        self.damping.many = max(50, (self.note.announced or 0) // _SHARE_OF_BURST)
        self.damping.forget_before(self._queried)

    def notify(self, body: Body, now: float) -> None:
        """Take what it notifies: states, and cameras that are new or other than they were."""
        is_sure = now - self._came < self.timing.sure_s
        for item in items_of(body):
            event = item.event.upper()
            state: State | None = "offline" if event == "DEL" else STATES.get(event or item.status.upper())  # type: ignore[assignment]
            if event in ("ADD", "UPDATE"):
                self._take_fresh(item, now)
            elif state == "online" and _is_recorder(item.device_id):
                self.damping.back(item.device_id)
                self.ask_soon(now)  # which of its channels are there again, it does not say
            elif state is not None and item.device_id:
                self.damping.hear(item.device_id, state, now, is_sure)

        if self.damping.lost:
            self._say(fault=f"it notified more devices than can wait: {self.damping.lost:,} states were dropped")
            self.damping.lost = 0

    def _take_fresh(self, item: Item, now: float) -> None:
        if not self._fresh:
            self._fresh_since, self._fresh_octets = now, 0
        self._fresh_octets += len(item.data)
        if len(self._fresh) < _MOST_FRESH and self._fresh_octets < _LARGEST_FRESH:
            self._fresh[item.device_id] = item
        else:  # so many that it is better asked
            self.ask_soon(now)

    def fresh(self, now: float) -> Path | None:
        """Return a file of the cameras that were notified, once no catalogue comes that has them too; None: not now."""
        if (
            not self._fresh
            or self.answers is not None
            or self.is_busy
            or now - self._fresh_since < self.timing.gather_s
        ):
            return None
        items, self._fresh = list(self._fresh.values()), {}
        return Answers.of_one(self._path(), items).close()

    def states(self, now: float) -> list[tuple[str, State, datetime | None]]:
        """Take out what is to be written: device, state, since when (None: a catalogue was read since, and this is newer).

        Nothing while a catalogue comes, or goes into the register: it would be overruled by what was true before.
        """
        if self.answers is not None or self.is_busy:
            return []
        return [
            (device, state, None if heard <= self._concluded else datetime.now(UTC) - timedelta(seconds=now - heard))
            for device, state, heard in self.damping.due(now)
        ]

    def ask_soon(self, now: float) -> None:
        """Have its catalogue queried as soon as the last query is a while ago."""
        self.query_at = min(self.query_at, max(now, self._queried + self.timing.pause_s))

    def drop(self) -> None:
        """Forget what it began."""
        if self.answers is not None:
            self.answers.drop()
            self.answers = None

    def _path(self) -> Path:
        return self.folder / f"{self.platform_code}-{secrets.token_hex(8)}.xml"


def _is_recorder(device_id: str) -> bool:
    """Whether digits 11-13 say that channels hang on a device: of 111 to 130, what the tables do not have as a camera."""
    return len(device_id) == DIGITS and "111" <= device_id[10:13] <= "130" and not is_camera(device_id)
