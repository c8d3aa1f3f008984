"""Deadlines of incidents: set from policies, moved while their clock stands, swept once each, moved with the calendar."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from geo_grid.db import Cluster, Connection, connect
from geo_grid.workflow.deadlines import sweep
from geo_grid.workflow.working_time import fill_year, reckon
from tests.conftest import live_server
from tests.databases import ZONE, new_database
from tests.identities import api_key, bearing
from tests.squares import SIDE, SOUTH, WEST, two_by_two

HERE = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2}
CHINA = "at time zone 'Asia/Shanghai'"
HOUR = timedelta(hours=1)


@pytest.fixture
def city(small_city: str) -> str:
    with connect(small_city) as connection:
        fill_2026(connection)
    return small_city


def fill_2026(connection: Connection) -> None:
    """The days of these tests, in whichever year they are run."""
    for year in (2026, 2027):
        fill_year(connection, year)
    reckon(connection, ZONE)


def report(connection: Connection, received: str | datetime, category: str = "help", cell: str = "A") -> int:
    row = connection.execute(
        "insert into incidents (category, received_at, geom, grid_code, edition_id) values"
        " (%s, %s, ST_SetSRID(ST_MakePoint(114.50390625, 37.00390625), 4490), %s, 1) returning incident_id",
        (category, received, cell),
    ).fetchone()
    assert row is not None
    return int(row["incident_id"])


def step(connection: Connection, incident: int, at: str | datetime, **values: Any) -> None:
    """What a step stores of its clocks, at a moment of the test's choice."""
    given = {**values, "stepped_at": at}
    sets = ", ".join(f"{name} = %({name})s" for name in given)
    connection.execute(f"update incidents set {sets} where incident_id = %(key)s".encode(), {**given, "key": incident})


def now_of(connection: Connection, incident: int) -> dict[str, Any]:
    row = connection.execute("select * from incidents where incident_id = %s", (incident,)).fetchone()
    assert row is not None
    return row


def local(moment: datetime | None) -> str | None:
    return None if moment is None else (moment.astimezone(UTC) + 8 * HOUR).strftime("%m-%d %H:%M")


def marks(connection: Connection) -> list[tuple[int, str, str]]:
    rows = connection.execute("select incident_id, target, mark from deadline_marks order by mark_id").fetchall()
    return [(row["incident_id"], row["target"], row["mark"]) for row in rows]


def test_the_policy_that_names_most_wins_and_of_as_many_the_category(city: str) -> None:
    with connect(city) as connection:
        connection.execute("delete from sla_policies")

        def policy(code: str, **named: object) -> None:
            values = {"category": None, "urgency": None, "grid_level": None, "area_type": None, **named, "code": code}
            connection.execute(
                "insert into sla_policies (policy_code, name_zh, name_en, category, urgency, grid_level, area_type, settle_s)"
                " values (%(code)s, 'x', 'x', %(category)s, %(urgency)s, %(grid_level)s, %(area_type)s, 60)",
                values,
            )

        def wins() -> str | None:
            code = now_of(connection, report(connection, "2026-03-02 09:00+08", "fire"))["policy_code"]
            return code if code is None else str(code)

        assert wins() is None  # no limit at all
        expected = [
            ("any", {}), ("area", {"area_type": "basic"}), ("level", {"grid_level": 2}), ("urgency", {"urgency": "red"}),
            ("category", {"category": "fire"}), ("level_area", {"grid_level": 2, "area_type": "basic"}),
            ("category_area", {"category": "fire", "area_type": "basic"}),
            ("category_urgency", {"category": "fire", "urgency": "red"}),
            ("three", {"urgency": "red", "grid_level": 2, "area_type": "basic"}),
        ]  # fmt: skip
        for code, named in expected:
            policy(code, **named)
            assert wins() == code
        policy("others", category="dispute", urgency="red", grid_level=1, area_type="dedicated")
        assert wins() == "three"
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            policy("again", category="fire")


def test_a_working_limit_goes_over_the_weekend_and_a_running_one_does_not_stop(city: str) -> None:
    with connect(city) as connection:
        # Friday 6 March 2026, 16:30: an hour until the offices close
        matter = now_of(connection, report(connection, "2026-03-06 16:30+08", "city_matter"))
        assert (matter["policy_code"], matter["due_for"]) == ("city_matter", "accept")
        assert [local(matter[f"{target}_due_at"]) for target in ("accept", "arrive", "settle")] == [
            "03-09 09:30", None, "03-11 16:30",
        ]  # fmt: skip
        assert local(matter["accept_warn_at"]) == "03-09 09:06"  # 80 % of two hours
        fire = now_of(connection, report(connection, "2026-03-06 16:30+08", "fire"))
        assert [local(fire[f"{target}_due_at"]) for target in ("accept", "arrive", "settle")] == [
            "03-06 16:33", "03-06 16:40", "03-06 18:30",
        ]  # fmt: skip


def test_a_clock_that_stands_moves_the_deadline_by_working_time_only(city: str) -> None:
    with connect(city) as connection:
        one = report(connection, "2026-03-06 09:00+08", "city_matter")
        step(connection, one, "2026-03-06 09:10+08", accepted_at="2026-03-06 09:10+08")
        assert (now_of(connection, one)["due_for"], local(now_of(connection, one)["due_at"])) == (
            "settle",
            "03-11 09:00",
        )
        step(connection, one, "2026-03-06 16:30+08", suspended_at="2026-03-06 16:30+08")
        stands = now_of(connection, one)
        assert (stands["due_at"], stands["mark_at"]) == (None, None)
        assert sweep(connection, datetime(2026, 12, 1, tzinfo=UTC))[0] == 0
        step(connection, one, "2026-03-09 09:30+08", suspended_at=None, suspended_s=234000)
        assert local(now_of(connection, one)["due_at"]) == "03-11 11:00"  # two hours of work were lost, not a weekend
        running = report(connection, "2026-03-06 09:00+08", "help")
        step(connection, running, "2026-03-06 09:10+08", accepted_at="2026-03-06 09:10+08")
        step(connection, running, "2026-03-06 20:00+08", suspended_at="2026-03-06 20:00+08")
        step(connection, running, "2026-03-08 20:00+08", suspended_at=None, suspended_s=172800)
        assert local(now_of(connection, running)["due_at"]) == "03-09 09:00"


def test_what_was_missed_stays_missed_however_long_the_clock_stands_afterwards(city: str) -> None:
    with connect(city) as connection:
        one = report(connection, "2026-03-06 09:00+08", "help")
        step(connection, one, "2026-03-06 09:10+08", accepted_at="2026-03-06 09:10+08")
        step(connection, one, "2026-03-07 10:00+08", suspended_at="2026-03-07 10:00+08")  # an hour too late
        assert local(now_of(connection, one)["due_at"]) == "03-07 09:00"
        sweep(connection, datetime(2026, 3, 7, 4, tzinfo=UTC))
        step(connection, one, "2026-03-09 10:00+08", suspended_at=None, suspended_s=172800)
        assert local(now_of(connection, one)["due_at"]) == "03-07 09:00"
        sweep(connection, datetime(2026, 3, 10, tzinfo=UTC))
        assert marks(connection) == [(one, "settle", "breach")]


def test_handled_rejected_closed_and_reopened(city: str) -> None:
    with connect(city) as connection:
        one = report(connection, "2026-03-02 09:00+08", "help")
        assert now_of(connection, one)["is_on_time"] is None
        step(connection, one, "2026-03-02 09:10+08", accepted_at="2026-03-02 09:10+08")
        step(connection, one, "2026-03-03 08:00+08", handled_at="2026-03-03 08:00+08")
        assert now_of(connection, one)["due_at"] is None
        step(connection, one, "2026-03-04 08:00+08", handled_at=None)  # rejected after a day of verifying
        assert local(now_of(connection, one)["due_at"]) == "03-04 09:00"
        step(connection, one, "2026-03-04 08:30+08", handled_at="2026-03-04 08:30+08")
        step(connection, one, "2026-03-05 08:30+08", closed_at="2026-03-05 08:30+08")
        closed = now_of(connection, one)
        assert (closed["is_on_time"], closed["due_at"]) == (True, None)
        step(connection, one, "2026-03-06 08:30+08", handled_at=None, closed_at=None)  # reopened: half an hour is left
        again = now_of(connection, one)
        assert (again["is_on_time"], local(again["due_at"])) == (None, "03-06 09:00")
        step(connection, one, "2026-03-06 09:01+08", closed_at="2026-03-06 09:01+08")
        assert now_of(connection, one)["is_on_time"] is False
        sweep(connection, datetime(2026, 3, 7, tzinfo=UTC))
        assert marks(connection) == [(one, "settle", "breach")]  # though it was closed before the sweep


def test_each_warning_and_breach_is_noted_once_and_told(city: str) -> None:
    with connect(city) as connection:
        one = report(connection, "2026-03-02 09:00+08", "help")  # accept within 30 minutes, settle within 24 hours
        late = report(connection, "2026-03-02 09:00+08", "help")
        step(connection, one, "2026-03-02 09:10+08", accepted_at="2026-03-02 09:10+08")
        begun = datetime(2026, 3, 2, 1, tzinfo=UTC)
        for minutes in (20, 25, 26, 31, 32, 19 * 60, 20 * 60, 23 * 60, 25 * 60, 26 * 60):
            sweep(connection, begun + timedelta(minutes=minutes))
        assert Counter(marks(connection)) == Counter([
            (late, "accept", "warning"), (late, "accept", "breach"), *((i, "settle", mark) for i in (one, late)
                                                                       for mark in ("warning", "breach")),
        ])  # fmt: skip
        noted = connection.execute("select max(noted_at - due_at) as late from deadline_marks where mark = 'breach'")
        assert (noted.fetchone() or {})["late"] <= HOUR
        told = connection.execute(
            "select count(*) as told from changes where kind = 'incident' and subject = %s", (str(one),)
        )
        assert (told.fetchone() or {})["told"] == 4  # reported, accepted, warned, missed
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("update deadline_marks set due_at = now()")


def test_a_warning_that_nobody_noted_in_time_is_left_out(city: str) -> None:
    with connect(city) as connection:
        one = report(connection, "2026-03-02 09:00+08", "help")
        sweep(connection, datetime(2026, 3, 9, tzinfo=UTC))
        assert marks(connection) == [(one, "accept", "breach"), (one, "settle", "breach")]


def test_history_that_comes_in_closed_says_whether_it_was_on_time_and_warns_nobody(city: str) -> None:
    with connect(city) as connection:
        connection.execute(
            "insert into incidents (category, received_at, handled_at, closed_at, geom, grid_code, edition_id)"
            " select 'help', '2026-03-02 09:00+08', t::timestamptz, t::timestamptz + interval '1 day',"
            " ST_SetSRID(ST_MakePoint(114.50390625, 37.00390625), 4490), 'A', 1"
            " from unnest(array['2026-03-03 08:59+08', '2026-03-03 09:01+08']) t"
        )
        assert sweep(connection, datetime(2026, 12, 1, tzinfo=UTC))[0] == 0
        rows = connection.execute("select is_on_time from incidents order by handled_at").fetchall()
    assert [row["is_on_time"] for row in rows] == [True, False]


@pytest.mark.parametrize(
    ("change", "due"),
    [
        ("update working_days set is_working = false where day = '2026-03-09'", "03-12 16:30"),
        ("update working_hours set ends_at = '16:30' where schedule_code = 'office' and ends_at = '17:30'", "03-12 11:30"),
        ("update sla_policies set settle_s = 7 * 3600 where policy_code = 'city_matter'", "03-09 16:30"),
        ("update sla_policies set schedule_code = null where policy_code = 'city_matter'", "03-07 13:30"),
        ("delete from sla_policies where policy_code = 'city_matter'", "03-17 16:30"),
        ("update incident_categories set urgency = 'red' where category_code = 'city_matter'", "03-11 16:30"),
    ],
)  # fmt: skip
def test_a_change_of_days_hours_or_policies_moves_open_deadlines(city: str, change: str, due: str) -> None:
    with connect(city) as connection:
        one = report(connection, "2026-03-06 16:30+08", "city_matter")
        closed = report(connection, "2026-03-06 16:30+08", "city_matter")
        step(connection, closed, "2026-03-06 17:00+08", closed_at="2026-03-06 17:00+08")
        assert local(now_of(connection, one)["settle_due_at"]) == "03-11 16:30"
        connection.execute("delete from due_work where kind = 'reckon'")
    with connect(city) as connection:
        connection.execute(change.encode())
    with connect(city) as connection:
        assert connection.execute("select from due_work where kind = 'reckon' and due_at <= now()").fetchall() != []
        assert reckon(connection, ZONE) == 1
        assert local(now_of(connection, one)["settle_due_at"]) == due
        assert local(now_of(connection, closed)["settle_due_at"]) == "03-11 16:30"


def test_what_is_reported_while_the_calendar_changes_gets_the_new_deadline(city: str) -> None:
    with psycopg.connect(city) as slow:  # begun before the change, committed after it
        slow.execute(
            "insert into incidents (category, received_at, geom) values"
            " ('city_matter', '2026-03-06 16:30+08', ST_SetSRID(ST_MakePoint(114.5, 37), 4490))"
        )
        with connect(city) as connection:
            connection.execute("update working_days set is_working = false where day = '2026-03-09'")
            assert reckon(connection, ZONE) == 0
        slow.commit()
    with connect(city) as connection:
        sweep(connection, datetime(2026, 3, 6, tzinfo=UTC))
        rows = connection.execute("select settle_due_at from incidents").fetchall()
    assert [local(row["settle_due_at"]) for row in rows] == ["03-12 16:30"]


def test_servers_that_sweep_together_note_each_once(city: str) -> None:
    with connect(city) as connection:
        connection.execute(
            "insert into incidents (category, received_at, geom) select 'help', '2026-03-02 09:00+08',"
            " ST_SetSRID(ST_MakePoint(114.5, 37), 4490) from generate_series(1, 3000)"
        )
    swept: list[int] = []

    def serve() -> None:
        while True:
            with connect(city) as connection:
                count, _ = sweep(connection, datetime(2026, 3, 2, 2, tzinfo=UTC), 200)
            swept.append(count)
            if not count:
                return

    servers = [threading.Thread(target=serve) for _ in range(3)]
    for server in servers:
        server.start()
    for server in servers:
        server.join(60)
    assert sum(swept) == 3000
    with connect(city) as connection:
        assert Counter(marks(connection)).most_common(1)[0][1] == 1
        assert len(marks(connection)) == 3000


def test_a_year_of_deadlines(city: str) -> None:
    """Each warning and breach of a year comes with the first sweep after its moment: on the calendar of 2026, day by day."""
    chance = random.Random(19)
    begin, every = datetime(2025, 12, 31, 16, tzinfo=UTC), timedelta(hours=6)
    plan: list[tuple[datetime, int, dict[str, Any]]] = []
    with connect(city) as connection:
        moments = sorted(begin + timedelta(seconds=chance.randrange(360 * 86400)) for _ in range(400))
        for number, received in enumerate(moments):
            accepted = received + chance.choice([timedelta(minutes=5), 30 * HOUR, 90 * HOUR])
            suspended = accepted + chance.random() * 48 * HOUR
            resumed = suspended + chance.random() * 200 * HOUR
            handled = resumed + chance.choice([HOUR, 100 * HOUR, 400 * HOUR])
            category = chance.choice(["city_matter", "help", "dispute", "fire"])
            plan += [
                (received, number, {"category": category}),
                (accepted, number, {"accepted_at": accepted}),
                (suspended, number, {"suspended_at": suspended}),
                (resumed, number, {"suspended_at": None}),
                (handled, number, {"handled_at": handled}),
                (handled + HOUR, number, {"closed_at": handled + HOUR}),
            ]
        plan.sort(key=lambda one: one[:2])
        ids: dict[int, int] = {}
        at = begin
        while at < begin + timedelta(days=390):
            while plan and plan[0][0] <= at:
                moment, number, what = plan.pop(0)
                if "category" in what:
                    ids[number] = report(connection, moment, what["category"])
                else:
                    step(connection, ids[number], moment, **what)
            sweep(connection, at)
            at += every
        # against what each limit means, counted again from the beginning to the end of the story
        rows = connection.execute(
            "select i.incident_id, t.target, t.due_at, m.noted_at, t.met_at, t.limit_s,"
            "       working_between(p.schedule_code, i.received_at, t.due_at)"
            "         - coalesce((select sum(working_between(p.schedule_code, lower(s), least(upper(s), t.due_at)))"
            "                     from unnest(i.stood) s where lower(s) < t.due_at), 0) as counted_s"
            " from incidents i join sla_policies p using (policy_code)"
            " cross join lateral (values ('accept', i.accept_due_at, i.accepted_at, p.accept_s),"
            "                            ('settle', i.settle_due_at, i.handled_at, p.settle_s)) t (target, due_at, met_at, limit_s)"
            " left join deadline_marks m on (m.incident_id, m.target, m.mark) = (i.incident_id, t.target, 'breach')"
        ).fetchall()
        worked = connection.execute(
            "select count(*) as count from incidents i join working_days d"
            f" on d.day = (i.settle_due_at {CHINA})::date and not d.is_working join sla_policies p using (policy_code)"
            " where p.schedule_code = 'office'".encode()
        ).fetchone()
        on_time = connection.execute(
            "select bool_and(is_on_time = (handled_at <= settle_due_at)) as agree, count(*) filter (where is_on_time) as met,"
            " count(*) as closed from incidents where closed_at is not null"
        ).fetchone()
    assert len(rows) == 800
    for row in rows:
        assert row["counted_s"] == pytest.approx(row["limit_s"], abs=1e-3), row
        if row["met_at"] > row["due_at"]:
            assert row["due_at"] <= row["noted_at"] <= row["due_at"] + every, row
        else:
            assert row["noted_at"] is None, row
    assert worked == {"count": 0}  # no deadline of working time on a day off
    assert on_time is not None
    assert on_time["agree"]
    assert on_time["closed"] == 400
    assert 50 < on_time["met"] < 350


@pytest.fixture(scope="module")
def served(cluster: Cluster) -> Iterator[tuple[str, str]]:
    with new_database(cluster, "deadlines_over_http") as conninfo:
        with connect(conninfo) as connection:
            two_by_two(connection)
            fill_2026(connection)
        with live_server(conninfo) as url:
            yield url, conninfo


def test_over_http_a_deadline_is_set_warned_of_moved_and_listed(served: tuple[str, str]) -> None:
    url, conninfo = served
    with (
        bearing(url, api_key(conninfo, "supervisor")) as chief,
        bearing(url, api_key(conninfo, "dispatcher", ["D"])) as away,
    ):
        made = chief.post(
            "/incidents", json={**HERE, "category": "traffic", "received_at": "2026-03-02T01:00:00Z"}
        ).json()
        assert (made["policy_code"], made["due_for"], made["is_overdue"]) == ("usual", "accept", True)
        one = made["incident_id"]

        def listed() -> dict[int, dict[str, Any]]:
            found = chief.get("/incidents/deadlines", params={"limit": 1000}).json()["deadlines"]
            assert [row["due_at"] for row in found] == sorted(row["due_at"] for row in found)
            return {row["incident_id"]: row for row in found}

        assert listed()[one]["due_at"] == made["due_at"]
        assert away.get("/incidents/deadlines").json() == {"deadlines": [], "next": None}
        before = {"before": "2026-03-01"}
        assert one not in {
            row["incident_id"] for row in chief.get("/incidents/deadlines", params=before).json()["deadlines"]
        }
        wait_for(lambda: breached(conninfo, one) == ["accept", "settle"])  # the server itself sweeps
        chief.post(f"/incidents/{one}/steps", json={"action": "accept"}).raise_for_status()
        policy = {"name_zh": "交通", "name_en": "Traffic", "category": "traffic", "settle_s": 300 * 86400}
        assert chief.put("/deadlines/policies/traffic", json=policy).status_code == 200
        wait_for(lambda: chief.get(f"/incidents/{one}").json()["due_at"] == "2026-12-27T01:00:00Z")
        suspended = chief.post(f"/incidents/{one}/steps", json={"action": "suspend", "reason": "等待鉴定"}).json()
        assert suspended["due_at"] is None
        assert one not in listed()
        resumed = chief.post(f"/incidents/{one}/steps", json={"action": "resume"}).json()
        assert resumed["due_at"] > "2026-12-27T01:00:00"
        other = {**policy, "category": "fire", "settle_s": 60}
        assert chief.put("/deadlines/policies/blaze", json=other).status_code == 200
        conflict = chief.put("/deadlines/policies/blaze", json=policy)
        assert (conflict.status_code, conflict.headers["content-type"]) == (409, "application/problem+json")
        assert "another policy" in conflict.json()["detail"]
        assert chief.delete("/deadlines/policies/blaze").status_code == 204
        assert chief.delete("/deadlines/policies/blaze").status_code == 404


def breached(conninfo: str, incident: int) -> list[str]:
    with connect(conninfo) as connection:
        rows = connection.execute(
            "select target from deadline_marks where incident_id = %s and mark = 'breach' order by target", (incident,)
        ).fetchall()
    return [row["target"] for row in rows]


def wait_for(is_true: Any, patience_s: float = 40.0) -> None:
    end = time.monotonic() + patience_s
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_days_and_hours_are_read_and_set_by_who_may(served: tuple[str, str]) -> None:
    url, conninfo = served
    with bearing(url, api_key(conninfo, "supervisor")) as chief, bearing(url, api_key(conninfo, "dispatcher")) as desk:
        days = {day["day"]: day for day in chief.get("/deadlines/days", params={"year": 2026}).json()}
        assert len(days) == 365
        assert (days["2026-10-01"]["is_working"], days["2026-10-10"]["is_working"]) == (False, True)
        kept = chief.put("/deadlines/days/2026-11-30", json={"is_working": False, "name_zh": "停电"}).json()
        assert kept["is_edited"]
        with connect(conninfo) as connection:
            audited = connection.execute(
                "select count(*) as count from access.audit_log where object_id = '2026-11-30'"
            )
            assert (audited.fetchone() or {})["count"] == 1
        hours = {"weekday": 1, "begins_at": "09:00", "ends_at": "17:00"}
        night = {
            "name_zh": "夜班",
            "name_en": "Night",
            "every_day": True,
            "hours": [{**hours, "begins_at": "22:00", "ends_at": "06:00"}],
        }
        assert chief.put("/deadlines/schedules/night", json=night).status_code == 200
        assert "night" in {one["schedule_code"] for one in chief.get("/deadlines/schedules").json()}
        assert desk.put("/deadlines/days/2026-11-30", json={"is_working": True}).status_code == 403
        assert desk.put("/deadlines/policies/mine", json={"name_zh": "x", "name_en": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("policies/x", {"name_zh": "x", "name_en": "x", "category": "dragons"}, "no category dragons"),
        ("policies/x", {"name_zh": "x", "name_en": "x", "grid_level": 9, "schedule_code": "never"}, "no working hours never"),
        ("policies/x", {"name_zh": "x", "name_en": "x", "settle_s": 0}, "settle_s"),
        ("policies/x", {"name_zh": "x", "name_en": "x", "settle_s": 10**12}, "settle_s"),
        ("policies/X%20Y", {"name_zh": "x", "name_en": "x"}, "policy_code"),
        ("schedules/x", {"name_zh": "x", "name_en": "x", "hours": []}, "hours"),
        ("schedules/x", {"name_zh": "x", "name_en": "x", "hours": [{"weekday": 8, "begins_at": "09:00", "ends_at": "10:00"}]}, "weekday"),
        ("schedules/x", {"name_zh": "x", "name_en": "x", "hours": [{"weekday": 1, "begins_at": "09:00Z", "ends_at": "10:00"}]}, "begins_at"),
        ("schedules/x", {"name_zh": "x", "name_en": "x", "hours": 2 * [{"weekday": 1, "begins_at": "09:00", "ends_at": "10:00"}]}, "same time"),
        ("days/2026-02-30", {"is_working": True}, "day"),
        ("days/0900-01-01", {"is_working": True}, "between the years"),
        ("days/2026-02-03", {"is_working": True, "is_provisional": True}, "is_provisional"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(
    served: tuple[str, str], path: str, body: dict[str, Any], said: str
) -> None:
    url, conninfo = served
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {api_key(conninfo, 'supervisor')}"}) as chief:
        answer = chief.put(f"/deadlines/{path}", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.text
