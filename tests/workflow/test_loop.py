"""How a matter moves: whatever is done to it in whatever order, no path skips a stage and no clock runs backwards."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import TypeAdapter

from geo_grid.errors import Conflict
from geo_grid.workflow.actions import AnyAction
from geo_grid.workflow.loop import CLOCKS, Loop, Matter

LOOPS = (
    Loop(("reported", "accepted", "assigned", "handled", "verified", "evaluated")),
    Loop(("reported", "accepted", "assigned", "handled", "fed_back", "evaluated")),
    Loop(("reported", "accepted", "assigned", "handled", "fed_back", "verified", "evaluated"), timedelta(hours=1), 1),
)
LEVELS = (3, 2, 1, 0)
"""Village, township, county, city."""
ANY = TypeAdapter(AnyAction)
REASONED = {"return", "decide", "escalate", "send_down", "suspend", "reject", "close", "reopen"}
NAMES = ["accept", "assign", "acknowledge", "depart", "arrive", "check_in", "handle", "feed_back", "return", "decide", "escalate", "send_down", "suspend", "resume", "verify", "reject", "close", "reopen", "evaluate", "hand_over", "move", "merge", "unmerge"]  # fmt: skip
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Life(RuleBasedStateMachine):
    """Four people do anything to one matter."""

    @st.composite
    @staticmethod
    def actions(draw: st.DrawFn) -> dict[str, object]:
        name = draw(st.sampled_from(NAMES))
        given: dict[str, object] = {"action": name}
        if name in REASONED:
            given["reason"] = "why"
        if name in {"assign", "decide"}:
            given["unit_codes"] = draw(st.lists(st.sampled_from("ABC"), max_size=2, unique=True))
        if name in {"depart", "arrive", "check_in"}:
            given["unit_code"] = draw(st.sampled_from("ABC"))
        if name == "evaluate":
            given["score"] = 3
        if name == "hand_over":
            given["handler"] = "somebody"
        if name == "merge":
            given["into"] = 7
        if name == "move":
            given |= {"lon": 114.5, "lat": 37.0}
        return given

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGIN
        self.matter = Matter(LOOPS[0], "reported", levels=LEVELS)
        self.path = ["reported"]
        self.taken = 0
        self.suspended_since: datetime | None = None
        self.stood = timedelta()

    @precondition(lambda self: self.taken == 0)
    @rule(loop=st.sampled_from(LOOPS))
    def begin(self, loop: Loop) -> None:
        self.matter = Matter(loop, "reported", levels=LEVELS)

    @rule(given=actions(), actor=st.integers(1, 4), seconds=st.integers(0, 7200))
    def do_anything(self, given: dict[str, object], actor: int, seconds: int) -> None:
        self.act(given, actor, seconds)

    def act(self, given: dict[str, object], actor: int, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        before = self.matter
        try:
            after = ANY.validate_python(given).apply(before, actor, self.now)
        except Conflict:
            return
        stages = before.loop.stages
        assert stages.index(after.stage) <= stages.index(before.stage) + 1, "a stage was skipped"
        if after.stage == "verified" and before.stage != "verified":
            assert actor != before.handled_by, "the verifier is the handler"
        if after.outcome == "solved" and before.outcome is None:
            assert actor != before.handled_by, "one person alone closed it"
        if "closed_at" in before.clocks:
            assert given["action"] in {"reopen", "evaluate", "unmerge"}, "a closed matter was changed"
        levels = before.levels.index(before.level), after.levels.index(after.level)
        assert levels[1] - levels[0] == {"escalate": 1, "send_down": -1}.get(str(given["action"]), 0), (
            "a level was skipped"
        )
        if before.suspended_at is not None and after.stage != before.stage:
            raise AssertionError("a suspended matter moved")
        assert after.return_count - before.return_count == (given["action"] == "return")
        if given["action"] == "suspend":
            self.suspended_since = self.now
        elif self.suspended_since is not None and (given["action"] == "resume" or "closed_at" in after.clocks):
            self.stood += self.now - self.suspended_since
            self.suspended_since = None
        self.matter, self.taken = after, self.taken + 1

    @rule(actor=st.integers(1, 4), seconds=st.integers(0, 600))
    def go_on(self, actor: int, seconds: int) -> None:
        forward = {
            "reported": "accept",
            "accepted": "assign",
            "assigned": "handle",
            "fed_back": "verify",
            "verified": "evaluate",
        }
        has_feedback = "fed_back" in self.matter.loop.stages
        forward["handled"] = "feed_back" if has_feedback else "verify"
        if self.matter.loop.stages[-2] == "fed_back":
            forward["fed_back"] = "evaluate"
        name = forward.get(self.matter.stage, "reopen")
        more = {"score": 5} if name == "evaluate" else {"reason": "why"} if name == "reopen" else {}
        self.act({"action": name, **more}, actor, seconds)

    @invariant()
    def clocks_run_forward(self) -> None:
        matter = self.matter
        at = [matter.clocks[clock] for clock in CLOCKS if clock in matter.clocks]
        assert at == sorted(at)
        assert all(BEGIN <= one <= self.now for one in at)
        for unit in matter.units.values():
            assert unit.arrived_at is None or (unit.departed_at is not None and unit.departed_at <= unit.arrived_at)

    @invariant()
    def it_is_closed_once_and_for_a_reason(self) -> None:
        assert ("closed_at" in self.matter.clocks) == (self.matter.outcome is not None)
        assert (self.matter.outcome == "merged") == (self.matter.merged_into is not None)

    @invariant()
    def it_was_not_sent_back_for_ever(self) -> None:
        assert self.matter.return_count <= self.matter.loop.most_returns

    @invariant()
    def a_suspended_clock_stands_as_long_as_it_was_suspended(self) -> None:
        stood = timedelta(seconds=self.matter.suspended_s)
        if self.matter.suspended_at is not None:
            stood += self.now - self.matter.suspended_at
        running = self.now - self.suspended_since if self.suspended_since is not None else timedelta()
        assert abs(stood - (self.stood + running)) < timedelta(milliseconds=1)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
