"""What stands and happens in the demo city: duties, posts, units, cameras, facilities, incidents.

Every number that is the city's own comes from DOMAIN, section 1. People are role placeholders and
telephone numbers cannot exist (no Chinese mobile number begins with 12).
"""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pandas import DataFrame

from geo_grid.coordinates import snap
from geo_grid.demo.city import City
from geo_grid.demo.gazetteer import Gazetteer

ASSISTANTS = 7_563
CAMERAS = 62_000
VOLUNTEER_TEAMS = 2_685
VOLUNTEERS = 32_000
_FIRST_TEAM = 100_001
"""Number of the first team's telephone: those of duties are lower."""
MEDIATION_ORGANISATIONS, STUDIOS, MEDIATORS = 612, 41, 1_385
CONFERENCE_VILLAGES, CONFERENCE_DEPARTMENTS, CONFERENCE_BRIGADES = 2_400, 40, 13

# category, subtype, weight, share handled within the hour: shaped like a duty room's log, not measured
_CATEGORIES = [
    ("public_order", "噪声扰民", 14), ("public_order", "打架斗殴", 6), ("public_order", "盗窃", 7), ("public_order", "可疑情况", 4),
    ("traffic", "轻微事故", 20), ("traffic", "违停堵塞", 12), ("traffic", "受伤事故", 4), ("dispute", "邻里纠纷", 10),
    ("dispute", "经济纠纷", 6), ("dispute", "家庭纠纷", 7), ("help", "走失求助", 3), ("help", "群众求助", 9),
    ("fire", "火情", 2), ("fraud", "电信诈骗", 5), ("city_matter", "井盖缺失", 3), ("city_matter", "占道经营", 5),
]  # fmt: skip


def phone(number: int) -> str:
    """Return a telephone number that cannot exist."""
    return f"12{number:09d}"


def places_in(
    city: City, count: int, rng: np.random.Generator, weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw points between middle and border of finest cells chosen by weight; return them and the cells."""
    leaves = city.leaves
    chosen = rng.choice(len(leaves), count, p=weight / weight.sum())
    middle = leaves[["lon", "lat"]].to_numpy()[chosen]
    geometry = city.cells.drop_duplicates("grid_code").set_index("grid_code")["geometry"]
    polygons = geometry.loc[leaves["grid_code"]].to_numpy()
    corners, owner = shapely.get_coordinates(polygons, return_index=True)
    first = np.searchsorted(owner, np.arange(len(polygons)))
    size = np.bincount(owner, minlength=len(polygons))
    corner = corners[first[chosen] + (rng.random(count) * size[chosen]).astype(int)]
    return snap(middle + np.sqrt(rng.random(count))[:, None] * 0.97 * (corner - middle)), chosen


def duties(city: City, rng: np.random.Generator) -> DataFrame:
    """Fill duties: a lead per village or community, a manager per basic cell, assistants where most people live."""
    cells = city.cells
    villages = cells.loc[cells["grid_level"] == 3, "grid_code"].to_numpy()
    basics = cells[cells["grid_level"] == 4]
    crowded = basics.nlargest(ASSISTANTS, "household_count")["grid_code"].to_numpy()
    parts = []
    number = 0
    for role, title, codes in (
        ("grid_lead", "网格长", villages),
        ("grid_manager", "网格员", basics["grid_code"].to_numpy()),
        ("grid_assistant", "协管员", crowded),
    ):
        numbers = range(number + 1, number + len(codes) + 1)
        parts.append(DataFrame({
            "grid_code": codes, "duty_role": role,
            "person_name": [f"{title}{i - number:05d}（演示）" for i in numbers],
            "phone": [phone(i) for i in numbers],
        }))  # fmt: skip
        number += len(codes)
    return pd.concat(parts, ignore_index=True)


def posts(city: City) -> DataFrame:
    """One police post per area zone."""
    frame = city.posts
    number = frame.groupby("township").cumcount() + 1
    return DataFrame({
        "post_code": frame["zone_code"].str.replace("PZ", "PP"),
        "name": frame["township"] + "警务站" + number.astype(str),
        "post_kind": np.where(number == 1, "police_station", "police_post"),
        "responsible_unit": city.zones.set_index("zone_code").loc[frame["zone_code"], "responsible_unit"].to_numpy(),
        "phone": [phone(900_000_000 + i) for i in range(len(frame))],
        "lon": frame["lon"], "lat": frame["lat"], "zone_code": frame["zone_code"],
    })  # fmt: skip


STOP_WINDOWS = (("07:00", "09:00"), ("11:00", "14:00"), ("17:00", "20:00"), ("20:00", "23:00"))
"""When the villages' stops of a zone are due, one after another: schools, markets, the way home, the night."""


def stops(city: City) -> DataFrame:
    """Mandatory stops per area zone: its post by day, and up to four of its villages in busy hours."""
    posts_stop = DataFrame({
        "zone_code": city.posts["zone_code"], "name": city.posts["township"] + "警务站必到点",
        "window_from": "07:00", "window_to": "21:00", "lon": city.posts["lon"], "lat": city.posts["lat"],
    })  # fmt: skip
    areas = city.zones[city.zones["zone_kind"] == "area"]
    seats = city.leaves.drop_duplicates("village")
    village_names = city.cells.set_index("grid_code")["name"]
    seat, zone = shapely.STRtree(areas["geometry"].to_numpy()).query(
        shapely.points(seats[["lon", "lat"]].to_numpy()), predicate="intersects"
    )
    found = seats.iloc[seat].assign(zone_code=areas["zone_code"].to_numpy()[zone]).drop_duplicates("village")
    number = found.groupby("zone_code").cumcount()
    found, number = found[number < len(STOP_WINDOWS)], number[number < len(STOP_WINDOWS)]
    villages_stop = DataFrame({
        "zone_code": found["zone_code"], "name": village_names.loc[found["village"]].to_numpy() + "必到点",
        "window_from": [STOP_WINDOWS[n][0] for n in number], "window_to": [STOP_WINDOWS[n][1] for n in number],
        "lon": found["lon"], "lat": found["lat"],
    })  # fmt: skip
    lines = city.zones[city.zones["zone_kind"] == "segment"]
    segment_stops = [
        (row.zone_code, f"{row.name_}{place}必到点", *window, *shapely.get_coordinates(spot)[0])
        for row in lines.rename(columns={"name": "name_"}).itertuples()
        for place, share, window in (("起点", 0.0, STOP_WINDOWS[0]), ("终点", 1.0, STOP_WINDOWS[2]))
        for spot in [shapely.line_interpolate_point(shapely.get_geometry(row.geometry, 0), share, normalized=True)]
    ]
    segments_stop = DataFrame(segment_stops, columns=list(posts_stop.columns))
    return pd.concat([posts_stop, villages_stop, segments_stop], ignore_index=True)


def units(posts_frame: DataFrame, rng: np.random.Generator) -> DataFrame:
    """Two patrol units per post: one drives, one walks; they stand within a kilometre of it."""
    frame = pd.concat(
        [posts_frame.assign(unit_kind=kind, suffix=suffix) for kind, suffix in (("car", "C"), ("foot", "F"))]
    )
    frame = frame.reset_index(drop=True)
    drives = (frame["unit_kind"] == "car").to_numpy()
    frame.loc[drives & (rng.random(len(frame)) < 0.4), "unit_kind"] = "motorcycle"
    title = frame["unit_kind"].map({"car": "巡逻车", "motorcycle": "摩托车组", "foot": "步巡组"})
    return DataFrame({
        "unit_code": frame["post_code"].str.replace("PP", "PU") + frame["suffix"],
        "name": frame["name"] + title, "unit_kind": frame["unit_kind"],
        "post_code": frame["post_code"], "zone_code": frame["zone_code"],
        "unit_status": rng.choice(["on_patrol", "on_patrol", "on_patrol", "dispatched", "off_duty"], len(frame)),
        "lon": snap(frame["lon"] + rng.normal(0, 0.004, len(frame))),
        "lat": snap(frame["lat"] + rng.normal(0, 0.003, len(frame))),
    })  # fmt: skip


_OWNERS = ("公安局", "社区居委会", "公安局", "社会单位", "交警支队", "交警支队")
"""Whose the cameras of an industry are, by its code: placeholders."""


def cameras(city: City, rng: np.random.Generator) -> DataFrame:
    """Stand cameras where people live, with well-formed GB/T 28181 IDs; `state` is no column of theirs."""
    households = city.leaves["households"].to_numpy(dtype=float)
    points, leaf = places_in(city, CAMERAS, rng, households + 20)
    county = city.leaves["township"].str[:6].to_numpy()[leaf]
    station = rng.integers(1, 30, CAMERAS)
    industry = rng.choice(["00", "01", "02", "03", "04", "05"], CAMERAS, p=[0.4, 0.3, 0.05, 0.1, 0.1, 0.05])
    kind = rng.choice(["131", "132"], CAMERAS, p=[0.15, 0.85])
    network = rng.choice([5, 6, 7], CAMERAS, p=[0.5, 0.3, 0.2])
    ptz = rng.choice([1, 2, 3, 4], CAMERAS, p=[0.15, 0.05, 0.6, 0.2])
    owner = np.array(_OWNERS)[industry.astype(int)]
    azimuth = np.where(ptz == 1, np.nan, rng.integers(0, 360, CAMERAS).astype(float))
    return DataFrame({
        "gb28181_id": [f"{c}{s:02d}{i}{k}{n}{serial:06d}" for serial, (c, s, i, k, n) in
                       enumerate(zip(county, station, industry, kind, network, strict=True), start=1)],
        "name": [f"视频监控{serial:05d}" for serial in range(1, CAMERAS + 1)],
        "ptz_type": ptz, "room_type": rng.choice([1, 2], CAMERAS, p=[0.95, 0.05]),
        "azimuth_deg": azimuth, "fov_deg": np.where(ptz == 1, 360.0, 60.0),
        "range_m": rng.choice([30.0, 50.0, 80.0, 120.0], CAMERAS),
        "org_code": county, "is_secret": rng.random(CAMERAS) < 0.01, "owner_name": owner,
        "state": np.where(rng.random(CAMERAS) < 0.97, "online", "offline"),
        "lon": points[:, 0], "lat": points[:, 1],
    })  # fmt: skip


_MEDIATION_KINDS = {
    "people": "人民调解委员会", "administrative": "行政调解委员会", "judicial": "司法调解中心", "arbitration": "仲裁调解中心",
    "reconsideration": "行政复议调解中心", "pre_litigation": "诉前调解中心",
}  # fmt: skip


def mediation_organisations(city: City) -> DataFrame:
    """Of every kind one for the city, of every kind but people's one for a county, people's for townships and large villages.

    Returns
    -------
    Columns of facilities (member_count: its mediators), and of the table that says what only these organisations have, with
    codes in place of ids; grid_code: the cell that it serves.
    """
    leaves, cells = city.leaves, city.cells
    seat = leaves.loc[leaves.groupby("township")["households"].idxmax()].set_index("township")[["lon", "lat"]]
    village_seat = leaves.drop_duplicates("village").set_index("village")[["lon", "lat"]]
    name_of = cells.set_index("grid_code")["name"]
    counties, townships = (cells[cells["grid_level"] == n] for n in (1, 2))
    in_county = townships.drop_duplicates("parent_code").set_index("parent_code")["grid_code"]
    served: list[tuple[str, str, str | None, Any]] = [
        (kind, "city", None, seat.loc[in_county["130502"]]) for kind in _MEDIATION_KINDS
    ]
    served += [
        (kind, "county", code, seat.loc[in_county[code]])
        for code in counties["grid_code"] for kind in _MEDIATION_KINDS if kind != "people"
    ]  # fmt: skip
    served += [("people", "township", code, seat.loc[code]) for code in townships["grid_code"]]
    largest = (
        leaves.groupby("village")["households"].sum().nlargest(MEDIATION_ORGANISATIONS - len(served), keep="first")
    )
    served += [("people", "village", code, village_seat.loc[code]) for code in largest.index]
    least, more = divmod(MEDIATORS, MEDIATION_ORGANISATIONS)
    rows = []
    for number, (kind, level, code, spot) in enumerate(served):
        has_room = level == "township"
        rows.append((
            f"MO{number + 1:05d}", f"{'邢台市' if code is None else name_of[code]}{_MEDIATION_KINDS[kind]}", level,
            least + (number < more), kind, code, f"GC{code or '1305'}", f"MR{code}" if has_room else None,
            spot["lon"], spot["lat"],
        ))  # fmt: skip
    frame = DataFrame(rows, columns=[
        "facility_code", "name", "division_level", "member_count", "mediation_kind", "grid_code", "centre_code", "room_code",
        "lon", "lat",
    ])  # fmt: skip
    first = frame["member_count"].cumsum() - frame["member_count"] + 1
    is_studio = frame.index.isin(frame.index[frame["division_level"] == "village"][:STUDIOS])
    return frame.assign(studio_of=[mediator(n) if studio else "" for n, studio in zip(first, is_studio, strict=True)])


def mediator(number: int) -> str:
    """Return the name of a mediator: a role placeholder."""
    return f"调解员{number:05d}（演示）"


def mediators(organisations: DataFrame) -> DataFrame:
    """List the mediators of organisations: facility_code, person_name."""
    codes = organisations["facility_code"].repeat(organisations["member_count"]).to_numpy()
    return DataFrame({"facility_code": codes, "person_name": [mediator(n + 1) for n in range(len(codes))]})


def facilities(city: City, gazetteer: Gazetteer, organisations: DataFrame, rng: np.random.Generator) -> DataFrame:
    """Place governance centres at four levels, mediation, stations, teams, conference points, real places."""
    leaves, cells = city.leaves, city.cells
    seat = leaves.loc[leaves.groupby("township")["households"].idxmax()].set_index("township")
    village_seat = leaves.drop_duplicates("village").set_index("village")
    counties, townships, villages = (cells[cells["grid_level"] == n] for n in (1, 2, 3))
    in_county = townships.drop_duplicates("parent_code").set_index("parent_code")["grid_code"]
    rows: list[tuple[Any, ...]] = []

    def add(
        kind: str, code: str, name: str, level: str | None, spot: Any, members: int | None = None, source: str = ""
    ) -> None:
        rows.append((code, kind, name, level, members, source, spot["lon"], spot["lat"]))

    city_spot = seat.loc[in_county["130502"]]
    add("governance_centre", "GC1305", "邢台市综治中心", "city", city_spot)
    add("video_conference_point", "VC1305", "邢台市视频会议点", "city", city_spot)
    for row in counties.itertuples():
        spot = seat.loc[in_county[row.grid_code]]
        add("governance_centre", f"GC{row.grid_code}", f"{row.name}综治中心", "county", spot)
        add("video_conference_point", f"VC{row.grid_code}", f"{row.name}视频会议点", "county", spot)
    for row in townships.itertuples():
        spot = seat.loc[row.grid_code]
        add("governance_centre", f"GC{row.grid_code}", f"{row.name}综治中心", "township", spot)
        add("mediation_room", f"MR{row.grid_code}", f"{row.name}调解室", "township", spot)
        add("video_conference_point", f"VC{row.grid_code}", f"{row.name}视频会议点", "township", spot)
    chosen = set(rng.choice(villages["grid_code"], CONFERENCE_VILLAGES, replace=False))
    for row in villages.itertuples():
        spot = village_seat.loc[row.grid_code]
        add("governance_centre", f"GC{row.grid_code}", f"{row.name}综治中心", "village", spot)
        add("service_station", f"SS{row.grid_code}", f"{row.name}网格服务站", "village", spot)
        if row.grid_code in chosen:
            add("video_conference_point", f"VC{row.grid_code}", f"{row.name}视频会议点", "village", spot)
    for kind, prefix, title, count, level in (
        ("video_conference_point", "VD", "市直部门视频会议点", CONFERENCE_DEPARTMENTS, "city"),
        ("video_conference_point", "VB", "铁路护路队视频会议点", CONFERENCE_BRIGADES, "city"),
        ("volunteer_team", "VT", "群防群治队伍", VOLUNTEER_TEAMS, "village"),
    ):
        members = rng.multinomial(VOLUNTEERS, np.full(count, 1 / count)) if kind == "volunteer_team" else None
        for number, leaf in enumerate(
            rng.choice(len(leaves), count, p=leaves["households"] / leaves["households"].sum())
        ):
            count_of = None if members is None else int(members[number])
            add(
                kind,
                f"{prefix}{number + 1:05d}",
                f"{title}{number + 1:04d}",
                level,
                leaves.iloc[leaf],
                count_of,
            )
    for row in organisations.itertuples():
        spot = {"lon": row.lon, "lat": row.lat}
        add("mediation_organisation", row.facility_code, row.name, row.division_level, spot, row.member_count)
    named = {"school", "hospital", "town_hall"}
    for place in gazetteer.places.itertuples():
        kind = place.kind if place.kind in named else "key_place"
        add(
            kind,
            f"OSM{place.osm_id}-{place.kind}"[:32],
            place.name,
            None,
            {"lon": place.lon, "lat": place.lat},
            None,
            "OpenStreetMap",
        )
    frame = DataFrame(
        rows,
        columns=[
            "facility_code",
            "facility_kind",
            "name",
            "division_level",
            "member_count",
            "source",
            "lon",
            "lat",
        ],
    )
    frame["member_count"] = frame["member_count"].astype("Int64")
    frame["is_demo"] = frame["source"] == ""
    is_team = frame["facility_kind"] == "volunteer_team"
    frame["phone"] = ""
    frame.loc[is_team, "phone"] = [phone(_FIRST_TEAM + number) for number in range(is_team.sum())]
    return frame.drop_duplicates("facility_code")


def incidents(city: City, count: int, until: datetime, rng: np.random.Generator) -> DataFrame:
    """Twelve months of incidents before `until`; the newest are still on their way through the six steps."""
    households = city.leaves["households"].to_numpy(dtype=float)
    points, _ = places_in(city, count, rng, households**1.2)
    outside = rng.random(count) < 0.0005  # a caller just across the border: stored and flagged
    points[outside, 1] = snap(38.1)
    day = np.sort(rng.random(count)) * 365
    hour = rng.choice(24, count, p=_hours())
    seconds = np.floor(day) * 86400 + hour * 3600 + rng.integers(0, 3600, count)
    seconds = np.sort(seconds)
    ends = np.datetime64(until.astimezone(UTC).replace(tzinfo=None), "us")
    since = np.minimum(seconds, 365 * 86400 - 30).astype("timedelta64[s]")
    received = ends - np.timedelta64(365, "D") + since
    kind = rng.choice(len(_CATEGORIES), count, p=np.array([c[2] for c in _CATEGORIES]) / sum(c[2] for c in _CATEGORIES))
    delays = rng.lognormal([0.6, 1.0, 1.9, 3.4, 5.5, 6.5], [0.5, 0.5, 0.5, 0.8, 0.7, 0.7], (count, 6)).cumsum(axis=1)
    moments = received[:, None] + np.rint(delays * 60e6).astype("timedelta64[us]")
    done = moments <= ends
    columns = ["dispatched_at", "departed_at", "arrived_at", "handled_at", "verified_at"]
    clocks = {
        column: pd.Series(np.where(done[:, nth], moments[:, nth], np.datetime64("NaT", "us"))).dt.tz_localize(UTC)
        for nth, column in enumerate(columns)
    }
    steps = np.select(
        [done[:, 5], done[:, 4], done[:, 3], done[:, 0]], ["evaluated", "verified", "handled", "assigned"], "reported"
    )
    days = np.char.replace(np.datetime_as_string(received, "D"), "-", "")
    frame = DataFrame({
        "incident_number": [f"DEMO{day}{i:06d}" for i, day in enumerate(days.tolist(), start=1)],
        "category": [_CATEGORIES[k][0] for k in kind], "subtype": [_CATEGORIES[k][1] for k in kind],
        "description": "演示数据", "step": steps, "received_at": pd.Series(received).dt.tz_localize(UTC), **clocks,
        "lon": points[:, 0], "lat": points[:, 1],
    })  # fmt: skip
    frame["closed_at"] = frame["verified_at"]
    return frame


def _hours() -> NDArray[np.float64]:
    hours = np.arange(24)
    weight = 0.35 + np.exp(-((hours - 10) ** 2) / 18) + 1.4 * np.exp(-((hours - 20) ** 2) / 14)
    return weight / weight.sum()
