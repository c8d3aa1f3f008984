"""How long work tells its caller how far it is, without knowing who watches."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Shows one step of long work; the function it yields advances the step by a number of rows."""

    def __call__(self, step: str, total: int | None = None) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a step of `total` rows, or of unknown length."""


@contextmanager
def silent(step: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show nothing."""
    yield lambda count: None
