"""Content negotiation by quality values: `Accept`, `Accept-Encoding` and `Accept-Language` (RFC 9110, 12.4.2 and 12.5)."""

import re
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geo_grid.errors import NotAcceptable
from geo_grid.wording import LANGUAGES, Language, speak

_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_ENCODING = b"accept-encoding"
_JSON = ("application/json", "application/geo+json")
"""GeoJSON is JSON: who asks for one of them takes the other."""
_VARIES = "geo_grid.varies"


def accept_of(request: HTTPConnection) -> str:
    """Return what a request accepts, and have its answer say that it depends on it (`Vary`)."""
    request.scope[_VARIES].add("Accept")
    return ",".join(request.headers.getlist("accept"))


def preferred(accept: str, offers: Sequence[str]) -> str:
    """Return the media type of an answer: the offer with the greatest weight, and the first of equal ones.

    Parameters
    ----------
    accept
        Value of the header; empty: anything is accepted.
    offers
        Media types without parameters, the default first. The default is also returned when the header names none of them,
        as RFC 9110 allows; only a weight of 0 forbids it.

    Raises
    ------
    NotAcceptable
        All offers have a weight of 0.
    """
    ranges = _weights(accept)
    weights = [_weight_of(offer, ranges) for offer in offers]
    best = max((weight for weight in weights if weight is not None), default=None)
    if best:
        return offers[weights.index(best)]
    for offer, weight in zip(offers, weights, strict=True):
        if weight is None:
            return offer
    message = f"Accept forbids every form there is: {', '.join(offers)}"
    raise NotAcceptable(message)


def takes_gzip(accept_encoding: str) -> bool:
    """Say whether an answer may be compressed with gzip."""
    weights = _weights(accept_encoding)
    named = weights.get("gzip", weights.get("x-gzip"))
    return bool(weights.get("*", 0.0) if named is None else named)


def preferred_language(accept_language: str, default: Language) -> Language:
    """Return the language with the greatest weight among those there are, by its first part; `default`: none of them."""
    weights: dict[str, float] = {}
    for name, weight in _weights(accept_language).items():
        language = name.partition("-")[0]
        weights[language] = max(weight, weights.get(language, 0.0))
    known = [(weight, language) for language in LANGUAGES if (weight := weights.get(language, 0.0))]
    return max(known, key=lambda one: one[0])[1] if known else default


def _weights(header: str) -> dict[str, float]:
    """Parse the members of a header with their weights; members with an invalid weight are ignored."""
    found: dict[str, float] = {}
    for member in header.lower().split(","):
        name, *parameters = (part.strip() for part in member.split(";"))
        weight = next((part[2:].strip() for part in parameters if part.startswith("q=")), "1")
        if name and _WEIGHT.fullmatch(weight):
            found[name] = max(float(weight), found.get(name, 0.0))
    return found


def _weight_of(offer: str, ranges: dict[str, float]) -> float | None:
    """Return the weight of a media type by the most specific range that matches; None: none does."""
    if not ranges:
        return 1.0
    others = _JSON if offer in _JSON else ()
    for name in (offer, *others, f"{offer.partition('/')[0]}/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return None


class Plainly:
    """Brings a request into the form that what is inside reads: `HEAD` is a `GET` whose body is not sent, and
    `Accept-Encoding` says gzip or nothing, which Starlette looks for as a part of the text. Inside, texts are said in the
    language that the request asks for. What an answer depended on inside, it says.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = ",".join(Headers(scope=scope).getlist("accept-encoding"))
        headers = [(name, value) for name, value in scope["headers"] if name != _ENCODING]
        if takes_gzip(told):
            headers.append((_ENCODING, b"gzip"))
        varies: set[str] = set()
        speaking = speak(preferred_language(",".join(Headers(scope=scope).getlist("accept-language")), LANGUAGES[0]))
        plain = {**scope, "headers": headers, _VARIES: varies}

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start" and speaking.was_used:
                varies.add("Accept-Language")
            if message["type"] == "http.response.start" and varies:
                headers = MutableHeaders(scope=message)
                told = [name.strip() for name in ",".join(headers.getlist("vary")).split(",") if name.strip()]
                headers["vary"] = ", ".join([*sorted(varies.difference(told)), *told])
            await send(message)

        if scope["method"] != "HEAD":
            await self.app(plain, receive, telling)
            return
        await _headers_only(self.app, {**plain, "method": "GET"}, receive, telling)


async def _headers_only(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Send only the headers of the answer; an endless answer (events) is ended as if the client had disconnected."""
    is_answered = False

    async def gone_after() -> Message:
        return {"type": "http.disconnect"} if is_answered else await receive()

    async def without_body(message: Message) -> None:
        nonlocal is_answered
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            is_answered = True

    await app(scope, gone_after, without_body)
