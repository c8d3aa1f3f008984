"""Whatever stands in a name, a number or a note: on every page it stays text, and no script of it runs."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect

from geo_grid.db import Cluster, connect
from geo_grid.layers import REGISTRY
from tests.access.test_rights import fill
from tests.browser.test_office import log_in
from tests.browser.test_wall import move
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import user
from tests.squares import SIDE, SOUTH, WEST

pytestmark = pytest.mark.browser
HOSTILE = (
    "javascript:hacked=1//\"' onfocus=hacked=1 autofocus\u202e </script><img src=x onerror=hacked=1>${hacked=1}`"
    "{{hacked=1}}\u2066<script>hacked=1</script><svg onload=hacked=1><a href='javascript:hacked=1'>"
    "\\u003cscript>&lt;svg onload=hacked=1&gt;<b"
)
"""An address, the end of an attribute in either quotes, the end of a script, markup, and what templates fill in, in one
name, the first five within 100 characters."""
SHORT = "javascript:hacked=1//\"'<svg onload=q=1>`"
"""The same for columns of 40 characters."""
HARMFUL = "svg[onload], img[onerror], [onfocus], a[href^='javascript']"
SHOWN = {
    "grid_cells.name", "grid_levels.name_zh", "grid_levels.name_en", "patrol_zones.name", "patrol_zones.responsible_unit",
    "duties.person_name", "duties.phone", "police_posts.name", "police_posts.responsible_unit", "patrol_units.name",
    "facilities.name", "cameras.name", "incidents.category", "incidents.subtype", "incidents.description",
    "incidents.address", "incidents.caller_number", "response_circles.method", "principals.display_name",
    "credentials.label", "roads.name", "road_closures.name", "base_features.name", "audit_log.actor_name", "audit_log.object_id",
}  # fmt: skip


GROUND = f"""
insert into roads (road_class, geom) select 'primary', ST_MakeLine(p, ST_Translate(p, {SIDE}, 0))
from (select ST_SetSRID(ST_MakePoint({WEST}, {SOUTH}), 4490) as p) x;
insert into base_features (feature_kind, feature_class, min_zoom, geom)
values ('place', 'city', 0, ST_SetSRID(ST_MakePoint({WEST}, {SOUTH}), 4490));
insert into road_closures (closure_code, name, geom)
select 'X', 'x', ST_MakeLine(p, ST_Translate(p, {SIDE}, 0)) from (select ST_SetSRID(ST_MakePoint({WEST}, {SOUTH}), 4490) as p) x;
insert into osm_extract (file_name, sha256, road_count, base_feature_count) values ('x', repeat('0', 64), 1, 1);
"""


def fill_with_hostile(conninfo: str) -> set[str]:
    """Put the hostile name wherever a column takes it; return the columns that did. Codes have forms, and are refused."""
    taken = set()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")  # the audit too, which no program can write so
        columns = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns"
            " join information_schema.tables using (table_schema, table_name)"
            " where table_schema in ('public', 'access') and data_type = 'text' and table_type = 'BASE TABLE'"
            " and table_name !~ 'role|migration|version|code_scheme' and column_name !~ '_code$|^code_scheme$|digest|hash|secret|former|login_name$|^role$'"
        ).fetchall()
        for schema, table, column in columns:
            for text in (HOSTILE, HOSTILE[:100], SHORT):
                try:
                    connection.execute(f'update {schema}.{table} set "{column}" = %s', (text,))
                    taken.add(f"{table}.{column}")
                    break
                except (psycopg.errors.CheckViolation, psycopg.errors.UniqueViolation):
                    continue  # too long, or has a form
    return taken


@pytest.fixture
def city(cluster: Cluster) -> Iterator[tuple[str, dict[str, str]]]:
    """A city where everything bears the hostile name; (address, names of the accounts)."""
    with new_database(cluster, "browser_hostile") as conninfo:
        with connect(conninfo) as connection:
            fill(connection)
            connection.execute(GROUND, prepare=False)
        names = {role: user(conninfo, role) for role in ("administrator", "auditor", "supervisor")}
        taken = fill_with_hostile(conninfo)
        assert taken >= SHOWN, SHOWN - taken
        settings = {
            "city_name_zh": HOSTILE,
            "city_name_en": HOSTILE,
            "oidc_name": HOSTILE,
            "oidc_issuer": "http://127.0.0.1:9",
        }
        with live_server(conninfo, **settings) as url:
            yield url, names


def is_text(page: Page) -> None:
    """No name has become a program or an element of the page."""
    assert page.evaluate("window.hacked ?? window.q") is None, page.url
    assert page.locator(HARMFUL).count() == 0, page.url


def opened(page: Page, address: str) -> Page:
    is_text(page)  # the one that is left
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=90_000)
    return page


def test_names_stay_text_on_every_page(city: tuple[str, dict[str, str]], page: Page) -> None:
    url, names = city
    start = re.compile(re.escape(HOSTILE[:20]))
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    for lang in ("zh", "en"):
        opened(page, f"{url}/login?lang={lang}&next=/{HOSTILE}")
        expect(page.get_by_text(start).first).to_be_visible()
    for role, pages in {"administrator": ["/account", "/admin"], "auditor": ["/account", "/auditor"]}.items():
        log_in(page, url, names[role])
        expect(page).not_to_have_url(re.compile("/login"))
        for path in pages:
            opened(page, f"{url}{path}?lang=en")
            expect(page.get_by_text(start).first).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(re.compile("/login"))
    log_in(page, url, names["supervisor"])
    expect(page).not_to_have_url(re.compile("/login"))
    for lang in ("zh", "en"):
        opened(page, f"{url}/maps/wall?lang={lang}")
        page.keyboard.press("/")
        for layer in page.locator(".legend input[type=checkbox]").all():
            layer.check()
        page.locator(".place").fill(f"{WEST + SIDE / 2}, {SOUTH + SIDE / 2}")
        page.locator(".place").press("Enter")
        card = page.locator(".card")
        expect(card.locator(".duty").first).to_contain_text(HOSTILE[:20])
        move(page, WEST + SIDE / 2, SOUTH + SIDE / 2, 17)  # near enough for cameras that are not counted together
        for kind in ("police_posts", "patrol_units", "cameras", "facilities", "incidents"):
            shown = page.locator(".layer", has=page.locator(f"label[data-layer={kind}]"))
            shown.locator("summary").click()
            expect(shown.locator("li button").first).to_contain_text(HOSTILE[:20])
        page.keyboard.press("Escape")
        page.locator(".stream [data-incident]").first.click()
        expect(card.locator(".incident")).to_contain_text(HOSTILE[:20])
        move(page, WEST + SIDE / 2, SOUTH + SIDE / 2, 18)  # near enough for so long a name to fit
        expect(page.locator(".names")).to_contain_text(HOSTILE[:10])
    opened(page, f"{url}/maps/response?lang=en")
    expect(page.locator(".closures li").first).to_contain_text(HOSTILE[:20])
    page.locator(".coverage").first.wait_for()
    for layer in REGISTRY:
        opened(page, f"{url}/collections/{layer}/items?limit=100")
        if layer != "response_circles":  # they have no names
            expect(page.locator("td").get_by_text(start).first).to_be_visible()
    opened(page, f"{url}/collections/police_posts/items/post-A")
    expect(page.locator("td").get_by_text(start).first).to_be_visible()
    opened(page, f"{url}/imports?lang=en")
    shown = re.sub('["\u202a-\u202e\u2066-\u2069]', "", HOSTILE)  # names that turn the direction of text are refused
    quoted = f'"{shown[:200]}"'  # as long as a name may be
    rows = (
        f"facility_code,name,lon,lat,facility_kind\nx,{quoted},114.5,37,school\n{quoted},{quoted},114.5,37,{quoted}\n"
    )
    sent = {"name": f"{re.sub(r'[/\\]', '', HOSTILE)[:60]}.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    page.locator("select[name=layer]").select_option("facilities")
    page.locator("select[name=source_crs]").select_option("EPSG:4490")
    page.locator("input[type=file]").set_input_files(sent)
    page.get_by_role("button", name="Check").click()
    expect(page.locator("td").filter(has_text="facility_kind")).to_be_visible()
    expect(page.locator("h2").get_by_text(re.compile(re.escape(sent["name"][:19])))).to_be_visible()
    for path in ("/collections", "/collections/cameras", "/conformance"):
        opened(page, f"{url}{path}")
    is_text(page)
