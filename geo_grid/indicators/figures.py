"""Figures of one group of incidents that have several numbers. Dataclasses: an answer has a hundred thousand of them."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(slots=True)
class Times:
    """Times of one stage."""

    n: int
    p50_s: float | None
    p90_s: float | None
    no_clock: Annotated[int, Field(description="left out: a clock is missing")]
    out_of_order: Annotated[int, Field(description="left out: the clocks are out of order")]
    over_a_day: Annotated[int, Field(description="left out: longer than a day")]


@dataclass(slots=True)
class YearOnYear:
    """The same dates a year before."""

    before: int
    change: Annotated[float | None, Field(description="share: 0.1 is 10 % more; null: there were none")]


@dataclass(slots=True)
class Settlement:
    """What was settled of what was taken."""

    taken: int
    closed: int
    not_solved: Annotated[int, Field(description="of these, closed without a solution")]
    share: float | None


@dataclass(slots=True)
class OnTime:
    """What was closed by its deadline."""

    due: Annotated[int, Field(description="had a deadline, and are closed or late")]
    on_time: int
    share: float | None
