"""Who may do what: every route for every role; and the same question by every way in, inside and outside one's cells."""

import json
import math
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import mapbox_vector_tile
import psycopg
import pytest
from fastapi.routing import iter_route_contexts
from pandas import DataFrame
from psycopg.conninfo import make_conninfo

from geo_grid.access import digest_of
from geo_grid.api.app import create_app
from geo_grid.api.server.rights import RIGHTS
from geo_grid.boundaries import publish_zones
from geo_grid.db import Cluster, Connection, connect
from geo_grid.db.connections import APPLICATION_ROLE
from geo_grid.layers import REGISTRY
from geo_grid.settings import Settings
from tests.conftest import live_server
from tests.databases import new_database
from tests.identities import api_key, bearing, kiosk_token, logged_in, user
from tests.squares import SIDE, SOUTH, WEST, square, two_by_two

IN_A = (WEST + SIDE / 2, SOUTH + SIDE / 2)
IN_D = (WEST + 1.5 * SIDE, SOUTH + 1.5 * SIDE)
IN_NONE = (WEST + 9.5 * SIDE, SOUTH + 9.5 * SIDE)
ROLES = ("wall", "grid_worker", "dispatcher", "planner", "supervisor", "administrator", "auditor")

# route -> who is answered; everybody else gets 403, and who is not logged in 401 (a page: 303 to the log-in)
EVERYBODY = set(ROLES)
MAP = EVERYBODY - {"auditor"}
READERS = {"wall", "grid_worker", "dispatcher", "planner", "supervisor"}
DESK = {"grid_worker", "dispatcher", "supervisor"}
ROSTER = DESK | {"planner"}
EXPECTED: dict[str, set[str] | None] = {
    "GET /healthz": None, "GET /readyz": None, "GET /.well-known/security.txt": None, "GET /login": None,
    "POST /session": None, "POST /session/kiosk": None, "POST /session/demo": None, "GET /session/oidc": None, "GET /session/oidc/callback": None,
    "GET /": EVERYBODY, "GET /start": EVERYBODY, "GET /overview": EVERYBODY, "GET /account": EVERYBODY, "GET /session": EVERYBODY, "DELETE /session": EVERYBODY,
    "GET /docs": EVERYBODY - {"wall"}, "GET /openapi.json": MAP, "GET /maps/wall": MAP, "GET /maps/desk": DESK,
    "GET /admin": {"administrator"}, "GET /auditor": {"auditor"},
    "PUT /session/password": EVERYBODY - {"wall"}, "POST /session/factor": EVERYBODY - {"wall"},
    "PUT /session/factor": EVERYBODY - {"wall"},
    "GET /locate": MAP, "GET /desk": MAP, "GET /search": MAP, "GET /search/datums": MAP, "POST /locate": {"dispatcher", "planner", "supervisor"},
    "POST /units/positions": {"dispatcher", "supervisor"}, "GET /units/{unit_code}/track": MAP,
    "GET /response/live/areas": MAP,  # these before units are removed
    "GET /collections": MAP, "GET /collections/{layer}": MAP, "GET /collections/{layer}/items": MAP,
    "GET /collections/{layer}/items/{item}": MAP, "GET /events": MAP, "GET /conformance": MAP,
    "GET /collections/{layer}/queryables": MAP, "GET /collections/{layer}/tiles": MAP,
    "GET /collections/{layer}/tiles/WebMercatorQuad": MAP,
    "GET /collections/{layer}/tiles/WebMercatorQuad/tilejson.json": MAP, "GET /tiles/WebMercatorQuad/{z}/{y}/{x}": MAP,
    "GET /collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}": MAP,
    "GET /collections/{layer}/export": {"planner", "supervisor"},
    "GET /imports": {"planner", "supervisor"}, "POST /imports": {"planner", "supervisor"},
    "POST /imports/{import_id}/confirmation": {"planner", "supervisor"},
    "DELETE /imports/{import_id}": {"planner", "supervisor"},
    "GET /tileMatrixSets": MAP, "GET /tileMatrixSets/WebMercatorQuad": MAP, "GET /styles": MAP, "GET /styles/{style}": MAP, "GET /collections/{layer}/styles/{style}": MAP,
    "GET /incidents": READERS, "GET /incidents/counts": READERS,
    "GET /incidents/categories": MAP,
    "GET /loops": {"administrator", "supervisor"}, "PUT /loops/{loop_code}": {"administrator", "supervisor"},
    "DELETE /loops/{loop_code}": {"administrator", "supervisor"},
    "GET /levels": MAP, "PUT /levels/{grid_level}": {"administrator", "supervisor"},
    "GET /rules": MAP, "GET /supervision": READERS, "GET /maps/indicators": READERS,
    "GET /incidents/{incident_id}": READERS,
    "GET /incidents/deadlines": READERS,
    **{route: {"supervisor", "administrator"} for route in (
        "GET /deadlines/policies", "PUT /deadlines/policies/{policy_code}", "DELETE /deadlines/policies/{policy_code}",
        "GET /deadlines/schedules", "PUT /deadlines/schedules/{schedule_code}", "GET /deadlines/days",
        "PUT /deadlines/days/{day}")},
    "POST /incidents": DESK,
    "POST /incidents/batch": DESK,
    **dict.fromkeys(("GET /open311/v2/services.{format}", "GET /open311/v2/services/{service_code}.{format}", "GET /open311/v2/requests.{format}", "GET /open311/v2/requests/{service_request_id}.{format}"), READERS),
    "POST /open311/v2/requests.{format}": DESK,
    **{route: {"administrator"} for route in (
        "GET /webhooks", "POST /webhooks", "PATCH /webhooks/{hook_id}", "DELETE /webhooks/{hook_id}",
        "GET /webhooks/{hook_id}/dead-letters", "POST /webhooks/{hook_id}/dead-letters")},
    "GET /incidents/{incident_id}/steps": DESK,
    "POST /incidents/{incident_id}/steps": DESK,
    "GET /incidents/{incident_id}/duplicates": DESK,
    "GET /incidents/categories/unlisted": {"administrator", "supervisor"},
    "PUT /incidents/categories/{category_code}": {"administrator", "supervisor"},
    "POST /incidents/categories/{category_code}/names": {"administrator", "supervisor"},
    "GET /incidents/{incident_id}/run-card": DESK,
    "GET /run-cards": READERS,
    "POST /run-cards": {"administrator", "supervisor"},
    "DELETE /run-cards/{run_card_id}": {"administrator", "supervisor"},
    "GET /shifts/check-ins": READERS,
    "GET /shifts/notes": DESK,
    "POST /shifts/notes": DESK,
    "POST /shifts/notes/{shift_note_id}/acknowledgement": DESK,
    "GET /duties/absences": ROSTER,
    "POST /duties/absences": {"dispatcher", "supervisor"},
    "DELETE /duties/absences/{absence_id}": {"dispatcher", "supervisor"},
    "GET /duties/desk/{grid_code}/{day}": ROSTER,
    "PUT /duties/desk/{grid_code}/{day}": {"dispatcher", "supervisor"},
    **dict.fromkeys(("GET /incidents/{incident_id}/mediation/organisations", "GET /mediation/cases", "GET /mediation/cases/{case_id}", "GET /mediation/figures", "GET /supervised/listings", "GET /supervised/listings/{listing_id}", "GET /supervised/figures", "GET /supervised/projects"), READERS),
    **dict.fromkeys(("POST /incidents/{incident_id}/mediation", "POST /mediation/cases/{case_id}/steps", "POST /supervised/listings/{listing_id}/steps"), DESK),
    "GET /maps/field": None, "GET /maps/field/worker.js": None,
    "GET /field/rounds": {"grid_worker", "dispatcher"}, "POST /field/visits": {"grid_worker", "dispatcher"},
    "GET /field/visits": ROSTER, "GET /field/norms": ROSTER,
    "GET /field/workers": {"dispatcher", "supervisor"}, "PUT /field/workers/{name}": {"dispatcher", "supervisor"},
    "GET /incidents/reminders": DESK, "GET /volunteers/teams": MAP,
    "PUT /volunteers/teams/{facility_code}": {"planner", "supervisor"},
    "GET /meetings": READERS, "GET /meetings/{meeting_id}": READERS, "POST /meetings": DESK,
    "GET /mediation/organisations": MAP, "PUT /mediation/organisations/{facility_code}": {"planner", "supervisor"},
    "GET /mediation/cases/export": {"planner", "supervisor"},
    "POST /supervised/listings": {"supervisor"}, "POST /supervised/projects/{place_code}/assessments": {"supervisor"},
    **{f"GET /indicators{path}": READERS for path in ("", "/figures", "/areas")},
    "GET /indicators/report": {"planner", "supervisor"},
    **{route: {"dispatcher", "supervisor"} for route in (
        "POST /cameras/{gb28181_id}/openings", "GET /feeds/{feed_id}", "DELETE /feeds/{feed_id}", "GET /feeds/{feed_id}/{part}", "POST /feeds/{feed_id}/movements")},
    **{route: {"auditor"} for route in (
        "GET /cameras/{gb28181_id}/openings", "GET /cameras/{gb28181_id}/viewers", "GET /audit/openings")},
    **{route: {"administrator"} for route in (
        "GET /streams/hosts", "PUT /streams/hosts/{host_name}", "DELETE /streams/hosts/{host_name}",
        "PUT /streams/hosts/{host_name}/cameras")},
    **dict.fromkeys(("GET /cameras/ids/{gb28181_id}", "GET /cameras/platforms", "GET /cameras/states", "GET /cameras/positions", "GET /cameras/availability", "GET /cameras/views", "GET /cameras/facets", "GET /cameras/sector", "GET /cameras/coverage", "GET /cameras/coverage/places", "GET /cameras/coverage/roads", "GET /cameras/coverage/{grid_code}/blind-spots"), MAP),
    **{route: {"planner", "supervisor"} for route in (
        "PUT /cameras/platforms/{platform_code}", "POST /cameras/platforms/{platform_code}/queries", "GET /cameras/proposals", "POST /cameras/proposals/decisions", "POST /cameras/proposals/{proposal_id}/decision")},
    "POST /cameras/states": {"dispatcher", "planner", "supervisor"},
    "POST /cameras/positions": {"dispatcher", "planner", "supervisor"},
    "OPTIONS /collections/{layer}/items": MAP, "OPTIONS /collections/{layer}/items/{item}": MAP,
    "POST /collections/{layer}/items": {"planner", "supervisor"},
    "PUT /collections/{layer}/items/{item}": {"planner", "supervisor"},
    "PATCH /collections/{layer}/items/{item}": {"planner", "supervisor"},
    "DELETE /collections/{layer}/items/{item}": {"planner", "supervisor"},
    **{route: {"administrator"} for route in (
        "GET /accounts", "POST /accounts", "PATCH /accounts/{name}", "POST /accounts/{name}/password",
        "DELETE /accounts/{name}/factor", "GET /roles", "PATCH /roles/{role}", "GET /credentials",
        "POST /credentials", "DELETE /credentials/{credential_id}")},
    **{route: {"planner", "supervisor"} for route in (
        "GET /maps/planner", "GET /boundaries/drafts", "POST /boundaries/drafts", "GET /boundaries/drafts/{draft_id}",
        "DELETE /boundaries/drafts/{draft_id}", "POST /boundaries/drafts/{draft_id}/steps",
        "POST /boundaries/drafts/{draft_id}/preview",
        "POST /boundaries/drafts/{draft_id}/undo", "POST /boundaries/drafts/{draft_id}/redo",
        "POST /boundaries/drafts/{draft_id}/rebase", "POST /boundaries/drafts/{draft_id}/submit",
        "POST /boundaries/drafts/{draft_id}/withdraw", "GET /boundaries/drafts/{draft_id}/cells", "GET /boundaries/drafts/{draft_id}/zones",
        "GET /boundaries/drafts/{draft_id}/changes", "GET /boundaries/drafts/{draft_id}/check",
        "GET /boundaries/drafts/{draft_id}/impact", "GET /boundaries/drafts/{draft_id}/report",
        "GET /boundaries/drafts/{draft_id}/file", "POST /boundaries/imports",
        "POST /boundaries/drafts/{draft_id}/proposals", "GET /boundaries/overloaded")},
    **{route: {"supervisor"} for route in (
        "POST /boundaries/drafts/{draft_id}/return", "POST /boundaries/drafts/{draft_id}/publish",
        "POST /boundaries/editions/{edition_id}/restore")},
    "GET /patrol/stops": MAP, "GET /patrol/completion": MAP, "POST /patrol/check-ins": {"dispatcher", "supervisor"},
    "POST /patrol/routes": READERS,
    "GET /response/areas": MAP, "GET /response/drawing": MAP, "GET /response/unions": MAP, "GET /response/live": MAP, "POST /response/siting": {"planner", "supervisor"}, "POST /cameras/siting": {"planner", "supervisor"}, "GET /response/move-up": READERS, "GET /maps/response": MAP, "GET /maps/sheet": MAP, "GET /maps/picture": MAP,
    "GET /response/coverage": READERS, "GET /response/times": READERS,
    "GET /boundaries/agreement": READERS,
    "GET /boundaries/editions": MAP, "GET /boundaries/editions/{edition_id}/changes": MAP,
    "GET /metrics": {"supervisor", "administrator", "auditor"},
    "GET /audit": {"auditor"}, "GET /audit/export": {"auditor"}, "GET /audit/verification": {"auditor"},
}  # fmt: skip
PAGES = {
    "/",
    "/start",
    "/account",
    "/docs",
    "/maps/wall",
    "/maps/indicators",
    "/admin",
    "/rules",
    "/supervision",
    "/auditor",
    "/imports",
    "/maps/planner",
    "/maps/response",
    "/maps/sheet",
    "/maps/desk",
}
FILLED = {"layer": "grid_cells", "item": "A", "z": "14", "y": "6350", "x": "13400", "incident_id": "900065", "name": "nobody",
          "case_id": "900065", "meeting_id": "900065", "listing_id": "900065", "facility_code": "facility-A", "place_code": "place-A",
          "role": "nobody", "credential_id": "999999", "style": "dark", "import_id": "x" * 22, "draft_id": "999999", "edition_id": "1", "unit_code": "nobody", "grid_code": "nowhere", "day": "2026-01-01", "absence_id": "999999", "run_card_id": "999999", "shift_note_id": "999999", "category_code": "nothing", "format": "json", "service_code": "nothing", "service_request_id": "900065", "hook_id": "999999", "policy_code": "nobodys", "loop_code": "nobodys", "grid_level": "1", "schedule_code": "nobodys", "gb28181_id": "13050200001310000001", "feed_id": "x" * 24, "part": "live.m3u8", "host_name": "nobody", "platform_code": "nobodys", "proposal_id": "999999"}  # fmt: skip

# what whoever may is answered when asked about FILLED, with no body and no parameters; 200 where nothing else stands here
ANSWERS: dict[int, set[str]] = {
    204: {
        "GET /collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}",
    },
    303: {
        "GET /start",
    },
    400: {
        "POST /open311/v2/requests.{format}",
        "GET /tiles/WebMercatorQuad/{z}/{y}/{x}",
    },
    403: {
        "POST /cameras/platforms/{platform_code}/queries",  # whoever sees no secret cameras
    },
    404: {
        "GET /cameras/{gb28181_id}/viewers",
        "GET /feeds/{feed_id}",
        "DELETE /feeds/{feed_id}",
        "GET /feeds/{feed_id}/{part}",
        "DELETE /streams/hosts/{host_name}",
        "GET /open311/v2/services/{service_code}.{format}",
        "GET /open311/v2/requests/{service_request_id}.{format}",
        "GET /cameras/coverage/{grid_code}/blind-spots",
        "DELETE /webhooks/{hook_id}",
        "GET /webhooks/{hook_id}/dead-letters",
        "DELETE /duties/absences/{absence_id}",
        "DELETE /run-cards/{run_card_id}",
        "POST /shifts/notes/{shift_note_id}/acknowledgement",
        "GET /duties/desk/{grid_code}/{day}",
        "GET /.well-known/security.txt",
        "GET /session/oidc",
        "GET /session/oidc/callback",
        "GET /units/{unit_code}/track",
        "DELETE /deadlines/policies/{policy_code}",
        "DELETE /loops/{loop_code}",
        "DELETE /imports/{import_id}",
        "GET /boundaries/drafts/{draft_id}",
        "DELETE /boundaries/drafts/{draft_id}",
        "POST /boundaries/drafts/{draft_id}/rebase",
        "POST /boundaries/drafts/{draft_id}/withdraw",
        "GET /boundaries/drafts/{draft_id}/changes",
        "GET /boundaries/drafts/{draft_id}/file",
        "GET /boundaries/drafts/{draft_id}/check",
        "GET /boundaries/drafts/{draft_id}/impact",
        "GET /boundaries/drafts/{draft_id}/report",
        "POST /accounts/{name}/password",
        "DELETE /accounts/{name}/factor",
        "DELETE /credentials/{credential_id}",
    },
    405: {
        "DELETE /collections/{layer}/items/{item}",
    },
    415: {
        "POST /locate",
    },
    422: {
        "POST /field/visits",
        "PUT /field/workers/{name}",
        "GET /volunteers/teams",
        "PUT /volunteers/teams/{facility_code}",
        "POST /meetings",
        "POST /session",
        "POST /session/kiosk",
        "POST /session/demo",
        "GET /locate",
        "GET /desk",
        "GET /search",
        "GET /search/datums",
        "POST /patrol/routes",
        "GET /response/areas",
        "GET /response/unions",
        "GET /response/live/areas",
        "GET /boundaries/editions/{edition_id}/changes",
        "PUT /session/password",
        "PUT /session/factor",
        "POST /units/positions",
        "POST /incidents",
        "POST /incidents/batch",
        "POST /webhooks",
        "PATCH /webhooks/{hook_id}",
        "POST /webhooks/{hook_id}/dead-letters",
        "POST /incidents/{incident_id}/steps",
        "PUT /incidents/categories/{category_code}",
        "PUT /loops/{loop_code}",
        "PUT /levels/{grid_level}",
        "POST /incidents/categories/{category_code}/names",
        "POST /duties/absences",
        "POST /run-cards",
        "POST /shifts/notes",
        "PUT /duties/desk/{grid_code}/{day}",
        "PUT /deadlines/policies/{policy_code}",
        "PUT /deadlines/schedules/{schedule_code}",
        "GET /deadlines/days",
        "PUT /deadlines/days/{day}",
        "POST /incidents/{incident_id}/mediation",
        "PUT /mediation/organisations/{facility_code}",
        "POST /mediation/cases/{case_id}/steps",
        "POST /supervised/listings",
        "POST /supervised/listings/{listing_id}/steps",
        "POST /supervised/projects/{place_code}/assessments",
        "POST /cameras/{gb28181_id}/openings",
        "PUT /streams/hosts/{host_name}",
        "PUT /streams/hosts/{host_name}/cameras",
        "PUT /cameras/platforms/{platform_code}",
        "POST /cameras/proposals/decisions",
        "POST /cameras/proposals/{proposal_id}/decision",
        "GET /cameras/states",
        "POST /cameras/states",
        "GET /cameras/positions",
        "POST /cameras/positions",
        "GET /cameras/views",
        "GET /cameras/sector",
        "GET /cameras/coverage/roads",
        "POST /cameras/siting",
        "POST /feeds/{feed_id}/movements",
        "POST /patrol/check-ins",
        "POST /imports",
        "POST /imports/{import_id}/confirmation",
        "POST /collections/{layer}/items",
        "PUT /collections/{layer}/items/{item}",
        "PATCH /collections/{layer}/items/{item}",
        "POST /boundaries/drafts",
        "POST /boundaries/drafts/{draft_id}/steps",
        "POST /boundaries/drafts/{draft_id}/preview",
        "POST /boundaries/drafts/{draft_id}/undo",
        "POST /boundaries/drafts/{draft_id}/redo",
        "POST /boundaries/drafts/{draft_id}/submit",
        "GET /boundaries/drafts/{draft_id}/cells",
        "GET /boundaries/drafts/{draft_id}/zones",
        "POST /boundaries/imports",
        "POST /boundaries/drafts/{draft_id}/proposals",
        "POST /response/siting",
        "GET /maps/picture",
        "POST /boundaries/drafts/{draft_id}/return",
        "POST /boundaries/drafts/{draft_id}/publish",
        "POST /boundaries/editions/{edition_id}/restore",
        "POST /accounts",
        "PATCH /accounts/{name}",
        "PATCH /roles/{role}",
        "POST /credentials",
    },
}


THINGS = (
    "insert into duties (grid_code, duty_role, person_name, phone) values (%(cell)s, 'grid_lead', 'lead-' || %(cell)s, '12345')",
    "insert into police_posts (post_code, name, geom) values ('post-' || %(cell)s, 'x', {spot})",
    "insert into response_circles (response_circle_id, post_code, tier_minutes, method, speed_kmh, detour_factor, geom)"
    " overriding system value values (%(number)s, 'post-' || %(cell)s, 1, 'geodesic', 30, 1, {around})",
    "insert into patrol_units (unit_code, name, unit_kind, geom) values ('unit-' || %(cell)s, 'x', 'car', {spot})",
    "insert into facilities (facility_code, facility_kind, name, geom) values ('facility-' || %(cell)s, 'school', 'x', {spot})",
    "insert into cameras (gb28181_id, name, ptz_type, geom, grid_code)"
    " values (%(camera)s, 'camera-' || %(cell)s, 1, {spot}, %(cell)s)",
    "insert into camera_states (camera_id, state, since, reported_at)"
    " select camera_id, 'fault', '2026-01-01', '2026-01-01' from cameras where gb28181_id = %(camera)s",
    "with worn as (insert into cameras (gb28181_id, name, geom, grid_code)"
    " values ('LOCAL-worn-' || %(cell)s, 'worn-' || %(cell)s, {spot}, %(cell)s) returning camera_id, geom)"
    " insert into camera_positions (camera_id, geom, positioned_at) select camera_id, geom, now() from worn",
    "insert into camera_views (camera_id, stands_at, fov_deg, range_m, buildings_of, is_cut, area_m2, geom)"
    " select camera_id, geom, 360, 30, 0, false, 1, ST_Expand(geom, 0.0001) from cameras where gb28181_id = %(camera)s",
    "insert into roads (name, road_class, geom)"
    " values ('x', 'service', ST_MakeLine({spot}, ST_Translate({spot}, 0.0009765625, 0)))",
    "insert into camera_coverage (grid_code, cell_m2, seen_m2, twice_m2, cameras) values (%(cell)s, 100, 50, 0, 1)",
    "insert into camera_proposals (proposal_id, proposal_kind, camera_id, geom, distance_m, source) overriding system value"
    " select %(number)s, 'moved', camera_id, geom, 9, %(cell)s from cameras where gb28181_id = %(camera)s",
    "insert into camera_proposals (proposal_kind, camera_id, geom, distance_m, source)"
    " select 'moved', camera_id, geom, 9, 'all-' || %(cell)s from cameras where gb28181_id = 'LOCAL-worn-' || %(cell)s",
    "insert into incidents (incident_id, category, description, caller_number, geom, grid_code, edition_id)"
    " overriding system value"
    " values (%(number)s, 'incident-' || %(cell)s, 'text-' || %(cell)s, '13912345678', {spot}, %(cell)s, 1)",
    "insert into facilities (facility_code, facility_kind, name, division_level, geom)"
    " values ('mediation-' || %(cell)s, 'mediation_organisation', 'mediation-' || %(cell)s, 'village', {spot})",
    "insert into mediation_organisations (facility_id, mediation_kind, grid_code)"
    " select facility_id, 'people', %(cell)s from facilities where facility_code = 'mediation-' || %(cell)s",
    "insert into mediators (facility_id, person_name)"
    " select facility_id, 'mediator-' || %(cell)s from facilities where facility_code = 'mediation-' || %(cell)s",
    "insert into mediation_cases (case_id, incident_id, facility_id, mediation_kind, division_level, chosen_by)"
    " overriding system value select %(number)s, %(number)s, facility_id, 'people', 'village', 'nearest'"
    " from facilities where facility_code = 'mediation-' || %(cell)s",
    "insert into mediation_steps (case_id, number, action, facility_id, note, actor_name, done_at)"
    " select %(number)s, 1, 'take', facility_id, 'text-' || %(cell)s, 'x', now()"
    " from facilities where facility_code = 'mediation-' || %(cell)s",
    "insert into mediation_parties (case_id, number, party_role, initials) values (%(number)s, 1, 'applicant', 'Q')",
    "insert into registered_places (place_code, place_kind, name, geom, grid_code)"
    " select kind || %(cell)s, 'major_project', kind || %(cell)s, {spot}, %(cell)s from (values ('place-'), ('watched-')) x (kind)",
    "insert into supervised_listings (listing_id, registered_place_id, listed_level, responsible_unit, due_on, listed_by_name)"
    " overriding system value select %(number)s, registered_place_id, 'county', 'listing-' || %(cell)s, '2100-01-01', 'x'"
    " from registered_places where place_code = 'watched-' || %(cell)s",
    "insert into listing_steps (listing_id, number, action, measures, actor_name, done_at)"
    " values (%(number)s, 1, 'list', 'text-' || %(cell)s, 'x', now())",
    "insert into duties (grid_code, duty_role, person_name, valid_from)"
    " values (%(cell)s, 'grid_manager', 'worker-' || %(cell)s, '2026-01-01')",
    "insert into visits (visit_id, grid_code, duty_id, visited_at, place_from) overriding system value"
    " select %(number)s, %(cell)s, duty_id, now() - interval '14 days', 'cell' from duties where person_name = 'worker-' || %(cell)s",
    "insert into visit_notes values (%(number)s, 'text-' || %(cell)s)",
    "insert into facilities (facility_code, facility_kind, name, geom)"
    " values ('team-' || %(cell)s, 'volunteer_team', 'team-' || %(cell)s, {spot})",
    "insert into joint_meetings (meeting_id, grid_code, title, held_at, units, actor_name) overriding system value"
    " values (%(number)s, %(cell)s, 'meeting-' || %(cell)s, now(), array['x'], 'x')",
    "insert into meeting_resolutions values (%(number)s, 1, 'x', %(number)s)",
)
SPOT = "ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)"
AROUND = f"ST_Multi(ST_Expand({SPOT}, 0.0009765625))"


def the_place(cell: str, at: tuple[float, float]) -> dict[str, Any]:
    """What is asked about in a cell: everything there bears its name or its number."""
    lon, lat = at
    row = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return {
        "cell": cell, "lon": lon, "lat": lat, "number": 900_000 + ord(cell), "camera": f"130502000013100000{ord(cell)}",
        "new_camera": f"LOCAL-new-{ord(cell)}",
        "box": f"{lon - 2**-10},{lat - 2**-10},{lon + 2**-10},{lat + 2**-10}",
        "y": int(row * 2**ZOOM), "x": int((lon + 180) / 360 * 2**ZOOM),
    }  # fmt: skip


ZOOM = 17
INSIDE, OUTSIDE, NOWHERE = the_place("A", IN_A), the_place("D", IN_D), the_place("Z", IN_NONE)


def fill(connection: Connection) -> None:
    """Four cells A to D, with something of every kind in A and in D."""
    two_by_two(connection)
    zones = DataFrame({
        "zone_code": ["zone-A", "zone-D"], "name": "x", "zone_kind": "area", "zone_type": "regular",
        "responsible_unit": "x", "geometry": [square(0, 0), square(1, 1)],
    })  # fmt: skip
    publish_zones(connection, zones, "zones")
    for place in (INSIDE, OUTSIDE):
        for statement in THINGS:
            connection.execute(statement.format(spot=SPOT, around=AROUND), place, prepare=False)


@pytest.fixture(scope="module")
def filled_template(cluster: Cluster) -> Iterator[str]:
    """Name of a database with that city, to make others from."""
    name = "template_rights"
    with new_database(cluster, name) as conninfo:
        with connect(conninfo) as connection:
            fill(connection)
        yield name


@pytest.fixture
def city(cluster: Cluster, filled_template: str) -> Iterator[tuple[str, str]]:
    """(address of a served city, its owner's way in)."""
    name = f"rights_{time.monotonic_ns()}"
    with new_database(cluster, name, filled_template) as database, live_server(database) as url:
        yield url, database


def as_role(url: str, database: str, role: str, cells: list[str] | None = None):
    if role == "wall":
        return bearing(url, api_key(database, "wall", cells))
    return logged_in(url, user(database, role, cells))


def test_every_route_is_decided_about_and_expected_here(database: str) -> None:
    app = create_app(Settings(database_url=database, app_database_url=database), database)
    served = {
        f"{method} {context.path}"
        for context in iter_route_contexts(app.routes)
        for method in getattr(context.original_route, "methods", None) or ()
    }
    assert served == EXPECTED.keys()
    assert {f"{method} {path}" for method, path in RIGHTS} == EXPECTED.keys()


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
def test_every_route_answers_whom_it_should(city: tuple[str, str], role: str) -> None:
    url, database = city
    with httpx.Client(base_url=url, timeout=30) if role == "nobody" else as_role(url, database, role) as client:
        for route, allowed in EXPECTED.items():
            method, _, path = route.partition(" ")
            if route == "DELETE /session" or (path == "/events" and role in MAP):
                continue  # ends the session; never ends
            is_page = method == "GET" and path in PAGES
            accept = {"Accept": "text/html"} if is_page else {}
            answer = client.request(method, path.format(**FILLED), headers=accept)
            if allowed is None or role in allowed:
                expected = next((status for status, routes in ANSWERS.items() if route in routes), 200)
            elif role == "nobody":
                expected = 303 if is_page else 403 if path.startswith("/open311/") else 401  # as GeoReport v2 has it
            else:
                expected = 403
            assert answer.status_code == expected, (route, answer.text)


ITEMS = {
    "grid_cells": "{cell}", "patrol_zones": "zone-{cell}", "police_posts": "post-{cell}", "response_circles": "{number}",
    "patrol_units": "unit-{cell}", "facilities": "facility-{cell}", "cameras": "{camera}", "incidents": "{number}",
    "registered_places": "place-{cell}",
}  # fmt: skip
# what is asked of a place by each route that can be; of the others, what they tell of themselves
QUESTIONS: dict[str, list[str]] = {
    "GET /locate": ["/locate?lon={lon}&lat={lat}", "/locate?lon={lon}&lat={lat}&at=2100-01-01T00:00:00Z"],
    "POST /locate": ['/locate {{"points": [[{lon}, {lat}]]}}'],
    "GET /desk": ["/desk?lon={lon}&lat={lat}", "/desk?incident={number}"],
    "GET /search": ["/search?q=facility-{cell}", "/search?q={camera}"],
    "GET /incidents/{incident_id}": ["/incidents/{number}"],
    "GET /incidents/{incident_id}/steps": ["/incidents/{number}/steps"],
    "GET /incidents/{incident_id}/run-card": ["/incidents/{number}/run-card"],
    "GET /incidents/{incident_id}/duplicates": ["/incidents/{number}/duplicates"],
    "GET /duties/desk/{grid_code}/{day}": ["/duties/desk/{cell}/2090-01-01"],
    "POST /incidents/{incident_id}/steps": ['/incidents/{number}/steps {{"action": "escalate", "reason": "x"}}'],
    "GET /incidents/{incident_id}/mediation/organisations": ["/incidents/{number}/mediation/organisations"],
    "GET /mediation/cases/{case_id}": ["/mediation/cases/{number}"],
    "POST /mediation/cases/{case_id}/steps": [
        '/mediation/cases/{number}/steps {{"action": "withdraw", "reason": "x"}}'
    ],
    "GET /supervised/listings/{listing_id}": ["/supervised/listings/{number}"],
    "POST /supervised/listings/{listing_id}/steps": [
        '/supervised/listings/{number}/steps {{"action": "progress", "note": "x"}}'
    ],
    "POST /supervised/listings": [
        '/supervised/listings {{"incident_id": {number}, "level": "county", "responsible_unit": "x", "measures": "x",'
        ' "due_on": "2100-01-01"}}'
    ],
    "POST /supervised/projects/{place_code}/assessments": [
        '/supervised/projects/place-{cell}/assessments {{"assessed_on": "2020-01-01", "valid_until": "2020-01-02",'
        ' "risk_level": "low", "decision": "proceed"}}'
    ],
    "PUT /mediation/organisations/{facility_code}": [
        '/mediation/organisations/mediation-{cell} {{"mediation_kind": "people", "grid_code": "A", "mediators": ["x"]}}'
    ],
    "GET /field/visits": ["/field/visits?within={cell}"],
    "GET /field/norms": ["/field/norms?within={cell}", "/field/norms?within={cell}&by=cell"],
    "GET /volunteers/teams": ["/volunteers/teams?incident={number}"],
    "PUT /volunteers/teams/{facility_code}": ['/volunteers/teams/team-{cell} {{"skills": ["fire"]}}'],
    "GET /meetings/{meeting_id}": ["/meetings/{number}"],
    "POST /meetings": [
        '/meetings {{"title": "x", "held_at": "2026-01-01T00:00:00Z", "units": ["x"], "grid_code": "{cell}", "resolutions":'
        ' [{{"text": "x", "category": "x", "responsible_unit": "x", "lon": {lon}, "lat": {lat}}}]}}'
    ],
    "GET /indicators/figures": [
        "/indicators/figures?by=cell&within={cell}&from=2000-01-01",
        "/indicators/figures?by=category&within={cell}&from=2000-01-01&f=json",
    ],
    "GET /indicators/areas": ["/indicators/areas?within={cell}&from=2000-01-01"],
    "GET /response/unions": ["/response/unions?bbox={box}&by=city"],
    "GET /response/live/areas": ["/response/live/areas?bbox={box}"],
    "GET /units/{unit_code}/track": ["/units/unit-{cell}/track?since=2000-01-01T00:00:00Z"],
    "POST /units/positions": [
        '/units/positions {{"positions": [{{"unit_code": "unit-{cell}", "lon": {lon}, "lat": {lat},'
        ' "reported_at": "2026-01-01T00:00:00Z"}}]}}'
    ],
    "POST /incidents": ['/incidents {{"lon": {lon}, "lat": {lat}, "category": "x"}}'],
    "POST /incidents/batch": [
        '/incidents/batch {{"rows": [{{"idempotency_key": "{cell}", "incident": {{"lon": {lon}, "lat": {lat}, "category": "x"}}}}]}}'
    ],
    "POST /cameras/{gb28181_id}/openings": ['/cameras/{camera}/openings {{"reason": "a look"}}'],
    "GET /cameras/states": ["/cameras/states?bbox={box}"],
    "POST /cameras/states": [
        '/cameras/states {{"states": [{{"gb28181_id": "{camera}", "state": "online", "since": "2026-02-01T00:00:00Z"}}]}}'
    ],
    "GET /cameras/positions": ["/cameras/positions?bbox={box}"],
    "POST /cameras/positions": [
        '/cameras/positions {{"positions": [{{"gb28181_id": "{camera}", "lon": {lon}, "lat": {lat},'
        ' "positioned_at": "2026-02-01T00:00:00Z"}}]}}'
    ],
    "GET /cameras/availability": ["/cameras/availability?by=cell", "/cameras/availability?by=owner"],
    "GET /cameras/views": ["/cameras/views?bbox={box}"],
    "GET /cameras/sector": ["/cameras/sector?lon={lon}&lat={lat}&azimuth_deg=0&fov_deg=360&range_m=50"],
    "GET /cameras/coverage": ["/cameras/coverage?within={cell}"],
    "GET /cameras/coverage/places": ["/cameras/coverage/places?within={cell}"],
    "GET /cameras/coverage/roads": ["/cameras/coverage/roads?within={cell}"],
    "POST /cameras/siting": ['/cameras/siting {{"within": "{cell}", "count": 1}}'],
    "GET /cameras/coverage/{grid_code}/blind-spots": ["/cameras/coverage/{cell}/blind-spots"],
    "POST /cameras/proposals/decisions": [
        '/cameras/proposals/decisions {{"is_accepted": true, "proposal_kind": "moved", "source": "all-{cell}"}}'
    ],
    "POST /cameras/proposals/{proposal_id}/decision": ['/cameras/proposals/{number}/decision {{"is_accepted": true}}'],
    "GET /collections/{layer}/items": [
        "/collections/{layer}/items?bbox={box}&zoom=18",
        "/collections/{layer}/items?bbox={box}&limit=100",
        "/collections/{layer}/items?filter=S_INTERSECTS(geometry,POINT({lon}%20{lat}))",
    ],
    "GET /collections/{layer}/items/{item}": ["/collections/{layer}/items/{item}"],
    "GET /collections/{layer}/tiles/WebMercatorQuad/{z}/{y}/{x}": [
        f"/collections/{{layer}}/tiles/WebMercatorQuad/{ZOOM}/{{y}}/{{x}}"
    ],
    "GET /tiles/WebMercatorQuad/{z}/{y}/{x}": [
        f"/tiles/WebMercatorQuad/{ZOOM}/{{y}}/{{x}}?collections={','.join(ITEMS)}"
    ],
    "GET /collections/{layer}/export": [
        "/collections/{layer}/export?f=csv",
        "/collections/{layer}/export",
        "/collections/{layer}/items?f=geojsonseq",
        "/collections/{layer}/items?f=csv",
    ],
}
FEATURE = '{{"type": "Feature", "geometry": {{"type": "Point", "coordinates": [{lon}, {lat}]}}, "properties": '
MADE = {
    "facilities": '{{"facility_code": "new-{cell}", "facility_kind": "school", "name": "x"}}}}',
    "police_posts": '{{"post_code": "{cell}-new", "name": "x"}}}}',
    "patrol_units": '{{"unit_code": "{cell}-new", "name": "x", "unit_kind": "car"}}}}',
    "cameras": '{{"gb28181_id": "{new_camera}", "name": "x"}}}}',
    "registered_places": '{{"place_code": "new-{cell}", "place_kind": "hidden_danger", "name": "x"}}}}',
}
OF_CELL = {
    layer: ITEMS[layer] for layer in ("facilities", "patrol_units", "police_posts", "cameras", "registered_places")
}
QUESTIONS |= {
    "POST /collections/{layer}/items": [f"/collections/{layer}/items {FEATURE}{rest}" for layer, rest in MADE.items()],
    "PATCH /collections/{layer}/items/{item}": [
        f'/collections/{layer}/items/{item} {{{{"properties": {{{{"name": "y"}}}}}}}}'
        for layer, item in OF_CELL.items()
    ],
    "PUT /collections/{layer}/items/{item}": [
        f'/collections/{layer}/items/{item} {FEATURE}{{{{"name": "y", "facility_kind": "school"}}}}}}}}'
        for layer, item in {"facilities": "facility-{cell}"}.items()
    ],
    "DELETE /collections/{layer}/items/{item}": [
        f"/collections/{layer}/items/{item}" for layer, item in OF_CELL.items()
    ],
}
MARKS = [
    f"{kind}-D"
    for kind in (
        "lead",
        "zone",
        "post",
        "unit",
        "facility",
        "camera",
        "incident",
        "text",
        "mediation",
        "mediator",
        "place",
        "listing",
        "worker",
        "team",
        "meeting",
    )
] + [
    '"grid_code":"D"',
    ",D,",
]


def questions(route: str, place: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The paths, with bodies, by which a route can be asked about a place."""
    for question in QUESTIONS.get(route, [route.partition(" ")[2].format(**FILLED)]):
        for layer, key in ITEMS.items() if "{layer}" in question else [("", "")]:
            values = {**place, "layer": layer, "item": key.format(**place)}
            path, _, body = question.format(**values).partition(" ")
            yield path, body


def told(client: httpx.Client, method: str, path: str, body: str, place: dict[str, Any]) -> tuple[int, str]:
    """The answer, without the words of the question: those of another place would be other words."""
    answer = client.request(method, path, json=json.loads(body) if body else None)
    text = answer.text
    if answer.headers.get("content-type") == "application/vnd.mapbox-vector-tile":
        text = json.dumps(mapbox_vector_tile.decode(answer.content), ensure_ascii=False)
    if answer.headers.get("content-type") == "application/geo+json":
        told = {
            name: value for name, value in answer.json().items() if name not in ("links", "timeStamp", "numberReturned")
        }
        if "features" in told:
            told["features"] = [
                feature for feature in told["features"] if feature.get("id") != "P"
            ]  # everybody's county
        text = json.dumps(told, ensure_ascii=False)
    elif answer.headers.get("content-type") == "application/geo+json-seq":
        text = "".join(line for line in text.splitlines() if '"id":"P"' not in line)
    for word in ("lon", "lat", "number", "camera", "new_camera", "cell"):
        text = re.sub(rf"\b{re.escape(str(place[word]))}\b", f"<{word}>", text)
    return answer.status_code, text


def test_everything_has_a_layer_that_is_asked_about_it() -> None:
    assert ITEMS.keys() == REGISTRY.keys() - {
        "roads",
        "road_closures",
        "base_features",
    }  # roads and the base map are everybody's


@pytest.mark.parametrize("role", ROLES)
def test_outside_ones_cells_is_as_if_it_did_not_exist(city: tuple[str, str], role: str) -> None:
    url, database = city
    with as_role(url, database, role, ["A"]) as client:
        while role in EXPECTED["GET /response/live"] and client.get("/response/live").json()["as_of"] is None:
            time.sleep(0.2)  # the first answer is worked out beside
        for route, allowed in EXPECTED.items():
            method = route.partition(" ")[0]
            if allowed is None or role not in allowed or route in ("DELETE /session", "GET /events"):
                continue  # says nothing; ends the session; never ends: it has a test of its own
            places = zip(*(questions(route, place) for place in (INSIDE, OUTSIDE, NOWHERE)), strict=True)
            for inside, outside, nowhere in places:
                here = told(client, method, *inside, INSIDE)
                assert not any(mark in here[1].replace(": ", ":") for mark in MARKS), (inside, here)
                if route not in QUESTIONS:
                    continue
                if inside == outside:  # a file names no place: what it holds was looked at above
                    assert here[0] < 300, (inside, here)
                    continue
                there = told(client, method, *outside, OUTSIDE)
                assert there == told(client, method, *nowhere, NOWHERE), outside
                assert not any(mark.replace("D", "<cell>") in there[1] for mark in MARKS if there[0] < 300), (
                    outside,
                    there,
                )
                asked = inside[0].partition("?collections")[0]
                if role == "administrator" and ("incident" in asked or "registered_places" in asked):
                    assert here == there, (inside, here)  # runs accounts, and reads no incidents
                else:
                    assert here[0] < 300, (inside, here)
                    assert here != there or route.endswith("/export"), (inside, here)


def test_the_events_tell_only_of_ones_own_cells(city: tuple[str, str]) -> None:
    url, database = city
    with bearing(url, api_key(database, "dispatcher", ["A"])) as client:
        with client.stream("GET", "/events") as stream:
            lines = stream.iter_lines()
            while not next(lines).startswith(": listening"):
                pass
            with bearing(url, api_key(database, "dispatcher")) as other:
                for lon, lat in (IN_D, IN_A):
                    made = other.post("/incidents", json={"lon": lon, "lat": lat, "category": "x"}).json()
            told = next(line for line in lines if line.startswith("data:"))
    assert (
        json.loads(told.removeprefix("data: "))["incident_id"] == made["incident_id"]
    )  # the one in A; the one in D came before it


def test_the_wall_shows_no_more_than_it_should(city: tuple[str, str]) -> None:
    url, database = city
    token = kiosk_token(database)
    with httpx.Client(base_url=url, timeout=30) as screen:
        assert screen.post("/session/kiosk", json={"token": token}).status_code == 204
        assert screen.get("/maps/wall").status_code == 200
        seen = screen.get("/incidents").text + screen.get(f"/desk?incident={INSIDE['number']}").text
        assert "incident-A" in seen
        assert not any(word in seen for word in ("text-A", "lead-A", "13912345678", "12345"))
        for path in ("/account", "/docs", "/openapi.json", "/collections/cameras/export"):
            assert screen.get(path).status_code == 403, path
        assert screen.post("/incidents", json={}).status_code == 403
    other = kiosk_token(database, network="10.9.8.0/24")
    with bearing(url, other) as elsewhere:
        assert elsewhere.get("/incidents").status_code == 401
        assert elsewhere.get("/incidents", headers={"X-Forwarded-For": "10.9.8.7"}).status_code == 401


def test_the_callers_number_is_for_the_handling_dispatcher(city: tuple[str, str]) -> None:
    url, database = city
    call = {"lon": IN_A[0], "lat": IN_A[1], "category": "x", "caller_number": "13987654321"}
    with logged_in(url, user(database, "dispatcher")) as mine, logged_in(url, user(database, "supervisor")) as other:
        made = mine.post("/incidents", json=call).json()
        assert mine.get(f"/incidents/{made['incident_id']}").json()["caller_number"] == "13987654321"
        assert other.get(f"/incidents/{made['incident_id']}").json()["caller_number"] == "*********21"


def test_postgresql_itself_refuses_what_another_credential_may(city: tuple[str, str]) -> None:
    _, database = city
    key = digest_of(api_key(database, "dispatcher", ["A"]))
    with psycopg.connect(make_conninfo(database, user=APPLICATION_ROLE), autocommit=True) as connection:
        connection.execute("select set_config('geo_grid.credential', %s, false)", (key,))
        assert connection.execute("select array_agg(category) from incidents").fetchone() == (["incident-A"],)
        assert connection.execute("select count(*) from grid_cells where grid_code = 'D'").fetchone() == (0,)
        for statement in (
            "select caller_number from incidents",
            "select description from incidents",
            "update access.audit_log set actor_name = 'me'",
            "delete from access.audit_log",
            "select * from access.passwords",
            "select * from access.credentials",
            "select access.login_facts('admin', null)",
            "select access.record('a.b', '', '', 'done')",
            "select access.list_principals()",
            "select access.admit_server(repeat('0', 64), interval '1 day')",
            "alter table incidents disable row level security",
            "alter table incidents no force row level security",
            "drop policy incidents_seen on incidents",
            "set role geo_grid",
            "copy incidents to program 'cat'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
