"""The registrar: lower platforms register with a digest, and stay registered for a time."""

import hmac
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from aiosipua import SipResponse, parse_auth, stringify_uri

from geo_grid.gb28181.sip.digest import Nonces, judged
from geo_grid.gb28181.sip.identity import Identity, Known
from geo_grid.gb28181.sip.messages import Request, answer_to, first_contact, seconds_of, told_time
from geo_grid.gb28181.sip.refusals import Refusals, Why
from geo_grid.gb28181.sip.sockets import Peer
from geo_grid.gb28181.sip.transactions import Answered

_USUAL_S, _LONGEST_S, _GRACE_S = 3600, 86_400, 30.0
"""Seconds of a registration: when none are asked for, at most, and how late it may be renewed."""
_NONCES_KEPT = 64
_WRONG, _WRONG_S, _WRONG_KEPT = 10, 60.0, 1024
"""Wrong passwords for one platform from one address, and the seconds within which so many end the answering."""

type Coming = Literal["new", "anew", "again"]
"""How a platform registers: it was gone before, it seems to be another process than before, or it goes on."""


@dataclass
class Registration:
    """A platform that is registered.

    Attributes
    ----------
    peer
        Where it is reached: where its last message came from.
    came_from, call_id
        Where its last REGISTER came from, and the Call-ID of that: one process has one of both (RFC 3261, 10.2.4).
    began, heard, ends
        Seconds of `time.monotonic`: since when, when it was heard last, until when.
    answered
        What was answered to it last.
    """

    gb28181_id: str
    peer: Peer
    came_from: Peer
    call_id: str
    began: float
    heard: float
    ends: float
    answered: Answered = field(default_factory=Answered)


class Registrar:
    """Registers platforms.

    Parameters
    ----------
    find
        Returns a platform that may register, by its id; None: there is none. Raises NoPassword.
    registered, left
        Called when a platform registered, with how; and when it says that it goes.
    """

    def __init__(
        self,
        identity: Identity,
        find: Callable[[str], Known | None],
        refusals: Refusals,
        registered: Callable[[Registration, Coming], None],
        left: Callable[[str], None],
    ) -> None:
        self._identity, self._find, self._refusals = identity, find, refusals
        self._registered, self._left = registered, left
        self._nonces = Nonces()
        self._used: dict[str, deque[str]] = {}
        self._wrong: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._registrations: dict[str, Registration] = {}

    def of(self, gb28181_id: str) -> Registration | None:
        """Return the registration of a platform that is valid now."""
        found = self._registrations.get(gb28181_id)
        return found if found is not None and found.ends > time.monotonic() else None

    def forget(self, gb28181_id: str) -> None:
        """End a registration: it expired, the platform was silent, or is not enabled any more."""
        self._registrations.pop(gb28181_id, None)

    def take(self, request: Request) -> SipResponse | None:
        """Answer a REGISTER; None: not at all."""
        sender, host = request.sender, request.peer.host
        try:
            known = self._find(sender)
        except NoPassword:
            return self._refuse(request, "no password")
        if known is None:
            return self._refuse(request, "unknown")
        if self._is_guessing(sender, host):
            self._refusals.note(sender, "too many", host)
            return None
        given = request.header("authorization")
        return self._judge(request, known, given) if given else self._challenge(request, is_stale=False)

    def _judge(self, request: Request, known: Known, given: str) -> SipResponse:
        """Answer a REGISTER that answers a challenge."""
        credentials, host = parse_auth(given, credentials=True), request.peer.host
        realm = self._identity.domain
        verdict = judged(credentials, "REGISTER", realm, known.login_name, known.password, self._nonces, host)
        if verdict == "wrong":
            self._note_wrong(request.sender, host)
            return self._refuse(request, "wrong password")
        if verdict == "stale" or not self._use(request.sender, credentials.params.get("nonce", "")):
            return self._challenge(request, is_stale=True)
        return self._register(request)

    def _refuse(self, request: Request, why: Why) -> SipResponse:
        self._refusals.note(request.sender, why, request.peer.host)
        return answer_to(request, 403)

    def _note_wrong(self, sender: str, host: str) -> None:
        self._wrong.setdefault((sender, host), deque(maxlen=_WRONG)).append(time.monotonic())
        if len(self._wrong) > _WRONG_KEPT:
            self._wrong.popitem(last=False)

    def _is_guessing(self, sender: str, host: str) -> bool:
        tried = self._wrong.get((sender, host))
        return tried is not None and len(tried) == _WRONG and time.monotonic() - tried[0] < _WRONG_S

    def _challenge(self, request: Request, is_stale: bool) -> SipResponse:
        nonce = self._nonces.new(request.peer.host)
        stale = ",stale=true" if is_stale else ""
        asked = f'Digest realm="{self._identity.domain}",nonce="{nonce}",algorithm=MD5{stale}'
        return answer_to(request, 401, WWW_Authenticate=asked)

    def _use(self, sender: str, nonce: str) -> bool:
        """Use a nonce, once: who overheard a REGISTER cannot say it again."""
        used = self._used.setdefault(sender, deque(maxlen=_NONCES_KEPT))
        if any(hmac.compare_digest(one, nonce) for one in used):
            return False
        used.append(nonce)
        return True

    def _register(self, request: Request) -> SipResponse:
        contact = first_contact(request.message)
        asked = seconds_of(contact.params.get("expires") if contact is not None else None)
        asked = seconds_of(request.header("expires")) if asked is None else asked
        wanted = _USUAL_S if asked is None else asked
        if wanted == 0:
            self._registrations.pop(request.sender, None)
            self._left(request.sender)
            return answer_to(request, 200, Expires="0", Date=told_time(self._identity.zone))
        lasts = min(wanted, _LONGEST_S)
        now, before = time.monotonic(), self.of(request.sender)
        peer, call_id = request.peer, request.call_id
        held = before or Registration(request.sender, peer, peer, call_id, now, now, now)
        coming: Coming = (
            "new" if before is None else "again" if (held.came_from, held.call_id) == (peer, call_id) else "anew"
        )
        held.peer, held.came_from, held.call_id = peer, peer, call_id
        held.heard, held.ends = now, now + lasts + _GRACE_S
        self._registrations[request.sender] = held
        self._registered(held, coming)
        kept = {} if contact is None else {"Contact": f"<{stringify_uri(contact.uri)}>;expires={lasts}"}
        return answer_to(request, 200, **kept, Expires=str(lasts), Date=told_time(self._identity.zone))


class NoPassword(Exception):
    """A platform may register, and there is no password for it."""
