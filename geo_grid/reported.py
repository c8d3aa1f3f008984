"""Batches that programs report: what is wrong with a report is said with its number, and the others are taken."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

MOST_AT_ONCE = 5000
"""Reports of a batch."""
_CLOCK_TOLERANCE = timedelta(minutes=2)


def in_future(moment: datetime | None) -> str | None:
    """Return what is wrong with the moment of a report: it is more than two minutes ahead; None: nothing."""
    if moment is None or moment <= datetime.now(UTC) + _CLOCK_TOLERANCE:
        return None
    return f"{moment.isoformat()} is in the future: check the sender's clock"


class Left(BaseModel):
    """A report of a batch that was refused, and why."""

    number: int = Field(description="of the report in the batch, from 1")
    reason: str


class Batch[Report]:
    """Reports of a batch that may be taken, in their order.

    Parameters
    ----------
    problems
        What is wrong with each report; None: nothing.
    names
        What each calls that on which it reports. One with the character NUL, which the database cannot hold, is no name of anything.
    unknown
        Why a report on what is not there is refused.
    """

    def __init__(
        self, reports: Sequence[Report], problems: Sequence[str | None], names: Iterable[str], unknown: str
    ) -> None:
        self.good: list[Report] = []
        self._numbers: list[int] = []
        self._left: list[Left] = []
        self._unknown = unknown
        for number, (one, problem, name) in enumerate(zip(reports, problems, names, strict=True), 1):
            reason = unknown if "\0" in name else problem
            if reason is None:
                self.good.append(one)
                self._numbers.append(number)
            else:
                self._left.append(Left(number=number, reason=reason))

    def taken(self, rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        """Count what the database says of the good reports, and list what was refused.

        Parameters
        ----------
        rows
            Each `outcome` (one of `names`, or unknown) with the `count` of the good reports that have it; of those that are
            unknown the `numbers` among the good, from 1.
        """
        counts: dict[str, Any] = dict.fromkeys(names, 0)
        left = list(self._left)
        for row in rows:
            if row["outcome"] == "unknown":
                left += [Left(number=self._numbers[number - 1], reason=self._unknown) for number in row["numbers"]]
            else:
                counts[row["outcome"]] = row["count"]
        return counts | {"refused": sorted(left, key=lambda one: one.number)}
