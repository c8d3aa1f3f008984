"""Where more cameras would see most of the roads that none sees: at crossings, and along them.

Maximal covering (Church and ReVelle, 1974) by `response.siting`: what each candidate would see, between buildings, against
points along the roads.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from geo_grid.cameras.roads import Roads, lengths_m, read_roads
from geo_grid.cameras.sight import Optics, metres_per_degree
from geo_grid.cameras.views import look_from
from geo_grid.db import connect
from geo_grid.errors import UserError
from geo_grid.layers.geojson import Feature, as_geojson
from geo_grid.response.siting import MOST_CANDIDATES, MOST_DEMAND, site

_STEPS = 20
"""Points along unseen roads within the range of a camera."""
_FINEST_STEP_M = 5.0
"""Between them: positions are no more exact."""
_EACH, _LEAST_CANDIDATES = 8, 150
"""Candidates that are compared for each camera that is placed, and at least: the exact choice takes minutes among many."""
_ARMS = 3
"""Of a crossing: fewer, and a road goes on or ends there."""
_NEARER = 0.3
"""Of the range: candidates so near to a better one are left out, since they see nearly the same."""

type SiteKind = Literal["crossing", "stretch"]


@dataclass(frozen=True)
class Question:
    """Where so many cameras that see around, by a range in metres, would see most within a cell."""

    within: str
    count: int
    range_m: float


class CameraSite(BaseModel):
    """A place for a camera."""

    lon: float
    lat: float
    kind: SiteKind = Field(description="at a crossing, or along a stretch that nobody sees")
    roads: list[str] = Field(description="names of the roads there")
    adds_m: float = Field(description="metres of road that it alone would see")


class SiteFeature(Feature[CameraSite]):
    """What it would see."""


class CameraSites(BaseModel):
    """Places for cameras, each with what it would see, and what they come to."""

    features: list[SiteFeature] = Field(description="those that add most first; the geometry is what each would see")
    length_m: float = Field(description="of all roads in the cell")
    seen_m: float = Field(description="that cameras see today")
    seen_then_m: float


@dataclass(frozen=True)
class _Places:
    """Candidates: lon, lat in degrees, whether each is a crossing, and the ways that meet there."""

    at: NDArray[np.float64]
    is_crossing: NDArray[np.bool_]
    ways: list[list[int]]


def site_apart(conninfo: str, asked: Question) -> CameraSites:
    """Answer a question with the rights of the principal that `conninfo` names.

    It takes seconds to minutes: a server calls it in a process with limits.

    Raises
    ------
    NotFound, UserError
        There is no such cell; it has too much of it, or nothing that could be seen.
    """
    with connect(conninfo) as connection:
        roads = read_roads(connection, asked.within)
        points, weights = _points_along(roads, asked)
        most = min(MOST_CANDIDATES, max(_LEAST_CANDIDATES, _EACH * asked.count))
        places = _thinned(_candidates(roads, asked.range_m), points, weights, asked.range_m, most)
        if not 1 <= asked.count <= len(places.at):
            message = f"count says how many are placed: between 1 and {len(places.at)} (so many places there are), not {asked.count}"
            raise UserError(message)
        around = Optics(None, 360.0, asked.range_m)
        views = np.array(
            [
                shape
                for shape, _, _ in look_from(connection, [(lon, lat, around, False) for lon, lat in places.at.tolist()])
            ],
            dtype=object,
        )
    view, point = shapely.STRtree(points).query(views, "covers")
    seen, row = np.unique(point, return_inverse=True)  # what nobody would see is no matter
    sees = np.zeros((len(seen), len(views)), bool)
    sees[row, view] = True
    times, heavy = _merged(sees, weights[seen])
    found = site(times, heavy, 0.5, "maximal_covering", asked.count)
    total = float(heavy.sum())
    length, left = float(lengths_m(roads.inside).sum()), float(lengths_m(roads.unseen).sum())
    chosen = sorted(zip(found.chosen, found.adds, strict=True), key=lambda one: -one[1])
    return CameraSites(
        features=[_feature(places, roads, at, views[at], adds * total) for at, adds in chosen],
        length_m=length,
        seen_m=max(0.0, length - left),
        seen_then_m=max(0.0, length - left) + found.covered * total,
    )


def _feature(places: _Places, roads: Roads, at: int, view: Any, adds_m: float) -> SiteFeature:
    lon, lat = places.at[at].tolist()
    names = list(dict.fromkeys(roads.names[way] for way in places.ways[at] if roads.names[way]))
    kind: SiteKind = "crossing" if places.is_crossing[at] else "stretch"
    return SiteFeature(
        geometry=as_geojson(shapely.Polygon() if view is None else view),
        properties=CameraSite(lon=lon, lat=lat, kind=kind, roads=names, adds_m=round(adds_m, 1)),
    )


def _points_along(roads: Roads, asked: Question) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Return points along what is not seen, and the metres that each stands for. Raises UserError."""
    lines = shapely.get_parts(roads.unseen)
    metres = lengths_m(lines)
    total = float(metres.sum())
    if total <= 0:
        message = f"cameras see all roads in {asked.within}, or there are none: nothing is left to be seen"
        raise UserError(message)
    step = max(_FINEST_STEP_M, asked.range_m / _STEPS)
    count = np.maximum(1, np.round(metres / step)).astype(int)
    line = np.repeat(np.arange(len(lines)), count)
    number = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    points = shapely.line_interpolate_point(lines[line], (number + 0.5) / count[line], normalized=True)
    return points, metres[line] / count[line]


def _candidates(roads: Roads, range_m: float) -> _Places:
    """Return the crossings within the cell, and places along unseen stretches by half the range."""
    corners, of = shapely.get_coordinates(roads.ways, return_index=True)
    is_end = np.zeros(len(of), bool)
    if len(of):
        is_end[0] = is_end[-1] = True
        is_end[1:] |= of[1:] != of[:-1]
        is_end[:-1] |= of[1:] != of[:-1]
    spots, at = np.unique(corners, axis=0, return_inverse=True)  # ways of an extract meet in the very same vertex
    arms = np.bincount(at, weights=np.where(is_end, 1, 2), minlength=len(spots))
    meeting: dict[int, list[int]] = {}
    for spot, way in zip(at.tolist(), of.tolist(), strict=True):
        if arms[spot] >= _ARMS:
            meeting.setdefault(spot, []).append(way)
    crossings = [spot for spot in meeting if arms[spot] >= _ARMS]
    lines, way_of = shapely.get_parts(roads.unseen, return_index=True)
    metres = lengths_m(lines)
    count = np.maximum(1, np.ceil(metres / (range_m / 2))).astype(int)
    line = np.repeat(np.arange(len(lines)), count)
    number = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    along = shapely.get_coordinates(
        shapely.line_interpolate_point(lines[line], (number + 0.5) / count[line], normalized=True)
    )
    return _Places(
        np.vstack([spots[crossings].reshape(-1, 2), along]),
        np.concatenate([np.ones(len(crossings), bool), np.zeros(len(along), bool)]),
        [*(meeting[spot] for spot in crossings), *([int(way)] for way in way_of[line])],
    )


def _thinned(
    places: _Places, points: NDArray[np.object_], weights: NDArray[np.float64], range_m: float, most: int
) -> _Places:
    """Return at most so many of the places: those with most that is not seen in range, none right beside a better one; of two places
    that differ by no more than points along roads are apart, a crossing is the better one.

    Buildings are not looked at yet: what each would see takes a millisecond to work out.
    """
    scale = np.array(metres_per_degree(float(shapely.get_y(points).mean())))
    plane = shapely.points(places.at * scale)
    there = shapely.points(shapely.get_coordinates(points) * scale)
    score = np.zeros(len(plane))
    place, point = shapely.STRtree(there).query(plane, "dwithin", range_m)
    np.add.at(score, place, weights[point])
    tree = shapely.STRtree(plane)
    is_out = score <= 0
    rank = score + np.where(places.is_crossing, 2 * weights.max(initial=0.0), 0.0)
    kept: list[int] = []
    for at in np.argsort(-rank, kind="stable").tolist():
        if is_out[at]:
            continue
        kept.append(at)
        if len(kept) == most:
            break
        is_out[tree.query(plane[at], "dwithin", _NEARER * range_m)] = True
    return _Places(places.at[kept], places.is_crossing[kept], [places.ways[at] for at in kept])


def _merged(sees: NDArray[np.bool_], weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what `site` takes, points that the same places see as one: "times" of 0 where a place sees, and what each weighs."""
    kinds, of = np.unique(np.packbits(sees, axis=1), axis=0, return_inverse=True)
    first = np.zeros(len(kinds), int)
    first[of] = np.arange(len(of))
    heavy = np.bincount(of, weights=weights, minlength=len(kinds))
    kept = np.argsort(-heavy, kind="stable")[:MOST_DEMAND]  # of more kinds than are compared, those that weigh most
    return np.where(sees[first[kept]], 0.0, np.inf), heavy[kept]
