"""The server's side of HTTP digest for REGISTER (RFC 2617, as RFC 3261 section 22 has it): challenges, and what answers them.

MD5 and no qop are what GB/T 28181 prescribes; who answers with qop=auth all the same is understood. A challenge is remembered
nowhere: its nonce says when and for which address it was made, under a key of this process.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from typing import Literal

from aiosipua import AuthCredentials

_LIFE_S = 60
"""Seconds for which a nonce may be answered."""
_HEAD, _MARK = 14, 16
"""Hexadecimal digits of a nonce: seconds and chance, and our mark. It is short, so that a challenge is hardly longer than the
REGISTER that it answers."""

type Verdict = Literal["good", "stale", "wrong"]


class Nonces:
    """Makes and knows nonces."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def new(self, host: str) -> str:
        """Return a nonce for a client at an address: seconds, chance, and our mark on both and on the address."""
        head = f"{int(time.time()):08x}{secrets.token_hex((_HEAD - 8) // 2)}"
        return head + self._mark(head, host)

    def is_fresh(self, nonce: str, host: str) -> bool:
        """Say whether a nonce is one of ours, for this address, and young enough."""
        if len(nonce) != _HEAD + _MARK or not nonce.isascii():
            return False
        head, mark = nonce[:_HEAD], nonce[_HEAD:]
        if not hmac.compare_digest(mark, self._mark(head, host)):
            return False
        return abs(time.time() - int(head[:8], 16)) <= _LIFE_S

    def _mark(self, head: str, host: str) -> str:
        return hmac.new(self._key, f"{head} {host}".encode(), hashlib.sha256).hexdigest()[:_MARK]


def judged(
    answer: AuthCredentials, method: str, realm: str, login_name: str, password: str, nonces: Nonces, host: str
) -> Verdict:
    """Judge the answer to a challenge: `stale` is right but for its nonce, and may be tried again."""
    said = {name.lower(): value for name, value in answer.params.items()}
    is_ours = answer.scheme.lower() == "digest" and said.get("username") == login_name and said.get("realm") == realm
    if not is_ours or said.get("algorithm", "MD5").upper() != "MD5":
        return "wrong"
    expected = response_of(said, method, password)
    given = said.get("response", "").lower()
    if expected is None or not hmac.compare_digest(given.encode(), expected.encode()):
        return "wrong"
    return "good" if nonces.is_fresh(said.get("nonce", ""), host) else "stale"


def response_of(said: Mapping[str, str], method: str, password: str) -> str | None:
    """Return what a client that knows the password writes as `response`; None: of a quality of protection that we do not know.

    Parameters
    ----------
    said
        Parameters of its Authorization header, by name in small letters.
    """
    first = _md5(f"{said.get('username', '')}:{said.get('realm', '')}:{password}")
    second = _md5(f"{method}:{said.get('uri', '')}")
    nonce = said.get("nonce", "")
    match said.get("qop", "").lower():
        case "":
            return _md5(f"{first}:{nonce}:{second}")
        case "auth":
            return _md5(f"{first}:{nonce}:{said.get('nc', '')}:{said.get('cnonce', '')}:auth:{second}")
    return None


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()  # what the standard prescribes
