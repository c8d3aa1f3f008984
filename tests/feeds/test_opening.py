"""A camera's live picture: opened for a reason, seen by whoever may for as long as they may, and on record."""

import multiprocessing
import re
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import pytest

from geo_grid.access import audit
from geo_grid.cli.access import as_owner
from geo_grid.db import Cluster, connect
from tests.conftest import live_server
from tests.databases import new_database
from tests.feeds import cameras
from tests.feeds.programs import assert_it_can_write_nothing, files, in_memory, programs
from tests.identities import api_key, bearing, disable, logged_in, user
from tests.squares import SIDE, SOUTH, WEST, two_by_two

IN_A = (WEST + SIDE / 2, SOUTH + SIDE / 2)
IDS = {name: f"1305020000132000000{number}" for number, name in enumerate(
    ("plays", "hangs", "redirects", "falls_silent", "nobody", "wrong", "H265", "MPEG4", "closed_door", "bare"))}  # fmt: skip
PASSWORD = "p4ss-Of-The-Recorder"


class City:
    """A served city of four cells whose cameras, all in A, have names that say how they are."""

    def __init__(self, url: str, database: str, made: dict[str, cameras.Camera], state: Path) -> None:
        self.url, self.database, self.cameras, self.state = url, database, made, state

    def rows(self, action: str, name: str) -> list[dict[str, Any]]:
        with connect(self.database) as connection:
            return connection.execute(
                "select audit_id, actor_name, result, detail from access.audit_log"
                " where action = %s and object_id = %s order by audit_id",
                (action, IDS[name]),
            ).fetchall()

    def do(self, statement: str, *values: object) -> None:
        with connect(self.database) as connection:
            connection.execute(statement, values)


@pytest.fixture(scope="module")
def city(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    netrc = tmp_path_factory.mktemp("secrets") / "hosts.netrc"
    netrc.write_text(f"machine localhost login operator password {PASSWORD}\n")
    netrc.chmod(0o600)
    state = tmp_path_factory.mktemp("state")
    login = ("operator", PASSWORD)
    with (
        cameras.source() as h264,
        cameras.source("H265") as h265,
        cameras.source("MPEG4") as mpeg4,
        cameras.camera(h264, login=login) as plays,
        cameras.camera(None, "hangs") as hangs,
        cameras.camera(h264, "redirects", elsewhere=plays.port) as redirects,
        cameras.camera(h264, "falls_silent") as falls_silent,
        cameras.camera(h265) as modern,
        cameras.camera(mpeg4) as old,
        cameras.camera(h264, login=login) as closed_door,
        new_database(cluster, "feeds") as conninfo,
    ):
        made = {"plays": plays, "hangs": hangs, "redirects": redirects, "falls_silent": falls_silent, "H265": modern,
                "MPEG4": old, "closed_door": closed_door, "wrong": plays}  # fmt: skip
        with connect(conninfo) as connection:
            two_by_two(connection)
            for name, number in IDS.items():
                connection.execute(
                    "insert into cameras (gb28181_id, name, geom, grid_code)"
                    " values (%s, %s, ST_SetSRID(ST_MakePoint(%s, %s), 4490), 'A')",
                    (number, name, *IN_A),
                )
        options = {"state_dir": state, "stream_netrc": netrc, "feeds_per_account": 2}
        with live_server(conninfo, **options) as url, logged_in(url, user(conninfo, "administrator")) as client:
            for name, one in made.items():
                host = {"host": "127.0.0.1" if name == "closed_door" else "localhost", "port": one.port}
                assert client.put(f"/streams/hosts/{name.lower()}", json=host).status_code == 204
                path = "/another" if name == "wrong" else one.PATH
                answer = client.put(
                    f"/streams/hosts/{name.lower()}/cameras",
                    json={"cameras": [{"gb28181_id": IDS[name], "path": path}]},
                )
                assert answer.json() == {"camera_count": 1}, answer.text
            host = {"host": "127.0.0.1", "port": 9}  # nobody listens there
            assert client.put("/streams/hosts/nobody", json=host).status_code == 204
            address = {"cameras": [{"gb28181_id": IDS["nobody"], "path": "/"}]}
            assert client.put("/streams/hosts/nobody/cameras", json=address).status_code == 200
            yield City(url, conninfo, made, state)


def opened(client: httpx.Client, name: str, **more: object) -> dict[str, Any]:
    answer = client.post(f"/cameras/{IDS[name]}/openings", json={"reason": "a look", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def part(client: httpx.Client, feed: dict[str, Any], name: str) -> httpx.Response:
    return client.get(feed["playlist"].replace("live.m3u8", name))


def newest(client: httpx.Client, feed: dict[str, Any]) -> str:
    answer = client.get(feed["playlist"])
    assert answer.status_code == 200, answer.text
    return re.findall(r"^\d+\.m4s$", answer.text, re.MULTILINE)[-1]


def until[T](look: Callable[[], T], longest_s: float = 60) -> T:
    deadline = time.monotonic() + longest_s
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_a_picture_comes_for_a_reason_and_all_of_it_is_on_record(city: City) -> None:
    name = user(city.database, "dispatcher", ["A"])
    with logged_in(city.url, name) as client:
        lon, lat = IN_A
        incident = client.post("/incidents", json={"lon": lon, "lat": lat, "category": "x"}).json()["incident_id"]
        for nothing in ("\u200b\u200b\u200b", "..", "  "):
            assert client.post(f"/cameras/{IDS['plays']}/openings", json={"reason": nothing}).status_code == 422
        made = opened(client, "plays", incident_id=incident)
        feed = made["feed"]
        assert (feed["state"], feed["why"]) == ("opening", "")
        number = newest(client, feed)
        state = client.get(f"/feeds/{feed['feed_id']}").json()
        assert (state["state"], state["codec"][:5]) == ("live", "avc1.")
        beginning, content = part(client, feed, "init.mp4"), part(client, feed, number)
        assert (beginning.content[4:8], content.content[4:8]) == (b"ftyp", b"moof")
        assert (beginning.headers["cache-control"], content.headers["cache-control"]) == ("no-store", "no-store")
        assert part(client, feed, "999999.m4s").status_code == 404
        until(lambda: newest(client, feed) != number)  # a second or so is seen
        assert client.delete(f"/feeds/{feed['feed_id']}").status_code == 204
        assert part(client, feed, number).status_code == client.get(feed["playlist"]).status_code == 404
        assert client.get(f"/feeds/{feed['feed_id']}").json()["state"] == "ended"
    (begun,) = [row for row in city.rows("camera.open", "plays") if row["audit_id"] == made["audit_id"]]
    assert (begun["actor_name"], begun["detail"]) == (name, {"reason": "a look", "incident_id": incident})
    (over,) = [row for row in city.rows("camera.close", "plays") if row["detail"]["opening"] == made["audit_id"]]
    assert (over["actor_name"], over["result"], over["detail"]["ending"]) == (name, "done", "closed")
    assert over["detail"]["incident_id"] == incident
    assert over["detail"]["seconds"] > 0
    assert any(row["detail"]["why"] == "closed" for row in city.rows("camera.refused", "plays"))
    assert as_owner(city.database, audit.verify).faults == []


def test_nothing_is_written_anywhere_and_no_secret_is_seen(city: City) -> None:
    before = files(city.state), in_memory()
    with bearing(city.url, api_key(city.database, "dispatcher")) as client:
        feed = opened(client, "plays")["feed"]
        first = newest(client, feed)
        (program,) = until(programs)
        assert_it_can_write_nothing(program)
        said = b"".join((program / one).read_bytes() for one in ("cmdline", "environ"))
        for secret in (PASSWORD, "SECRET-TOKEN", "operator", str(city.cameras["plays"].port)):
            assert secret.encode() not in said
        until(lambda: part(client, feed, first).status_code == 404, 30)  # the seconds pass, and are gone
        kept = re.findall(r"#EXTINF:([\d.]+)", client.get(feed["playlist"]).text)
        assert sum(map(float, kept)) <= 8.5
        assert (files(city.state), in_memory()) == before
        answers = [client.get(f"/feeds/{feed['feed_id']}").text, client.get(feed["playlist"]).text]
        client.delete(f"/feeds/{feed['feed_id']}")
    until(lambda: not programs())
    with connect(city.database) as connection:
        recorded = str(connection.execute("select * from access.audit_log").fetchall())
        stored = str(connection.execute("select * from stream_hosts").fetchall())
    for secret in (PASSWORD, "SECRET-TOKEN"):
        assert not any(secret in text for text in (*answers, recorded, stored))


def test_an_address_is_worth_nothing_for_another_and_nothing_after_its_minutes(city: City) -> None:
    with (
        bearing(city.url, api_key(city.database, "dispatcher")) as client,
        bearing(city.url, api_key(city.database, "supervisor")) as other,
        httpx.Client(base_url=city.url) as nobody,
    ):
        made = opened(client, "plays")
        feed = made["feed"]
        number = newest(client, feed)
        for path in (feed["playlist"], feed["playlist"].replace("live.m3u8", number), f"/feeds/{feed['feed_id']}"):
            assert other.get(path).json() == other.get(f"/feeds/{'x' * 24}").json() | {}
            assert nobody.get(path).status_code == 401
        assert other.delete(f"/feeds/{feed['feed_id']}").status_code == 404
        assert part(client, feed, newest(client, feed)).status_code == 200  # it goes on
        client.delete(f"/feeds/{feed['feed_id']}")
    refused = [row["detail"] for row in city.rows("camera.refused", "plays")]
    assert {"opening": made["audit_id"], "why": "another's"} in refused
    with (
        live_server(city.database, feed_minutes=0.15) as url,
        bearing(url, api_key(city.database, "dispatcher")) as client,
    ):
        made = opened(client, "H265")  # a host that wants no password
        feed = made["feed"]
        number = newest(client, feed)
        assert part(client, feed, number).status_code == 200
        time.sleep(9)
        answer = part(client, feed, number)
        assert (answer.status_code, "minutes" in answer.json()["detail"]) == (404, True)
        (over,) = until(
            lambda: [row for row in city.rows("camera.close", "H265") if row["detail"]["opening"] == made["audit_id"]]
        )
        assert over["detail"]["ending"] == "expired"
    assert any(
        row["detail"] == {"opening": made["audit_id"], "why": "expired"} for row in city.rows("camera.refused", "H265")
    )


ENDED = {
    "right": (
        "delete from access.role_rights where role = 'dispatcher' and \"right\" = 'cameras.open'",
        "insert into access.role_rights values ('dispatcher', 'cameras.open')",
    ),
    "secret": ("update cameras set is_secret = name = 'plays'", "update cameras set is_secret = false"),
    "cell": (
        "update cameras set grid_code = 'D' where name = 'plays'",
        "update cameras set grid_code = 'A' where name = 'plays'",
    ),
}
"""What takes a right to the camera away, and gives it back."""


@pytest.mark.parametrize("how", ["right", "secret", "cell", "account", "session"])
def test_a_picture_ends_with_the_right_to_it(city: City, how: str) -> None:
    name = user(city.database, "dispatcher", ["A"])
    with logged_in(city.url, name) as client:
        made = opened(client, "plays")
        feed = made["feed"]
        number = newest(client, feed)
        assert part(client, feed, number).status_code == 200
        if how == "account":
            disable(city.database, name)
        elif how == "session":
            assert client.delete("/session").status_code == 204
        else:
            city.do(ENDED[how][0])
        try:
            # at once as not there, since the database decides; then for who asks
            assert part(client, feed, number).status_code in (401, 403, 404)
            status = {"right": 403, "account": 401, "session": 401}.get(how, 404)
            until(lambda: part(client, feed, number).status_code == status, 3)
            (over,) = until(
                lambda: [
                    row for row in city.rows("camera.close", "plays") if row["detail"]["opening"] == made["audit_id"]
                ]
            )
            assert (over["actor_name"], over["detail"]["ending"]) == (name, "right")
            if how == "secret":
                assert client.post(f"/cameras/{IDS['plays']}/openings", json={"reason": "a look"}).status_code == 404
                assert city.rows("camera.refused", "plays")[-1]["detail"] == {"opening": None, "why": "hidden"}
        finally:
            if how in ENDED:
                city.do(ENDED[how][1])
    until(lambda: not programs())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("redirects", "another address, which is not followed"),
        ("nobody", "cannot be reached"),
        ("wrong", "no such stream"),
        ("MPEG4", "which no browser plays"),
        ("closed_door", "without a password"),
        ("hangs", "sends nothing"),
    ],
)
def test_what_gives_no_picture_says_why(city: City, name: str, why: str) -> None:
    asked = len(city.cameras["plays"].heads)
    with bearing(city.url, api_key(city.database, "dispatcher")) as client:
        made = opened(client, name)
        answer = client.get(made["feed"]["playlist"])
        assert (answer.status_code, why in answer.json()["detail"]) == (404, True), answer.text
        assert "127.0.0.1" not in answer.text
        (over,) = until(
            lambda: [row for row in city.rows("camera.close", name) if row["detail"]["opening"] == made["audit_id"]]
        )
    assert (over["result"], over["detail"]["ending"], over["detail"]["seconds"]) == ("failed", "broken", 0)
    assert why in over["detail"]["why"]
    if name == "redirects":
        assert len(city.cameras["plays"].heads) == asked  # where it sends to is asked nothing
    until(lambda: not programs())


def test_h265_is_named_so_that_a_browser_can_say_whether_it_plays_it(city: City) -> None:
    with bearing(city.url, api_key(city.database, "dispatcher")) as client:
        feed = opened(client, "H265")["feed"]
        newest(client, feed)
        assert re.fullmatch(
            r"hev1\.1\.6\.[LH]\d+(\.[0-9A-F]{1,2})*", client.get(f"/feeds/{feed['feed_id']}").json()["codec"]
        )
        client.delete(f"/feeds/{feed['feed_id']}")


def test_a_camera_without_an_address_is_opened_on_record_alone(city: City) -> None:
    with bearing(city.url, api_key(city.database, "dispatcher")) as client:
        made = opened(client, "bare")
    assert made["feed"] is None
    assert [row["audit_id"] for row in city.rows("camera.open", "bare")] == [made["audit_id"]]


def test_so_many_at_once_and_no_more(city: City) -> None:
    with bearing(city.url, api_key(city.database, "dispatcher")) as client:
        feeds = [opened(client, "plays")["feed"] for _ in range(2)]
        before = len(city.rows("camera.open", "plays"))
        answer = client.post(f"/cameras/{IDS['plays']}/openings", json={"reason": "a look"})
        assert (answer.status_code, "close one" in answer.json()["detail"]) == (429, True)
        assert len(city.rows("camera.open", "plays")) == before  # what is not shown was not opened
        for feed in feeds:
            newest(client, feed)
            client.delete(f"/feeds/{feed['feed_id']}")
        client.delete(f"/feeds/{opened(client, 'plays')['feed']['feed_id']}")


def test_what_nobody_watches_ends_by_itself_and_what_falls_silent_too(city: City) -> None:
    with bearing(city.url, api_key(city.database, "dispatcher")) as client:
        made, silent = opened(client, "plays"), opened(client, "falls_silent")["feed"]
        newest(client, made["feed"])
        until(lambda: client.get(f"/feeds/{silent['feed_id']}").json()["state"] == "ended", 30)
        assert "sends nothing" in client.get(f"/feeds/{silent['feed_id']}").json()["why"]
    (over,) = until(
        lambda: [r for r in city.rows("camera.close", "plays") if r["detail"]["opening"] == made["audit_id"]], 25
    )
    assert over["detail"]["ending"] == "left"


def test_pictures_end_with_their_server(city: City) -> None:
    with live_server(city.database) as url, bearing(url, api_key(city.database, "dispatcher")) as client:
        made = opened(client, "H265")
        newest(client, made["feed"])
        assert programs()
    until(lambda: not programs())
    (over,) = [row for row in city.rows("camera.close", "H265") if row["detail"]["opening"] == made["audit_id"]]
    assert over["detail"]["ending"] == "server"


def serve(database: str, to_whom: Connection) -> None:
    """Serve in a process of its own until it is killed."""
    with live_server(database) as url:
        to_whom.send(url)
        time.sleep(600)


def test_the_end_of_a_picture_whose_server_was_killed_is_recorded_once_by_another(city: City) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    serving = context.Process(target=serve, args=(city.database, theirs))
    serving.start()
    try:
        assert ours.poll(90)
        with bearing(ours.recv(), api_key(city.database, "dispatcher")) as client:
            made = opened(client, "H265")
            newest(client, made["feed"])
    finally:
        serving.kill()
        serving.join()

    def ends() -> list[dict[str, Any]]:
        return [row for row in city.rows("camera.close", "H265") if row["detail"]["opening"] == made["audit_id"]]

    assert ends() == []
    city.do("update shown_pictures set seen_at = seen_at - interval '1 minute' where opening = %s", made["audit_id"])
    city.do("update due_work set due_at = now() where kind = 'lost_pictures'")
    (over,) = until(ends)
    assert (over["result"], over["detail"]["ending"], over["detail"]["why"]) == ("failed", "server", "lost")
    (opening,) = city.rows("camera.open", "H265")[-1:]
    assert over["actor_name"] == opening["actor_name"]
    city.do("update due_work set due_at = now() where kind = 'lost_pictures'")
    time.sleep(2)
    assert len(ends()) == 1
