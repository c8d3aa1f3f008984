"""States as a platform notifies them, until they are written: a moment's absence is none, and a burst of them is doubted."""

from collections.abc import Sequence
from dataclasses import dataclass

from geo_grid.cameras.states import State

MOST = 100_000
"""Devices of one platform that something waits for."""


@dataclass
class _Waits:
    state: State
    heard: float


class Damping:
    """States of the devices of one platform, by id, the newest of each. Times are seconds of one clock.

    Parameters
    ----------
    hold_s
        So long must a device stay away before it is offline.
    doubt_s
        So long, when many are away at once while the platform itself is there: unless its catalogue says so before.
    """

    def __init__(self, hold_s: float, doubt_s: float) -> None:
        self._hold_s, self._doubt_s = hold_s, doubt_s
        self._held: dict[str, float] = {}
        self._ready: dict[str, _Waits] = {}
        self.many = 50
        self.lost = 0

    def __len__(self) -> int:
        return len(self._held) + len(self._ready)

    @property
    def is_burst(self) -> bool:
        """Whether so many devices are away at once that the platform is better asked."""
        return len(self._held) >= self.many

    def hear(self, device_id: str, state: State, now: float, is_sure: bool) -> None:
        """Take a state. `is_sure`: the platform itself was away, so that its devices may well be."""
        if len(self) >= MOST and device_id not in self._held and device_id not in self._ready:
            self.lost += 1
        elif state == "offline" and not is_sure:
            self._ready.pop(device_id, None)
            self._held.setdefault(device_id, now)
        else:
            self._held.pop(device_id, None)
            self._ready[device_id] = _Waits(state, now)

    def due(self, now: float) -> list[tuple[str, State, float]]:
        """Take out what is to be written: device, state, and since when."""
        longest = self._doubt_s if self.is_burst else self._hold_s
        away = [(device, heard) for device, heard in self._held.items() if now - heard >= longest]
        found = [(device, one.state, one.heard) for device, one in self._ready.items()]
        for device, _ in away:
            del self._held[device]
        self._ready.clear()
        return found + [(device, "offline", heard) for device, heard in away]

    def back(self, device_id: str) -> None:
        """Take it that a device is not away, without saying what those that hang on it are."""
        self._held.pop(device_id, None)
        self._ready.pop(device_id, None)

    def take_back(self, states: Sequence[tuple[str, State]], now: float) -> None:
        """Take back what could not be written, unless something newer was heard."""
        for device, state in states:
            if device not in self._ready and device not in self._held:
                self._ready[device] = _Waits(state, now)

    def forget_before(self, moment: float) -> None:
        """Forget what was heard before a moment: the platform was asked then, and its answer is in the register."""
        self._held = {device: heard for device, heard in self._held.items() if heard >= moment}
        self._ready = {device: one for device, one in self._ready.items() if one.heard >= moment}
