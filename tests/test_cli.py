"""The command line: one line and exit code 2 for the user's errors, answers on stdout, words on stderr."""

import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psycopg
import pytest

from drills.kit import free_port
from geo_grid.db import connect, read_migrations
from geo_grid.supervising import ServerLock
from tests.commands import geo_grid, run
from tests.files import hostile
from tests.squares import local_levels

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def test_locate_tells_who_is_responsible(demo: str) -> None:
    done = geo_grid(demo, "locate", 114.5043, 37.0682)
    assert "襄都区" in done.stdout
    assert "派出所" in done.stdout
    assert "min" in done.stdout
    found = json.loads(geo_grid(demo, "locate", 114.5043, 37.0682, "--json").stdout)
    assert len(found["grid_cells"]) == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["locate", "37.07", "114.5"], "swapped"),
        (["locate", "nan", "37"], "finite"),
        (["locate", "114.5", "37", "--source-crs", "EPSG:4610"], "no public transformation"),
        (["locate", "east", "37"], "valid number"),
        (["import", "persons", "x.csv"], "there is no layer 'persons'"),
        (["import", "cameras", "nothing.csv", "--source-crs", "EPSG:4490"], "no such file"),
        (["import", "cameras", "nothing.csv", "--column", "nonsense"], "FIELD=VALUE"),
        (["export", "cameras", "x.docx"], "unknown kind of file"),
        (["levels", "nothing.toml"], "not a list of [[grid_levels]]"),
        (["circles", "rule", "phase", "5", "--dispatch", "300"], "no time to travel"),
        (["circles", "rule", "force_tier", "5", "--turnout", "150"], "circles must nest"),
        (["circles", "rule", "phase", "3"], "no tier of 3 minutes"),
        (["key", "add", "x", "--role", "planner"], "--cell"),
        (["key", "add", "x", "--city", "--cell", "A"], "one of the two"),
        (["kiosk", "add", "x", "--network", "10.1.2.0/24"], "--city"),
        (["kiosk", "add", "x", "--network", "10.1.2.0/24", "--city", "--cell", "A"], "one of the two"),
        (["user", "add", "x", "--role", "dispatcher"], "--city"),
        (["user", "add", "x", "--role", "dispatcher", "--city", "--cell", "A"], "one of the two"),
        (["nonsense"], "No such command"),
        (["demo", "load", "--incidents", "-1"], "greater than or equal to 0"),
    ],
)
def test_the_users_errors_are_short_and_exit_with_2(database: str, arguments: list[str], says: str) -> None:
    done = geo_grid(database, *arguments, expect=2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_file_that_is_a_command_for_gdal_does_nothing(database: str, tmp_path: Path) -> None:
    written, path = tmp_path / "written.csv", tmp_path / "posts.gpkg"
    for body in (hostile.pipeline(written), hostile.virtual(Path("/etc/passwd"))):
        path.write_bytes(body)
        for command in (("import", "police_posts"), ("boundaries", "import", "1")):
            done = geo_grid(database, *command, path, "--source-crs", "EPSG:4490", expect=2)
            assert "not a readable GPKG" in done.stderr
            assert "root:" not in done.stdout + done.stderr
    assert not written.exists()


def test_every_bad_row_of_an_import_is_printed(database: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text("gb28181_id,lon,lat\n123,114,37\n456,114,37\n")
    done = geo_grid(database, "import", "cameras", path, "--source-crs", "EPSG:4490", expect=2)
    assert "row 1: gb28181_id" in done.stderr
    assert "row 2: gb28181_id" in done.stderr
    assert "nothing was changed" in done.stderr.splitlines()[-1]


def test_a_dry_run_ends_as_the_import_would(database: str, cases: Path, tmp_path: Path) -> None:
    """A script that goes by the exit code went on to an import that was refused."""
    path = tmp_path / "facilities.csv"
    path.write_text("facility_code,facility_kind,name,lon,lat\nA,school,x,114.5,37\nB,school,y,114.5,x\n")
    some_bad = ("import", "facilities", path, "--source-crs", "EPSG:4490")
    no_time = ("import", "incidents", cases / "no_date_mapped.csv", "--source-crs", "EPSG:4326", "--column", "incident_number=n", "--column", "category=k")  # fmt: skip
    for arguments, code in (
        (some_bad, 2),
        ((*some_bad, "--skip-invalid"), 0),
        (no_time, 2),
        ((*no_time, "--received-now"), 0),
    ):
        tried = geo_grid(database, *arguments, "--dry-run", expect=code)
        assert "nothing was changed" in tried.stderr
        as_json = json.loads(geo_grid(database, *arguments, "--dry-run", "--json", expect=code).stdout)
        assert as_json["is_refused"] == (code == 2)
        geo_grid(database, *arguments, expect=code)


def test_an_unreachable_database_is_our_error_with_its_reason() -> None:
    done = geo_grid("host=/nowhere dbname=x", "doctor", expect=1)
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_cannot_be_are_named(database: str) -> None:
    environment = {**os.environ, "GEO_GRID_PORT": "http", "GEO_GRID_DATABASE_URL": database}
    done = run(environment, "doctor")
    assert done.returncode == 2
    assert "GEO_GRID_PORT" in done.stderr


@pytest.mark.parametrize(
    "setting", ["SPEED_KMH=0", "SPEED_KMH=-5", "ON_FOOT_KMH=-1", "TOP_SPEED_KMH=0", "DETOUR_FACTOR=0.5"]
)
def test_speeds_that_lead_nowhere_are_refused(setting: str) -> None:
    name, _, value = f"GEO_GRID_RESPONSE_{setting}".partition("=")
    done = run({**os.environ, name: value}, "circles", "build")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{name}: Input should be greater" in done.stderr


def test_levels_are_shown_set_and_refused(small_city: str, tmp_path: Path) -> None:
    assert [level["grid_level"] for level in json.loads(geo_grid(small_city, "levels", "--json").stdout)] == [1, 2]
    path = tmp_path / "levels.toml"
    one = '[[grid_levels]]\ngrid_level = {}\nname_zh = "区"\nname_en = "district"\ncode_scheme = "{}"\nmin_zoom = 0\n'
    path.write_text(one.format(1, "local"))
    assert "grid cells at level 2" in geo_grid(small_city, "levels", path, expect=2).stderr
    path.write_text(one.format(1, "invented"))
    assert "unknown code scheme" in geo_grid(small_city, "levels", path, expect=2).stderr
    path.write_text(one.format(3, "local"))
    assert "must count 1, 2, 3" in geo_grid(small_city, "levels", path, expect=2).stderr
    path.write_text(one.format(1, "local") + one.format(2, "local") + one.format(3, "local"))
    assert geo_grid(small_city, "levels", path).stdout.count("\n") == 3


def test_doctor_reports_and_fails_when_something_is_wrong(demo: str) -> None:
    done = geo_grid(demo, "doctor", "--json", expect=1)  # the tests' cluster trades durability for speed
    findings = json.loads(done.stdout)
    told = [f["what"] for f in findings if not f["ok"] and f["what"] != "working days"]  # these in December
    assert told == ["durable commits"]


def test_what_a_tier_is_made_of_is_changed_and_shown(database: str) -> None:
    said = geo_grid(database, "circles", "rule", "phase", 5, "--dispatch", 30, "--direction", "inbound").stderr
    assert "150 s on the road" in said
    rules = json.loads(geo_grid(database, "circles", "rules", "--json").stdout)
    assert [rule for rule in rules if rule["circle_basis"] == "phase"] == [
        {"circle_basis": "phase", "tier_minutes": 5, "direction": "inbound", "dispatch_s": 30, "turnout_s": 120, "travel_s": 150}
    ]  # fmt: skip
    assert "force_tier" in geo_grid(database, "circles", "rules").stdout
    geo_grid(database, "circles", "rule", "force_tier", 5, "--turnout", 150, expect=2)
    assert json.loads(geo_grid(database, "circles", "rules", "--json").stdout) == rules  # nothing half-done


def test_a_city_without_levels_says_what_to_do_first(database: str, shared: Path) -> None:
    """It said that there is no level 5 and that the levels are []."""
    districts = shared / "chicago_police_districts.geojson"
    asked = ("import", "grid_cells", districts, "--column", "grid_code=district", "--set", "grid_level=1")
    said = geo_grid(database, *asked, expect=2).stderr.splitlines()[-1]
    assert "no grid levels yet" in said
    assert "geo-grid levels FILE.toml" in said
    geo_grid(database, "levels", Path(__file__).parents[1] / "docs/chicago-levels.toml")
    assert "23 of 23 rows imported" in geo_grid(database, *asked).stderr


def test_psql_works_on_the_same_database(database: str) -> None:
    assert geo_grid(database, "psql", "-Atc", "select current_user, count(*) from grid_cells").stdout == "geo_grid|0\n"
    assert "division by zero" in geo_grid(database, "psql", "-c", "select 1/0", expect=1).stderr


def test_circles_and_exports(demo: str, tmp_path: Path) -> None:
    assert "465 rows" in geo_grid(demo, "export", "police_posts", tmp_path / "posts.geojson").stderr
    assert len(json.loads((tmp_path / "posts.geojson").read_text())["features"]) == 465


def test_an_extract_brings_roads_and_base_map(database: str) -> None:
    extract = Path(__file__).parents[1] / "../shared/data/shanghai_centre.osm"
    assert "nothing was changed" in geo_grid(database, "import", "roads", extract, "--dry-run").stderr
    assert "roads and 0 base map features imported" in geo_grid(database, "import", "roads", extract).stderr
    report = json.loads(geo_grid(database, "import", "roads", extract, "--json").stdout)
    assert report["roads"] > 700
    assert "import roads" in geo_grid(database, "import", "facilities", extract, expect=2).stderr
    assert "there is no such file" in geo_grid(database, "import", "roads", "none.osm.pbf", expect=2).stderr


def test_circles_that_get_no_answer_in_time_stay_as_they_are(
    database: str, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a city's were replaced by estimates, and the command said that all was well."""
    monkeypatch.setenv("GEO_GRID_STATE_DIR", str(state_dir))
    monkeypatch.setenv("GEO_GRID_RESPONSE_TIMEOUT_S", "60")
    geo_grid(database, "import", "roads", Path(__file__).parents[1] / "../shared/data/shanghai_centre.osm")
    with connect(database) as connection:
        connection.execute(
            "insert into police_posts (post_code, name, geom) select 'P', 'post', ST_SnapToGrid(ST_Centroid(ST_Extent("
            "geom))::geometry(point, 4490), 2 ^ -26) from roads"
        )
    assert "3 by valhalla" in geo_grid(database, "circles", "build").stderr
    monkeypatch.setenv("GEO_GRID_RESPONSE_TIMEOUT_S", "0.0001")
    said = geo_grid(database, "circles", "build", expect=1).stderr
    assert "1 posts got no answer in time and keep the circles they had" in said
    with connect(database) as connection:
        rows = connection.execute("select distinct method from response_circles").fetchall()
    assert [row["method"] for row in rows] == ["valhalla"]


class TestUp:
    """The program as people run it: its own durable database, its own port."""

    @pytest.fixture
    def environment(self, state_dir: Path) -> dict[str, str]:
        return {**os.environ, "GEO_GRID_STATE_DIR": str(state_dir), "GEO_GRID_PORT": str(free_port())}

    def run(self, environment: dict[str, str], *arguments: str, expect: int = 0) -> str:
        done = run(environment, *arguments)
        assert done.returncode == expect, done.stderr
        return done.stderr

    def start(self, environment: dict[str, str]) -> tuple[subprocess.Popen[str], httpx.Client]:
        program = subprocess.Popen(
            [sys.executable, "-m", "geo_grid", "up", "--empty"], env=environment, stderr=subprocess.PIPE, text=True
        )
        assert program.stderr is not None
        said = []
        for line in program.stderr:
            said.append(line)
            if "geo_grid is ready" in line:
                break
        else:
            pytest.fail(f"it did not become ready: {''.join(said)}")
        made = run(environment, "key", "add", f"tester-{time.monotonic_ns()}", "--role", "supervisor", "--city")
        headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        url = f"http://127.0.0.1:{environment['GEO_GRID_PORT']}"
        return program, httpx.Client(base_url=url, timeout=30, headers=headers)

    def test_nothing_accepted_is_lost_to_kill_9_of_server_and_database(
        self, environment: dict[str, str], state_dir: Path
    ) -> None:
        program, client = self.start(environment)
        call = {"lon": 114.5, "lat": 37.0, "category": "治安"}
        accepted = [client.post("/incidents", json=call).json()["incident_id"] for _ in range(20)]
        postmaster = int((state_dir / "postgres/postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        program.kill()
        program.wait()
        program, client = self.start(environment)
        try:
            stored = {i["incident_id"] for i in client.get("/incidents").json()["incidents"]}
            assert stored == set(accepted)
        finally:
            program.send_signal(signal.SIGINT)
            assert program.wait(30) == 0
        assert not (state_dir / "postgres/postmaster.pid").exists()

    def test_in_the_background_and_down_again(self, environment: dict[str, str], state_dir: Path) -> None:
        adopt = ctypes.CDLL(None).prctl
        adopt(_PR_SET_CHILD_SUBREAPER, 1)  # so that this process is told how it ends
        try:
            begun = subprocess.run(
                [sys.executable, "-m", "geo_grid", "up", "--empty", "--detach"],
                env=environment, capture_output=True, text=True, timeout=120, check=True,
            )  # fmt: skip
        finally:
            adopt(_PR_SET_CHILD_SUBREAPER, 0)
        said, supervisor = begun.stderr, (ServerLock(state_dir).holder() or {})["pid"]
        assert "ready" in said
        assert "no grid levels yet" in said
        password = re.search(r"admin +(\S+) ", said)[1]  # shown once, and not in the log
        assert password not in (state_dir / "server.log").read_text()
        url = f"http://127.0.0.1:{environment['GEO_GRID_PORT']}"
        assert httpx.get(f"{url}/readyz").json()["edition"] is None
        assert "已" not in self.run(environment, "levels")  # other commands share the running database
        assert "already running" in self.run(environment, "up", "--empty")
        assert "stopped" in self.run(environment, "down")
        assert os.waitpid(supervisor, 0)[1] == 0  # by SIGTERM
        assert not (state_dir / "postgres/postmaster.pid").exists()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/readyz")
        assert "nothing is running" in self.run(environment, "down")

    def test_a_port_in_use_is_said_before_anything_is_done(self, environment: dict[str, str], state_dir: Path) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", int(environment["GEO_GRID_PORT"])))
            other.listen()
            said = self.run(environment, "up", "--empty", expect=1)
        assert "GEO_GRID_PORT" in said
        assert not (state_dir / "postgres").exists()

    def test_a_second_database_url_needs_no_cluster(
        self, database: str, environment: dict[str, str], state_dir: Path
    ) -> None:
        self.run({**environment, "GEO_GRID_DATABASE_URL": database}, "migrate")
        assert not (state_dir / "postgres").exists()
        with psycopg.connect(database) as connection:
            assert connection.execute("select count(*) from migrations").fetchone() == (len(read_migrations()),)


class TestLocatingFiles:
    def test_points_come_back_with_their_owners(self, demo: str, tmp_path: Path) -> None:
        points, owners = tmp_path / "points.csv", tmp_path / "owners.csv"
        points.write_text("id,lon,lat\na,114.5043,37.0682\nb,0,0\n")
        said = geo_grid(demo, "locate", "--file", points, "--out", owners, "--level", 1).stderr
        assert "2 points, 1 of them outside every grid cell; edition 1" in said
        lines = owners.read_text().splitlines()
        assert (
            lines[0] == '"id","lon","lat","grid_code","grid_code_1","zone_code","distance_to_boundary_m","unassigned"'
        )
        assert lines[1].startswith('"a","114.5043","37.0682","130502')
        assert lines[2] == '"b","0","0",,,,,true'
        as_json = json.loads(geo_grid(demo, "locate", "--file", points, "--out", owners, "--json").stdout)
        assert (as_json["points"], as_json["unassigned"], as_json["edition"]) == (2, 1, 1)

    def test_a_bad_file_leaves_no_answer_behind(self, demo: str, tmp_path: Path) -> None:
        points, owners = tmp_path / "points.csv", tmp_path / "owners.csv"
        points.write_text("lon,lat\n114.5043,37.0682\n37.0682,114.5043\n")
        said = geo_grid(demo, "locate", "--file", points, "--out", owners, expect=2).stderr
        assert "row 2" in said
        assert "swapped" in said
        assert list(tmp_path.iterdir()) == [points]
        geo_grid(demo, "locate", "--file", points, "--out", owners, "--skip-invalid")
        assert "swapped" in owners.read_text()

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--file", "a.csv"], "give either"),
            (["114.5", "37", "--file", "a.csv", "--out", "b.csv"], "give either"),
            ([], "give either"),
            (["--file", "a.csv", "--out", "b.json"], "same ending"),
            (["--file", "a.xlsx", "--out", "b.xlsx"], "one of .csv"),
            (["--file", "nothing.csv", "--out", "b.csv"], "no such file"),
        ],
    )
    def test_bad_questions(self, demo: str, arguments: list[str], says: str) -> None:
        assert says in geo_grid(demo, "locate", *arguments, expect=2).stderr


def test_assign_all_goes_through_the_index(small_city: str) -> None:
    with connect(small_city) as connection:
        connection.execute(
            "insert into incidents (category, geom) values ('x', ST_SetSRID(ST_MakePoint(114.50390625, 37.00390625), 4490)),"
            " ('x', ST_SetSRID(ST_MakePoint(0, 0), 4490))"
        )
    done = geo_grid(small_city, "assign", "--all", "--json")
    assert json.loads(done.stdout)["incidents"] == {"rows": 2, "unassigned": 1}
    assert "locating incidents" in done.stderr
    with connect(small_city) as connection:
        rows = connection.execute("select grid_code, edition_id from incidents order by incident_id").fetchall()
    assert [(row["grid_code"], row["edition_id"]) for row in rows] == [("A", 1), (None, 1)]


def test_a_time_zone_that_is_none_is_told_in_words() -> None:
    environment = {**os.environ, "GEO_GRID_TIMEZONE": "Mars/Phobos"}
    command = [sys.executable, "-m", "geo_grid", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    says = "'Mars/Phobos' is no time zone: name one as the IANA does, such as Asia/Shanghai"
    assert done.stderr == f"geo-grid: GEO_GRID_TIMEZONE: {says}\n"


def test_an_import_says_how_the_file_is_written_and_heals(database: str, cases: Path, tmp_path: Path) -> None:
    with connect(database) as connection:
        local_levels(connection)
    columns = ("--column", "facility_code=code", "--set", "facility_kind=school", "--source-crs", "EPSG:4490")
    assert "--encoding" in geo_grid(database, "import", "facilities", cases / "euckr.csv", *columns, expect=2).stderr
    geo_grid(database, "import", "facilities", cases / "euckr.csv", *columns, "--encoding", "euc-kr")
    level = ("--column", "grid_code=code", "--set", "grid_level=1", "--source-crs", "EPSG:4326", "--dry-run")
    refused = geo_grid(database, "import", "grid_cells", cases / "t_junction.geojson", *level, "--heal", "0", expect=2)
    assert "cannot come into force" in refused.stderr
    healed = geo_grid(database, "import", "grid_cells", cases / "t_junction.geojson", *level).stderr
    assert (
        "(--heal 0.01; gaps and overlaps up to so many metres): A by 0.0 mm near lon 114.500000 lat 37.500000" in healed
    )
    written = tmp_path / "facilities.csv"
    geo_grid(database, "export", "facilities", written, "--for-excel")
    assert written.read_bytes().startswith(b"\xef\xbb\xbf")
