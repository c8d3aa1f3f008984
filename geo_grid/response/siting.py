"""Siting of posts or standby points: location models of spopt, solved exactly by HiGHS.

Maximal covering (Church and ReVelle, 1974), set covering (Toregas et al., 1971) and p-median (Hakimi, 1964), as
spopt.locate formulates them; posts that stay may be fixed, and candidates may have capacities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geo_grid.coordinates import Floats
from geo_grid.db import Connection, load_queries
from geo_grid.errors import UserError
from geo_grid.layers.response_circles import Why
from geo_grid.response.build import closures_in_force
from geo_grid.response.router import Router
from geo_grid.response.travel import Travel

QUERIES = load_queries("geo_grid.response", "siting.sql")
type Model = Literal["maximal_covering", "set_covering", "p_median"]
type Demand = Literal["households", "incidents"]
type Candidates = Literal["governance_centres", "mandatory_stops"]
MOST_DEMAND, MOST_CANDIDATES = 4000, 600
_UNREACHED_S = 1e6
"""Seconds in place of infinity, which the solver does not accept; longer than any travel time."""


@dataclass(frozen=True)
class Siting:
    """A solution.

    Attributes
    ----------
    chosen
        Indices of the chosen candidates, with those that were fixed.
    adds
        For each chosen candidate, the share of all demand that only it covers within the limit.
    covered
        Share of all demand within the limit of a chosen candidate.
    mean_s
        Mean travel time in seconds to the nearest chosen candidate, weighted by demand, of the demand that can be reached.
    """

    chosen: list[int]
    adds: list[float]
    covered: float
    mean_s: float | None


def site(
    seconds: Floats,
    weights: Floats,
    limit_s: float,
    model: Model,
    count: int | None = None,
    fixed: NDArray[np.bool_] | None = None,
    capacities: Floats | None = None,
) -> Siting:
    """Choose among candidates. May take minutes and gigabytes: call it in a process with limits (`confined`).

    Parameters
    ----------
    seconds
        Travel times, n demands by m candidates; infinite: no road leads there.
    weights
        n: demand of each place; not negative.
    limit_s
        Travel time in seconds within which a demand is covered.
    count
        Number of candidates to choose, with those that are fixed; set covering finds the least number itself.
    fixed
        m flags: the candidate is chosen in any case.
    capacities
        m: most demand each can serve (set covering and p-median).

    Raises
    ------
    UserError
        The problem has no solution; the message says why.
    """
    import pulp  # imported here, like spopt below: only the process that solves loads the solvers

    times = np.where(np.isfinite(seconds), seconds, _UNREACHED_S)
    kept = np.zeros(times.shape[1], bool) if fixed is None else fixed
    least = int(kept.sum())
    if model != "set_covering" and not max(least, 1) <= (count or 0) <= times.shape[1]:
        message = f"use between {max(least, 1)} (so many stay) and {times.shape[1]} (so many there are), not {count}"
        raise UserError(message)
    try:
        made = _model(times, weights, limit_s, model, count, kept.astype(int) if least else None, capacities)
        solved = made.solve(pulp.HiGHS(msg=False))
    except (RuntimeError, ValueError, pulp.PulpError):
        message = "nothing satisfies this: the capacities are too small, or too few are used"
        raise UserError(message) from None
    return _solution(
        [number for number, var in enumerate(solved.fac_vars) if var.value() > 0.5], seconds, weights, limit_s
    )


def _model(
    times: Floats, weights: Floats, limit_s: float, model: Model, count: int | None, predefined: Any, capacities: Any
) -> Any:
    from spopt.locate import LSCP, MCLP, PMedian

    if model == "maximal_covering":
        return MCLP.from_cost_matrix(times, weights, limit_s, count, predefined)
    if model == "p_median":
        return PMedian.from_cost_matrix(times, weights, count, predefined, capacities)
    reached = (times <= limit_s).any(axis=1)  # demand that no candidate covers would make the model infeasible
    if not reached.any():
        message = "no candidate covers any demand within the time: choose others, or a longer time"
        raise UserError(message)
    quantities = None if capacities is None else weights[reached]
    return LSCP.from_cost_matrix(times[reached], limit_s, predefined, quantities, capacities)


def _solution(chosen: list[int], seconds: Floats, weights: Floats, limit_s: float) -> Siting:
    used = seconds[:, chosen]
    within = used <= limit_s
    whole = float(weights.sum()) or 1.0
    alone = within.sum(axis=1) == 1
    adds = [float(weights[within[:, column] & alone].sum()) / whole for column in range(len(chosen))]
    nearest = used.min(axis=1) if chosen else np.full(len(weights), np.inf)
    reached = np.isfinite(nearest) & (weights > 0)
    mean = float(np.average(nearest[reached], weights=weights[reached])) if reached.any() else None
    return Siting(chosen, adds, float(weights[within.any(axis=1)].sum()) / whole, mean)


@dataclass(frozen=True)
class Question:
    """A siting question within a cell; fields as for `site`, but `count` excludes existing posts that stay, and
    `capacity` is the same for each candidate.
    """

    within: str
    model: Model
    tier_minutes: int
    count: int | None = None
    demand: Demand = "households"
    candidates: Candidates = "governance_centres"
    keeps_posts: bool = True
    capacity: float | None = None


@dataclass(frozen=True)
class Site:
    """A chosen place, an existing post or a candidate, with the share of all demand that only it covers."""

    code: str
    name: str
    is_post: bool
    lon: float
    lat: float
    adds: float


@dataclass(frozen=True)
class Answer:
    """The chosen places, compared with the existing posts; shares of demand between 0 and 1, times in seconds.

    `estimated` is the share of travel times that are straight-line estimates, `estimated_because` the same by reason.
    """

    sites: list[Site]
    covered: float
    covered_today: float
    mean_s: float | None
    mean_today_s: float | None
    demand: float
    estimated: float
    estimated_because: dict[Why, float]


@dataclass(frozen=True)
class Places:
    """Input of a question, as read: rows of demand, of posts and of candidates, and the closures in force."""

    asked: Question
    demand: list[dict[str, Any]]
    posts: list[dict[str, Any]]
    others: list[dict[str, Any]]
    closures: Sequence[Any]


def read_places(connection: Connection, asked: Question) -> Places:
    """Read the input of a question, with the rights of the connection's principal. Raises UserError."""
    values = {"within": asked.within, "demand": asked.demand, "candidates": asked.candidates}
    demand = connection.execute(QUERIES["demand"], values).fetchall()
    posts = connection.execute(QUERIES["posts"], values).fetchall()
    others = connection.execute(QUERIES["candidates"], values).fetchall()
    _check(asked, demand, posts, others)
    return Places(asked, demand, posts, others, closures_in_force(connection))


def travel_times(places: Places, router: Router, travel: Travel, given_up: Event) -> tuple[Floats, dict[Why, float]]:
    """Return the seconds from each post and candidate (column) to each demand (row), and the shares estimated by reason.

    Blocks for minutes. Raises GivenUp when `given_up` is set meanwhile.
    """
    sources, targets = _spots([*places.posts, *places.others]), _spots(places.demand)
    found = router.times(sources, targets, travel.ride(closed=places.closures), given_up)
    return found.seconds.T, {why: count / found.seconds.size for why, count in found.estimated.items()}


def solve(places: Places, seconds: Floats, estimated: dict[Why, float]) -> Answer:
    """Answer a question. Runs in a process with limits, since a county may take minutes and gigabytes. Raises UserError.

    `estimated` has the shares of travel times that are straight-line estimates, by reason.
    """
    asked, posts, every = places.asked, places.posts, [*places.posts, *places.others]
    weights = np.array([row["weight"] for row in places.demand], float)
    is_post = np.arange(len(every)) < len(posts)
    capacities = None if asked.capacity is None else np.full(len(every), asked.capacity)
    limit = asked.tier_minutes * 60.0
    count = None if asked.count is None else asked.count + (len(posts) if asked.keeps_posts else 0)
    solved = site(seconds, weights, limit, asked.model, count, is_post if asked.keeps_posts else None, capacities)
    today = _solution(list(range(len(posts))), seconds, weights, limit)
    sites = [
        Site(
            every[at]["code"], every[at]["name"], bool(is_post[at]), every[at]["lon"], every[at]["lat"], round(adds, 6)
        )
        for at, adds in zip(solved.chosen, solved.adds, strict=True)
    ]
    return Answer(
        sites, round(solved.covered, 6), round(today.covered, 6), solved.mean_s, today.mean_s, float(weights.sum()),
        round(sum(estimated.values()), 6), {why: round(share, 6) for why, share in estimated.items()},
    )  # fmt: skip


def _spots(rows: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    return [(row["lon"], row["lat"]) for row in rows]


def _check(asked: Question, demand: Sequence[Any], posts: Sequence[Any], others: Sequence[Any]) -> None:
    if not demand:
        message = f"there is no grid cell {asked.within!r} with anything in it"
        raise UserError(message)
    if len(demand) > MOST_DEMAND or len(posts) + len(others) > MOST_CANDIDATES:
        message = (
            f"{asked.within} has {len(demand)} cells and {len(posts) + len(others)} candidates; at most {MOST_DEMAND} and"
            f" {MOST_CANDIDATES} are compared at once: choose a cell within it"
        )
        raise UserError(message)
    if not posts and not others:
        message = f"there is no candidate in {asked.within}: import some, or choose another kind"
        raise UserError(message)
    most = len(others) if asked.keeps_posts else len(posts) + len(others)
    if asked.model != "set_covering" and not 1 <= (asked.count or 0) <= most:
        message = (
            f"count says how many are placed: between 1 and {most} (so many candidates there are), not {asked.count}"
        )
        raise UserError(message)
    if asked.capacity is not None and asked.model == "maximal_covering":
        message = "maximal covering knows no capacities: choose set_covering or p_median"
        raise UserError(message)
