"""Recombination (ReCom of GerryChain): divides cells into contiguous groups of about equal load.

Runs in a process with limits (`confined`): it takes seconds of Python, and imports libraries of a hundred megabytes.
"""

import contextlib
import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import shapely
from gerrychain import Graph, Partition
from gerrychain.constraints import contiguous
from gerrychain.optimization import SingleMetricOptimizer
from gerrychain.partition.initial_partition_generators import recursive_tree_part
from gerrychain.proposals import recom
from gerrychain.proposals.tree_proposals import MetagraphError
from gerrychain.tree import BalanceError, PopulationBalanceError, ReselectException, bipartition_tree
from gerrychain.updaters import Tally, cut_edges
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geo_grid.boundaries.division import Division, Refused
from geo_grid.boundaries.proposals import Aim, Measures, Proposal
from geo_grid.coordinates import ELLIPSOID

_TOLERANCES = (0.05, 0.1, 0.2, 0.35, 0.6)
"""Tolerances of the deviation from the mean load, tried from the strictest on: few cells cannot be divided evenly."""
_BURST, _BURSTS = 8, 40
_ATTEMPTS = 60
_MOST_UNITS = 3000
_ROAD_SURCHARGE = 1.0
_NO_CUT = (RuntimeError, ReselectException, MetagraphError, BalanceError, PopulationBalanceError)
"""Exceptions of GerryChain when no spanning tree can be cut within the tolerance."""


def recombine(
    division: Division,
    parents: Sequence[str],
    loads: Mapping[str, float],
    *,
    count: int | None = None,
    locked: Collection[str] = (),
    blocks: Mapping[str, int] | None = None,
    seed: int = 1,
) -> tuple[Proposal, list[Proposal]]:
    """Propose groupings of the children of some neighbours.

    Parameters
    ----------
    parents
        Codes of cells with the same parent and with children, which are regrouped.
    loads
        Load of each child in any unit, by code.
    count
        Number of groups; None: the number of parents.
    locked
        Codes of those parents that keep their children.
    blocks
        Block between main roads of each child, by code: borders of groups then prefer to follow the roads.

    Returns
    -------
    The present grouping, and up to three contiguous alternatives: the most even, the most compact, the least moved.

    Raises
    ------
    Refused
        There is no such grouping.
    """
    units, present = _units(division, parents, locked)
    free = [code for code in parents if code not in locked]
    wanted = (len(parents) if count is None else count) - (len(parents) - len(free))
    if not 2 <= wanted <= len(units):
        message = f"{len(units)} cells cannot be divided into {wanted} groups: choose more cells, or fewer groups"
        raise Refused(message)
    graph = _graph(division, units, loads, blocks)
    if not nx.is_connected(graph):
        message = "the chosen cells do not hang together: choose neighbours"
        raise Refused(message)
    found: list[Proposal] = []
    aims: tuple[Aim, ...] = ("balanced", "compact", "least_moved")
    for aim in aims:
        groups = _search(graph, present, wanted, aim, random.Random(seed))  # noqa: S311, the same question gets the same answer
        if groups is not None:
            assignment = _named(groups, present, graph)
            proposal = Proposal(aim, _steps(assignment), _measures(division, graph, assignment, present))
            if all(proposal.groups != other.groups for other in found):
                found.append(proposal)
    if not found:
        message = f"no way was found to divide these cells into {wanted} even groups"
        raise Refused(message)
    return Proposal("present", _steps(present), _measures(division, graph, present, present)), found


def _units(division: Division, parents: Sequence[str], locked: Collection[str]) -> tuple[list[str], dict[str, str]]:
    cells = [division.cell(code) for code in dict.fromkeys(parents)]
    if len(cells) < 2 or len({cell.parent_code for cell in cells}) > 1:
        message = "choose at least two cells of one parent: what they contain is grouped anew"
        raise Refused(message)
    present = {
        child: cell.grid_code
        for cell in cells
        if cell.grid_code not in locked
        for child in division.children(cell.grid_code)
    }
    undivided = [cell for cell in cells if not division.children(cell.grid_code)]
    if undivided:
        message = (
            f"{undivided[0].grid_code} {undivided[0].name} is not divided further: there is nothing to regroup in it"
        )
        raise Refused(message)
    if len(present) > _MOST_UNITS:
        message = (
            f"these cells contain {len(present)} others; choose fewer: at most {_MOST_UNITS} are regrouped at once"
        )
        raise Refused(message)
    return sorted(present), present


def _graph(
    division: Division, units: list[str], loads: Mapping[str, float], blocks: Mapping[str, int] | None
) -> nx.Graph:
    shapes = [division.cells[code].shape for code in units]
    graph = nx.Graph()
    for code in units:
        graph.add_node(
            code, load=max(float(loads.get(code, 0.0)), 1e-6), block=None if blocks is None else blocks.get(code)
        )
    one, other = shapely.STRtree(shapes).query(shapes)
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        if a < b and shapely.length(shapely.intersection(shapes[a], shapes[b])) > 0:
            graph.add_edge(units[a], units[b])
    return graph


def _search(
    graph: nx.Graph,
    present: dict[str, str],
    wanted: int,
    aim: Aim,
    chance: random.Random,
) -> dict[str, int] | None:
    """Search for the best grouping by an aim, at the strictest tolerance that has a solution."""
    split = partial(bipartition_tree, max_attempts=_ATTEMPTS)
    mean = sum(graph.nodes[code]["load"] for code in graph) / wanted
    has_blocks = any(block is not None for _, block in graph.nodes(data="block"))
    for tolerance in _TOLERANCES:
        try:
            begun = Partition.from_random_assignment(
                graph=Graph.from_networkx(graph), n_parts=wanted, epsilon=tolerance, pop_col="load", rng=chance,
                updaters={"load": Tally("load", alias="load"), "cut_edges": cut_edges},
                partition_fn=partial(recursive_tree_part, bipartition_tree_fn=split),
            )  # fmt: skip
        except _NO_CUT:
            continue
        name_of = {node: begun.graph.original_nx_node_id_for_internal_node_id(node) for node in begun.graph.nodes}
        move = partial(
            recom, pop_col="load", pop_target=mean, epsilon=tolerance, rng=chance,
            region_surcharge={"block": _ROAD_SURCHARGE} if has_blocks else None,
            bipartition_tree_fn=partial(split, allow_pair_reselection=True),
        )  # fmt: skip
        score = _scores(mean, present, graph, name_of)[aim]
        chain = SingleMetricOptimizer(move, [contiguous], begun, score, maximize=False, rng=chance)
        with contextlib.suppress(*_NO_CUT):  # the best grouping until then counts
            for _ in chain.short_bursts(_BURST, _BURSTS):
                pass
        return {name_of[node]: int(part) for node, part in chain.best_part.assignment.items()}
    return None


def _scores(
    mean: float, present: dict[str, str], graph: nx.Graph, name_of: dict[Any, str]
) -> dict[Aim, Callable[[Any], float]]:
    """Return the objective functions by aim; smaller is better."""

    def deviation(partition: Any) -> float:
        return float(max(abs(load - mean) for load in partition["load"].values()))

    def moved(partition: Any) -> float:
        groups = {name_of[node]: part for node, part in partition.assignment.items()}
        kept, _, _ = _kept(groups, present, graph)
        return -float(kept[linear_sum_assignment(kept, maximize=True)].sum())

    return {"balanced": deviation, "compact": lambda partition: len(partition["cut_edges"]), "least_moved": moved}


def _kept(
    groups: Mapping[str, int], present: dict[str, str], graph: nx.Graph
) -> tuple[NDArray[np.float64], list[int], list[str]]:
    """Return the load that groups (rows) have in common with present groups (columns), and the labels of both."""
    numbers, codes = sorted(set(groups.values())), sorted(set(present.values()))
    row, column = {n: at for at, n in enumerate(numbers)}, {c: at for at, c in enumerate(codes)}
    kept = np.zeros((len(numbers), len(codes)))
    for unit, number in groups.items():
        kept[row[number], column[present[unit]]] += graph.nodes[unit]["load"]
    return kept, numbers, codes


def _named(groups: dict[str, int], present: dict[str, str], graph: nx.Graph) -> dict[str, str]:
    """Assign to each group the code of the present group with the most load in common, each at most once; others are new."""
    kept, numbers, codes = _kept(groups, present, graph)
    row, column = linear_sum_assignment(kept, maximize=True)
    names = {numbers[at]: codes[code] for at, code in zip(row.tolist(), column.tolist(), strict=True)}
    fresh = [number for number in numbers if number not in names]
    names |= {number: f"new {at}" for at, number in enumerate(fresh, 1)}
    return {unit: names[number] for unit, number in sorted(groups.items())}


def _steps(assignment: dict[str, str]) -> list[dict[str, Any]]:
    groups: dict[str, list[str]] = {}
    for code, group in sorted(assignment.items()):
        groups.setdefault(group, []).append(code)
    return [
        {"parent_code": None if group.startswith("new ") else group, "codes": codes}
        for group, codes in sorted(groups.items())
    ]


def _measures(division: Division, graph: nx.Graph, assignment: dict[str, str], present: dict[str, str]) -> Measures:
    loads: dict[str, float] = {}
    for code, group in sorted(assignment.items(), key=lambda pair: pair[1]):
        loads[group] = loads.get(group, 0.0) + graph.nodes[code]["load"]
    mean = sum(loads.values()) / len(loads)
    roundness = []
    for group in loads:
        shape = shapely.coverage_union_all(
            [division.cells[code].shape for code in assignment if assignment[code] == group]
        )
        area, around = ELLIPSOID.geometry_area_perimeter(shape)
        roundness.append(4 * math.pi * abs(area) / around**2)
    return Measures(
        loads={group: round(load, 1) for group, load in loads.items()},
        deviation=round(max(abs(load - mean) for load in loads.values()) / mean, 4),
        compactness=round(float(np.mean(roundness)), 4),
        cut_edges=sum(1 for one, other in graph.edges if assignment[one] != assignment[other]),
        moved=round(sum(graph.nodes[code]["load"] for code in assignment if assignment[code] != present[code]), 1),
    )
