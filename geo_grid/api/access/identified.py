"""Middleware that identifies the sender of a request, limits request rates, and refuses cross-site writes."""

import asyncio
import base64
import hmac
import logging
import re

from cachetools import TTLCache
from limits import RateLimitItem, parse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geo_grid import errors
from geo_grid.access import Identities, Identity, csrf_token, digest_of, is_of_kind
from geo_grid.access.credentials import neighbourhood
from geo_grid.api.access.cookies import SESSION, read_cookie
from geo_grid.api.server.networks import is_by_hand, is_loopback, peer_name, read_networks, scheme_of, sender
from geo_grid.api.server.problems import problem_of
from geo_grid.api.server.public_address import PublicAddress
from geo_grid.api.server.shares import Beginning
from geo_grid.api.server.state import server_of
from geo_grid.db import Asker
from geo_grid.settings import Settings

log = logging.getLogger(__name__)

BACKGROUND = "geo-grid-background"
"""Header of the polling of a page, which does not extend a session."""
_BEARER = re.compile(r"^Bearer ([A-Za-z0-9_-]{20,100})$", re.IGNORECASE)
_BEGINNINGS = {"/session", "/session/kiosk", "/session/demo"}
_READS = {"GET", "HEAD", "OPTIONS"}
_LOGIN_READS = {"/session/oidc", "/session/oidc/callback"}
_HEALTH = "/readyz"
_OPEN = ("/static/", "/healthz", _HEALTH)
_PROVEN_S, _MOST_PROVEN = 3600.0, 10_000
"""Seconds for which lookups of a credential that was valid count for its account, not for its address; and the most
credentials that are remembered."""
_STRANGERS_AT_ONCE = 8
"""Most unknown credentials that are looked up at the same time."""
_ARRIVING = 4096
"""Most requests of one account or address that wait to be looked at: more than its connections, which ask one at a time."""


class Identified:
    """Sets `geo_grid.asker`, `geo_grid.secret` and `geo_grid.identity` (None: not logged in) in the scope of a request, and
    whether it comes from this machine itself (`geo_grid.by_hand`, see `is_by_hand`), where no proxy is set up.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._proxies = read_networks(settings.trusted_proxies)
        self._only_by_proxy = (
            bool(self._proxies) and settings.tls_certificate is None and not is_loopback(settings.host)
        )
        self._public = PublicAddress(settings)
        self._is_private = not self._proxies and settings.public_url is None and is_loopback(settings.host)
        self._rate = parse(settings.rate_limit)
        self._anonymous_rate = parse(settings.anonymous_rate_limit)
        self._login_rate = parse(settings.login_rate_limit)
        self._proven: TTLCache[tuple[str, str], int] = TTLCache(_MOST_PROVEN, _PROVEN_S)
        self._strangers = asyncio.Semaphore(_STRANGERS_AT_ONCE)
        self._known_arriving = Beginning(1, _ARRIVING)
        self._strangers_arriving = Beginning(1, _ARRIVING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            address = self._through_proxy(scope, headers)
            self._refuse_foreign(scope, headers)
            scope["geo_grid.by_hand"] = self._is_private and is_by_hand(
                scope["client"][0] if scope["client"] else "", scope["http_version"], headers.getlist("host"), headers
            )
            self._public.settle(scope)
            secret, by_cookie = _secret(headers, scope["scheme"])
            asker = Asker(digest_of(secret) if secret else "", address, scope["geo_grid.request_id"])
            await self._arrive(scope, asker)
            scope["geo_grid.asker"], scope["geo_grid.secret"] = asker, secret if by_cookie else None
            scope["geo_grid.identity"] = None
            if not scope["path"].startswith(_OPEN):
                self._limit_login(scope, address)
                scope["geo_grid.identity"] = await self._identify(scope, headers, asker, secret)
                self._refuse_forged(scope, headers, secret if by_cookie else None)
            elif secret and scope["path"] == _HEALTH:
                scope["geo_grid.identity"] = await self._identify_if_possible(scope, headers, asker, secret)
        except errors.GeoGridError as refused:
            await problem_of(refused)(scope, receive, send)
            return

        async def outward(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, self._public.outward(scope, value.decode("latin-1")).encode("latin-1"))
                    if name.lower() == b"location"
                    else (name, value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self.app(scope, receive, outward)

    def _through_proxy(self, scope: Scope, headers: Headers) -> str:
        """Return the sender's address, by the headers of trusted proxies only."""
        peer = scope["client"][0] if scope["client"] else ""
        if not self._proxies:
            return peer_name(peer)
        address, proxies = sender(peer, headers.getlist("x-forwarded-for"), self._proxies)
        if scheme_of(headers.getlist("x-forwarded-proto"), proxies) == "https":
            scope["scheme"] = "https"
        if self._only_by_proxy and scope["scheme"] != "https":
            message = "this server speaks through its proxy only, and over TLS: open the address of the proxy"
            raise errors.Forbidden(message)
        return address

    async def _arrive(self, scope: Scope, asker: Asker) -> None:
        """Wait for a turn to be looked at: one request of accounts and one of strangers in each round of the event loop.

        Even refusals and what is open to all take their time. Asked on hundreds of connections at once, they would come
        between each two steps of everybody else's requests. Raises TooMany, and GivenUp when the client has gone.
        """
        proven = self._proven.get((asker.credential, asker.address))
        who, turns = (
            (neighbourhood(asker.address), self._strangers_arriving)
            if proven is None
            else (proven, self._known_arriving)
        )
        looked_at = await turns.turn(who, scope["geo_grid.client"].has_left)
        looked_at()  # what it asks for then waits where that is bounded

    def _limit_login(self, scope: Scope, address: str) -> None:
        """Count requests that could guess secrets, with any credential: log-ins, and changes of passwords and factors."""
        is_change = scope["method"] not in _READS and scope["method"] != "DELETE"
        if (is_change and scope["path"].startswith("/session")) or scope["path"] in _LOGIN_READS:
            self._limit(scope, self._login_rate, f"log-in {neighbourhood(address)}")

    async def _identify_if_possible(self, scope: Scope, headers: Headers, asker: Asker, secret: str) -> Identity | None:
        """Find who asks for health, which is told whoever they are; guesses count here as elsewhere."""
        try:
            return await self._identify(scope, headers, asker, secret)
        except errors.DatabaseUnavailable:
            return None

    async def _identify(self, scope: Scope, headers: Headers, asker: Asker, secret: str | None) -> Identity | None:
        identities = server_of(scope).identities
        is_act = BACKGROUND not in headers and scope["path"] not in ("/events", _HEALTH)
        known = identities.held(asker, is_act) if secret else None
        if known is not None:
            self._limit(scope, self._rate, f"account {known.principal_id}")
            return known
        if secret is None:
            self._limit(scope, self._anonymous_rate, f"address {neighbourhood(asker.address)}")
            return None
        found = await self._look_up(scope, identities, asker, is_act)
        if found is None and is_of_kind(secret, "kiosk"):  # it may be a copy, shown elsewhere
            await server_of(scope).logins.note_screen(asker.credential, asker)
        return found

    async def _look_up(self, scope: Scope, identities: Identities, asker: Asker, is_act: bool) -> Identity | None:
        """Look up a credential that is not cached.

        A valid credential counts for the rate limit of its account; only invalid ones count for the address, so that many
        screens behind one address do not exhaust its limit.
        """
        shown, address = (asker.credential, asker.address), f"address {neighbourhood(asker.address)}"
        proven = self._proven.get(shown)
        if proven is not None:
            self._limit(scope, self._rate, f"account {proven}")
            found = await identities.find(asker, is_act)
        else:
            async with self._strangers:  # a few at a time, so that the results of the first count for the others
                if not server_of(scope).limiter.test(self._anonymous_rate, address):
                    raise _too_many(self._anonymous_rate)
                found = await identities.find(asker, is_act)
            if found is not None:
                self._limit(scope, self._rate, f"account {found.principal_id}")
        if found is None:
            self._proven.pop(shown, None)
            self._limit(scope, self._anonymous_rate, address)
            return None
        self._proven[shown] = found.principal_id
        return found

    @staticmethod
    def _limit(scope: Scope, rate: RateLimitItem, who: str) -> None:
        if not server_of(scope).limiter.hit(rate, who):
            raise _too_many(rate)

    def _refuse_foreign(self, scope: Scope, headers: Headers) -> None:
        """Refuse a write from a page of another site, by the header Origin."""
        origin = headers.get("origin")
        if origin is not None and scope["method"] not in _READS and not self._public.is_ours(scope, origin):
            message = f"a page of {origin[:100]} may not write here"
            raise errors.Forbidden(message)

    @staticmethod
    def _refuse_forged(scope: Scope, headers: Headers, cookie: str | None) -> None:
        """Refuse a write with a cookie but without the CSRF token, since a page of another site may have sent it."""
        if scope["method"] in _READS or cookie is None or scope["geo_grid.identity"] is None:
            return
        if scope["method"] == "POST" and scope["path"] in _BEGINNINGS:  # makes a new session, uses none
            return
        if not hmac.compare_digest(headers.get("x-csrf-token", "").encode(), csrf_token(cookie).encode()):
            message = "a write with the session's cookie needs the header X-CSRF-Token: GET /session tells it"
            raise errors.Forbidden(message)


def _too_many(rate: RateLimitItem) -> errors.TooMany:
    return errors.TooMany(f"more than {rate}: wait a moment and ask less often", 1 + rate.get_expiry() / 2)


def _of_basic(authorization: str) -> str:
    """Return the API key of Basic authentication (RFC 7617): GIS programs can send it as a password only; any user name."""
    kind, _, encoded = authorization.partition(" ")
    if kind.lower() != "basic" or len(encoded) > 400:
        return ""
    try:
        return f"Bearer {base64.b64decode(encoded, validate=True).decode().partition(':')[2]}"
    except ValueError:  # not of this alphabet, or no text
        return ""


def _secret(headers: Headers, scheme: str) -> tuple[str | None, bool]:
    """Return the secret of a request, and whether it is from a cookie. Keys are accepted in headers only, sessions in
    cookies only.
    """
    authorization = headers.get("authorization")
    if authorization is not None:
        bearer = _BEARER.match(authorization) or _BEARER.match(_of_basic(authorization))
        return (bearer[1] if bearer and is_of_kind(bearer[1], "key", "kiosk") else None), False
    cookie = read_cookie(headers, SESSION, scheme)
    return (cookie if cookie and is_of_kind(cookie, "session", "kiosk") else None), True
