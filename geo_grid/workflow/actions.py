"""What people do to a matter: each action is one typed model, with the right it needs and what it makes of the matter.

Routes, the command line and the scripts (through the OpenAPI document) take names and arguments from here.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from geo_grid.errors import Conflict
from geo_grid.workflow.loop import Matter, Unit

Note = Annotated[str, Field(max_length=4000)]
Reason = Annotated[str, Field(min_length=1, max_length=4000, description="why; kept with the step")]
UnitCode = Annotated[str, Field(min_length=1, max_length=64)]


class Action(BaseModel):
    """Something done to a matter."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    right: ClassVar[str] = "incidents.write"
    """What whoever does it must have, beside `incidents.write` in the matter's grid cell."""

    action: str
    note: Note = ""
    seen: Annotated[int | None, Field(ge=0, le=10**6)] = Field(
        None, description="how many steps you saw: refused (412) if others came meanwhile"
    )

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Return what it makes of a matter. Raises Conflict where it cannot be done now, and says what can."""
        raise NotImplementedError

    def details(self) -> dict[str, object]:
        """Return its own arguments without texts, as they are kept with the step."""
        return self.model_dump(mode="json", exclude={"action", "note", "reason", "seen"}, exclude_none=True)


class Accept(Action):
    """Take a reported matter in hand."""

    right: ClassVar[str] = "incidents.dispatch"
    action: Literal["accept"] = "accept"

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Make whoever accepts it its handler."""
        if matter.stage == "accepted":
            message = "this matter was taken in hand already: look at it again"
            raise Conflict(message)
        return replace(matter.moved_to("accepted", now), handler_id=actor_id)


class Assign(Action):
    """Give it to units by name, else to whoever answers for its grid cell."""

    right: ClassVar[str] = "incidents.dispatch"
    action: Literal["assign"] = "assign"
    unit_codes: Annotated[list[UnitCode], Field(max_length=20)] = []

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Send units; more may follow while it is being handled."""
        new = dict.fromkeys(self.unit_codes, Unit())
        if matter.stage == "assigned":
            matter.refuse_unless("assigned", to="be assigned")
            if not new:
                message = "this matter is assigned already: name the units that are to follow"
                raise Conflict(message)
            if already := sorted(new.keys() & matter.units.keys()):
                message = f"{', '.join(already)} has this matter already"
                raise Conflict(message)
            return replace(matter, units={**matter.units, **new}, given_at=now, receipt_at=None)
        moved = matter.moved_to("assigned", now)
        if matter.return_count and matter.return_count >= matter.loop.most_returns and not matter.is_final:
            raise Conflict(_returned_too_often(matter))
        return replace(moved, units=new).given_anew(now)


class HandOver(Action):
    """Give it to another person at the desk."""

    right: ClassVar[str] = "incidents.dispatch"
    action: Literal["hand_over"] = "hand_over"
    handler: Annotated[str, Field(min_length=1, max_length=100, description="login name of who takes it over")]

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Leave it where it is: the handler is looked up by whoever stores this."""
        matter.refuse_closed("be handed over")
        return matter


class Acknowledge(Action):
    """Say that one has seen what was given to one."""

    action: Literal["acknowledge"] = "acknowledge"

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Begin the time within which it may be sent back."""
        matter.refuse_closed("be acknowledged")
        if matter.stage == "reported":
            message = "nobody has this matter so far: accept it"
            raise Conflict(message)
        return replace(matter, receipt_at=matter.receipt_at or now)


class Depart(Action):
    """A unit that was sent sets out."""

    right: ClassVar[str] = "incidents.dispatch"
    action: Literal["depart"] = "depart"
    unit_code: UnitCode

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Set the unit's clock, and the matter's at its first unit."""
        unit = _sent(matter, self.unit_code, to="depart")
        if unit.departed_at is not None:
            message = f"{self.unit_code} has set out already"
            raise Conflict(message)
        units = {**matter.units, self.unit_code: replace(unit, departed_at=now)}
        return replace(matter, units=units, clocks={"departed_at": now, **matter.clocks})


class Arrive(Action):
    """A unit that set out is on scene."""

    right: ClassVar[str] = "incidents.dispatch"
    action: Literal["arrive"] = "arrive"
    unit_code: UnitCode

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Set the unit's clock, and the matter's at its first unit."""
        unit = _sent(matter, self.unit_code, to="arrive")
        if unit.departed_at is None or unit.arrived_at is not None:
            message = f"{self.unit_code} " + (
                "is there already" if unit.arrived_at else "has not set out: depart first"
            )
            raise Conflict(message)
        units = {**matter.units, self.unit_code: replace(unit, arrived_at=now)}
        return replace(matter, units=units, clocks={"arrived_at": now, **matter.clocks})


class CheckIn(Action):
    """A unit on scene is heard of: it is well."""

    right: ClassVar[str] = "incidents.dispatch"
    action: Literal["check_in"] = "check_in"
    unit_code: UnitCode

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Begin its time anew."""
        unit = _sent(matter, self.unit_code, to="check in")
        if unit.arrived_at is None:
            message = f"{self.unit_code} is not on scene: arrive first"
            raise Conflict(message)
        return replace(matter, units={**matter.units, self.unit_code: replace(unit, checked_in_at=now)})


class Handle(Action):
    """Report that it is dealt with."""

    action: Literal["handle"] = "handle"

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Remember who says so: somebody else verifies it."""
        return replace(matter.moved_to("handled", now), handled_by=actor_id)


class FeedBack(Action):
    """Tell whoever reported it what was done, where the loop has that stage; where that closes it, it takes `incidents.verify`."""

    action: Literal["feed_back"] = "feed_back"

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Move it on; where that closes it, whoever handled it cannot."""
        moved = matter.moved_to("fed_back", now)
        if matter.loop.closing == "fed_back":
            _refuse_handler(matter, actor_id, "close it")
        return moved


class SendBack(Action):
    """Send it back 退单: it went to the wrong desk. Who owns the place is kept with the step, as evidence."""

    action: Literal["return"] = "return"
    reason: Reason

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Make it wait to be assigned anew, within the loop's limits of number and of time, which runs from its receipt."""
        matter.refuse_unless("assigned", to="be sent back")
        since = given = matter.given_at or matter.clocks["dispatched_at"]
        if matter.receipt_at is not None and matter.receipt_at - given <= matter.loop.return_within:
            since = matter.receipt_at  # who does not look at it for longer has no more time than others
        if matter.is_final or matter.return_count >= matter.loop.most_returns:
            message = (
                "the level above has decided who has this matter: it is not sent back again"
                if matter.is_final
                else _returned_too_often(matter)
            )
            raise Conflict(message)
        if now - since > matter.loop.return_within:
            hours = matter.loop.return_within.total_seconds() / 3600
            message = f"a matter is sent back within {hours:g} hours after it was received, at {since.isoformat()}"
            raise Conflict(message)
        count = matter.return_count + 1
        return replace(matter.moved_back_to("accepted"), units={}, return_count=count, responsible="nobody")


class Decide(Action):
    """Say for good who has it, after it was sent back: the word of the level above."""

    right: ClassVar[str] = "incidents.verify"
    action: Literal["decide"] = "decide"
    reason: Reason
    unit_codes: Annotated[list[UnitCode], Field(max_length=20)] = []

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Assign it, finally."""
        if not matter.return_count:
            message = "this matter was not sent back: assign it"
            raise Conflict(message)
        if matter.stage == "assigned":
            matter.refuse_unless("assigned", to="be decided")
            given = replace(matter, units={code: matter.units.get(code, Unit()) for code in self.unit_codes})
        else:
            given = replace(matter.moved_to("assigned", now), units=dict.fromkeys(self.unit_codes, Unit()))
        return replace(given, is_final=True).given_anew(now)


class Escalate(Action):
    """Give it to the level above, which has more to settle it with: village, township, county, city, one at a time."""

    action: Literal["escalate"] = "escalate"
    reason: Reason

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Raise it one level, at the same stage."""
        return matter.at_level(1, now)


class SendDown(Action):
    """Give it back to the level below, once it rose: that level can settle it."""

    right: ClassVar[str] = "incidents.verify"
    action: Literal["send_down"] = "send_down"
    reason: Reason

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Lower it one level, at the same stage."""
        return matter.at_level(-1, now)


class Suspend(Action):
    """Let its clock stand, such as while something must be waited for."""

    action: Literal["suspend"] = "suspend"
    reason: Reason

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Stop the clock."""
        matter.refuse_unless("accepted", "assigned", "handled", "fed_back", to="be suspended")
        return replace(matter, suspended_at=now)


class Resume(Action):
    """Let its clock run again."""

    action: Literal["resume"] = "resume"

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Add up how long it stood."""
        if matter.suspended_at is None:
            message = "this matter is not suspended"
            raise Conflict(message)
        stood = (now - matter.suspended_at).total_seconds()
        return replace(matter, suspended_at=None, suspended_s=matter.suspended_s + stood)


class Verify(Action):
    """Agree that it is dealt with, which closes it; whoever handled it cannot."""

    right: ClassVar[str] = "incidents.verify"
    action: Literal["verify"] = "verify"

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Close it."""
        moved = matter.moved_to("verified", now)
        _refuse_handler(matter, actor_id, "verify it")
        return moved


class Reject(Action):
    """Disagree that it is dealt with: it is to be handled again."""

    right: ClassVar[str] = "incidents.verify"
    action: Literal["reject"] = "reject"
    reason: Reason

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Give it back to those who have it; units went elsewhere meanwhile, and others are found."""
        matter.refuse_unless("handled", "fed_back", to="be rejected")
        return _taken_up_again(matter, now)


class CloseUnsolved(Action):
    """Close it without a solution."""

    right: ClassVar[str] = "incidents.verify"
    action: Literal["close"] = "close"
    reason: Reason

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Close it where it is: neither whoever handled it nor whoever has it in hand says so alone."""
        matter.refuse_closed("be closed")
        if matter.stage in {"handled", "fed_back"}:
            _refuse_handler(matter, actor_id, "close it")
        if actor_id is not None and actor_id == matter.handler_id:
            message = "whoever has a matter in hand does not close it alone: ask somebody else to, or hand it over"
            raise Conflict(message)
        return matter.closed(now, "not_solved")


class Reopen(Action):
    """Open a closed matter again."""

    right: ClassVar[str] = "incidents.verify"
    action: Literal["reopen"] = "reopen"
    reason: Reason

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Put it back to where work on it goes on."""
        if "closed_at" not in matter.clocks:
            message = "this matter is open"
            raise Conflict(message)
        if matter.merged_into is not None:
            message = (
                f"this matter was merged into incident {matter.merged_into}: take that back first (action unmerge)"
            )
            raise Conflict(message)
        if matter.stage in {"reported", "accepted", "assigned"}:
            return replace(matter.moved_back_to(matter.stage), outcome=None)
        return _taken_up_again(matter, now)


class Evaluate(Action):
    """Say how well a closed matter was dealt with; whoever handled it does not."""

    right: ClassVar[str] = "incidents.verify"
    action: Literal["evaluate"] = "evaluate"
    score: Annotated[int, Field(ge=1, le=5)]

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """End it."""
        if matter.stage != matter.loop.before("evaluated") or "closed_at" not in matter.clocks:
            message = f"this matter is {matter.stage} and cannot be evaluated: that follows its end"
            raise Conflict(message)
        _refuse_handler(matter, actor_id, "evaluate it")
        return replace(matter, stage="evaluated", evaluation=self.score)


class Move(Action):
    """Move it to where it really is: its owners are found anew, and its unit, if its patrol zone is another."""

    right: ClassVar[str] = "incidents.dispatch"
    action: Literal["move"] = "move"
    lon: float = Field(description="longitude, or easting in the units of source_crs")
    lat: float = Field(description="latitude, or northing in the units of source_crs")
    source_crs: str = Field("EPSG:4490", max_length=200, description="EPSG code, GCJ-02 or BD-09")

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Leave it at its stage; units that were named, or are on scene, stay."""
        matter.refuse_closed("be moved")
        stays = any(matter.assigned_rule != "zone" or unit.arrived_at for unit in matter.units.values())
        if matter.stage != "assigned" or stays:
            return matter
        return replace(matter, units={}).given_anew(now)


class Merge(Action):
    """Say that it is a second report of another incident, where work goes on."""

    right: ClassVar[str] = "incidents.dispatch"
    action: Literal["merge"] = "merge"
    into: Annotated[int, Field(ge=1, le=2**63 - 1, description="number of the other incident, which is open")]

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Close it as merged."""
        matter.refuse_closed("be merged")
        if matter.units:
            message = f"{', '.join(matter.units)} was sent to this matter: merge the other one into this one"
            raise Conflict(message)
        if matter.suspended_at is not None:
            message = "this matter is suspended: resume it first, then merge it"
            raise Conflict(message)
        return replace(matter.closed(now, "merged"), merged_into=self.into)


class Unmerge(Action):
    """Take a merge back: it goes on where it was."""

    right: ClassVar[str] = "incidents.dispatch"
    action: Literal["unmerge"] = "unmerge"

    def apply(self, matter: Matter, actor_id: int | None, now: datetime) -> Matter:
        """Open it again at its stage."""
        if matter.merged_into is None:
            message = "this matter was not merged into another"
            raise Conflict(message)
        clocks = dict(matter.clocks)
        del clocks["closed_at"]
        return replace(matter, clocks=clocks, outcome=None, merged_into=None)


def _taken_up_again(matter: Matter, now: datetime) -> Matter:
    """Return what was handled assigned again: to whoever had it, or where units had it, to who is found."""
    back = replace(matter.moved_back_to("assigned"), handled_by=None)
    return back.given_anew(now) if matter.assigned_rule in ("zone", "units") else back


def _returned_too_often(matter: Matter) -> str:
    return f"this matter was sent back {matter.return_count} times: the level above decides (action decide)"


def _refuse_handler(matter: Matter, actor_id: int | None, to: str) -> None:
    if actor_id is not None and actor_id == matter.handled_by:
        message = f"whoever handled a matter does not {to}: ask somebody else to"
        raise Conflict(message)


def _sent(matter: Matter, unit_code: str, to: str) -> Unit:
    matter.refuse_unless("assigned", to=to)
    if unit_code not in matter.units:
        message = f"{unit_code} was not sent to this matter: assign it first"
        raise Conflict(message)
    return matter.units[unit_code]


ACTIONS: tuple[type[Action], ...] = (
    Accept, Assign, HandOver, Acknowledge, Depart, Arrive, CheckIn, Handle, FeedBack, SendBack, Decide, Escalate, SendDown, Suspend, Resume,
    Verify, Reject, CloseUnsolved, Reopen, Evaluate, Move, Merge, Unmerge,
)  # fmt: skip
"""In the order in which they are usual."""


def possible(matter: Matter, now: datetime, rights: Collection[str]) -> list[str]:
    """Return the names of what can be done to a matter now, by somebody with these rights who did not handle it."""

    def can(action: type[Action], unit_code: str) -> bool:
        # another unit may follow those that were sent
        given: dict[str, Any] = {"unit_codes": ["other"], "unit_code": unit_code, "score": 3, "into": 0}
        try:
            action.model_construct(None, **given).apply(matter, None, now)
        except Conflict:
            return False
        return True

    names = ((action, str(action.model_fields["action"].default)) for action in ACTIONS if action.right in rights)
    return [name for action, name in names if any(can(action, code) for code in ("", *matter.units))]


AnyAction = Annotated[
    Accept | Assign | HandOver | Acknowledge | Depart | Arrive | CheckIn | Handle | FeedBack | SendBack | Decide | Escalate | SendDown | Suspend
    | Resume | Verify | Reject | CloseUnsolved | Reopen | Evaluate | Move | Merge | Unmerge,
    Field(discriminator="action"),
]  # fmt: skip
