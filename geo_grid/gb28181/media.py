"""What is said of a live picture when a platform is called for it: descriptions (SDP, RFC 8866) with the fields that GB/T 28181 adds.

Sources: GB/T 28181-2016, 9.2 (real-time pictures) and annex F (`y`: the SSRC as ten decimal digits, of which the first is 0 for a
picture that is live, the next five are digits 4 to 8 of the SIP domain, and the last four tell pictures apart); and what public
platforms write. The picture is a program stream (ISO/IEC 13818-1) in RTP packets of payload type 96.
"""

import ipaddress
import re
import secrets
from dataclasses import dataclass
from typing import Literal

type MediaTransport = Literal["udp", "tcp"]

_LARGEST = 16 << 10
_FROM = re.compile(r"^c=IN IP[46] ([0-9A-Fa-f.:]{2,45})", re.MULTILINE)
_VIDEO = re.compile(r"^m=video ([0-9]{1,5}) ", re.MULTILINE)


def new_ssrc(our_id: str) -> str:
    """Return ten digits that tell a live picture from others of the same domain."""
    return f"0{our_id[3:8]}{secrets.randbelow(10_000):04d}"


def offer(our_id: str, host: str, port: int, transport: MediaTransport, ssrc: str) -> bytes:
    """Write what we ask a platform to send, and where to.

    Parameters
    ----------
    host, port
        Where we receive. Over TCP we wait there, and the platform connects.
    """
    kind = "IP6" if ":" in host else "IP4"
    protocol = "TCP/RTP/AVP" if transport == "tcp" else "RTP/AVP"
    lines = [
        "v=0", f"o={our_id} 0 0 IN {kind} {host}", "s=Play", f"c=IN {kind} {host}", "t=0 0", f"m=video {port} {protocol} 96",
        "a=recvonly", "a=rtpmap:96 PS/90000", *(["a=setup:passive", "a=connection:new"] if transport == "tcp" else []), f"y={ssrc}",
    ]  # fmt: skip
    return "\r\n".join([*lines, ""]).encode()


@dataclass(frozen=True)
class Accepted:
    """What a platform says that it will send.

    Attributes
    ----------
    sent_from
        The address of its own that it names; None: none that is one.
    """

    sent_from: str | None


def read_answer(body: bytes) -> Accepted | None:
    """Read a platform's answer to an offer; None: it sends no picture."""
    text = body[:_LARGEST].decode("gb18030", "replace").replace("\r\n", "\n").replace("\r", "\n")
    video, named = _VIDEO.search(text), _FROM.search(text)
    if video is None or video[1] == "0":
        return None
    try:
        return Accepted(str(ipaddress.ip_address(named[1])) if named else None)
    except ValueError:
        return Accepted(None)
