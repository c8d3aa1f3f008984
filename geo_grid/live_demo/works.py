"""What happens beside calls: cameras go off and come back, a road is closed and opened again."""

import math
import random
from collections.abc import Sequence
from typing import Any

from geo_grid.live_demo.people import SUPERVISOR
from geo_grid.live_demo.roads import Place, Roads
from geo_grid.live_demo.speaking import Refused, Speaker

_CAMERA_EVERY_S, _CAMERA_OFF_S = 240.0, (600.0, 2400.0)
_ROAD_EVERY_S, _ROAD_CLOSED_S, _FIRST_ROAD_S = 3600.0, 1800.0, 300.0
CLOSURE = "DEMO-LIVE"
_ACROSS_DEGREES = 0.0006
"""Half the length of the line across a road that is closed: some 50 m."""


class Works:
    """Cameras and roads of the demo; moments are in seconds of its clock."""

    def __init__(
        self, speaker: Speaker, cameras: Sequence[str], places: Sequence[dict[str, Any]], roads: Roads, seed: int
    ) -> None:
        self._speaker, self._roads = speaker, roads
        self._cameras, self._places = cameras, places
        self._rng = random.Random(f"{seed} works")  # noqa: S311 (a play, no secret)
        self._off: dict[str, float] = {}
        self._next_camera = 60.0
        self._next_road, self._opens = _FIRST_ROAD_S, math.inf

    def do(self, now: float) -> None:
        """Do what is due. Raises Away, NoKey."""
        for camera in [code for code, until in self._off.items() if until <= now]:
            self._set(camera, True)
            del self._off[camera]
        if self._cameras and now >= self._next_camera:
            camera = self._rng.choice(self._cameras)
            self._set(camera, False)
            self._off[camera] = now + self._rng.uniform(*_CAMERA_OFF_S)
            self._next_camera = now + self._rng.uniform(0.5, 1.5) * _CAMERA_EVERY_S
        if now >= self._opens:
            self._open_road()
            self._opens = math.inf
        if self._places and now >= self._next_road:
            self._close_road(now)
            self._next_road = now + _ROAD_EVERY_S

    def put_right(self) -> None:
        """Open the road that a demo which was ended left closed. Raises Away, NoKey."""
        self._open_road()

    def _set(self, camera: str, is_online: bool) -> None:
        report = {"gb28181_id": camera, "state": "online" if is_online else "offline"}
        self._send("POST", "/cameras/states", {"states": [report]})

    def _open_road(self) -> None:
        self._roads.closed = frozenset()
        self._send("DELETE", f"/collections/road_closures/items/{CLOSURE}")

    def _close_road(self, now: float) -> None:
        place = self._rng.choice(self._places)
        node = self._roads.nearest((place["lon"], place["lat"]))
        if node is None:
            return
        other = self._rng.choice(self._roads.next_to(node))
        one, two = self._roads.place(node), self._roads.place(other)
        closure = {
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": _across(one, two)},
            "properties": {"closure_code": CLOSURE, "name": f"{place['address']}道路抢修（演示）", "closure_kind": "closed"},
        }  # fmt: skip
        self._send("POST", "/collections/road_closures/items", closure, "application/geo+json")
        self._roads.closed, self._opens = frozenset((node, other)), now + _ROAD_CLOSED_S

    def _send(self, method: str, path: str, body: Any = None, media: str = "") -> None:
        try:
            self._speaker.ask(SUPERVISOR, method, path, body, **({"Content_Type": media} if media else {}))
        except Refused:
            return  # somebody removed or changed it meanwhile: it is theirs


def _across(one: Place, two: Place) -> list[list[float]]:
    """Return a short line across the middle of a road, at a right angle to it."""
    shrink = math.cos(math.radians(one[1]))
    east, north = (two[0] - one[0]) * shrink, two[1] - one[1]
    length = math.hypot(east, north) or 1.0
    lon, lat = (one[0] + two[0]) / 2, (one[1] + two[1]) / 2
    over = -north / length * _ACROSS_DEGREES / shrink, east / length * _ACROSS_DEGREES
    return [[lon - over[0], lat - over[1]], [lon + over[0], lat + over[1]]]
