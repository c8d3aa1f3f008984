"""The right that each route needs: the complete table, checked at the start, and the route class that enforces it."""

import contextlib
import logging
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any, NoReturn
from urllib.parse import urlencode

from fastapi import FastAPI, params
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from geo_grid.access.audit import record_refusal
from geo_grid.api.server.asking import account_of, asker_of, identity_of
from geo_grid.api.server.forms import FormRequest
from geo_grid.api.server.negotiation import accept_of, preferred
from geo_grid.api.server.state import server_of
from geo_grid.db import acting
from geo_grid.errors import BrokenOff, Forbidden, GivenUp, InvalidQuery, NotLoggedIn
from geo_grid.layers import REGISTRY

log = logging.getLogger(__name__)

_LEADABLE = ("application/problem+json", "text/html")
"""Media types of the answer to a client that is not logged in: a problem for programs, a redirect to the log-in for people."""
_READS = frozenset({"GET", "OPTIONS"})
_HEALTH = "/readyz"
PUBLIC = "public"
"""No log-in needed."""
ANYBODY = "anybody"
"""Any principal that is logged in, even one that must change its password first."""

RIGHTS: dict[tuple[str, str], str] = {
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): "metrics",
    ("GET", "/.well-known/security.txt"): PUBLIC,
    ("GET", "/"): ANYBODY,
    ("GET", "/start"): ANYBODY,
    ("GET", "/overview"): ANYBODY,
    ("GET", "/login"): PUBLIC,
    ("GET", "/account"): ANYBODY,
    ("GET", "/docs"): "account",
    ("GET", "/openapi.json"): "map",
    ("GET", "/maps/wall"): "map",
    ("GET", "/maps/desk"): "incidents.write",
    ("GET", "/maps/planner"): "boundaries.draft",
    ("GET", "/maps/response"): "map",
    ("GET", "/maps/sheet"): "map",
    ("GET", "/maps/picture"): "map",
    ("GET", "/maps/field"): PUBLIC,  # the same for everybody: what a phone keeps names nobody
    ("GET", "/maps/field/worker.js"): PUBLIC,
    ("GET", "/maps/indicators"): "incidents.read",
    ("GET", "/admin"): "accounts",
    ("GET", "/rules"): "map",  # each part of it by its own right
    ("GET", "/supervision"): "incidents.read",
    ("GET", "/auditor"): "audit",
    ("POST", "/session"): PUBLIC,
    ("POST", "/session/kiosk"): PUBLIC,
    ("POST", "/session/demo"): PUBLIC,
    ("GET", "/session/oidc"): PUBLIC,
    ("GET", "/session/oidc/callback"): PUBLIC,
    ("GET", "/session"): ANYBODY,
    ("DELETE", "/session"): ANYBODY,
    ("PUT", "/session/password"): "account",
    ("POST", "/session/factor"): "account",
    ("PUT", "/session/factor"): "account",
    ("GET", "/locate"): "map",
    ("POST", "/locate"): "bulk",
    ("GET", "/desk"): "map",
    ("GET", "/search"): "map",
    ("GET", "/search/datums"): "map",
    ("GET", "/collections"): "map",
    ("GET", "/collections/{layer}"): "map",
    ("GET", "/conformance"): "map",
    ("GET", "/collections/{layer}/queryables"): "map",
    ("GET", "/collections/{layer}/items"): "map",
    ("GET", "/collections/{layer}/items/{item}"): "map",
    ("OPTIONS", "/collections/{layer}/items"): "map",
    ("OPTIONS", "/collections/{layer}/items/{item}"): "map",
    ("POST", "/collections/{layer}/items"): "layers.write",
    ("PUT", "/collections/{layer}/items/{item}"): "layers.write",
    ("PATCH", "/collections/{layer}/items/{item}"): "layers.write",
    ("DELETE", "/collections/{layer}/items/{item}"): "layers.write",
    ("GET", "/collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}"): "map",
    ("GET", "/collections/{layer}/tiles"): "map",
    ("GET", "/collections/{layer}/tiles/WebMercatorQuad"): "map",
    ("GET", "/collections/{layer}/tiles/WebMercatorQuad/tilejson.json"): "map",
    ("GET", "/tiles/WebMercatorQuad/{z}/{y}/{x}"): "map",
    ("GET", "/tileMatrixSets"): "map",
    ("GET", "/tileMatrixSets/WebMercatorQuad"): "map",
    ("GET", "/styles"): "map",
    ("GET", "/styles/{style}"): "map",
    ("GET", "/collections/{layer}/styles/{style}"): "map",
    ("GET", "/collections/{layer}/export"): "export",
    ("GET", "/imports"): "layers.write",
    ("POST", "/imports"): "layers.write",
    ("POST", "/imports/{import_id}/confirmation"): "layers.write",
    ("DELETE", "/imports/{import_id}"): "layers.write",
    ("GET", "/boundaries/drafts"): "boundaries.draft",
    ("POST", "/boundaries/drafts"): "boundaries.draft",
    ("GET", "/boundaries/drafts/{draft_id}"): "boundaries.draft",
    ("DELETE", "/boundaries/drafts/{draft_id}"): "boundaries.draft",
    ("POST", "/boundaries/drafts/{draft_id}/steps"): "boundaries.draft",
    ("POST", "/boundaries/drafts/{draft_id}/preview"): "boundaries.draft",
    ("POST", "/boundaries/drafts/{draft_id}/undo"): "boundaries.draft",
    ("POST", "/boundaries/drafts/{draft_id}/redo"): "boundaries.draft",
    ("POST", "/boundaries/drafts/{draft_id}/rebase"): "boundaries.draft",
    ("POST", "/boundaries/drafts/{draft_id}/submit"): "boundaries.draft",
    ("POST", "/boundaries/drafts/{draft_id}/withdraw"): "boundaries.draft",
    ("POST", "/boundaries/drafts/{draft_id}/return"): "boundaries.approve",
    ("POST", "/boundaries/drafts/{draft_id}/publish"): "boundaries.approve",
    ("GET", "/boundaries/drafts/{draft_id}/cells"): "boundaries.draft",
    ("GET", "/boundaries/drafts/{draft_id}/zones"): "boundaries.draft",
    ("GET", "/boundaries/drafts/{draft_id}/changes"): "boundaries.draft",
    ("GET", "/boundaries/drafts/{draft_id}/check"): "boundaries.draft",
    ("GET", "/boundaries/drafts/{draft_id}/impact"): "boundaries.draft",
    ("GET", "/boundaries/drafts/{draft_id}/report"): "boundaries.draft",
    ("GET", "/boundaries/drafts/{draft_id}/file"): "boundaries.draft",
    ("POST", "/boundaries/imports"): "boundaries.draft",
    ("POST", "/boundaries/drafts/{draft_id}/proposals"): "boundaries.draft",
    ("GET", "/boundaries/overloaded"): "boundaries.draft",
    ("GET", "/boundaries/agreement"): "incidents.read",
    ("GET", "/boundaries/editions"): "map",
    ("GET", "/boundaries/editions/{edition_id}/changes"): "map",
    ("POST", "/boundaries/editions/{edition_id}/restore"): "boundaries.approve",
    ("POST", "/units/positions"): "positions.write",
    ("GET", "/units/{unit_code}/track"): "map",
    ("GET", "/response/areas"): "map",
    ("GET", "/response/drawing"): "map",
    ("GET", "/response/unions"): "map",
    ("GET", "/response/live"): "map",
    ("GET", "/response/live/areas"): "map",
    ("GET", "/response/coverage"): "incidents.read",
    ("GET", "/response/times"): "incidents.read",
    ("GET", "/response/move-up"): "incidents.read",
    ("POST", "/response/siting"): "boundaries.draft",
    ("GET", "/patrol/stops"): "map",
    ("POST", "/patrol/check-ins"): "positions.write",
    ("GET", "/patrol/completion"): "map",
    ("POST", "/patrol/routes"): "incidents.read",
    ("GET", "/events"): "map",
    ("GET", "/incidents"): "incidents.read",
    ("POST", "/incidents"): "incidents.write",
    ("POST", "/incidents/batch"): "incidents.write",
    ("GET", "/open311/v2/services.{format}"): "incidents.read",
    ("GET", "/open311/v2/services/{service_code}.{format}"): "incidents.read",
    ("GET", "/open311/v2/requests.{format}"): "incidents.read",
    ("POST", "/open311/v2/requests.{format}"): "incidents.write",
    ("GET", "/open311/v2/requests/{service_request_id}.{format}"): "incidents.read",
    ("GET", "/loops"): "workflow.rules",
    ("PUT", "/loops/{loop_code}"): "workflow.rules",
    ("DELETE", "/loops/{loop_code}"): "workflow.rules",
    ("GET", "/levels"): "map",
    ("PUT", "/levels/{grid_level}"): "workflow.rules",
    ("GET", "/incidents/categories"): "map",  # names that every map shows; whoever edits them may see no incident
    ("GET", "/incidents/categories/unlisted"): "workflow.rules",
    ("PUT", "/incidents/categories/{category_code}"): "workflow.rules",
    ("POST", "/incidents/categories/{category_code}/names"): "workflow.rules",
    ("GET", "/incidents/counts"): "incidents.read",
    ("GET", "/incidents/deadlines"): "incidents.read",
    ("GET", "/incidents/reminders"): "incidents.write",
    ("GET", "/deadlines/policies"): "workflow.rules",
    ("PUT", "/deadlines/policies/{policy_code}"): "workflow.rules",
    ("DELETE", "/deadlines/policies/{policy_code}"): "workflow.rules",
    ("GET", "/deadlines/schedules"): "workflow.rules",
    ("PUT", "/deadlines/schedules/{schedule_code}"): "workflow.rules",
    ("GET", "/deadlines/days"): "workflow.rules",
    ("PUT", "/deadlines/days/{day}"): "workflow.rules",
    ("GET", "/incidents/{incident_id}"): "incidents.read",
    ("GET", "/incidents/{incident_id}/duplicates"): "incidents.text",
    ("GET", "/incidents/{incident_id}/steps"): "incidents.text",
    ("POST", "/incidents/{incident_id}/steps"): "incidents.write",
    ("GET", "/incidents/{incident_id}/run-card"): "incidents.text",
    ("GET", "/run-cards"): "incidents.read",
    ("POST", "/run-cards"): "workflow.rules",
    ("DELETE", "/run-cards/{run_card_id}"): "workflow.rules",
    ("GET", "/shifts/check-ins"): "incidents.read",
    ("GET", "/shifts/notes"): "incidents.text",
    ("POST", "/shifts/notes"): "incidents.write",
    ("POST", "/shifts/notes/{shift_note_id}/acknowledgement"): "incidents.write",
    ("GET", "/duties/absences"): "roster",
    ("POST", "/duties/absences"): "duties.write",
    ("DELETE", "/duties/absences/{absence_id}"): "duties.write",
    ("GET", "/duties/desk/{grid_code}/{day}"): "roster",
    ("PUT", "/duties/desk/{grid_code}/{day}"): "duties.write",
    ("GET", "/incidents/{incident_id}/mediation/organisations"): "incidents.read",
    ("POST", "/incidents/{incident_id}/mediation"): "incidents.write",
    ("GET", "/mediation/organisations"): "map",
    ("PUT", "/mediation/organisations/{facility_code}"): "layers.write",
    ("GET", "/mediation/cases"): "incidents.read",
    ("GET", "/mediation/cases/export"): "export",
    ("GET", "/mediation/cases/{case_id}"): "incidents.read",
    ("POST", "/mediation/cases/{case_id}/steps"): "incidents.write",
    ("GET", "/mediation/figures"): "incidents.read",
    ("GET", "/supervised/listings"): "incidents.read",
    ("POST", "/supervised/listings"): "supervised.list",
    ("GET", "/supervised/listings/{listing_id}"): "incidents.read",
    ("POST", "/supervised/listings/{listing_id}/steps"): "incidents.write",
    ("GET", "/supervised/figures"): "incidents.read",
    ("GET", "/supervised/projects"): "incidents.read",
    ("POST", "/supervised/projects/{place_code}/assessments"): "supervised.list",
    ("GET", "/field/rounds"): "visits.write",
    ("GET", "/field/visits"): "roster",
    ("POST", "/field/visits"): "visits.write",
    ("GET", "/field/norms"): "roster",
    ("GET", "/field/workers"): "duties.write",
    ("PUT", "/field/workers/{name}"): "duties.write",
    ("GET", "/volunteers/teams"): "map",
    ("PUT", "/volunteers/teams/{facility_code}"): "layers.write",
    ("GET", "/meetings"): "incidents.read",
    ("POST", "/meetings"): "incidents.write",
    ("GET", "/meetings/{meeting_id}"): "incidents.read",
    ("GET", "/indicators"): "incidents.read",
    ("GET", "/indicators/figures"): "incidents.read",
    ("GET", "/indicators/areas"): "incidents.read",
    ("GET", "/indicators/report"): "export",
    ("GET", "/webhooks"): "webhooks",
    ("POST", "/webhooks"): "webhooks",
    ("PATCH", "/webhooks/{hook_id}"): "webhooks",
    ("DELETE", "/webhooks/{hook_id}"): "webhooks",
    ("GET", "/webhooks/{hook_id}/dead-letters"): "webhooks",
    ("POST", "/webhooks/{hook_id}/dead-letters"): "webhooks",
    ("GET", "/cameras/ids/{gb28181_id}"): "map",
    ("GET", "/cameras/platforms"): "map",
    ("PUT", "/cameras/platforms/{platform_code}"): "layers.write",
    ("POST", "/cameras/platforms/{platform_code}/queries"): "layers.write",
    ("GET", "/cameras/proposals"): "layers.write",
    ("POST", "/cameras/proposals/decisions"): "layers.write",
    ("POST", "/cameras/proposals/{proposal_id}/decision"): "layers.write",
    ("GET", "/cameras/states"): "map",
    ("POST", "/cameras/states"): "cameras.report",
    ("GET", "/cameras/positions"): "map",
    ("POST", "/cameras/positions"): "cameras.report",
    ("GET", "/cameras/availability"): "map",
    ("GET", "/cameras/views"): "map",
    ("GET", "/cameras/facets"): "map",
    ("GET", "/cameras/sector"): "map",
    ("GET", "/cameras/coverage"): "map",
    ("GET", "/cameras/coverage/places"): "map",
    ("GET", "/cameras/coverage/roads"): "map",
    ("POST", "/cameras/siting"): "boundaries.draft",
    ("GET", "/cameras/coverage/{grid_code}/blind-spots"): "map",
    ("POST", "/cameras/{gb28181_id}/openings"): "cameras.open",
    ("GET", "/cameras/{gb28181_id}/openings"): "audit",
    ("GET", "/cameras/{gb28181_id}/viewers"): "audit",
    ("GET", "/feeds/{feed_id}"): "cameras.open",
    ("DELETE", "/feeds/{feed_id}"): "cameras.open",
    ("GET", "/feeds/{feed_id}/{part}"): "cameras.open",
    ("POST", "/feeds/{feed_id}/movements"): "cameras.steer",
    ("GET", "/streams/hosts"): "streams",
    ("PUT", "/streams/hosts/{host_name}"): "streams",
    ("DELETE", "/streams/hosts/{host_name}"): "streams",
    ("PUT", "/streams/hosts/{host_name}/cameras"): "streams",
    ("GET", "/accounts"): "accounts",
    ("POST", "/accounts"): "accounts",
    ("PATCH", "/accounts/{name}"): "accounts",
    ("POST", "/accounts/{name}/password"): "accounts",
    ("DELETE", "/accounts/{name}/factor"): "accounts",
    ("GET", "/roles"): "accounts",
    ("PATCH", "/roles/{role}"): "accounts",
    ("GET", "/credentials"): "accounts",
    ("POST", "/credentials"): "accounts",
    ("DELETE", "/credentials/{credential_id}"): "accounts",
    ("GET", "/audit"): "audit",
    ("GET", "/audit/export"): "audit",
    ("GET", "/audit/verification"): "audit",
    ("GET", "/audit/openings"): "audit",
}

_CHANGING = {ANYBODY, "account", "accounts"}
"""Rights of writes that change identities or rights: they take effect from the next request on, so cached identities are
invalidated at once, not when the feed has read the change."""

PAGES = frozenset(
    {
        "/",
        "/start",
        "/account",
        "/docs",
        "/maps/wall",
        "/maps/desk",
        "/maps/planner",
        "/maps/response",
        "/maps/indicators",
        "/maps/sheet",
        "/admin",
        "/rules",
        "/supervision",
        "/auditor",
        "/imports",
    }
)
"""Pages: a person who is not logged in is redirected to the log-in."""
_NAMES_ITS_PARAMETERS = frozenset({"/", "/openapi.json"})
"""Routes outside the OpenAPI document that refuse parameters they do not know, as those within it; pages take any, since
their scripts read some."""
_ADDED_BY_OTHERS = frozenset({"/session/oidc/callback"})
"""Routes within it that take any: a provider of OpenID adds its own (RFC 6749, 4.1.2)."""

_OF_THE_WALL = frozenset({
    "/locate", "/desk", "/collections", "/collections/{layer}", "/collections/{layer}/items",
    "/collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}", "/events", "/incidents", "/incidents/counts", "/incidents/{incident_id}",
    "/session", "/", "/styles/{style}", "/response/areas", "/response/drawing", "/response/live", "/response/live/areas", "/response/unions", "/units/{unit_code}/track", "/tiles/WebMercatorQuad/{z}/{y}/{x}",
    "/indicators", "/indicators/figures", "/indicators/areas", "/cameras/states", "/cameras/positions", "/cameras/views", "/cameras/facets", "/cameras/sector",
})  # fmt: skip
KIOSK_ROUTES = {"/maps/wall": _OF_THE_WALL}
"""Routes that the page of a kiosk may read."""


async def note_refusal(request: Request, right: str) -> None:
    """Record a request without the required right in the audit."""
    route: APIRoute = request.scope["route"]
    async with acting(server_of(request).pool, asker_of(request), read_only=False) as connection:
        await record_refusal(connection, f"{request.method} {route.path}", right)


async def refuse(request: Request, right: str) -> NoReturn:
    """Refuse a request without the required right, and record it in the audit. Raises Forbidden."""
    await note_refusal(request, right)
    message = f"the role {identity_of(request).role} has no right to this ({right})"
    raise Forbidden(message)


class GuardedRoute(APIRoute):
    """A route that checks its right and its query parameters itself, not by a dependency that could be forgotten."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Read forms within limits; ask the primary when a replica breaks a read off, of which nothing was sent yet."""
        answer = super().get_route_handler()
        if "GET" in (self.methods or ()):

            async def whole(request: Request) -> Response:
                try:
                    return await answer(request)
                except BrokenOff as broken:
                    log.warning("%s %s: %s", request.method, self.path, broken)
                    request.scope["geo_grid.broken_off"] = True
                    return await answer(request)

            return whole
        if not any(isinstance(field.field_info, params.Form) for field in self.dependant.body_params):
            return answer

        async def within_limits(request: Request) -> Response:
            return await answer(FormRequest(request.scope, request.receive))

        return within_limits

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, redirect to the log-in, or refuse."""
        scope["geo_grid.answered"].route = self.path
        right = RIGHTS.get((scope["method"], self.path), PUBLIC)  # the route itself refuses other methods
        if right != PUBLIC:
            request = Request(scope)
            try:
                await self._refuse(request, right)
            except NotLoggedIn:
                is_page = scope["method"] == "GET" and self.path in PAGES
                if not is_page or preferred(accept_of(request), _LEADABLE) != "text/html":
                    raise
                await RedirectResponse(_login_address(request), 303)(scope, receive, send)
                return
        is_described = self.include_in_schema or self.path in _NAMES_ITS_PARAMETERS
        if is_described and self.path not in _ADDED_BY_OTHERS:
            self._refuse_unknown(Request(scope))
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._answer(scope, receive, send)
            return

        def settle() -> None:
            server = server_of(scope)
            server.feed.poke()
            if right in _CHANGING:
                server.identities.forget()

        async def after_settling(message: Message) -> None:
            if message["type"] == "http.response.start":  # whoever knows the answer may ask at once
                settle()
            await send(message)

        try:
            await self._answer(scope, receive, after_settling)
        finally:
            settle()  # what failed, or was written after the answer began

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in the turn of the account, as long as the client waits; what a write has begun it ends."""
        account, client = account_of(Request(scope)), scope["geo_grid.client"]
        if account is None or scope["path"] == _HEALTH:
            await super().handle(scope, receive, send)
            return
        try:
            with client.wanted() if scope["method"] in _READS else contextlib.nullcontext():
                await self._in_turn(account, scope, receive, send)
        except GivenUp:
            await Response(status_code=408)(scope, receive, send)  # nobody reads it

    async def _in_turn(self, account: int, scope: Scope, receive: Receive, send: Send) -> None:
        end = await server_of(scope).beginning.turn(account, scope["geo_grid.client"].has_left)

        async def ending(message: Message) -> None:
            end()  # sending may take as long as the client likes
            await send(message)

        try:
            await super().handle(scope, receive, ending)
        finally:
            end()

    async def _refuse(self, request: Request, right: str) -> None:
        identity = identity_of(request)
        if identity.page is not None and not self._is_of(identity.page, request.method):
            await note_refusal(request, "a screen shows one page")
            message = "this screen shows one page and reads what that page needs, nothing else"
            raise Forbidden(message)
        if right == ANYBODY or right in identity.rights:
            return
        if identity.must and self.path in PAGES:
            message = "change your password or enrol your second factor first"
            raise NotLoggedIn(message)
        await refuse(request, right)

    @cached_property
    def _parameters(self) -> frozenset[str]:
        names: set[str] = set()
        # what routes have in common they may have by a dependency
        parts = [self.dependant, *self.dependant.dependencies]
        for field in [field for part in parts for field in part.query_params]:
            kind = field.field_info.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                names |= {one.alias or name for name, one in kind.model_fields.items()}
            else:
                names.add(field.alias)
        return frozenset(names)

    def _refuse_unknown(self, request: Request) -> None:
        """Refuse query parameters that the route does not have, as OGC API Features asks (req/core/query-param-unknown).

        A misspelt one that is ignored would be answered with something else than was asked for. Raises InvalidQuery.
        """
        known = self._parameters
        if "filter" in known:  # queryables are parameters too
            layer = REGISTRY.get(request.path_params.get("layer", ""))
            known = known | layer.queryables.keys() if layer else known
        for name in request.query_params:
            if name not in known:
                message = f"there is no parameter {name[:80]!r} here; there are {', '.join(sorted(known)) or 'none'}"
                raise InvalidQuery(message)

    def _is_of(self, page: str, method: str) -> bool:
        return method == "GET" and (self.path == page or self.path in KIOSK_ROUTES[page])


def _login_address(request: Request) -> str:
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/login?{urlencode({'next': target})}"


def check_complete(app: FastAPI) -> None:
    """Check that every route has a declared right and enforces it.

    Raises
    ------
    LookupError
        A route has no declared right, or is no GuardedRoute.
    """
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, Mount) and route.path == "/static":
            continue
        if not isinstance(route, GuardedRoute):
            message = f"{context.path} does not ask for rights: make it with GuardedRoute"
            raise LookupError(message)
        for method in route.methods or ():
            if (method, route.path) not in RIGHTS:
                message = f"say in geo_grid/api/server/rights.py which right {method} {route.path} needs"
                raise LookupError(message)
