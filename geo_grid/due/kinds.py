"""A kind of due work: the function that does it, its budget, how often it recurs, and its back-off after failures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from geo_grid.budgets import Budget
from geo_grid.db import Connection


@dataclass(frozen=True)
class Kind[C]:
    """A kind of due work; its rows in due_work are called jobs.

    Attributes
    ----------
    name
        Value of due_work.kind.
    do
        Called in a thread of the budget with the subjects of the claimed jobs. Its transaction also ends the jobs, so
        what it writes is committed exactly once. An exception rolls back and leaves the jobs for a retry. Returns the
        seconds until the job is due again; None: `every_s`.
    budget
        The threads and queue that run it.
    every_s
        Seconds between two runs; None: the job is deleted once it is done.
    at_once
        Most subjects of one call. When a call with several fails, each is tried alone.
    first_wait_s, longest_wait_s
        Back-off in seconds: the wait after the first failure, doubled at each further one up to the longest.
    """

    name: str
    do: Callable[[C, Connection, Sequence[str]], float | None]
    budget: Budget
    every_s: float | None = None
    at_once: int = 1
    first_wait_s: float = 5.0
    longest_wait_s: float = 600.0

    def wait_s(self, attempts: int) -> float:
        """Return the back-off in seconds after this many failed attempts (1 or more)."""
        return min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(attempts - 1, 30))
