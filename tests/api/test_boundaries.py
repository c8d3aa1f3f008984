"""Drafts over HTTP: a planner draws, a second person approves, the server brings into force; nobody beyond their cells."""

import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas
import httpx
import numpy as np
import pytest
import shapely
from pandas import Series

from geo_grid.boundaries import publish_cells, read_division
from geo_grid.db import connect
from geo_grid.layers.grid_levels import set_levels
from tests.boundaries.test_drafts import city, line, owners_are_right
from tests.boundaries.test_drawn import level
from tests.boundaries.test_operations import at
from tests.conftest import live_server
from tests.identities import api_key, bearing
from tests.squares import cells, square

__all__ = ["city"]


@pytest.fixture
def server(city: str) -> Iterator[str]:
    with live_server(city) as url:
        yield url


@pytest.fixture
def planner(city: str, server: str) -> Iterator[httpx.Client]:
    with bearing(server, api_key(city, "planner")) as client:
        yield client


@pytest.fixture
def supervisor(city: str, server: str) -> Iterator[httpx.Client]:
    with bearing(server, api_key(city, "supervisor")) as client:
        yield client


def begun(client: httpx.Client, title: str = "南园") -> str:
    answer = client.post("/boundaries/drafts", json={"title": title})
    assert answer.status_code == 201, answer.text
    return f"/boundaries/drafts/{answer.json()['draft_id']}"


def done(client: httpx.Client, draft: str, expect: int = 201, **step: Any) -> dict[str, Any]:
    answer = client.post(f"{draft}/steps", json=step)
    assert answer.status_code == expect, answer.text
    return answer.json()


def owner_of(client: httpx.Client, x: float, y: float) -> str:
    lon, lat = at(x, y)
    return client.get("/locate", params={"lon": lon, "lat": lat}).json()["grid_cells"][-1]["grid_code"]


def becomes(client: httpx.Client, x: float, y: float, code: str) -> None:
    deadline = time.monotonic() + 90
    while (found := owner_of(client, x, y)) != code:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


MERGE = {"operation": "merge", "codes": ["c00", "c01"], "keep": "c01"}


def test_a_draft_is_drawn_checked_approved_by_another_and_taken_back(
    city: str, planner: httpx.Client, supervisor: httpx.Client
) -> None:
    assert owner_of(planner, 0.5, 0.5) == "c00"
    draft = begun(planner)
    assert planner.post(f"{draft}/submit", json={}).status_code == 409  # changes nothing yet
    done(planner, draft, operation="split", codes=["c22"], line=line((1.7, 2.6), (3.4, 2.3)), reason="too large")
    whole = done(planner, draft, **MERGE, seen=1)
    assert [step["operation"] for step in whole["history"]] == ["split", "merge"]
    assert planner.post(f"{draft}/steps", json={**MERGE, "codes": ["c44", "c45"], "seen": 1}).status_code == 412
    assert planner.post(f"{draft}/undo", json={"seen": 2}).json()["steps"] == 1
    assert planner.post(f"{draft}/redo", json={}).json()["steps"] == 2

    west, south, east, north = shapely.box(*at(-0.5, -0.5), *at(3.5, 3.5)).bounds
    view = planner.get(f"{draft}/cells", params={"bbox": f"{west},{south},{east},{north}", "level": 2}).json()
    shown = {f["properties"]["grid_code"]: f["properties"]["change"] for f in view["features"]}
    assert shown["c01"] == shown["c22"] == "changed"
    assert shown["c22.2"] == "new"
    assert shown["c33"] is None
    assert "c00" not in shown
    changes = planner.get(f"{draft}/changes").json()["features"]
    assert {f["id"] for f in changes} >= {"c00:before", "c01:before", "c01:after", "c22.2:after"}
    assert "c00:after" not in {f["id"] for f in changes}

    found = planner.get(f"{draft}/check").json()
    assert found["count"] == len(found["findings"])
    assert not [one for one in found["findings"] if one["severity"] == "error"]
    assert {one["grid_code"] for one in found["findings"]} <= {"c01", "c22", "c22.2", "P"}
    assert planner.get(f"{draft}/check", params={"all": True}).json()["count"] > found["count"]
    impact = planner.get(f"{draft}/impact").json()
    moved = {(f["kind"], f["from_code"], f["to_code"]): f["count"] for f in impact["flows"]}
    assert moved["cameras", "c00", "c01"] > 0
    work = {one["grid_code"]: one for one in impact["workloads"]}
    assert work["c01"]["cameras_after"] == work["c00"]["cameras_before"] + work["c01"]["cameras_before"]
    assert impact["left_duties"] == [["c00", "grid_lead", "李网格"]]
    assert owner_of(planner, 0.5, 0.5) == "c00"  # nothing is in force yet

    assert planner.post(f"{draft}/submit", json={}).status_code == 200
    refused = planner.post(f"{draft}/steps", json={**MERGE, "codes": ["c44", "c45"]})
    assert refused.status_code == 409
    assert "withdraw it" in refused.json()["detail"]
    assert planner.post(f"{draft}/publish", json={"note": "x"}).status_code == 403  # has no right to approve
    answer = supervisor.post(f"{draft}/publish", json={"note": "spring revision"})
    assert answer.status_code == 200, answer.text
    edition = answer.json()["published_edition_id"]
    becomes(planner, 0.5, 0.5, "c01")
    with connect(city) as connection:
        assert owners_are_right(connection)
        audit = connection.execute(
            "select action, actor_name from access.audit_log where action like 'boundaries.%' order by audit_id"
        ).fetchall()
        assert [row["action"] for row in audit][-2:] == ["boundaries.approve", "boundaries.publish"]
        assert audit[-2]["actor_name"].startswith("machine-supervisor")
    newest = planner.get("/boundaries/editions").json()["editions"][0]
    assert (newest["edition_id"], newest["note"], newest["title"]) == (edition, "spring revision", "南园")
    difference = planner.get(f"/boundaries/editions/{edition}/changes", params={"since": 1}).json()["features"]
    assert {f["id"] for f in difference} == {f["id"] for f in changes}

    assert planner.post("/boundaries/editions/1/restore", json={"note": "x"}).status_code == 403
    back = supervisor.post("/boundaries/editions/1/restore", json={"note": "taken back"})
    assert back.status_code == 201, back.text
    becomes(planner, 0.5, 0.5, "c00")
    assert supervisor.post("/boundaries/editions/1/restore", json={"note": "again"}).status_code == 409
    with connect(city) as connection:
        assert owners_are_right(connection)
        assert "c22.2" not in read_division(connection).cells


def test_the_report_is_a_page_a_pdf_and_a_list(planner: httpx.Client) -> None:
    draft = begun(planner, "<script>alert(1)</script> #set page(1)")
    done(planner, draft, **MERGE, reason="too few")
    impact = planner.get(f"{draft}/impact").json()
    page = planner.get(f"{draft}/report", params={"lang": "en"})
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script" not in page.text
    for told in ("c00", "李网格", "too few", "<svg"):
        assert told in page.text
    pdf = planner.get(f"{draft}/report", params={"f": "pdf"})
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")
    assert b"NotoSansCJK" in pdf.content  # Chinese is set in a font that has it
    rows = planner.get(f"{draft}/report", params={"f": "csv"}).text.splitlines()
    assert rows[0] == "kind,from_code,to_code,count"
    assert len(rows) == 1 + len(impact["flows"])
    assert planner.get(f"{draft}/report", params={"f": "doc"}).status_code == 422


def test_a_draft_goes_out_as_a_file_and_comes_back(
    city: str, server: str, planner: httpx.Client, tmp_path: Path
) -> None:
    draft = begun(planner)
    file = planner.get(f"{draft}/file")
    assert file.headers["content-type"] == "application/geopackage+sqlite3"
    path = tmp_path / "draft.gpkg"
    path.write_bytes(file.content)
    cells = geopandas.read_file(path).set_index("grid_code", drop=False).rename_axis(None)
    assert len(cells) == 37
    cells.loc["c55", "name"] = "新名"
    cells.loc["c01", "geometry"] = shapely.union(cells.loc["c00", "geometry"], cells.loc["c01", "geometry"])
    cells.drop(index="c00").to_file(path, layer="grid_cells", driver="GPKG")
    given = {"data": {"draft_id": draft.rpartition("/")[2]}, "files": {"file": ("b.gpkg", path.read_bytes())}}
    back = planner.post("/boundaries/imports", **given)
    assert back.status_code == 201, back.text
    assert [(s["operation"], s["arguments"].get("kind")) for s in back.json()["history"]] == [
        ("redraw", "merge"), ("describe", None),
    ]  # fmt: skip
    with bearing(server, api_key(city, "planner", cells=["c33"])) as bound:
        small = begun(bound)
        path.write_bytes(bound.get(f"{small}/file").content)
        assert set(geopandas.read_file(path)["grid_code"]) == {"c33", "P"}
        given["data"] = {"draft_id": small.rpartition("/")[2]}
        assert bound.post("/boundaries/imports", **given).status_code == 422  # c00 and c01 do not exist for them
        assert bound.get(small).json()["history"] == []
    assert planner.post("/boundaries/imports", data=given["data"], files={"file": ("b.exe", b"x")}).status_code == 422


def draw_uneven_town(database: str) -> None:
    """Two quarters, B with twice as many blocks as A."""
    with connect(database) as connection:
        set_levels(connection, [level(1, 0), level(2, 5), level(3, 9)])
        at_home = {(x, y): "A" if x < 2 else "B" for x in range(6) for y in range(4)}
        shapes = {
            code: shapely.coverage_union_all([square(*place) for place in at_home if code in ("T", at_home[place])])
            for code in ("T", "A", "B")
        }
        frame = cells(
            ("T", 1, None, shapes["T"]), ("A", 2, "T", shapes["A"]), ("B", 2, "T", shapes["B"]),
            *((f"u{x}{y}", 3, home, square(x, y)) for (x, y), home in at_home.items()),
        )  # fmt: skip
        frame["household_count"] = Series([None, None, None, *([100] * 24)], dtype=object)
        publish_cells(connection, frame, "uneven")
        connection.execute("insert into duties (grid_code, duty_role, person_name) values ('A', 'grid_manager', '甲')")


def test_even_groups_are_proposed_and_done(database: str) -> None:
    draw_uneven_town(database)
    with live_server(database) as url, bearing(url, api_key(database, "planner")) as planner:
        worst = planner.get("/boundaries/overloaded", params={"level": 2, "norm": 500}).json()["cells"]
        assert [(one["grid_code"], one["workers"], one["households"]) for one in worst] == [
            ("B", 0, 1600),
            ("A", 1, 800),
        ]
        draft = begun(planner)
        answer = planner.post(f"{draft}/proposals", json={"parents": ["A", "B"], "along_roads": True})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["along_roads"] is False  # there is none
        assert told["present"]["measures"]["loads"] == {"A": 800, "B": 1600}
        best = told["proposals"][0]
        assert best["measures"]["deviation"] <= 0.05
        done(planner, draft, operation="regroup", groups=best["groups"])
        work = {one["grid_code"]: one for one in planner.get(f"{draft}/impact").json()["workloads"]}
        assert work["A"]["households_after"] == best["measures"]["loads"]["A"]
        for parents, said in ((["A", "u00"], "one parent"), (["A", "nowhere"], "no grid cell nowhere")):
            refused = planner.post(f"{draft}/proposals", json={"parents": parents, "along_roads": True})
            assert refused.status_code == 422
            assert said in refused.json()["detail"]


def test_nobody_approves_what_they_drew_or_submitted(
    city: str, server: str, planner: httpx.Client, supervisor: httpx.Client
) -> None:
    drawn = begun(supervisor)
    done(supervisor, drawn, **MERGE)
    planner.post(f"{drawn}/submit", json={})
    refused = supervisor.post(f"{drawn}/publish", json={"note": "x"})
    assert refused.status_code == 403
    assert "a second person approves" in refused.json()["detail"]
    with bearing(server, api_key(city, "supervisor")) as second:
        assert second.post(f"{drawn}/return", json={"reason": "too early"}).json()["returned_because"] == "too early"
        assert second.post(f"{drawn}/publish", json={"note": "x"}).status_code == 409  # not submitted any more
        second.post(f"{drawn}/submit", json={})
        assert second.post(f"{drawn}/publish", json={"note": "x"}).status_code == 403  # sent it herself
        planner.post(f"{drawn}/withdraw")
        planner.post(f"{drawn}/submit", json={})
        assert second.post(f"{drawn}/publish", json={"note": "x"}).status_code == 200


def test_two_planners_on_one_border_one_wins_the_other_is_told_and_loses_nothing(
    city: str, server: str, supervisor: httpx.Client
) -> None:
    moves = [line((0.9, -0.5), (1.15, 1.5)), line((0.8, -0.5), (0.85, 1.5))]
    drafts = []
    for move in moves:
        with bearing(server, api_key(city, "planner")) as planner:
            draft = begun(planner)
            done(planner, draft, operation="move_border", codes=["c00", "c10"], line=move)
            planner.post(f"{draft}/submit", json={})
            drafts.append(draft)
    answers: dict[str, int] = {}

    def approve(draft: str) -> None:
        with bearing(server, api_key(city, "supervisor")) as client:
            answers[draft] = client.post(f"{draft}/publish", json={"note": "x"}).status_code

    threads = [threading.Thread(target=approve, args=(draft,)) for draft in drafts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers.values()) == [200, 409]
    lost = next(draft for draft, status in answers.items() if status == 409)
    left = supervisor.get(lost).json()
    assert left["steps"] == 1
    assert left["is_stale"]
    if left["submitted_at"] is not None:  # told before it was approved: still with the supervisor
        supervisor.post(f"{lost}/withdraw")
    else:
        assert "rebase it first" in left["returned_because"]
    assert supervisor.post(f"{lost}/rebase").json()["is_stale"] is False
    assert supervisor.post(f"{lost}/submit", json={}).status_code == 200


def test_a_draft_comes_into_force_at_its_time(planner: httpx.Client, supervisor: httpx.Client) -> None:
    draft = begun(planner)
    done(planner, draft, **MERGE)
    planner.post(f"{draft}/submit", json={})
    when = datetime.now(UTC) + timedelta(seconds=3)
    approved = supervisor.post(f"{draft}/publish", json={"note": "x", "effective_at": when.isoformat()}).json()
    assert approved["published_edition_id"] is None
    assert owner_of(planner, 0.5, 0.5) == "c00"
    becomes(planner, 0.5, 0.5, "c01")
    assert datetime.now(UTC) > when


def test_a_planner_redraws_only_their_own_cells(city: str, server: str, planner: httpx.Client) -> None:
    foreign = begun(planner)
    with bearing(server, api_key(city, "planner", cells=["c00", "c01", "c02"])) as bound:
        assert bound.get(foreign).status_code == 404
        assert bound.get("/boundaries/drafts").json() == {"drafts": []}
        draft = begun(bound)
        for foreign_code, step in (
            ("c11", {"operation": "merge", "codes": ["c01", "c11"]}),
            ("c10", {"operation": "move_border", "codes": ["c00", "c10"], "line": line((0.9, -0.5), (1.15, 1.5))}),
            ("c33", {"operation": "describe", "codes": ["c33"], "name": "mine"}),
            ("c44", {"operation": "transfer", "codes": ["c00"], "parent_code": "c44"}),
            ("c44", {"operation": "regroup", "groups": [{"parent_code": "P", "codes": ["c00", "c44"]}]}),
        ):
            refused = done(bound, draft, 422, **step)["detail"]
            nothing = done(bound, draft, 422, **json.loads(json.dumps(step).replace(foreign_code, "nope")))["detail"]
            assert refused == nothing.replace("nope", foreign_code)  # as if it did not exist
        refused = done(bound, draft, 403, operation="describe", codes=["P"], name="mine")["detail"]
        assert "P is not yours" in refused
        ring = [list(at(*point)) for point in ((0.2, 0.2), (1.6, 0.2), (1.6, 0.8), (0.2, 0.2))]
        over = {"type": "Polygon", "coordinates": [ring]}
        refused = done(bound, draft, 403, operation="reshape", codes=["c00"], area=over)["detail"]
        assert "a neighbouring cell is not yours" in refused
        every = bound.get(f"{draft}/check", params={"all": True}).json()["findings"]
        assert {one["grid_code"] for one in every} <= {"c00", "c01", "c02", "P"}
        refused = bound.post(f"{draft}/proposals", json={"parents": ["c33", "c34"]}).json()["detail"]
        assert "no grid cell c33" in refused
        # the line ends on c11's border, which gets a corner; what the draft made is theirs
        done(bound, draft, operation="split", codes=["c01"], line=line((-0.5, 1.5), (1.5, 1.55)))
        done(bound, draft, operation="describe", codes=["c01.2"], name="made here")
        assert bound.post("/boundaries/editions/1/restore", json={"note": "x"}).status_code == 403
        view = bound.get(f"{draft}/cells", params={"bbox": "113,36,116,38", "level": 2}).json()
        seen = {f["properties"]["grid_code"] for f in view["features"]}
        assert {"c00", "c01", "c02", "c01.2"} <= seen
        assert "c33" not in seen
    assert planner.get(draft).status_code == 200  # the city sees it


def test_bad_steps_are_refused_in_words_and_change_nothing(planner: httpx.Client) -> None:
    draft = begun(planner)
    crossing = line((-0.5, 0.2), (1.5, 0.8), (1.5, 0.2), (-0.5, 0.8))
    many = line(*[(-0.5 + number / 20_000, 0.5 + 0.001 * (number % 2)) for number in range(40_000)])
    short = line((0.2, 0.2), (0.8, 0.8))
    for step, said in (
        ({"operation": "split", "codes": ["c00"], "line": crossing}, "crosses itself"),
        ({"operation": "split", "codes": ["c00"], "line": short}, "does not divide"),
        ({"operation": "split", "codes": ["c00"]}, "body/split/line: Field required"),
        ({"operation": "split", "codes": ["nope"], "line": short}, "no grid cell nope"),
        ({"operation": "split", "codes": ["c00"], "line": {"type": "LineString", "coordinates": [[1]]}}, "no GeoJSON"),
        ({"operation": "split", "codes": ["c00"], "line": line((1e308, 0), (-1e308, 0))}, "leaves the earth"),
        ({"operation": "merge", "codes": ["c00", "c55"]}, "not neighbours"),
        ({"operation": "transfer", "codes": ["c00"], "parent_code": "c11"}, "not another parent"),
        ({"operation": "restore", "edition": 99}, "no edition 99"),
    ):
        answer = planner.post(f"{draft}/steps", json=step)
        assert answer.status_code in (404, 422), answer.text
        assert said in answer.json()["detail"]
    answer = planner.post(f"{draft}/steps", json={"operation": "split", "codes": ["c00"], "line": many})
    assert answer.status_code in (413, 422)
    assert planner.get(draft).json()["history"] == []
    assert planner.get("/boundaries/drafts/999").status_code == 404
    assert planner.get(f"{draft}/cells", params={"bbox": "1,2,3", "level": 1}).status_code == 422
    assert planner.get("/boundaries/editions/9/changes", params={"since": 1}).status_code == 404
    assert planner.delete(draft).status_code == 204
    assert planner.delete(draft).status_code == 409


def test_patrol_zones_duties_and_stops_over_http(
    city: str, server: str, planner: httpx.Client, supervisor: httpx.Client
) -> None:
    ring = [list(at(*point)) for point in ((0, 0), (3, 0), (3, 3), (0, 3), (0, 0))]
    draft = begun(planner)
    zone = {"layer": "patrol_zones", "name": "一巡区", "responsible_unit": "所一"}
    done(planner, draft, operation="create", area={"type": "Polygon", "coordinates": [ring]}, **zone)
    done(planner, draft, operation="create", line=line((0.5, 0.5), (2.5, 0.5)), **{**zone, "name": "主街"})
    code = planner.get(f"{draft}/changes").json()["features"][0]["properties"]["grid_code"]
    done(planner, draft, operation="set_stops", layer="patrol_zones", codes=[code],
         stops=[{"name": "校门", "point": at(0.5, 0.5), "window_from": "07:00", "window_to": "08:30"}])  # fmt: skip
    duties = [{"duty_role": "grid_lead", "person_name": "赵网格"}]
    done(planner, draft, operation="set_duties", codes=["c11"], duties=duties)
    view = planner.get(f"{draft}/zones", params={"bbox": "113,36,116,38"}).json()["features"]
    assert {(f["properties"]["name"], f["properties"]["change"]) for f in view} == {("一巡区", "new"), ("主街", "new")}
    stops = {f["properties"]["name"]: f["properties"]["stops"] for f in view}
    assert [(stop["name"], stop["window_from"][:5]) for stop in stops["一巡区"]] == [("校门", "07:00")]
    assert stops["主街"] == []
    gained = [f for f in planner.get(f"{draft}/impact").json()["flows"] if f["kind"] == "cameras"]
    with connect(city) as connection:
        inside = connection.execute(
            "select count(*) as n from cameras where ST_Covers(ST_SetSRID(%s::geometry, 4490), geom)",
            (shapely.Polygon(ring).wkt,),
        ).fetchone()
    assert inside is not None
    assert gained == [{"kind": "cameras", "from_code": None, "to_code": code, "count": inside["n"]}]  # nobody's before
    with bearing(server, api_key(city, "planner", cells=["c00"])) as bound:
        own = begun(bound)
        assert (
            bound.post(
                f"{own}/steps", json={"operation": "retire", "layer": "patrol_zones", "codes": [code]}
            ).status_code
            == 403
        )
        assert (
            bound.post(f"{own}/steps", json={"operation": "set_duties", "codes": ["c11"], "duties": duties}).status_code
            == 422
        )
        done(bound, own, operation="set_duties", codes=["c00"], duties=duties)
    planner.post(f"{draft}/submit", json={})
    answer = supervisor.post(f"{draft}/publish", json={"note": "zones"})
    assert answer.status_code == 200, answer.text
    lon, lat = at(1.5, 1.5)
    deadline = time.monotonic() + 90
    while not (found := planner.get("/locate", params={"lon": lon, "lat": lat}).json())["patrol_zone"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert found["patrol_zone"]["name"] == "一巡区"
    assert [duty["person_name"] for duty in found["grid_cells"][-1]["duties"]] == ["赵网格"]
    with connect(city) as connection:
        lost = connection.execute(
            "select count(*) as n from cameras c where c.zone_code is distinct from"
            " (select min(z.zone_code) from patrol_zones z where z.zone_kind = 'area' and ST_Covers(z.geom, c.geom))"
        ).fetchone()
        assert lost == {"n": 0}
        assert connection.execute("select count(*) as n from mandatory_stops").fetchone() == {"n": 1}


def test_a_draft_shows_and_names_nothing_of_neighbours_that_are_not_seen(city: str, server: str) -> None:
    mine = {"c00", "c01", "c02"}
    with bearing(server, api_key(city, "planner", cells=sorted(mine))) as bound:
        draft = begun(bound)
        # both lines end on borders of others, who get a corner each
        done(bound, draft, operation="split", codes=["c01"], line=line((-0.5, 1.5), (1.5, 1.55)))
        done(bound, draft, operation="move_border", codes=["c01.2", "c02"], line=line((-0.5, 2.05), (1.5, 2.1)))
        view = bound.get(f"{draft}/cells", params={"bbox": "113,36,116,38", "level": 2}).json()["features"]
        made = {"c01.2"}
        assert {one["properties"]["grid_code"] for one in view} == mine | made
        for path in ("changes", "impact", "check?all=true", "report?f=csv"):
            answer = bound.get(f"{draft}/{path}")
            assert answer.status_code == 200, answer.text
            assert not {*re.findall(r"\bc\d\d\b", answer.text)} - mine, path
        file = bound.get(f"{draft}/file")
        with tempfile.NamedTemporaryFile(suffix=".gpkg") as kept:
            kept.write(file.content)
            kept.flush()
            assert {*geopandas.read_file(kept.name)["grid_code"]} == mine | made | {"P"}
            # a file that reaches over others' ground is not told whose it is
            frame = geopandas.read_file(kept.name).query("grid_code == 'c00'")
        frame["geometry"] = frame.geometry.translate(*(np.array(at(3, 3)) - np.array(at(0, 0))))
        with tempfile.NamedTemporaryFile(suffix=".geojson") as sent:
            frame.assign(grid_code=None).to_file(sent.name, driver="GeoJSON")
            refused = bound.post(
                "/boundaries/imports",
                data={"draft_id": draft.rpartition("/")[2], "match": "overlap"},
                files={"file": ("x.geojson", Path(sent.name).read_bytes())},
            )
        assert refused.status_code == 422, refused.text
        assert not {*re.findall(r"\bc\d\d\b", refused.text)} - mine


def test_messages_name_no_cell_that_is_not_seen(city: str, server: str) -> None:
    with bearing(server, api_key(city, "planner", cells=["c00", "c01", "c02"])) as bound:
        draft = begun(bound)
        told = done(
            bound, draft, 422, operation="regroup", groups=[{"parent_code": "P", "codes": ["c00", "c01", "c02"]}]
        )
        assert "a neighbouring cell is left out" in told["detail"]
        ring = [list(at(*point)) for point in ((0.2, 0.2), (5.9, 0.2), (5.9, 5.9), (0.2, 5.9), (0.2, 0.2))]
        whole = {"type": "Polygon", "coordinates": [ring]}
        told = done(bound, draft, 422, operation="reshape", codes=["c00"], area=whole)
        assert "a neighbouring cell would be" in told["detail"]
        assert not {*re.findall(r"\bc\d\d\b", told["detail"])} - {"c00", "c01", "c02"}


def test_a_step_is_told_of_before_it_is_done(planner: httpx.Client) -> None:
    draft = begun(planner)
    done(planner, draft, operation="describe", codes=["c22"], household_count=900)
    cut = {"operation": "split", "codes": ["c22"], "line": line((1.7, 2.6), (3.4, 2.3))}
    told = planner.post(f"{draft}/preview", json=cut)
    assert told.status_code == 200, told.text
    parts = {one["grid_code"]: one for one in told.json()["parts"]}
    assert parts.keys() == {"c22", "c22.2"}
    assert sum(one["households_after"] for one in parts.values()) == 900
    areas = [sum(one[f"area_{when}_m2"] for one in parts.values()) for when in ("before", "after")]
    assert areas[0] == pytest.approx(areas[1], rel=1e-6)
    assert planner.get(draft).json()["steps"] == 1  # nothing was stored
    done(planner, draft, **cut)
    work = {one["grid_code"]: one for one in planner.get(f"{draft}/impact").json()["workloads"]}
    for name in ("households_after", "incidents_after", "norm"):
        assert {code: work[code][name] for code in parts} == {code: one[name] for code, one in parts.items()}

    half = cut | {"line": line((2.2, 2.3), (2.4, 2.6))}
    assert "does not divide" in planner.post(f"{draft}/preview", json=half).json()["refused"]
    long = cut | {"line": line(*((1.7 + at / 1000, 2.6) for at in range(500)))}
    assert "too large" in planner.post(f"{draft}/preview", json=long).json()["refused"]


def test_a_step_in_cells_of_others_is_not_told_of(city: str, server: str) -> None:
    with bearing(server, api_key(city, "planner", ["c00"])) as bound:
        draft = begun(bound)
        cut = {"operation": "split", "codes": ["c22"], "line": line((1.7, 2.6), (3.4, 2.3))}
        told = bound.post(f"{draft}/preview", json=cut)
        assert "no grid cell c22" in told.json()["refused"]
        assert told.json()["parts"] == []
        loads = bound.get("/boundaries/overloaded", params={"level": 2, "all": True}).json()["cells"]
        assert {one["grid_code"] for one in loads} == {"c00"}


def test_a_note_is_a_step_that_changes_nothing(planner: httpx.Client, supervisor: httpx.Client) -> None:
    draft = begun(planner)
    done(planner, draft, operation="note", point=list(at(2.5, 2.5)), text="ask the village first")
    assert planner.get(f"{draft}/changes").json()["features"] == []
    refused = planner.post(f"{draft}/submit", json={})
    assert (refused.status_code, refused.json()["detail"]) == (409, "draft 1 changes nothing yet")
    done(planner, draft, 422, operation="note", point=[200, 0], text="x")
    done(planner, draft, **MERGE)
    assert planner.post(f"{draft}/submit", json={}).status_code == 200
    notes = [step for step in supervisor.get(draft).json()["history"] if step["operation"] == "note"]
    assert [step["arguments"]["text"] for step in notes] == ["ask the village first"]
    assert supervisor.post(f"{draft}/publish", json={"note": "merged"}).status_code == 200


def test_loads_are_those_of_the_draft_and_its_duties(database: str) -> None:
    draw_uneven_town(database)
    with live_server(database) as url, bearing(url, api_key(database, "planner")) as planner:
        usual = planner.get("/boundaries/overloaded").json()
        assert usual["level"] == 2  # where the managers are
        assert {one["grid_code"]: one["state"] for one in usual["cells"]} == {"A": "overloaded", "B": "understaffed"}
        every = planner.get("/boundaries/overloaded", params={"level": 3, "all": True}).json()["cells"]
        assert len(every) == 24
        assert {one["grid_code"] for one in every if one["is_covered"]} == {
            f"u{x}{y}" for x in (0, 1) for y in range(4)
        }
        draft = begun(planner)
        people = [{"duty_role": "grid_manager", "person_name": name} for name in ("乙", "丙", "丁", "戊")]
        done(planner, draft, operation="set_duties", codes=["B"], duties=people)
        within = planner.get("/boundaries/overloaded", params={"level": 2, "all": True, "draft": draft.split("/")[-1]})
        loads = {one["grid_code"]: one for one in within.json()["cells"]}
        assert (loads["B"]["households_per_worker"], loads["B"]["state"]) == (400, None)
        missing = planner.get("/boundaries/overloaded", params={"draft": 99})
        assert missing.status_code == 404
