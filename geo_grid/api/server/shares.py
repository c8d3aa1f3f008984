"""Limits of what one account may use of a shared resource: beyond it the account waits, or is refused."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

from geo_grid.errors import Busy, GivenUp, TooMany

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
    """Limits the connections of a pool that one account may use, and that questions of others than the desk may use together:
    beyond it one waits until some are returned.
    """

    def __init__(self, each: int, for_others: int) -> None:
        """`each`: connections of one account; `for_others`: of all whose question is none of the desk's."""
        self._each = each
        self._others = asyncio.Semaphore(for_others)
        self._of: dict[int, tuple[asyncio.Semaphore, int]] = {}
        self._too_many = f"{each} questions of yours are at work for {_PATIENCE_S:.0f} s already; ask less at once"

    @contextlib.asynccontextmanager
    async def to(self, account: int | None, is_for_desk: bool) -> AsyncIterator[None]:
        """Let an account use one connection while the context lasts; None: no account, no limit of its own. Raises Busy."""
        if account is None:
            async with _Taken(None if is_for_desk else self._others, _OTHERS_ARE_MANY):
                yield
            return
        own, users = self._of.get(account, (asyncio.Semaphore(self._each), 0))
        self._of[account] = own, users + 1  # kept as long as one of its questions is here
        try:
            async with _Taken(own, self._too_many), _Taken(None if is_for_desk else self._others, _OTHERS_ARE_MANY):
                yield
        finally:
            own, users = self._of.pop(account)
            if users > 1:
                self._of[account] = own, users - 1


_OTHERS_ARE_MANY = f"questions of others have been at work for {_PATIENCE_S:.0f} s; try again in a moment"


class _Taken:
    """Takes one of a share, if there is one, while the context lasts. Raises Busy with the message when that takes too long."""

    __slots__ = ("_message", "_share")

    def __init__(self, share: asyncio.Semaphore | None, message: str) -> None:
        self._share, self._message = share, message

    async def __aenter__(self) -> None:
        if self._share is None:
            return
        if not self._share.locked():
            await self._share.acquire()  # at once, so that no clock is needed
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._share.acquire()
        except TimeoutError:
            raise Busy(self._message, _COME_BACK_S) from None

    async def __aexit__(self, *_: object) -> None:
        if self._share is not None:
            self._share.release()


class Beginning:
    """Lets requests begin, in turns of their accounts: one in each round of the event loop, so that what is asked of it by
    others goes on between them; and of one account so many at the same time. An account is whoever has a turn of their own:
    the number of one, or the address of a stranger.

    Parameters
    ----------
    each
        Most requests of one account that have begun and are not answered.
    waiting
        Most requests of one account that wait to begin.
    """

    def __init__(self, each: int, waiting: int) -> None:
        self._each, self._most = each, waiting
        self._at_work: Counter[int | str] = Counter()
        self._waiting: dict[int | str, deque[tuple[asyncio.Future[None], Callable[[], bool]]]] = {}
        self._begun: dict[int | str, int] = {}  # of those who are here: the number of their newest turn
        self._turns = 0
        self._is_called = False

    async def turn(self, account: int | str, has_left: Callable[[], bool]) -> Callable[[], None]:
        """Wait until a request may begin, and return a function that says it is answered (calling it again has no effect).

        Parameters
        ----------
        has_left
            Says whether its client has gone: it does not begin then.

        Raises
        ------
        TooMany
            So many of the account wait already.
        GivenUp
            The client has gone.
        """
        queue = self._waiting.setdefault(account, deque())
        if len(queue) >= self._most:
            message = f"{self._most} questions of yours wait already; ask less at once"
            raise TooMany(message, _COME_BACK_S)
        turn = asyncio.get_running_loop().create_future()
        queue.append((turn, has_left))
        self._call()
        end = self._ending(account)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had been given its turn by then, unless the client had gone
                if turn.exception() is None:
                    end()
            elif (turn, has_left) in queue:
                queue.remove((turn, has_left))
                if not queue:
                    self._waiting.pop(account, None)
                    self._forget(account)
            raise
        return end

    def _ending(self, account: int | str) -> Callable[[], None]:
        begun: list[int | str] = [account]

        def end() -> None:
            if begun:
                self._at_work[begun.pop()] -= 1
                self._forget(account)
                self._call()

        return end

    def _call(self) -> None:
        if not self._is_called:
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._is_called = False
        may = [account for account in self._waiting if self._at_work[account] < self._each]
        if not may:
            return
        account = min(may, key=lambda one: (self._at_work[one], self._begun.get(one, 0)))
        turn, has_left = self._waiting[account].popleft()
        if not turn.done():  # else who waits for it is being cancelled
            if has_left():
                turn.set_exception(GivenUp("nobody waits for this any more"))
            else:
                self._turns += 1
                self._begun[account] = self._turns
                self._at_work[account] += 1
                turn.set_result(None)
        if not self._waiting[account]:
            del self._waiting[account]
        self._forget(account)
        self._call()

    def _forget(self, account: int | str) -> None:
        if not self._at_work[account]:
            del self._at_work[account]
            if account not in self._waiting:
                self._begun.pop(account, None)


class Together[T]:
    """Asks one question once for all who ask it at the same time."""

    def __init__(self) -> None:
        self._asking: asyncio.Task[T] | None = None

    async def ask(self, question: Callable[[], Coroutine[None, None, T]]) -> T:
        """Return the answer to a question, which may be on its way already; what it raises, all are told."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(question())
        return await asyncio.shield(self._asking)  # who leaves does not end it for the others
