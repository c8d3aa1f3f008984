"""Log-in and log-out; password and second factor of one's own account."""

import hmac
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from geo_grid.access import csrf_token, digest_of
from geo_grid.access.login import DemoPerson, Opened
from geo_grid.api.access.cookies import DEVICE, OIDC, SESSION, delete_cookie, read_cookie, set_cookie
from geo_grid.api.server.asking import asker_of, identity_of
from geo_grid.api.server.links import base_url
from geo_grid.api.server.problems import PROBLEM, PROBLEM_RESPONSES
from geo_grid.api.server.public_address import PublicAddress
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.errors import Forbidden, NotFound, NotLoggedIn

if TYPE_CHECKING:
    from geo_grid.access.oidc import Provider

router = APIRouter(tags=["session"], responses=PROBLEM_RESPONSES, route_class=GuardedRoute)
_KIOSK_S = 10 * 365 * 24 * 3600


class LogIn(BaseModel):
    """Name, password and, where the account has one, a code of the second factor."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)
    code: str | None = Field(None, max_length=16)


class KioskToken(BaseModel):
    """The token of a screen."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(pattern=r"^gg_w_[A-Za-z0-9_-]{20,100}$")


class DemoChoice(BaseModel):
    """A user of the demo."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=64)


class PasswordChange(BaseModel):
    """One's own password, old and new."""

    model_config = ConfigDict(extra="forbid")

    old: str = Field(min_length=1, max_length=256)
    new: str = Field(min_length=1, max_length=1000)


class Code(BaseModel):
    """A code of the authenticator app."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=16)


class WhoAmI(BaseModel):
    """Who is logged in, and what they may."""

    name: str
    display_name: str
    role: str
    rights: list[str]
    city_wide: bool
    must: Literal["", "change_password", "enrol_factor"] = Field(description="to be done before anything else")
    csrf_token: str | None = Field(description="send it as X-CSRF-Token with every write; null with an API key")


class LoggedIn(BaseModel):
    """A session was opened; the cookie holds it."""

    must: Literal["", "change_password", "enrol_factor"]


class FactorOffer(BaseModel):
    """What an authenticator app needs; counts once PUT confirms it with a code."""

    secret: str
    address: str = Field(description="otpauth URI")
    picture: str = Field(description="QR code, SVG")


@router.post("/session")
async def log_in(request: Request, response: Response, given: LogIn) -> LoggedIn:
    """Log in. After five failures from one address a name is locked there, each further failure twice as long."""
    logins = server_of(request).logins
    opened = await logins.with_password(given.name, given.password, given.code, _device(request), asker_of(request))
    await _leave_former(request)
    _remember(request, response, opened)
    return LoggedIn.model_validate({"must": opened.must})


@router.post("/session/kiosk", status_code=204)
async def open_kiosk(request: Request, given: KioskToken) -> Response:
    """Turn this browser into the screen the token is for; from the token's network only."""
    asker = asker_of(request)
    shown = asker._replace(credential=digest_of(given.token))
    found = await server_of(request).identities.find(shown, is_act=True)
    if found is None or found.credential_kind != "kiosk":
        await server_of(request).logins.note_screen(shown.credential, asker)
        message = "this token is worth nothing: expired, revoked, mistyped, or for another network"
        raise NotLoggedIn(message)
    await _leave_former(request)
    response = Response(status_code=204)
    set_cookie(request, response, SESSION, given.token, _KIOSK_S)
    return response


@router.post("/session/demo", responses={403: PROBLEM})
async def choose_demo_user(request: Request, response: Response, given: DemoChoice) -> LoggedIn:
    """Log in as a user of the demo city without a password: in a browser on the server's own machine alone."""
    if not request.scope["geo_grid.by_hand"]:
        message = "users of the demo are chosen on the machine of the server itself, not through a proxy: log in with a password"
        raise Forbidden(message)
    opened = await server_of(request).logins.as_demo(given.name, _device(request), asker_of(request))
    await _leave_former(request)
    _remember(request, response, opened)
    return LoggedIn.model_validate({"must": opened.must})


async def demo_people(request: Request) -> list[DemoPerson]:
    """List the users of the demo for a page that may offer them; empty: none, or not to this browser."""
    if not request.scope["geo_grid.by_hand"]:
        return []
    return await server_of(request).logins.demo_people(asker_of(request))


@router.get("/session")
async def who_am_i(request: Request) -> WhoAmI:
    """Say who is logged in."""
    identity, secret = identity_of(request), request.scope["geo_grid.secret"]
    return WhoAmI.model_validate({
        "name": identity.login_name, "display_name": identity.display_name, "role": identity.role,
        "rights": sorted(identity.rights), "city_wide": identity.city_wide, "must": identity.must,
        "csrf_token": csrf_token(secret) if secret else None,
    })  # fmt: skip


@router.delete("/session", status_code=204)
async def log_out(request: Request) -> Response:
    """Log out: end the session on the server, so that its secret is no longer valid."""
    await server_of(request).logins.log_out(asker_of(request))
    response = Response(status_code=204)
    delete_cookie(request, response, SESSION)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.put("/session/password", status_code=204)
async def change_password(request: Request, given: PasswordChange) -> Response:
    """Change one's own password; all sessions of the account end, also this one."""
    logins = server_of(request).logins
    await logins.change_password(identity_of(request), given.old, given.new, _device(request), asker_of(request))
    return Response(status_code=204)


@router.post("/session/factor")
async def offer_factor(request: Request) -> FactorOffer:
    """Offer a second factor for an authenticator app."""
    return FactorOffer(**vars(await server_of(request).logins.offer_factor(identity_of(request), asker_of(request))))


@router.put("/session/factor", status_code=204)
async def confirm_factor(request: Request, given: Code) -> Response:
    """Confirm the second factor with its first code; all sessions of the account end, also this one."""
    await server_of(request).logins.confirm_factor(identity_of(request), given.code, asker_of(request))
    return Response(status_code=204)


@router.get("/session/oidc", response_class=RedirectResponse, status_code=303)
async def begin_oidc(request: Request, next: Annotated[str, Query(max_length=500)] = "/start") -> RedirectResponse:
    """Log in through the OpenID Connect provider, where one is configured."""
    target, state = await _provider(request).begin(_callback(request), safe_page(request, next), asker_of(request))
    answer = RedirectResponse(target, 303)
    set_cookie(request, answer, OIDC, state, 600)
    return answer


@router.get("/session/oidc/callback", response_class=HTMLResponse)
async def end_oidc(
    request: Request,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> RedirectResponse:
    """Complete the log-in after the provider has redirected back."""
    provider = _provider(request)
    begun = read_cookie(request.headers, OIDC, request.url.scheme) or ""
    if error or not code or not state or not hmac.compare_digest(begun.encode(), state.encode()):
        message = "the log-in was broken off, or was begun in another browser: begin again"
        raise NotLoggedIn(message)
    opened, page = await provider.end(_callback(request), code, state, _device(request), asker_of(request))
    await _leave_former(request)
    answer = RedirectResponse(page, 303)
    _remember(request, answer, opened)
    delete_cookie(request, answer, OIDC)
    return answer


def safe_page(request: Request, target: str) -> str:
    """Return the path of one of our pages to redirect to; any other address becomes the home page."""
    public: PublicAddress = request.scope["geo_grid.public"]
    target = public.inward(target)
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable() else "/"


def _provider(request: Request) -> "Provider":
    provider = server_of(request).provider
    if provider is None:
        message = "no OpenID Connect provider is configured (GEO_GRID_OIDC_ISSUER)"
        raise NotFound(message)
    return provider


def _callback(request: Request) -> str:
    return f"{base_url(request)}/session/oidc/callback"


async def _leave_former(request: Request) -> None:
    """End the session that the browser had before the log-in."""
    if request.scope["geo_grid.secret"] and request.scope["geo_grid.identity"] is not None:
        await server_of(request).logins.log_out(asker_of(request))
        server_of(request).identities.forget()


def _device(request: Request) -> str | None:
    """Return the device secret of this browser from an earlier log-in, or None."""
    return read_cookie(request.headers, DEVICE, request.url.scheme)


def _remember(request: Request, response: Response, opened: Opened) -> None:
    set_cookie(request, response, SESSION, opened.secret)
    if opened.device is not None:
        set_cookie(request, response, DEVICE, opened.device, server_of(request).settings.known_device_days * 24 * 3600)
