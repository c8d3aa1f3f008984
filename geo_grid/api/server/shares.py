"""What one account may have of what all accounts share: so many, then it waits or is told to."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

from geo_grid.errors import Busy, TooMany

_PATIENCE_S = 5.0
_COME_BACK_S = 5.0


class Shares:
    """Counts what each account has open of one kind.

    Parameters
    ----------
    kind
        What it is, in words for people.
    each
        How many one account may have.
    """

    def __init__(self, kind: str, each: int) -> None:
        self._kind, self._each = kind, each
        self._open: Counter[int] = Counter()

    def take(self, account: int) -> Callable[[], None]:
        """Take one, and return how it is given back, once. Raises TooMany."""
        if self._open[account] >= self._each:
            message = f"{self._kind}: {self._each} of yours are open, which is the most; close one of them first"
            raise TooMany(message, _COME_BACK_S)
        self._open[account] += 1
        taken = [account]

        def give_back() -> None:
            if taken:
                self._open[taken.pop()] -= 1
                self._open += Counter()  # forget those who have none

        return give_back

    @contextlib.contextmanager
    def held(self, account: int) -> Iterator[None]:
        """Have one while the context lasts. Raises TooMany."""
        give_back = self.take(account)
        try:
            yield
        finally:
            give_back()


class Lending:
    """Keeps any one account from borrowing all connections of a pool: it waits for its own to come back."""

    def __init__(self, each: int) -> None:
        """Lend each account so many at once."""
        self._each = each
        self._of: dict[int, tuple[asyncio.Semaphore, int]] = {}

    @contextlib.asynccontextmanager
    async def to(self, account: int | None) -> AsyncIterator[None]:
        """Let an account borrow one while the context lasts; None: nobody's account. Raises Busy."""
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
