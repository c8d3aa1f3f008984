"""Any sequence of operations, as hypothesis finds them: a division after each, and undoing gives the same bytes."""

import pytest
import shapely
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from geo_grid.boundaries.division import Division, Refused
from geo_grid.boundaries.operations import carve, merge, move_border, split, transfer
from tests.boundaries.test_operations import WIDTH, at, check, wavy_city

CITY = wavy_city()
places = st.tuples(st.floats(-0.5, WIDTH + 0.5, width=32), st.floats(-0.5, WIDTH + 0.5, width=32))
numbers = st.integers(0, 10_000)


def written(city: Division) -> dict[str, tuple[bytes, str | None]]:
    return {code: (shapely.to_wkb(cell.shape), cell.parent_code) for code, cell in city.cells.items()}


class Planner(RuleBasedStateMachine):
    """A planner with a steady hand and no plan."""

    @initialize()
    def begin(self) -> None:
        self.states = [CITY]
        self.bytes = [written(CITY)]

    @property
    def city(self) -> Division:
        return self.states[-1]

    def leaf(self, number: int) -> str:
        leaves = sorted(code for code in self.city.cells if not self.city.children(code))
        return leaves[number % len(leaves)]

    def neighbour(self, code: str, number: int) -> str:
        one = self.city.cells[code]
        near = sorted(c.grid_code for c in self.city.near(one.shape) if c.grid_level == one.grid_level and c is not one)
        return near[number % len(near)] if near else code

    def do(self, operation) -> None:
        before = written(self.city)
        try:
            after = self.city.proved(operation())
        except Refused:
            after = None
        assert written(self.city) == before  # an operation changes no division, it makes another
        if after is None:
            return
        self.states.append(after)
        self.bytes.append(written(after))

    @rule(number=numbers, line=st.lists(places, min_size=2, max_size=4))
    def split(self, number: int, line: list[tuple[float, float]]) -> None:
        self.do(lambda: split(self.city, self.leaf(number), shapely.LineString([at(*place) for place in line])))

    @rule(number=numbers, other=numbers)
    def merge(self, number: int, other: int) -> None:
        code = self.leaf(number)
        self.do(lambda: merge(self.city, [code, self.neighbour(code, other)]))

    @rule(number=numbers, other=numbers, line=st.lists(places, min_size=2, max_size=4))
    def move_border(self, number: int, other: int, line: list[tuple[float, float]]) -> None:
        code = self.leaf(number)
        drawn = shapely.LineString([at(*place) for place in line])
        self.do(lambda: move_border(self.city, code, self.neighbour(code, other), drawn))

    @rule(number=numbers, place=places, size=st.floats(0.0625, 0.75, width=32))
    def carve(self, number: int, place: tuple[float, float], size: float) -> None:
        corners = [(place[0] - size, place[1]), (place[0], place[1] - size), (place[0] + size, place[1] + size)]
        self.do(lambda: carve(self.city, [self.leaf(number)], shapely.Polygon([at(*c) for c in corners]), "x"))

    @rule(number=numbers, parent=numbers)
    def transfer(self, number: int, parent: int) -> None:
        parents = sorted(code for code, cell in self.city.cells.items() if cell.grid_level == 2)
        self.do(lambda: transfer(self.city, self.leaf(number), parents[parent % len(parents)]))

    @rule()
    def undo(self) -> None:
        if len(self.states) > 1:
            self.states.pop()
            self.bytes.pop()

    @invariant()
    def it_is_a_division(self) -> None:
        if hasattr(self, "states"):
            assert written(self.city) == self.bytes[-1]
            check(self.city)


Planner.TestCase.settings = settings(
    max_examples=60, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_sequence = pytest.mark.timeout(250)(Planner.TestCase)
