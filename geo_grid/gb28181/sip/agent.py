"""The upper platform in SIP: takes what comes, answers it, and asks; what bodies say is for others (`Hears`)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aiosipua import (
    CSeq,
    SipRequest,
    SipResponse,
    Via,
    generate_branch,
    generate_call_id,
    generate_tag,
    parse_address,
    stringify_cseq,
    stringify_via,
)

from geo_grid.gb28181.sip.calls import Call
from geo_grid.gb28181.sip.identity import Identity, Known
from geo_grid.gb28181.sip.messages import Broken, Request, answer_to, branch_and_method, read_message, seconds_of
from geo_grid.gb28181.sip.refusals import Refusals
from geo_grid.gb28181.sip.registrar import Coming, Registrar, Registration
from geo_grid.gb28181.sip.sockets import Peer, Sockets
from geo_grid.gb28181.sip.transactions import Asked

CONTENT_TYPE = "Application/MANSCDP+xml"
_MOST_MORE = 64
"""Bytes that an answer over UDP to who did not register may be longer than the request: what a challenge adds to a short one."""
_ALLOWED = "REGISTER, MESSAGE, NOTIFY, OPTIONS, BYE"
_SDP = "application/sdp"


class Hears(Protocol):
    """Who is told of what lower platforms do and say. None of it may block."""

    def on_registered(self, gb28181_id: str, peer: Peer, is_new: bool) -> None:
        """It registered; `is_new`: it was not registered just before, or seems to have been started anew since."""

    def on_left(self, gb28181_id: str) -> None:
        """It says that it goes."""

    def on_message(self, gb28181_id: str, body: bytes) -> int:
        """It sent a MESSAGE; return the status to answer with."""

    def on_notify(self, gb28181_id: str, body: bytes) -> int:
        """It notified what we subscribed to; return the status to answer with."""

    def on_subscription_over(self, gb28181_id: str, event: str) -> None:
        """It ended our subscription to an event."""

    def on_hung_up(self, call_id: str) -> None:
        """It ended a call of ours."""


@dataclass
class _Dialog:
    """A subscription of ours at a platform."""

    call_id: str
    local_tag: str
    remote: str = ""
    number: int = 0


class Agent:
    """Our SIP id on the network.

    Parameters
    ----------
    find
        Returns a platform that may register, by its id; None: there is none. Raises NoPassword.
    """

    def __init__(self, identity: Identity, find: Callable[[str], Known | None], hears: Hears) -> None:
        self._identity, self._hears = identity, hears
        self.refusals = Refusals()
        self._registrar = Registrar(identity, find, self.refusals, self._registered, hears.on_left)
        self._asked = Asked(self._send)
        self._sockets: Sockets | None = None
        self._dialogs: dict[str, dict[str, _Dialog]] = {}  # by platform and event
        self._calls: dict[str, Call] = {}

    def speak_through(self, sockets: Sockets) -> None:
        """Send through these sockets; what they receive goes to `take`."""
        self._sockets = sockets

    def unframed(self, host: str, is_one_too_many: bool) -> None:
        """Count a connection that was closed."""
        self.refusals.note("", "too many" if is_one_too_many else "broken", host)

    def registration(self, gb28181_id: str) -> Registration | None:
        """Return the registration of a platform that is valid now."""
        return self._registrar.of(gb28181_id)

    def forget(self, gb28181_id: str) -> None:
        """End the registration of a platform, our subscriptions, and our calls."""
        self._registrar.forget(gb28181_id)
        self.start_anew(gb28181_id)

    def start_anew(self, gb28181_id: str) -> None:
        """End our subscriptions at a platform, and our calls: it was started anew, and knows them no more."""
        self._dialogs.pop(gb28181_id, None)
        self._drop_calls(gb28181_id)

    def take(self, data: bytes, peer: Peer) -> None:
        """Take a message. Nothing of it raises; what is no SIP is counted, and not answered."""
        try:
            message = read_message(data)
            if isinstance(message, SipResponse):
                branch, method = branch_and_method(message)
                if not self._asked.hear(message, branch, method, peer) and method == "INVITE":
                    self._acknowledge_again(message, peer)
            else:
                self._take_request(Request.of(message, peer, len(data)))
        except Broken:
            if self.refusals.may_ask(peer.host):
                self.refusals.note("", "broken", peer.host)

    def _take_request(self, request: Request) -> None:
        method, peer = request.message.method, request.peer
        if method == "ACK":
            return
        registration = self._registrar.of(self._speaker(request))
        is_theirs = registration is not None and registration.peer.host == peer.host
        if not is_theirs and not self.refusals.may_ask(peer.host):
            return
        if registration is not None and is_theirs and (again := registration.answered.find(request.branch, method)):
            self._send(again, peer)
            return
        if method == "REGISTER":
            answer = self._registrar.take(request)
            registration = self._registrar.of(request.sender)
            is_theirs = answer is not None and answer.status_code == 200 and registration is not None
        elif registration is None or not is_theirs:
            self.refusals.note(request.sender, "not registered", peer.host)
            answer = answer_to(request, 403)
        else:
            if peer != registration.peer and self._sockets is not None:  # another port, or another connection
                self._sockets.trust(peer)
            registration.heard, registration.peer = time.monotonic(), peer
            answer = self._answer(request)
        if answer is None:
            return
        written = bytes(answer)
        if is_theirs and registration is not None:
            if peer.transport == "udp":
                registration.answered.keep(request.branch, method, written)
        elif peer.transport == "udp" and len(written) > request.length + _MOST_MORE:
            return  # an address that anybody can write as the sender's must not get much more than they sent
        self._send(written, peer)

    def _speaker(self, request: Request) -> str:
        """Return who must be registered for a request: a device that hangs up speaks through its platform."""
        call = self._calls.get(request.call_id) if request.message.method == "BYE" else None
        return request.sender if call is None else call.platform_id

    def _answer(self, request: Request) -> SipResponse:
        """Answer a request of a registered platform."""
        match request.message.method:
            case "MESSAGE":
                return answer_to(request, self._hears.on_message(request.sender, request.message.body))
            case "NOTIFY":
                return answer_to(request, self._notified(request))
            case "BYE":
                return answer_to(request, self._hung_up(request))
            case "OPTIONS":
                return answer_to(request, 200, Allow=_ALLOWED)
        self.refusals.note(request.sender, "method", request.peer.host)
        return answer_to(request, 405, Allow=_ALLOWED)

    def _notified(self, request: Request) -> int:
        dialogs = self._dialogs.get(request.sender, {})
        event = next((event for event, dialog in dialogs.items() if dialog.call_id == request.call_id), None)
        if event is None:
            return 481
        if request.header("subscription-state").strip().lower().startswith("terminated"):
            del dialogs[event]
            self._hears.on_subscription_over(request.sender, event)
        body = request.message.body
        return self._hears.on_notify(request.sender, body) if body.strip() else 200

    def _hung_up(self, request: Request) -> int:
        call = self._calls.get(request.call_id)
        if call is None:
            return 481
        del self._calls[request.call_id]
        self._hears.on_hung_up(request.call_id)
        return 200

    def _drop_calls(self, platform_id: str) -> None:
        for call in [one for one in self._calls.values() if one.platform_id == platform_id and one.is_answered]:
            del self._calls[call.call_id]
            self._hears.on_hung_up(call.call_id)

    def _registered(self, registration: Registration, coming: Coming) -> None:
        if self._sockets is not None:
            self._sockets.trust(registration.peer)
        if coming == "new":
            self.start_anew(registration.gb28181_id)
        self._hears.on_registered(registration.gb28181_id, registration.peer, coming != "again")

    def way_to(self, gb28181_id: str, before: Peer | None = None) -> Peer | None:
        """Return where a platform is reached; `before`: where it once was, which serves over UDP while it is not registered."""
        registration = self._registrar.of(gb28181_id)
        if registration is not None:
            return registration.peer
        return before if before is not None and before.transport == "udp" else None

    async def ask(self, gb28181_id: str, body: bytes, before: Peer | None = None) -> int | None:
        """Send a MESSAGE to a platform, and return the status of its answer; None: it does not answer. `before`: see `way_to`."""
        peer = self.way_to(gb28181_id, before)
        if peer is None:
            return None
        call_id = generate_call_id(self._identity.domain)
        to = f"<sip:{gb28181_id}@{gb28181_id[:10]}>"
        answer = await self._send_request("MESSAGE", gb28181_id, peer, to, generate_tag(), call_id, 1, body)
        return None if answer is None else answer.status_code

    async def subscribe(self, gb28181_id: str, event: str, body: bytes, lasts_s: int) -> tuple[int | None, int]:
        """Subscribe at a registered platform, or renew that; return the status of its answer and for how many seconds.

        Parameters
        ----------
        event
            Header Event; subscriptions to several stand beside each other, each in a dialog of its own.
        """
        registration = self._registrar.of(gb28181_id)
        if registration is None:
            return None, 0
        dialogs = self._dialogs.setdefault(gb28181_id, {})
        dialog = dialogs.get(event)
        if dialog is None:  # kept before the answer: a NOTIFY may be faster
            dialog = dialogs[event] = _Dialog(generate_call_id(self._identity.domain), generate_tag())
        dialog.number += 1
        to = dialog.remote or f"<sip:{gb28181_id}@{gb28181_id[:10]}>"
        answer = await self._send_request(
            "SUBSCRIBE", gb28181_id, registration.peer, to, dialog.local_tag, dialog.call_id, dialog.number, body,
            Event=event, Expires=str(lasts_s), Contact=f"<{self._own_uri(registration.peer)}>",
        )  # fmt: skip
        if answer is None or not 200 <= answer.status_code < 300:
            if dialogs.get(event) is dialog:
                del dialogs[event]
            return None if answer is None else answer.status_code, 0
        dialog.remote = _with_tag(answer) or to
        granted = seconds_of(answer.headers.get_first("expires") or "")
        return answer.status_code, min(lasts_s if granted is None else granted, lasts_s)

    async def call(self, platform_id: str, device_id: str, describe: Callable[[str], bytes], ssrc: str) -> Call | None:
        """Call a device behind a registered platform for its live picture, and wait for its answer; None: it does not answer.

        Parameters
        ----------
        describe
            Returns what is asked (`media.offer`) by our own address as the platform sees it.
        ssrc
            As in that description; the platform reads it in Subject too (GB/T 28181-2016, 9.2).
        """
        registration = self._registrar.of(platform_id)
        if registration is None:
            return None
        peer, branch = registration.peer, generate_branch()
        call = Call(
            platform_id, peer, generate_call_id(self._identity.domain), generate_tag(), _uri(device_id, peer),
            f"<sip:{device_id}@{device_id[:10]}>",
        )  # fmt: skip
        self._calls[call.call_id] = call
        subject = f"{device_id}:{ssrc},{self._identity.gb28181_id}:0"
        more = {"Contact": f"<{self._own_uri(peer)}>", "Subject": subject, "Content-Type": _SDP}
        offered = describe(self._own_address(peer))
        answer = await self._asked.ask(self._within(call, "INVITE", peer, branch, offered, **more), branch, peer)
        if answer is not None:
            called = call.target
            call.take(answer)
            if call.is_answered:
                self._acknowledge(call, peer)
                return call
            call.target = called
            self._send(bytes(self._within(call, "ACK", peer, branch)), peer)  # of a refusal, in the same transaction
        self._calls.pop(call.call_id, None)
        return call if answer is not None else None

    def _acknowledge_again(self, answer: SipResponse, peer: Peer) -> None:
        """Acknowledge an answer that comes again, since the first acknowledgement was lost."""
        call = self._calls.get(answer.call_id or "")
        registration = self._registrar.of(call.platform_id) if call is not None else None
        if call is not None and call.is_answered and registration is not None and registration.peer.host == peer.host:
            self._acknowledge(call, peer)

    def _acknowledge(self, call: Call, peer: Peer) -> None:
        self._send(bytes(self._within(call, "ACK", peer, generate_branch())), peer)

    async def hang_up(self, call: Call) -> bool:
        """End a call, unless the platform did; say whether it is over: the platform has taken note."""
        return self._calls.pop(call.call_id, None) is None or await self.say_bye(call)

    async def say_bye(self, call: Call) -> bool:
        """End a call that may be another process's; say whether the platform answered: with 481 too it is over."""
        peer, branch = self.way_to(call.platform_id, call.peer), generate_branch()
        if peer is None:
            return False
        call.number += 1
        return await self._asked.ask(self._within(call, "BYE", peer, branch), branch, peer) is not None

    def _within(self, call: Call, method: str, peer: Peer, branch: str, body: bytes = b"", **more: str) -> SipRequest:
        return self._request(
            method, peer, call.target, branch, call.remote, call.tag, call.call_id, call.number, body, **more
        )

    async def _send_request(
        self,
        method: str,
        gb28181_id: str,
        peer: Peer,
        to: str,
        tag: str,
        call_id: str,
        number: int,
        body: bytes,
        **more: str,
    ) -> SipResponse | None:
        branch, uri = generate_branch(), _uri(gb28181_id, peer)
        more["Content-Type"] = CONTENT_TYPE
        return await self._asked.ask(
            self._request(method, peer, uri, branch, to, tag, call_id, number, body, **more), branch, peer
        )

    def _request(
        self,
        method: str,
        peer: Peer,
        uri: str,
        branch: str,
        to: str,
        tag: str,
        call_id: str,
        number: int,
        body: bytes,
        **more: str,
    ) -> SipRequest:
        request = SipRequest(method=method, uri=uri, body=body)
        via = Via(transport=peer.transport.upper(), host=self._own_address(peer), port=self._own_port)
        via.params = {"rport": None, "branch": branch}
        ours = f"<sip:{self._identity.gb28181_id}@{self._identity.domain}>;tag={tag}"
        for name, value in (
            ("Via", stringify_via(via)),
            ("From", ours),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", stringify_cseq(CSeq(number, method))),
            ("Max-Forwards", "70"),
            *more.items(),
        ):
            request.headers.append(name, value)
        return request

    def _own_uri(self, peer: Peer) -> str:
        host = self._own_address(peer)
        return f"sip:{self._identity.gb28181_id}@{f'[{host}]' if ':' in host else host}:{self._own_port}"

    def _own_address(self, peer: Peer) -> str:
        return (self._sockets.address_towards(peer) if self._sockets is not None else "") or "0.0.0.0"  # noqa: S104 (nowhere)

    @property
    def _own_port(self) -> int:
        return self._sockets.port if self._sockets is not None else 0

    def _send(self, data: bytes, peer: Peer) -> bool:
        return self._sockets is not None and self._sockets.send(data, peer)


def _uri(gb28181_id: str, peer: Peer) -> str:
    return f"sip:{gb28181_id}@{f'[{peer.host}]' if ':' in peer.host else peer.host}:{peer.port}"


def _with_tag(answer: SipResponse) -> str | None:
    """Return the To of an answer, if it has a tag: with it the platform knows the dialog again."""
    said = answer.headers.get_first("to") or ""
    return said if len(said) <= 512 and parse_address(said).tag else None
