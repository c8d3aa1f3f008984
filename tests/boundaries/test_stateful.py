"""Any sequence of operations, as hypothesis finds them: a division after each, and undoing gives the same bytes."""

import json

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from geo_grid.boundaries.division import Division, Refused
from geo_grid.boundaries.operations import carve, merge, move_border, regroup, reshape, split, transfer
from geo_grid.boundaries.redrawing import redraw
from geo_grid.boundaries.zones import AREA, Zones, create, retire
from geo_grid.coordinates import snap_geometry
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
        self.proved: set[int] = set()  # which of the states

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
        try:
            after = self.city.proved(operation())
        except Refused:
            return
        finally:
            assert written(self.city) == self.bytes[-1]  # an operation changes no division, it makes another
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

    @rule(number=numbers, place=places, size=st.floats(0.25, 1.5, width=32))
    def reshape(self, number: int, place: tuple[float, float], size: float) -> None:
        corners = [(place[0] - size, place[1] - size), (place[0] + size, place[1]), (place[0], place[1] + size)]
        self.do(lambda: reshape(self.city, self.leaf(number), shapely.Polygon([at(*c) for c in corners])))

    @rule(seed=numbers)
    def regroup(self, seed: int) -> None:
        parents = sorted(code for code, cell in self.city.cells.items() if cell.grid_level == 2)
        groups = {code: self.city.children(code) for code in parents}
        one, other = parents[seed % len(parents)], parents[seed // 7 % len(parents)]
        moved = groups[one][seed % len(groups[one])]
        groups[one] = [code for code in groups[one] if code != moved]
        groups[other] = [*groups[other], moved]
        given = [{"parent_code": code, "codes": codes} for code, codes in groups.items() if codes]
        self.do(lambda: regroup(self.city, given))

    @rule(number=numbers, other=numbers, grow=st.floats(-4e-6, 4e-6))
    def redraw(self, number: int, other: int, grow: float) -> None:
        """What a file has: two neighbours in one piece of ground, one of them a hand's breadth too large or small."""
        one = self.leaf(number)
        near = self.neighbour(one, other)
        if self.city.children(near) or near == one:
            return
        shapes = [shapely.buffer(self.city.cells[one].shape, grow, join_style="mitre"), self.city.cells[near].shape]
        cells = [
            {"grid_code": code, "geometry": json.loads(shapely.to_geojson(snap_geometry(shape)))}
            for code, shape in zip((one, near), shapes, strict=True)
        ]
        self.do(lambda: redraw(self.city, [one, near], cells))

    @rule()
    def undo(self) -> None:
        if len(self.states) > 1:
            self.proved.discard(id(self.states.pop()))
            self.bytes.pop()

    @invariant()
    def it_is_a_division(self) -> None:
        if hasattr(self, "states"):
            assert written(self.city) == self.bytes[-1]
            if id(self.city) not in self.proved:  # a step was refused, or undone: those bytes were looked at
                check(self.city)
                self.proved.add(id(self.city))


Planner.TestCase.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_sequence = pytest.mark.timeout(250)(Planner.TestCase)


class Patrol(RuleBasedStateMachine):
    """Whoever redraws patrol zones, from none at all."""

    @initialize()
    def begin(self) -> None:
        self.zones = Zones([])

    def do(self, operation) -> None:
        try:
            edits = operation()
            self.zones = self.zones.proved(edits)
        except Refused:
            pass

    def zone(self, number: int) -> str:
        codes = sorted(self.zones.cells) or ["none"]
        return codes[number % len(codes)]

    @rule(place=places, size=st.floats(0.25, 3, width=32), temporary=st.booleans())
    def create(self, place: tuple[float, float], size: float, temporary: bool) -> None:
        corners = [(place[0] - size, place[1] - size), (place[0] + size, place[1]), (place[0], place[1] + size)]
        area = shapely.Polygon([at(*corner) for corner in corners])
        self.do(lambda: create(self.zones, "x", area=area, zone_type="temporary" if temporary else "regular"))

    @rule(line=st.lists(places, min_size=2, max_size=4))
    def create_segment(self, line: list[tuple[float, float]]) -> None:
        self.do(lambda: create(self.zones, "x", line=shapely.LineString([at(*place) for place in line])))

    @rule(number=numbers)
    def retire(self, number: int) -> None:
        self.do(lambda: retire(self.zones, self.zone(number)))

    @rule(number=numbers, line=st.lists(places, min_size=2, max_size=3))
    def split(self, number: int, line: list[tuple[float, float]]) -> None:
        self.do(lambda: split(self.zones, self.zone(number), shapely.LineString([at(*place) for place in line])))

    @rule(number=numbers, other=numbers)
    def merge(self, number: int, other: int) -> None:
        self.do(lambda: merge(self.zones, [self.zone(number), self.zone(other)]))

    @rule(number=numbers, place=places, size=st.floats(0.25, 2, width=32))
    def reshape(self, number: int, place: tuple[float, float], size: float) -> None:
        corners = [(place[0] - size, place[1]), (place[0], place[1] - size), (place[0] + size, place[1] + size)]
        self.do(lambda: reshape(self.zones, self.zone(number), shapely.Polygon([at(*c) for c in corners])))

    @invariant()
    def areas_do_not_overlap(self) -> None:
        if hasattr(self, "zones"):
            areas = [zone.shape for zone in self.zones.cells.values() if zone.grid_level == AREA]
            assert shapely.coverage_is_valid(np.array(areas, dtype=object))
            assert all(shapely.is_valid(shape) for shape in areas)


Patrol.TestCase.settings = Planner.TestCase.settings
test_any_sequence_of_zones = pytest.mark.timeout(250)(Patrol.TestCase)
