"""The HTML pages. They load nothing from other hosts, but for a base map that is configured."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Query, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse

from geo_grid.access.accounts import KIOSK_PAGES
from geo_grid.api.access.session import demo_people, safe_page
from geo_grid.api.server.asking import identity_of, viewing
from geo_grid.api.server.document import MEDIA_TYPE, describe
from geo_grid.api.server.html import html_page, person_of
from geo_grid.api.server.links import Link, base_url, wants_html
from geo_grid.api.server.parameters import Configured
from geo_grid.api.server.problems import PROBLEM_RESPONSES
from geo_grid.api.server.rights import GuardedRoute
from geo_grid.api.server.state import server_of
from geo_grid.errors import NotFound
from geo_grid.exchange import FILE_FORMATS
from geo_grid.layers import REGISTRY
from geo_grid.maps import CityView, ExternalBase, MapPage, city_view, draw_page, plain_page
from geo_grid.settings import Settings, asset_dir

router = APIRouter(include_in_schema=False, responses=PROBLEM_RESPONSES, route_class=GuardedRoute)

Lang = Annotated[Literal["zh", "en"], Query()]

_HOME = {
    "grid_worker": "/maps/field", "dispatcher": "/maps/desk", "administrator": "/admin", "auditor": "/auditor", "planner": "/maps/planner",
}  # fmt: skip
_TITLES = {
    "login": ("登录", "Log in"), "account": ("我的账户", "My account"),
    "admin": ("账户管理", "Accounts"), "auditor": ("审计", "Audit"),
    "imports": ("导入", "Import"), "rules": ("规则与名册", "Rules and rosters"), "supervision": ("督办", "Supervision"),
}  # fmt: skip


def _plain(request: Request, name: str, lang: Literal["zh", "en"], **options: Any) -> HTMLResponse:
    title = _TITLES[name][lang == "en"]
    person = person_of(request) if name != "login" else None
    return html_page(
        request, plain_page(name, f"{title} · geo_grid", lang, {"person": person, "title": title, **options})
    )


@router.get("/")
async def home(
    request: Request,
    settings: Configured,
    f: Annotated[Literal["json", "html"] | None, Query()] = None,
    lang: Lang = "zh",
) -> Response:
    """Show a person the home page, and answer a program with the landing page of OGC API."""
    identity = identity_of(request)
    if not wants_html(request, f):
        return JSONResponse(_landing(request))
    if identity.page is not None:
        return RedirectResponse(identity.page, 303)
    if identity.must:
        return RedirectResponse("/account", 303)
    async with viewing(request) as database:
        view = await city_view(database, settings.city_name_zh, settings.city_name_en, settings.timezone)
    title = view.name_zh if lang == "zh" else view.name_en
    options = {
        "person": person_of(request), "title": title, "timezone": settings.timezone, "isDemo": view.is_demo,
        "isEmpty": view.edition is None, "demo": await _demo(request),
    }  # fmt: skip
    return html_page(request, plain_page("home", f"{title} · geo_grid", lang, options, style="home"))


@router.get("/start")
async def start(request: Request, lang: Lang = "zh") -> RedirectResponse:
    """Redirect a person who has just logged in to the page of their role."""
    identity = identity_of(request)
    page = "/account" if identity.must else _HOME.get(identity.role, "/maps/wall")
    return RedirectResponse(f"{page}{_in(lang)}", 303)


def _in(lang: Literal["zh", "en"]) -> str:
    """Return the query by which a page is in a language other than the usual one."""
    return "" if lang == "zh" else f"?lang={lang}"


async def _demo(request: Request) -> list[dict[str, str]]:
    """Return the users of the demo that a page offers."""
    return [vars(one) for one in await demo_people(request)]


def _landing(request: Request) -> dict[str, Any]:
    base = base_url(request)
    links = [
        Link(href=f"{base}/?f=json", rel="self", type="application/json"),
        Link(href=f"{base}/?f=html", rel="alternate", type="text/html"),
        Link(href=f"{base}/openapi.json", rel="service-desc", type=MEDIA_TYPE),
        Link(href=f"{base}/docs", rel="service-doc", type="text/html"),
        Link(href=f"{base}/conformance", rel="conformance", type="application/json"),
        Link(href=f"{base}/collections", rel="data", type="application/json"),
        Link(
            href=f"{base}/tileMatrixSets",
            rel="http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes",
            type="application/json",
        ),
        Link(href=f"{base}/styles", rel="http://www.opengis.net/def/rel/ogc/1.0/styles", type="application/json"),
    ]
    settings = server_of(request).settings
    return {
        "title": f"geo_grid {settings.city_name_en}",
        "description": "Grid cells, patrol zones, response circles and who is responsible for a point",
        "links": [link.model_dump(exclude_none=True) for link in links],
    }


@router.get("/login", name="login_page")
async def login_page(
    request: Request, settings: Configured, lang: Lang = "zh", next: Annotated[str, Query(max_length=2000)] = ""
) -> HTMLResponse:
    """Show the log-in page."""
    city = {"zh": settings.city_name_zh, "en": settings.city_name_en}
    provider = settings.oidc_name if settings.oidc_issuer else None
    demo = await _demo(request)
    return _plain(
        request,
        "login",
        lang,
        next=safe_page(request, next or f"/start{_in(lang)}"),
        city=city,
        provider=provider,
        demo=demo,
    )


@router.get("/account")
async def account_page(request: Request, settings: Configured, lang: Lang = "zh") -> HTMLResponse:
    """Show one's own account: password, second factor."""
    return _plain(request, "account", lang, shortest=settings.password_min_length)


@router.get("/admin")
async def admin_page(request: Request, lang: Lang = "zh") -> HTMLResponse:
    """Show accounts, roles, keys and kiosks."""
    return _plain(request, "admin", lang, kioskPages=KIOSK_PAGES)


@router.get("/rules")
async def rules_page(request: Request, settings: Configured, lang: Lang = "zh") -> HTMLResponse:
    """Show categories, loops, limits, working time, rosters, levels and posts, each to who edits them."""
    return await _plain_of_city(request, settings, "rules", lang)


@router.get("/supervision")
async def supervision_page(request: Request, settings: Configured, lang: Lang = "zh") -> HTMLResponse:
    """Show what a supervisor follows: the supervised list, joint meetings, mediation."""
    return await _plain_of_city(request, settings, "supervision", lang)


async def _plain_of_city(
    request: Request, settings: Settings, name: str, lang: Literal["zh", "en"], **more: Any
) -> HTMLResponse:
    """Show a page without a map that knows the city's levels, categories and time zone."""
    async with viewing(request) as database:
        view = await city_view(database, settings.city_name_zh, settings.city_name_en, settings.timezone)
    about = {
        "timezone": settings.timezone,
        "levels": view.levels,
        "categories": view.categories,
        "isDemo": view.is_demo,
    }
    return _plain(request, name, lang, **about, **more)


@router.get("/auditor")
async def auditor_page(request: Request, settings: Configured, lang: Lang = "zh") -> HTMLResponse:
    """Show the audit."""
    return _plain(request, "auditor", lang, timezone=settings.timezone)


@router.get("/imports")
async def imports_page(request: Request, lang: Lang = "zh") -> HTMLResponse:
    """Show the import of files."""
    layers = [
        {"name": layer.name, "title_zh": layer.title_zh, "title_en": layer.title_en, "fields": layer.fields}
        for layer in REGISTRY.values()
        if layer.is_editable
    ]
    return _plain(request, "imports", lang, layers=layers, formats=FILE_FORMATS)


@router.get("/maps/wall")
async def wall(request: Request, settings: Configured, lang: Lang = "zh") -> HTMLResponse:
    """Show the wall."""
    return await _city_map(request, settings, lang, "wall")


@router.get("/maps/desk")
async def desk(request: Request, settings: Configured, lang: Lang = "zh") -> HTMLResponse:
    """Show the dispatcher's desk."""
    return await _city_map(request, settings, lang, "desk")


@router.get("/maps/planner")
async def planner(request: Request, settings: Configured, lang: Lang = "zh") -> HTMLResponse:
    """Show the planner's workbench."""
    return await _city_map(request, settings, lang, "planner")


@router.get("/maps/response")
async def response(request: Request, settings: Configured, lang: Lang = "zh") -> HTMLResponse:
    """Show circles, what they cover and who gets there first."""
    return await _city_map(request, settings, lang, "response")


@router.get("/maps/indicators")
async def indicators_page(request: Request, settings: Configured, lang: Lang = "zh") -> HTMLResponse:
    """Show what the city reports: figures, charts, maps, each with its definition."""
    return await _city_map(request, settings, lang, "indicators")


@router.get("/maps/field")
async def field_page(request: Request, settings: Configured, lang: Lang = "zh") -> HTMLResponse:
    """Show the phone page of grid workers. It names nobody, so that a phone may keep it: its script asks who they are."""
    title = "走访" if lang == "zh" else "Visits"
    options = {"title": title, "timezone": settings.timezone, "person": None}
    page = html_page(request, plain_page("field", f"{title} · geo_grid", lang, options, "field"))
    page.headers["Permissions-Policy"] = "geolocation=(self)"
    return page


@router.get("/maps/field/worker.js")
async def field_worker(request: Request) -> FileResponse:
    """Give out the service worker of that page, which opens the page without network, and no other."""
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
        "Service-Worker-Allowed": f"{request.scope['geo_grid.public'].prefix}/maps/field",
    }
    return FileResponse(asset_dir("static") / "js/field/worker.js", media_type="text/javascript", headers=headers)


async def _city_map(request: Request, settings: Settings, lang: Literal["zh", "en"], name: MapPage) -> HTMLResponse:
    async with viewing(request) as database:
        view: CityView = await city_view(database, settings.city_name_zh, settings.city_name_en, settings.timezone)
    external = _external_base(settings)
    return html_page(request, draw_page(name, view, lang, person_of(request), external), _hosts(external))


_TIANDITU = (
    "https://t{{s}}.tianditu.gov.cn/{layer}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER={layer}&STYLE=default"
    "&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={{z}}&TILEROW={{y}}&TILECOL={{x}}&tk={key}"
)
"""WMTS of the National Platform for Common Geospatial Information Services: vector map and its names, CGCS2000."""


def _external_base(settings: Settings) -> ExternalBase | None:
    """Return the configured external base map, the only content that a page loads from another host; None: there is none."""
    if settings.base_map_url is not None:
        return ExternalBase(
            (settings.base_map_url,), tuple(settings.base_map_subdomains), settings.base_map_attribution
        )
    if settings.tianditu_key is not None:
        key = settings.tianditu_key.get_secret_value()
        urls = tuple(_TIANDITU.format(layer=layer, key=quote(key)) for layer in ("vec", "cva"))
        return ExternalBase(urls, tuple("01234567"), "天地图 TianDiTu")
    return None


def _hosts(external: ExternalBase | None) -> str:
    """Return the hosts that images may come from, for the Content-Security-Policy."""
    if external is None:
        return ""
    parts = (urlsplit(url.replace("{s}", sub)) for url in external.urls for sub in external.subdomains)
    return " ".join(sorted({f"{part.scheme}://{part.netloc}" for part in parts}))


_READABLE = '<link rel="stylesheet" href="/static/css/docs.css"></head>'
_REACHABLE = '<script type="module" src="/static/js/docs.js"></script></body>'
"""What is added to Swagger UI, at the end of its head and of its body."""


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Show the API, from our own copy of Swagger UI."""
    made = get_swagger_ui_html(
        openapi_url=f"{request.scope['geo_grid.public'].prefix}/openapi.json",
        title="geo_grid API",
        swagger_js_url="/static/vendor/swagger-ui/swagger-ui-bundle.js",
        swagger_css_url="/static/vendor/swagger-ui/swagger-ui.css",
        swagger_favicon_url="/static/icon.svg",
        swagger_ui_parameters={"deepLinking": False},  # links within buttons, which keys cannot tell apart
    )
    page = bytes(made.body).decode().replace("<html>", '<html lang="en">', 1)
    return html_page(request, page.replace("</head>", _READABLE, 1).replace("</body>", _REACHABLE, 1))


@router.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """Give out the OpenAPI document."""
    # in a thread, writing it as JSON too: the event loop would stand still for a tenth of a second
    return await asyncio.to_thread(
        lambda: JSONResponse(describe(request.app, base_url(request)), media_type=MEDIA_TYPE)
    )


@router.get("/.well-known/security.txt")
async def security_txt(settings: Configured) -> PlainTextResponse:
    """Say whom to tell of a weakness (RFC 9116)."""
    if settings.security_contact is None:
        message = "whom to tell of a weakness is not configured (GEO_GRID_SECURITY_CONTACT)"
        raise NotFound(message)
    expires = (datetime.now(UTC) + timedelta(days=180)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    return PlainTextResponse(f"Contact: {settings.security_contact}\nExpires: {expires}\nPreferred-Languages: zh, en\n")
