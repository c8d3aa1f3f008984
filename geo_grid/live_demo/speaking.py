"""Asks the server over HTTP as the people of the demo do, each with a key of their own."""

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_PATIENCE_S = 30.0
_LATER = {429, 500, 502, 503, 504}
_LEAST_WAIT_S, _LONGEST_WAIT_S = 5.0, 60.0


class Refused(Exception):
    """The server understood, and said no: a person was faster, or may do it alone."""


class NoKey(Exception):
    """The keys are worth nothing any more: new ones are made at the next start."""


class Away(Exception):
    """The server does not answer now, or is busy.

    Attributes
    ----------
    wait_s
        Seconds after which to ask again.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"the server is away: again in {wait_s:.0f} s")
        self.wait_s = min(max(wait_s, _LEAST_WAIT_S), _LONGEST_WAIT_S)


class Speaker:
    """One connection to the server of this machine, opened again when it was lost.

    Parameters
    ----------
    url
        Address of the server. Its certificate is not checked: it names the server as others see it.
    keys
        API keys by login name.
    """

    def __init__(self, url: str, keys: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port
        if parts.scheme == "https":
            trusting = ssl.create_default_context()
            trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
            self._line: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=_PATIENCE_S, context=trusting
            )
        else:
            self._line = http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)
        self._keys = keys

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request as one of the people, and return the JSON of its answer; None: it has none.

        Raises
        ------
        Refused, NoKey, Away
            By its status; Away also where there is no answer.
        """
        sent = {"Authorization": f"Bearer {self._keys[who]}", "Accept": "application/json"}
        text = None
        if body is not None:
            text = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        try:
            self._line.request(method, path, text, sent)
            answer = self._line.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._line.close()
            raise Away(_LEAST_WAIT_S) from error
        if answer.status in _LATER:
            self._line.close()
            raise Away(_seconds(answer.headers.get("Retry-After")))
        if answer.status == 401:
            raise NoKey
        if answer.status >= 400:
            raise Refused(f"{method} {path}: {answer.status} {said[:300].decode(errors='replace')}")
        return json.loads(said) if said else None

    def hang_up(self) -> None:
        """Close the connection until the next question: the server would, sooner than that, and the question be lost."""
        self._line.close()


def _seconds(told: str | None) -> float:
    return float(told) if told and told.isdigit() else _LEAST_WAIT_S
