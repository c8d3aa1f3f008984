"""Messages of SIP: what a request says in its headers, checked, and the answers to it."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

from aiosipua import Address, SipMessage, SipRequest, SipResponse, parse_via, stringify_via

from geo_grid.gb28181.sip.sockets import Peer

_TOKEN = re.compile(r"[!-~]{1,256}", re.ASCII)
_MOST_VIAS = 8
_LONGEST_HEADER = 2048
_REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 405: "Method Not Allowed", 413: "Request Entity Too Large",
    423: "Interval Too Brief", 481: "Call/Transaction Does Not Exist", 489: "Bad Event",
}  # fmt: skip


class Broken(ValueError):
    """A message is no SIP, or lacks what it must have."""


@dataclass(frozen=True)
class Request:
    """A request, and what all of them say.

    Attributes
    ----------
    sender
        The user of its From: the 20 digits of whoever sends it, or says so.
    branch, call_id
        Of its topmost Via, and its Call-ID.
    length
        Bytes, as it came.
    """

    message: SipRequest
    peer: Peer
    sender: str
    branch: str
    call_id: str
    length: int

    @classmethod
    def of(cls, message: SipRequest, peer: Peer, length: int) -> Self:
        """Look at a request. Raises Broken."""
        vias, headers = message.headers.get("via"), message.headers
        if not 1 <= len(vias) <= _MOST_VIAS or any(
            len(headers.get_first(name) or "") > _LONGEST_HEADER for name in ("via", "from", "to", "call-id", "cseq")
        ):
            raise Broken
        method = (headers.get_first("cseq") or "").partition(" ")[2].strip()
        sender, call_id = message.from_addr, message.call_id or ""
        branch = parse_via(vias[0]).branch or ""
        if sender is None or not headers.get("to") or method != message.method:
            raise Broken
        if not _TOKEN.fullmatch(branch) or not _TOKEN.fullmatch(call_id):
            raise Broken
        return cls(message, peer, sender.uri.user or "", branch, call_id, length)

    def header(self, name: str) -> str:
        """Return a header; empty: there is none."""
        return self.message.headers.get_first(name) or ""


def read_message(data: bytes) -> SipRequest | SipResponse:
    """Read a message. Raises Broken."""
    try:
        return SipMessage.parse(data)
    except ValueError as error:
        raise Broken from error


def branch_and_method(response: SipResponse) -> tuple[str, str]:
    """Return what a response answers. Raises Broken."""
    vias = response.headers.get("via")
    if not vias:
        raise Broken
    method = (response.headers.get_first("cseq") or "").partition(" ")[2].strip()
    return parse_via(vias[0]).branch or "", method


def answer_to(request: Request, status: int, **more: str) -> SipResponse:
    """Make the answer to a request (RFC 3261, 8.2.6), with where it came from in its topmost Via (RFC 3581).

    Parameters
    ----------
    more
        Other headers, _ in their names for -.
    """
    response = SipResponse(status_code=status, reason_phrase=_REASONS[status])
    headers, given = response.headers, request.message.headers
    for number, said in enumerate(given.get("via")):
        headers.append("Via", _received(said, request.peer) if number == 0 else said)
    to = given.get_first("to") or ""
    headers.append("From", given.get_first("from") or "")
    headers.append("To", to if ";tag=" in to.lower() else f"{to};tag={secrets.token_hex(4)}")
    headers.append("Call-ID", request.call_id)
    headers.append("CSeq", given.get_first("cseq") or "")
    for name, value in more.items():
        headers.append(name.replace("_", "-"), value)
    return response


def _received(said: str, peer: Peer) -> str:
    via = parse_via(said)
    via.params.pop("received", None)  # where answers go is what we saw, not what was written
    if "rport" in via.params:
        via.params["rport"] = str(peer.port)
    if via.host.strip("[]") != peer.host or "rport" in via.params:
        via.params["received"] = peer.host
    return stringify_via(via)


def told_time(zone: ZoneInfo) -> str:
    """Return the time as an answer to a REGISTER tells it (GB/T 28181: no zone, milliseconds), for clocks of devices."""
    return datetime.now(zone).strftime("%Y-%m-%dT%H:%M:%S.000")


def seconds_of(text: str | None) -> int | None:
    """Read an interval in seconds, as Expires has it; None: it is none."""
    said = (text or "").strip()
    return int(said) if said.isascii() and said.isdigit() and len(said) <= 10 else None


def first_contact(message: SipRequest) -> Address | None:
    """Return the first contact of a message; None: it has none."""
    contacts = message.headers.get("contact")
    return message.contact[0] if contacts and len(contacts[0]) <= _LONGEST_HEADER else None
