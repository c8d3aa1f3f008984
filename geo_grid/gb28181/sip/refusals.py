"""Strangers: how much they may say, and what was refused to whom, counted within bounds."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

type Why = Literal[
    "broken", "too many", "too large", "unknown", "no password", "wrong password", "not registered", "method"
]
"""Why something was refused. broken: no SIP; too many: more than one address may ask or connect; unknown: no platform of ours
has this id, or it is not enabled; method: nothing that a lower platform may ask of us."""

_RATE, _BURST = 10.0, 50.0
"""Messages in a second that an address may send which is nobody's, and how many at once."""
_MOST_ADDRESSES = 4096
_MOST_NAMED = 200
_LONGEST_NAME = 32


@dataclass
class Refusal:
    """What was refused of one name, for one reason.

    Attributes
    ----------
    gb28181_id
        The name that was given; empty: none that can be read, or one name too many.
    address
        From where, last.
    count
        Since these were taken last.
    """

    gb28181_id: str
    why: Why
    address: str
    count: int = 0


class Refusals:
    """Counts what is refused, and says who has asked too much."""

    def __init__(self) -> None:
        self._allowance: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._counted: dict[tuple[str, Why], Refusal] = {}

    def may_ask(self, address: str) -> bool:
        """Say whether an address that is nobody's may be answered, and count it if not."""
        now = time.monotonic()
        left, at = self._allowance.pop(address, (_BURST, now))
        left = min(_BURST, left + (now - at) * _RATE)
        self._allowance[address] = (max(0.0, left - 1), now)
        if len(self._allowance) > _MOST_ADDRESSES:
            self._allowance.popitem(last=False)
        if left < 1:
            self.note("", "too many", address)
        return left >= 1

    def note(self, gb28181_id: str, why: Why, address: str) -> None:
        """Count a refusal."""
        name = gb28181_id if gb28181_id.isascii() and gb28181_id.isalnum() and len(gb28181_id) <= _LONGEST_NAME else ""
        if (name, why) not in self._counted and len(self._counted) >= _MOST_NAMED:
            name = ""
        one = self._counted.setdefault((name, why), Refusal(name, why, address))
        one.address, one.count = address, one.count + 1

    def taken(self) -> list[Refusal]:
        """Return what was counted, and begin anew."""
        found, self._counted = list(self._counted.values()), {}
        return found
