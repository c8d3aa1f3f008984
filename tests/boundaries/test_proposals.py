"""Proposals: contiguous, more even than the present, compared on the same measures, and done as a step."""

import numpy as np
import pytest
import shapely

from geo_grid.boundaries.division import Cell, Division, Refused
from geo_grid.boundaries.loads import overloaded
from geo_grid.boundaries.operations import regroup
from geo_grid.boundaries.proposals import propose, road_blocks
from geo_grid.coordinates import snap_geometry
from geo_grid.db import connect, ewkb
from tests.boundaries.test_drafts import city
from tests.boundaries.test_operations import check
from tests.squares import SIDE, SOUTH, WEST, square

__all__ = ["city"]
WIDTH = 12


def unit(x: int, y: int) -> str:
    return f"u{x:02}{y:02}"


@pytest.fixture
def town() -> Division:
    """A town of 12 by 12 blocks in four unequal quarters: households crowd in the south-west."""
    chance = np.random.default_rng(7)
    quarter = {(x, y): f"q{int(x >= 4)}{int(y >= 4)}" for x in range(WIDTH) for y in range(WIDTH)}
    blocks = {place: square(*place) for place in quarter}
    cells = [
        Cell(unit(x, y), 3, quarter[x, y], unit(x, y), "local", "basic", int(chance.integers(5, 30)), blocks[x, y])
        for x, y in quarter
    ]
    for code in sorted(set(quarter.values())):
        shape = shapely.coverage_union_all([blocks[place] for place in quarter if quarter[place] == code])
        cells.append(Cell(code, 2, "T", f"quarter {code}", "local", "basic", None, shape))
    cells.append(Cell("T", 1, None, "town", "local", "basic", None, shapely.coverage_union_all(list(blocks.values()))))
    return Division(cells)


def households(town: Division) -> dict[str, float]:
    return {code: float(cell.household_count or 0) for code, cell in town.cells.items() if cell.grid_level == 3}


QUARTERS = ["q00", "q01", "q10", "q11"]


def test_proposals_are_contiguous_even_and_measured_as_the_present_is(town: Division) -> None:
    loads = households(town)
    present, found = propose(town, QUARTERS, loads)
    assert present.measures.deviation > 0.5
    assert len(found) >= 2
    for proposal in found:
        assert proposal.measures.deviation < 0.2 < present.measures.deviation
        after = town.proved(regroup(town, proposal.groups))
        check(after)
        for group in proposal.groups:
            cell = after.cells[group["parent_code"]]
            assert shapely.get_num_geometries(cell.shape) == 1
            total = sum(loads[code] for code in group["codes"])
            assert proposal.measures.loads[cell.grid_code] == pytest.approx(total)
            assert cell.household_count == total
        moved = sum(
            loads[code]
            for group in proposal.groups
            for code in group["codes"]
            if town.cells[code].parent_code != group["parent_code"]
        )
        assert proposal.measures.moved == pytest.approx(moved)
    by_aim = {proposal.aim: proposal.measures for proposal in found}
    assert by_aim["balanced"].deviation == min(one.deviation for one in by_aim.values())
    assert propose(town, QUARTERS, loads)[1] == found  # the same question gets the same answer


def test_locked_cells_keep_what_they_have_and_more_groups_can_be_asked_for(town: Division) -> None:
    loads = households(town)
    _, found = propose(town, QUARTERS, loads, locked=["q00"])
    assert {code for proposal in found for group in proposal.groups for code in group["codes"]}.isdisjoint(
        town.children("q00")
    )
    _, more = propose(town, QUARTERS, loads, count=6)
    assert [group["parent_code"] for group in more[0].groups].count(None) == 2
    after = town.proved(regroup(town, more[0].groups))
    check(after)
    assert len(after.children("T")) == 6
    _, fewer = propose(town, QUARTERS, loads, count=3)
    after = town.proved(regroup(town, fewer[0].groups))
    assert len(after.children("T")) == 3


def test_borders_follow_main_roads(town: Division, city: str) -> None:
    with connect(city) as connection:
        for start, end in (((6.5, -1), (6.5, 13)), ((-1, 6.5), (13, 6.5))):
            road = snap_geometry(shapely.LineString([(WEST + x * SIDE, SOUTH + y * SIDE) for x, y in (start, end)]))
            connection.execute("insert into roads (road_class, geom) values ('primary', %s)", (ewkb(road),))
        blocks = road_blocks(connection, town, QUARTERS)
    assert blocks is not None
    assert len(set(blocks.values())) == 4
    even = dict.fromkeys(households(town), 1.0)
    _, found = propose(town, QUARTERS, even, blocks=blocks)
    compact = next(one for one in found if one.aim in ("compact", "balanced"))
    _, free = propose(town, QUARTERS, even)

    def crossed(groups: list[dict[str, list[str]]]) -> int:
        return sum(len({blocks[code] for code in group["codes"]}) - 1 for group in groups)

    assert crossed(compact.groups) < crossed(free[0].groups)


def test_what_cannot_be_balanced_is_refused(town: Division) -> None:
    loads = households(town)
    with pytest.raises(Refused, match="at least two cells of one parent"):
        propose(town, ["q00"], loads)
    with pytest.raises(Refused, match="not divided further"):
        propose(town, [unit(0, 0), unit(0, 1)], loads)
    with pytest.raises(Refused, match="do not hang together"):
        propose(town, ["q01", "q10"], loads)  # they meet in a corner only
    groups = [{"parent_code": code, "codes": town.children(code)} for code in QUARTERS]
    for bad, said in (
        ([*groups[1:], {"parent_code": "q00", "codes": town.children("q00")[1:]}], "left out"),
        ([*groups, groups[0]], "named twice"),
        ([{"parent_code": "T", "codes": town.children("q00")}], "none of them"),
        (groups, "nothing would change"),
    ):
        with pytest.raises(Refused, match=said):
            regroup(town, bad)
    swapped = [
        {"parent_code": "q00", "codes": [*town.children("q00")[1:], unit(11, 11)]},
        {"parent_code": "q11", "codes": [*(c for c in town.children("q11") if c != unit(11, 11)), unit(0, 0)]},
    ]
    with pytest.raises(Refused, match="in 2 pieces"):
        regroup(town, swapped)


def test_cells_with_too_many_households_per_worker_are_found(town: Division, city: str) -> None:
    with connect(city) as connection:
        for code, person in ((unit(0, 0), "a"), (unit(0, 1), "b"), ("q11", "c")):
            connection.execute(
                "insert into duties (grid_code, duty_role, person_name) values (%s, 'grid_manager', %s)", (code, person)
            )
        found = {one["grid_code"]: one for one in overloaded(connection, town, 2, 300)}
    assert found["q11"]["workers"] == 1
    assert found["q11"]["households_per_worker"] == found["q11"]["households"] > 300
    assert found["q10"]["households_per_worker"] is None  # nobody works there
    assert "q00" not in found
