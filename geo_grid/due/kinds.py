"""What a kind of work for later is: who does it, how often, and how long it waits when it fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from geo_grid.budgets import Budget
from geo_grid.db import Connection


@dataclass(frozen=True)
class Kind[C]:
    """A kind of work.

    Attributes
    ----------
    name
        As in the table due_work.
    do
        Does work on some subjects, in a thread, in the transaction that also ends it: what it writes is done once, or
        not at all. What it raises keeps the work on the list. It returns after how many seconds it is to be done again;
        None: when `every_s` says.
    budget
        Whose threads it takes.
    every_s
        How often it recurs; None: it is over when it is done.
    at_once
        How many subjects one call gets at the most. When a call fails, each of them is tried alone.
    first_wait_s, longest_wait_s
        How long it waits after it failed; twice as long each time.
    """

    name: str
    do: Callable[[C, Connection, Sequence[str]], float | None]
    budget: Budget
    every_s: float | None = None
    at_once: int = 1
    first_wait_s: float = 5.0
    longest_wait_s: float = 600.0

    def wait_s(self, attempts: int) -> float:
        """Return how long it waits after it failed so many times."""
        return min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(attempts - 1, 30))
