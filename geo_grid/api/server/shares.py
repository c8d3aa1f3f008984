"""Limits of what one account may use of a shared resource: beyond it the account waits, or is refused."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

from geo_grid.errors import Busy, TooMany

_PATIENCE_S = 5.0
_COME_BACK_S = 5.0


class Shares:
    """Counts how many resources of one kind each account has open.

    Parameters
    ----------
    kind
        Name of the resources, for messages.
    each
        Most of one account.
    """

    def __init__(self, kind: str, each: int) -> None:
        self._kind, self._each = kind, each
        self._open: Counter[int] = Counter()

    def take(self, account: int) -> Callable[[], None]:
        """Take one, and return a function that gives it back (calling it again has no effect). Raises TooMany."""
        if self._open[account] >= self._each:
            message = f"{self._kind}: {self._each} of yours are open, which is the most; close one of them first"
            raise TooMany(message, _COME_BACK_S)
        self._open[account] += 1
        taken = [account]

        def give_back() -> None:
            if taken:
                self._open[taken.pop()] -= 1
                self._open += Counter()  # drops accounts with a count of 0

        return give_back

    @contextlib.contextmanager
    def held(self, account: int) -> Iterator[None]:
        """Take one while the context lasts. Raises TooMany."""
        give_back = self.take(account)
        try:
            yield
        finally:
            give_back()


class Lending:
    """Limits the connections of a pool that one account may use: beyond it the account waits for its own to be returned."""

    def __init__(self, each: int) -> None:
        """`each` is the most connections of one account at the same time."""
        self._each = each
        self._of: dict[int, tuple[asyncio.Semaphore, int]] = {}

    @contextlib.asynccontextmanager
    async def to(self, account: int | None) -> AsyncIterator[None]:
        """Let an account use one connection while the context lasts; None: no account, no limit. Raises Busy."""
        if account is None:
            yield
            return
        own, users = self._of.get(account, (asyncio.Semaphore(self._each), 0))
        self._of[account] = own, users + 1
        try:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await own.acquire()
            except TimeoutError:
                message = (
                    f"{self._each} questions of yours are at work for {_PATIENCE_S:.0f} s already; ask less at once"
                )
                raise Busy(message, _COME_BACK_S) from None
            try:
                yield
            finally:
                own.release()
        finally:
            own, users = self._of[account]
            if users == 1:
                del self._of[account]
            else:
                self._of[account] = own, users - 1


class Together[T]:
    """Asks one question once for all who ask it at the same time."""

    def __init__(self) -> None:
        self._asking: asyncio.Task[T] | None = None

    async def ask(self, question: Callable[[], Coroutine[None, None, T]]) -> T:
        """Return the answer to a question, which may be on its way already; what it raises, all are told."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(question())
        return await asyncio.shield(self._asking)  # who leaves does not end it for the others
