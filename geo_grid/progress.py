"""Interface by which long work reports its progress, without knowing how it is displayed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Displays steps of long work; the context yields a function that advances the step by a number of items."""

    def __call__(self, step: str, total: int | None = None) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a step of `total` items; None: of unknown length."""


@contextmanager
def silent(step: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Report progress to nobody."""
    yield lambda count: None
