"""How a matter moves through its loop: what may be done to it in which state, and what becomes of it.

Nothing here knows a database: a state and an action give the next state, or say why not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from geo_grid.errors import Conflict

type Stage = Literal["reported", "accepted", "assigned", "handled", "fed_back", "verified", "evaluated"]
type Clock = Literal[
    "accepted_at", "dispatched_at", "departed_at", "arrived_at", "handled_at", "feedback_at", "verified_at", "closed_at"
]
STAGES: tuple[Stage, ...] = ("reported", "accepted", "assigned", "handled", "fed_back", "verified", "evaluated")
"""In the order in which every loop has those that it has."""
CLOCKS: tuple[Clock, ...] = (
    "accepted_at", "dispatched_at", "departed_at", "arrived_at", "handled_at", "feedback_at", "verified_at", "closed_at",
)  # fmt: skip
"""In the order in which they are set."""
_CLOCK_OF: dict[str, Clock] = {
    "accepted": "accepted_at",
    "assigned": "dispatched_at",
    "handled": "handled_at",
    "fed_back": "feedback_at",
    "verified": "verified_at",
}


@dataclass(frozen=True)
class Loop:
    """The stages of a kind of matter, and how often and how soon after it was assigned it may be sent back."""

    stages: tuple[Stage, ...]
    return_within: timedelta = timedelta(hours=24)
    most_returns: int = 2

    @property
    def closing(self) -> Stage:
        """The stage at which a matter is closed: the last one, but for its evaluation."""
        return self.stages[-2] if self.stages[-1] == "evaluated" else self.stages[-1]

    def before(self, stage: Stage) -> Stage | None:
        """Return the stage before one; None: it is the first, or the loop has no such stage."""
        at = self.stages.index(stage) if stage in self.stages else 0
        return self.stages[at - 1] if at else None


@dataclass(frozen=True)
class Unit:
    """A patrol unit that was sent, and when it set out, arrived, and was heard of last on scene."""

    departed_at: datetime | None = None
    arrived_at: datetime | None = None
    checked_in_at: datetime | None = None


@dataclass(frozen=True)
class Matter:
    """What an incident is in the middle of.

    Attributes
    ----------
    handler_id, handled_by
        Accounts: who has it in hand, and who reported it handled.
    suspended_s
        How long its clock stood, in seconds, without the time since `suspended_at`.
    is_final
        The level above decided who has it: it is not sent back again.
    levels
        Grid levels that settle matters at its place, the lowest (village) first, the city (0) last.
    held_level
        The one of them that it rose to; None: it never rose.
    holder_level
        Grid level of the cell whose person has it (0: the city has it); None: nobody has, or units of the police.
    merged_into
        Number of the incident that it is a second report of.
    assigned_rule
        Which rule decided who has it: `zone`, the unit of its patrol zone; `units`, some that were named; see `responsible_for` for
        others. None: nobody has it.
    given_at, receipt_at
        When whoever has it was given it, and when they acknowledged that.
    responsible
        What a step makes of who answers for it: they stay, are to be found anew, or are nobody.
    """

    loop: Loop
    stage: Stage
    handler_id: int | None = None
    handled_by: int | None = None
    clocks: Mapping[Clock, datetime] = field(default_factory=dict)
    units: Mapping[str, Unit] = field(default_factory=dict)
    return_count: int = 0
    is_final: bool = False
    suspended_at: datetime | None = None
    suspended_s: float = 0.0
    outcome: Literal["solved", "not_solved", "merged"] | None = None
    evaluation: int | None = None
    levels: tuple[int, ...] = (0,)
    held_level: int | None = None
    holder_level: int | None = None
    merged_into: int | None = None
    assigned_rule: str | None = None
    given_at: datetime | None = None
    receipt_at: datetime | None = None
    responsible: Literal["same", "to_find", "nobody"] = "same"

    @property
    def level(self) -> int:
        """The grid level that has it; 0: the city."""
        return self.levels[0] if self.held_level is None else self.held_level

    @property
    def reached(self) -> int:
        """The outermost level that has dealt with it: `level`, or that of who has it for want of anybody below; 0: the city."""
        return self.level if self.holder_level is None else min(self.level, self.holder_level)

    def given_anew(self, now: datetime) -> "Matter":
        """Return it with who has it to be found; from now on they have it."""
        return replace(self, given_at=now, receipt_at=None, responsible="to_find")

    def at_level(self, steps: Literal[1, -1], now: datetime) -> "Matter":
        """Return it one level up (1) or down (-1), with who has it to be found anew; units that have it keep it.

        Raises Conflict if there is no such level.
        """
        self.refuse_unless("reported", "accepted", "assigned", to="change its level")
        reachable = [level for level in self.levels if (level < self.reached if steps == 1 else level > self.level)]
        if not reachable:
            message = (
                "the city has this matter: there is no level above it"
                if steps == 1
                else "this matter is with the lowest level that settles matters: it cannot be sent down"
            )
            raise Conflict(message)
        level = max(reachable) if steps == 1 else min(reachable)
        held = None if level == self.levels[0] else level
        moved = replace(self, held_level=held)
        return moved.given_anew(now) if self.stage == "assigned" else moved

    def closed(self, now: datetime, outcome: Literal["not_solved", "merged"]) -> "Matter":
        """Return it closed at the stage where it is; a clock that stood has stood until now."""
        stood = (now - self.suspended_at).total_seconds() if self.suspended_at else 0.0
        return replace(
            self,
            clocks={**self.clocks, "closed_at": now},
            outcome=outcome,
            suspended_at=None,
            suspended_s=self.suspended_s + stood,
        )

    def moved_to(self, stage: Stage, now: datetime) -> "Matter":
        """Return it one stage further. Raises Conflict where that would skip a stage, or it is closed or stands still."""
        needed = self.loop.before(stage)
        if needed is None:
            message = f"the loop of this matter has no stage {stage}: its stages are {', '.join(self.loop.stages)}"
            raise Conflict(message)
        self.refuse_unless(needed, to=f"become {stage}")
        clocks = {**self.clocks, _CLOCK_OF[stage]: now} if stage in _CLOCK_OF else self.clocks
        moved = replace(self, stage=stage, clocks=clocks)
        if stage == self.loop.closing:
            moved = replace(moved, clocks={**clocks, "closed_at": now}, outcome="solved")
        return moved

    def moved_back_to(self, stage: Stage) -> "Matter":
        """Return it at an earlier stage, without the clocks of those after it."""
        kept = {name: at for name, at in self.clocks.items() if name in _clocks_up_to(stage)}
        return replace(self, stage=stage, clocks=kept, outcome=None, evaluation=None)

    def refuse_unless(self, *stages: Stage, to: str) -> None:
        """Raise Conflict unless it is open, its clock runs, and it is at one of these stages."""
        self.refuse_closed(to)
        if self.suspended_at is not None:
            message = f"this matter is suspended and cannot {to}: resume it first"
            raise Conflict(message)
        if self.stage not in stages:
            message = f"this matter is {self.stage} and cannot {to}: that follows {' or '.join(stages)}"
            raise Conflict(message)

    def refuse_closed(self, to: str) -> None:
        """Raise Conflict if it is closed."""
        if "closed_at" in self.clocks:
            message = f"this matter is closed and cannot {to}: reopen it first"
            raise Conflict(message)


def _clocks_up_to(stage: Stage) -> set[str]:
    """Return the clocks that a matter at a stage may show; those of its units stay with `assigned`."""
    last = {"reported": 0, "accepted": 1, "assigned": 4, "handled": 5, "fed_back": 6, "verified": 7}[stage]
    return set(CLOCKS[:last])
