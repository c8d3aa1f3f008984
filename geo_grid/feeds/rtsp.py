"""RTSP as it is written (RFC 2326): heads of messages, and the answer to a challenge (RFC 7617, RFC 7616)."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from geo_grid.errors import UserError

LONGEST_HEAD, LONGEST_BODY = 16 << 10, 64 << 10
"""Most bytes of the head of a message, and of the body of one."""
_FIELD = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_DIGESTS = {"MD5": "md5", "SHA-256": "sha256"}


class BrokenStream(UserError):
    """A camera or platform sends no picture; the message says why, and names no address and no password."""


@dataclass
class Message:
    """A request or a response: its first line, its headers as they are spelt, its body."""

    first: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @classmethod
    def of_head(cls, head: bytes) -> Self:
        """Read a head, without its body. Raises BrokenStream."""
        first, *lines = head.decode("utf-8", "replace").strip("\r\n").splitlines()
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                message = "it answers in words that are not RTSP"
                raise BrokenStream(message)
            headers.append((name.strip(), value.strip()))
        return cls(first, headers)

    def header(self, name: str) -> str | None:
        """Return the first header of a name, which is given in lower case."""
        return next(iter(self.all_of(name)), None)

    def all_of(self, name: str) -> list[str]:
        """Return all headers of a name, which is given in lower case."""
        return [value for known, value in self.headers if known.lower() == name]

    @property
    def length(self) -> int:
        """Bytes of the body that follows the head. Raises BrokenStream."""
        told = self.header("content-length") or "0"
        if not re.fullmatch(r"[0-9]{1,7}", told) or int(told) > LONGEST_BODY:
            message = "it announces an answer of a length that is none, or too long"
            raise BrokenStream(message)
        return int(told)

    @property
    def status(self) -> int:
        """Status code of a response. Raises BrokenStream."""
        found = re.match(r"RTSP/1\.[0-9] ([1-5][0-9]{2})\b", self.first)
        if found is None:
            message = "it answers in words that are not RTSP"
            raise BrokenStream(message)
        return int(found[1])

    def written(self) -> bytes:
        """Return the bytes of the message."""
        lines = [self.first, *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode() + self.body


@dataclass
class Login:
    """A name and password, as a host is told them; the last challenge of the host is remembered."""

    name: str
    password: str = field(repr=False)
    challenge: Mapping[str, str] = field(default_factory=dict)

    def take(self, response: Message) -> bool:
        """Remember the challenge of a 401, Digest before Basic; say whether there is one that can be answered."""
        offered = response.all_of("www-authenticate")
        for scheme in ("digest", "basic"):
            for one in offered:
                kind, _, rest = one.partition(" ")
                said = {key.lower(): quoted or bare for key, quoted, bare in _FIELD.findall(rest)}
                if kind.lower() == scheme and (scheme == "basic" or said.get("algorithm", "MD5").upper() in _DIGESTS):
                    self.challenge = {**said, "scheme": scheme}
                    return True
        return False

    def answer(self, method: str, uri: str) -> str | None:
        """Return the header Authorization of a request; None before a challenge."""
        said = self.challenge
        if not said:
            return None
        if said["scheme"] == "basic":
            import base64

            return f"Basic {base64.b64encode(f'{self.name}:{self.password}'.encode()).decode()}"
        algorithm = said.get("algorithm", "MD5").upper()

        def digest(text: str) -> str:
            return hashlib.new(_DIGESTS[algorithm], text.encode(), usedforsecurity=False).hexdigest()

        realm, nonce = said.get("realm", ""), said.get("nonce", "")
        who, what = digest(f"{self.name}:{realm}:{self.password}"), digest(f"{method}:{uri}")
        given = {"username": self.name, "realm": realm, "nonce": nonce, "uri": uri}
        if "auth" in [one.strip() for one in said.get("qop", "").split(",")]:
            cnonce = secrets.token_hex(8)
            response = digest(f"{who}:{nonce}:00000001:{cnonce}:auth:{what}")
            more = f', qop=auth, nc=00000001, cnonce="{cnonce}"'
        else:
            response, more = digest(f"{who}:{nonce}:{what}"), ""
        if "opaque" in said:
            given["opaque"] = said["opaque"]
        quoted = ", ".join(f'{name}="{value}"' for name, value in given.items())
        return f'Digest {quoted}, response="{response}", algorithm={algorithm}{more}'


def video_codec(description: bytes) -> str | None:
    """Return the encoding of the first video of a description (SDP, RFC 8866), in capitals; None: there is no video."""
    lines, payload = description.decode("utf-8", "replace").splitlines(), None
    for line in lines:
        if line.startswith("m="):
            if payload is not None:
                break
            parts = line.split()
            payload = parts[3] if parts[0] == "m=video" and len(parts) > 3 else None
        elif payload is not None and line.startswith(f"a=rtpmap:{payload} "):
            return line.split()[1].partition("/")[0].upper()
    return None if payload is None else {"26": "JPEG", "32": "MPV", "33": "MP2T"}.get(payload, f"payload {payload[:8]}")
