"""Requests of ours until they are answered (RFC 3261, 17.1.2), and answers of ours, for a request that comes again (17.2.2)."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable

from aiosipua import SipRequest, SipResponse

from geo_grid.gb28181.sip.sockets import Peer

_T1_S, _T2_S, _GIVEN_UP_S = 0.5, 4.0, 32.0
"""Timers T1, T2 and F of RFC 3261: the first pause of a repetition over UDP, the longest, and when nobody will answer."""
_MOST_EACH = 16
_KEPT = 256
_FIRST_FINAL = 200


class Asked:
    """Requests of ours that wait for an answer; a bounded number to each address.

    Parameters
    ----------
    send
        Sends bytes to a peer, and says whether there is a way to it.
    """

    def __init__(self, send: Callable[[bytes, Peer], bool]) -> None:
        self._send = send
        self._waiting: dict[tuple[str, str], tuple[str, asyncio.Future[SipResponse]]] = {}
        self._each: Counter[str] = Counter()

    async def ask(self, request: SipRequest, branch: str, peer: Peer) -> SipResponse | None:
        """Send a request, again and again over UDP, and return its final answer; None: nobody answers, or too many wait."""
        if self._each[peer.host] >= _MOST_EACH:
            return None
        answer: asyncio.Future[SipResponse] = asyncio.get_running_loop().create_future()
        key = (branch, request.method)
        self._waiting[key] = (peer.host, answer)
        self._each[peer.host] += 1
        try:
            async with asyncio.timeout(_GIVEN_UP_S):
                return await self._repeat(bytes(request), peer, answer)
        except TimeoutError:
            return None
        finally:
            del self._waiting[key]
            self._each[peer.host] -= 1
            if not self._each[peer.host]:
                del self._each[peer.host]

    async def _repeat(self, data: bytes, peer: Peer, answer: asyncio.Future[SipResponse]) -> SipResponse | None:
        pause_s = _T1_S
        while self._send(data, peer):
            await asyncio.wait({answer}, timeout=pause_s if peer.transport == "udp" else None)
            if answer.done():
                return answer.result()
            pause_s = min(2 * pause_s, _T2_S)
        return None

    def hear(self, response: SipResponse, branch: str, method: str, peer: Peer) -> bool:
        """Take an answer; one that nobody waits for, or that another address sends, is dropped. Say whether it was waited for."""
        host, answer = self._waiting.get((branch, method), ("", None))
        if answer is None or host != peer.host or answer.done():
            return False
        if response.status_code >= _FIRST_FINAL:
            answer.set_result(response)
        return True


class Answered:
    """The last answers to one peer, so that a request that comes again over UDP is done once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, branch: str, method: str) -> bytes | None:
        """Return what was answered to a request; None: it is new, or was long ago."""
        return self._kept.get((branch, method))

    def keep(self, branch: str, method: str, answer: bytes) -> None:
        """Remember an answer."""
        self._kept[branch, method] = answer
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
