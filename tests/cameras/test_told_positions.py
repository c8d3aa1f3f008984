"""Positions that lower platforms tell, over real sockets: subscribed to and unasked, in their datum, of their own cameras alone."""

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo_grid.cameras.told_positions import ToldPositions, placed
from geo_grid.china_datums import shifted
from geo_grid.gb28181.manscdp import positions_of, read_body
from tests.cameras.catalogues import item
from tests.cameras.door import CITY, OTHER, PLATFORM, QUICK, ask, door, until
from tests.cameras.lower import Lower, body_of, header, position
from tests.cameras.test_lower_platforms import camera, items

HERE = (114.515625, 37.015625)
RECORDER = "13050200001180000001"


def clock(**past: float) -> str:
    """A time as platforms write it: the city's, without a zone."""
    return (datetime.now(CITY) - timedelta(**past)).strftime("%Y-%m-%dT%H:%M:%S")


def moved(database: str) -> dict[str, dict[str, Any]]:
    rows = ask(
        database,
        "select c.gb28181_id, ST_X(p.geom) as lon, ST_Y(p.geom) as lat, p.speed_kmh, p.heading_deg, p.positioned_at"
        " from camera_positions p join cameras c using (camera_id)",
    )
    return {row["gb28181_id"][-2:]: row for row in rows}


def known(lower: Lower, count: int = 3, **more: str) -> None:
    lower.register()
    lower.answer_query(items(count, **more))


def test_a_platform_is_subscribed_to_and_its_positions_are_of_its_datum(small_city: str, state_dir: Path) -> None:
    x, y = shifted(*HERE, "GCJ-02")
    with door(small_city, state_dir, source_crs="GCJ-02") as ours, Lower(ours.port, PLATFORM) as lower:
        known(lower)
        ours.wait_for(lambda one: one["whole_at"])
        asked = lower.asked["SUBSCRIBE"].get(timeout=20)
        assert header(asked, "event") == "Catalog"
        asked = lower.asked["SUBSCRIBE"].get(timeout=20)
        assert header(asked, "event") == "presence"
        body = body_of(asked)
        assert b"<CmdType>MobilePosition</CmdType>" in body
        assert f"<DeviceID>{PLATFORM}</DeviceID>".encode() in body
        assert b"<Interval>15</Interval>" in body
        told = position(camera(1), x, y, clock(seconds=5), "<Speed>36.5</Speed>\r\n<Direction>360</Direction>\r\n")
        dialog = header(asked, "call-id")
        answer = lower.request("NOTIFY", told, dialog, Event="presence;id=5936", Subscription_State="active;expires=60")
        assert answer.startswith(b"SIP/2.0 200")
        assert lower.request("NOTIFY", told, "another", Event="presence").startswith(b"SIP/2.0 481")
        until(lambda: moved(small_city))
        (one,) = moved(small_city).values()
        assert abs(one["lon"] - HERE[0]) < 1e-6
        assert abs(one["lat"] - HERE[1]) < 1e-6
        assert (one["speed_kmh"], one["heading_deg"]) == (36.5, 0)
        assert abs(datetime.now(CITY) - one["positioned_at"]) < timedelta(minutes=1)
        assert ask(small_city, "select distinct ST_Y(geom) < 37.01 as at_home from cameras") == [{"at_home": True}]


def test_two_subscriptions_do_not_disturb_each_other(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        known(lower)
        ours.wait_for(lambda one: one["whole_at"])
        catalogue, positions = lower.subscribed(), lower.subscribed("presence")
        assert catalogue != positions
        over = lower.request("NOTIFY", b"", positions, Event="presence", Subscription_State="terminated")
        assert over.startswith(b"SIP/2.0 200")
        assert ours.wait_for(lambda one: one["subscribed_until"])
        assert lower.notify(catalogue, item(5).encode("gb18030")).startswith(b"SIP/2.0 200")
        assert lower.subscribed("presence") != positions  # it is asked again after a pause
        assert lower.asked["SUBSCRIBE"].empty()


def test_a_subscription_that_ends_before_its_answer_is_read_is_asked_for_again(
    small_city: str, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        subscribe = ours.platforms.agent.subscribe

        async def slow(*given: Any) -> tuple[int | None, int]:
            answer = await subscribe(*given)
            await asyncio.sleep(2)
            return answer

        monkeypatch.setattr(ours.platforms.agent, "subscribe", slow)
        known(lower)
        for event in ("Catalog", "presence"):
            first = lower.subscribed(event)
            over = lower.request("NOTIFY", b"", first, Event=event, Subscription_State="terminated")
            assert over.startswith(b"SIP/2.0 200")
            assert lower.subscribed(event) != first


def test_a_platform_that_takes_no_such_subscription_is_not_asked_again_until_it_registers_anew(
    small_city: str, state_dir: Path
) -> None:
    timing = type(QUICK)(**{**QUICK.__dict__, "again_s": 1.0})
    with door(small_city, state_dir, timing) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.status_for_events["presence"] = "489 Bad Event"
        known(lower)
        ours.wait_for(lambda one: one["whole_at"] and one["subscribed_until"])
        catalogue = lower.subscribed()
        lower.subscribed("presence")
        time.sleep(3)
        assert lower.asked["SUBSCRIBE"].empty()
        assert lower.notify(catalogue, item(5).encode("gb18030")).startswith(b"SIP/2.0 200")
        link = ours.link()
        assert link["trouble"] == ""
        assert "subscription" not in link["note"]
        # and what it tells unasked is taken
        assert lower.message(position(camera(2), *HERE, clock())).startswith(b"SIP/2.0 200")
        until(lambda: list(moved(small_city)) == ["02"])
        assert lower.register(expires=0).startswith(b"SIP/2.0 200")
        lower.register()
        lower.subscribed("presence")


def test_positions_come_in_lists_and_with_a_vehicle_go_its_cameras(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        lower.register()
        lower.answer_query([*items(2), *items(2, first=8, ParentID=f"{PLATFORM}/{RECORDER}")])
        ours.wait_for(lambda one: one["whole_at"])
        listed = "".join(
            f"<Item>\r\n<DeviceID>{camera(number)}</DeviceID>\r\n<CaptureTime>{clock(seconds=number)}</CaptureTime>\r\n"
            f"<Longitude>{HERE[0]}</Longitude>\r\n<Latitude>{HERE[1]}</Latitude>\r\n<Speed>-</Speed>\r\n</Item>\r\n"
            for number in (1, 2)
        )
        lower.message(
            position(
                PLATFORM,
                "",
                "",
                clock(hours=1),
                f'<SumNum>2</SumNum>\r\n<DeviceList Num="2">\r\n{listed}</DeviceList>\r\n',
            )
        )
        until(lambda: sorted(moved(small_city)) == ["01", "02"])
        lower.message(position(PLATFORM, *HERE, clock()))  # of the platform itself: with it goes none
        lower.message(position(RECORDER, *HERE, clock(seconds=2)))
        until(lambda: sorted(moved(small_city)) == ["01", "02", "08", "09"])
        east = (HERE[0] + 0.001, HERE[1])
        target = f"<TargetID>{camera(1)}</TargetID>\r\n"
        lower.message(position(camera(1), *east, clock(), target, sender=PLATFORM))
        until(lambda: moved(small_city)["01"]["lon"] > HERE[0])
        assert moved(small_city)["02"]["lon"] == HERE[0]


def test_what_is_wrong_or_anothers_is_not_taken(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as one, Lower(ours.port, OTHER) as other:
        known(one)
        ours.wait_for(lambda link: link["whole_at"])
        other.register()
        other.answer_query(items(1, first=50))
        ours.wait_for(lambda link: link["whole_at"], "P2")
        for number, (x, y, moment) in enumerate((
            ("114.5e9", 37.0, clock()), ("nan", 37.0, clock()), (0, 0, clock()), ("", "", clock()), (37.0, 114.5, clock()),
            (*HERE, "yesterday"), (*HERE, "9999-99-99T00:00:00"), (*HERE, clock(hours=-8)), (2.35, 48.85, clock()),
            (*HERE, "1700-01-01T00:00:00"),
        ), 1):  # fmt: skip
            assert one.message(position(camera(number % 3 + 1), x, y, moment)).startswith(b"SIP/2.0 200")
        other.message(position(camera(1), *HERE, clock()))
        other.message(position(camera(50), *HERE, clock()))
        until(lambda: moved(small_city))
        time.sleep(1.5)
        assert list(moved(small_city)) == ["50"]
        said = ours.platforms._links[PLATFORM].note.note
        assert "not taken" in said
        one.message(position(camera(3), *HERE, clock()))  # and nothing is in the way of the next
        until(lambda: sorted(moved(small_city)) == ["03", "50"])


def test_what_is_wrong_takes_no_place_of_what_is_right(small_city: str, state_dir: Path) -> None:
    """In one message, so that one look has them all."""
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM) as lower:
        known(lower, 4)
        ours.wait_for(lambda one: one["whole_at"])
        wrong = (
            (*HERE, "2099-01-01T00:00:00"), (2.35, 48.85, clock()), (37.0, 114.5, clock(seconds=-30)), (1e6, 1e6, clock(seconds=-60))
        )  # fmt: skip
        told = [(1, *HERE, clock(seconds=9)), *((1, *one) for one in wrong)]
        told += [*((2, *one) for one in wrong), (2, *HERE, clock(seconds=9))]
        told += [
            (3, HERE[0], 47.0, clock(seconds=5)),
            (3, *HERE, clock(seconds=9)),
            (3, HERE[0] + 1e-4, HERE[1], clock(seconds=8)),
        ]
        listed = "".join(
            f"<Item><DeviceID>{camera(number)}</DeviceID><CaptureTime>{moment}</CaptureTime><Longitude>{x}</Longitude>"
            f"<Latitude>{y}</Latitude></Item>\r\n"
            for number, x, y, moment in told
        )
        more = f'<SumNum>{len(told)}</SumNum>\r\n<DeviceList Num="{len(told)}">\r\n{listed}</DeviceList>\r\n'
        lower.message(position(PLATFORM, "", "", clock(), more))
        until(lambda: sorted(moved(small_city)) == ["01", "02", "03"])
        places = moved(small_city)
        assert (places["01"]["lon"], places["02"]["lon"]) == (HERE[0], HERE[0])
        assert abs(places["03"]["lon"] - HERE[0] - 1e-4) < 1e-6
        assert "not taken" in ours.platforms._links[PLATFORM].note.note


def test_a_flood_is_a_batch_a_look(small_city: str, state_dir: Path) -> None:
    with door(small_city, state_dir) as ours, Lower(ours.port, PLATFORM, transport="tcp") as lower:
        known(lower)
        ours.wait_for(lambda one: one["whole_at"])
        written: list[int] = []
        move = ours.platforms._move

        async def counted(link: Any, told: Any) -> None:
            written.append(len(told))
            await move(link, told)

        ours.platforms._move = counted  # type: ignore[method-assign]
        began = time.monotonic()
        for number in range(2000):
            place = (HERE[0] + number * 1e-6, HERE[1])
            assert lower.message(position(camera(1), *place, clock(seconds=60 - number / 50))).startswith(
                b"SIP/2.0 200"
            )
        # of one second the first is kept: fifty are told as of one
        until(lambda: moved(small_city) and moved(small_city)["01"]["lon"] > HERE[0] + 1.9e-3)
        assert set(written) == {1}
        assert len(written) <= 2 * (time.monotonic() - began) + 2
        assert not ours.platforms._tasks


def test_only_the_newest_of_each_device_waits_and_a_bounded_number_of_them() -> None:
    waiting = ToldPositions(CITY)

    def tell(device: str, moment: str, x: float = 114.5) -> None:
        body = read_body(position(device, x, 37.0, moment))
        assert body is not None
        waiting.take(body)

    for number in range(6000):
        tell(camera(number), "2026-01-01T00:00:00")
    assert len(waiting) == 5000
    tell(camera(7), "2026-01-01T00:00:02", 114.51)
    tell(camera(7), "2026-01-01 00:00:01", 114.52)
    told = waiting.due()
    assert (len(told), len(waiting)) == (5000, 0)
    tell(camera(7), "2026-01-01T00:00:03", 114.53)
    waiting.take_back(told)
    assert len(waiting) == 5000
    good, wrong = placed(waiting.due(), "EPSG:4490")
    assert (len(good), wrong) == (5000, [])
    assert [round(one.lon, 6) for one in good if one.gb28181_id == camera(7)] == [114.53]
    for number in range(6000):
        tell(camera(7), "2026-01-01T00:00:01", 1.0 + number)
        tell(camera(7), "2099-01-01T00:00:01", 1.0 + number)
    assert len(waiting) == 8
    waiting.due()
    _, wrong = placed(told[:2], "EPSG:2380")
    assert "no public transformation" in wrong[0]


@given(st.binary(max_size=300), st.lists(st.text(max_size=70), min_size=6, max_size=6))
def test_no_message_makes_it_fail(noise: bytes, values: list[str]) -> None:
    names = ("DeviceID", "Time", "Longitude", "Latitude", "Speed", "Direction")
    written = "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, values, strict=True))
    head = b"<Notify><CmdType>MobilePosition</CmdType>"
    waiting = ToldPositions(CITY)
    for data in (
        head + noise,
        head + written.encode("gb18030", "replace"),
        head + b"<DeviceList><Item>" + written.encode(),
    ):
        if (body := read_body(data)) is not None:
            waiting.take(body)
            assert all(0 <= (one.heading_deg or 0) < 360 for one in positions_of(body))
    placed(waiting.due(), "GCJ-02")
