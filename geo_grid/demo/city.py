"""Draws the demo city: cells of all levels inside the real counties, with real names and codes."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pandas import DataFrame
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from geo_grid.coordinates import snap
from geo_grid.demo.gazetteer import ZONE_COUNTY, Gazetteer
from geo_grid.demo.regions import distances, grow, spread
from geo_grid.demo.tessellation import Tessellation, relaxed, tessellate
from geo_grid.layers.grid_levels import GridLevel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BASIC_CELLS = 18_546
"""One grid manager each: the city's own number of grid managers."""
PATROL_ZONES = 465
"""One police post each; Wuhan draws 465 circles."""
_COMPOUNDS_PER_COMMUNITY = 5
_BLOCKS_PER_COMPOUND = 4
_DEDICATED = {
    "school": "学校",
    "hospital": "医院",
    "marketplace": "市场",
    "mall": "商场",
    "bus_station": "车站",
}
_SEGMENTS = 22
"""Key road segments kept as line zones, as in Handan."""

LEVELS = [
    GridLevel(grid_level=1, name_zh="区县", name_en="district or county", code_scheme="division_code_6", min_zoom=0),
    GridLevel(
        grid_level=2,
        name_zh="乡镇（街道）",
        name_en="township or subdistrict",
        code_scheme="division_code_9",
        min_zoom=10,
    ),
    GridLevel(
        grid_level=3,
        name_zh="村（社区）",
        name_en="village or community",
        code_scheme="division_code_12",
        min_zoom=12,
    ),
    GridLevel(
        grid_level=4,
        name_zh="基础网格（小区）",
        name_en="basic cell or compound",
        code_scheme="unit_grid_15",
        min_zoom=14,
        settles=False,
    ),
    GridLevel(grid_level=5, name_zh="楼院", name_en="building block", code_scheme="local", min_zoom=16, settles=False),
]


@dataclass(frozen=True)
class City:
    """The drawn city.

    Attributes
    ----------
    cells
        grid_code, code_scheme, grid_level, parent_code, name, cell_kind, household_count, geometry;
        parents before children.
    leaves
        The finest cells: code, level-4 code, village, township, households, is_urban, centre lon, lat.
    zones
        zone_code, name, zone_kind, zone_type, responsible_unit, geometry.
    posts
        One per area zone: zone_code, county_code, township, lon, lat.
    """

    cells: DataFrame
    leaves: DataFrame
    zones: DataFrame
    posts: DataFrame


def draw_city(gazetteer: Gazetteer, rng: np.random.Generator) -> City:
    """Draw the city from its gazetteer; the same generator state gives the same city."""
    plan = _plan(gazetteer, rng)
    seeds = [_seeds(row, plan, rng) for row in gazetteer.counties.itertuples()]
    tessellation = tessellate(gazetteer.counties.geometry.to_numpy(), seeds, rng)
    leaves = _divide(tessellation, gazetteer, plan, rng)
    leaves = _number(leaves)
    leaves = _people(leaves, rng)
    cells = _cells(gazetteer, tessellation, leaves)
    zones, posts = _zones(gazetteer, tessellation, leaves, rng)
    return City(cells, leaves, zones, posts)


def _plan(gazetteer: Gazetteer, rng: np.random.Generator) -> DataFrame:
    """Decide, per township, centre, urban share and number of finest and basic cells."""
    townships = gazetteer.townships.set_index("division_code")
    villages = gazetteer.villages.groupby("drawn_in").size()
    plan = pd.DataFrame({"county": townships["county"], "villages": villages.reindex(townships.index)})
    plan["is_subdistrict"] = plan.index.str[6] == "0"
    is_five_level = plan["county"] == ZONE_COUNTY
    # towns are divided finer than villages; 襄都区 has compounds instead of basic cells
    weight = plan["villages"] * np.where(plan["is_subdistrict"], 2.4, 1.0)
    compounds = int(plan.loc[is_five_level, "villages"].sum() * _COMPOUNDS_PER_COMMUNITY)
    plan["basic"] = 0
    plan.loc[is_five_level, "basic"] = plan["villages"][is_five_level] * _COMPOUNDS_PER_COMMUNITY
    rest = BASIC_CELLS - compounds
    plan.loc[~is_five_level, "basic"] = _apportion(weight[~is_five_level], plan["villages"][~is_five_level], rest)
    plan["finest"] = plan["basic"] * np.where(is_five_level, _BLOCKS_PER_COMPOUND, 1)
    plan["urban_share"] = np.where(plan["is_subdistrict"], 0.85, 0.35)
    lon, lat = [], []
    for county in gazetteer.counties.itertuples():
        here = plan[plan["county"] == county.name]
        seat = _seat(county.name, county.geometry, gazetteer.places)
        centres = _centres(county.geometry, seat, here["is_subdistrict"].to_numpy(), rng)
        lon.append(pd.Series(centres[:, 0], here.index))
        lat.append(pd.Series(centres[:, 1], here.index))
    return plan.assign(lon=pd.concat(lon), lat=pd.concat(lat))


def _apportion(weight: pd.Series, least: pd.Series, total: int) -> pd.Series:
    """Share `total` by weight, largest remainders first, each at least `least`."""
    spare = total - int(least.sum())
    share = weight / weight.sum() * spare
    whole = np.floor(share).astype(int)
    order = (share - whole).sort_values(ascending=False, kind="stable").index
    whole[order[: spare - int(whole.sum())]] += 1
    return least + whole


def _seat(county: str, polygon: Any, places: DataFrame) -> Floats:
    """Return the seat of a county: its government's building, else a point inside."""
    stem = county[:2]
    halls = places[(places["kind"] == "town_hall") & places["name"].str.fullmatch(f"{stem}[区县市]?(人民)?政府")]
    for hall in halls.itertuples():
        if shapely.contains_xy(polygon, hall.lon, hall.lat):
            return np.array([hall.lon, hall.lat])
    middle = shapely.centroid(polygon)
    return np.array([middle.x, middle.y])


def _inside(polygon: Any, count: int, draw: Any) -> Floats:
    """Draw points until `count` of them lie inside."""
    shapely.prepare(polygon)
    kept: list[Floats] = []
    while sum(map(len, kept)) < count:
        points = draw(2 * count + 16)
        kept.append(points[shapely.contains_xy(polygon, points[:, 0], points[:, 1])])
    return np.vstack(kept)[:count]


def _uniform(polygon: Any, rng: np.random.Generator) -> Any:
    west, south, east, north = shapely.bounds(polygon)
    return lambda count: rng.uniform((west, south), (east, north), (count, 2))


def _around(centre: Floats, spread_km: float, rng: np.random.Generator) -> Any:
    scale = spread_km / 111.0 / np.array([np.cos(np.radians(centre[1])), 1.0])
    return lambda count: rng.normal(centre, scale, (count, 2))


def _centres(polygon: Any, seat: Floats, is_subdistrict: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Place township centres: subdistricts around the county's seat, the others spread evenly."""
    centres = np.empty((len(is_subdistrict), 2))
    in_town, outside = int(is_subdistrict.sum()), int((~is_subdistrict).sum())
    if in_town:
        candidates = _inside(polygon, 60 * in_town, _around(seat, 1.2 + 0.35 * in_town, rng))
        centres[is_subdistrict] = relaxed(candidates[spread(candidates, in_town, rng)], polygon, 0)
    if outside:
        candidates = _inside(polygon, 200 * outside, _uniform(polygon, rng))
        chosen = candidates[spread(candidates, outside, rng)]
        if not in_town:  # the seat lies in one of the towns
            chosen[np.argmin(np.hypot(*(chosen - seat).T))] = seat
        centres[~is_subdistrict] = chosen
    return centres


def _seeds(county: Any, plan: DataFrame, rng: np.random.Generator) -> Floats:
    here = plan[plan["county"] == county.name]
    dense = (here["finest"] * here["urban_share"]).round().astype(int)
    points = [
        _inside(county.geometry, count, _around(np.array([lon, lat]), 0.35 + 0.09 * np.sqrt(count), rng))
        for lon, lat, count in zip(here["lon"], here["lat"], dense, strict=True)
        if count
    ]
    rest = int(here["finest"].sum() - dense.sum())
    points.append(_inside(county.geometry, rest, _uniform(county.geometry, rng)))
    return relaxed(np.vstack(points), county.geometry, 2)


def _divide(tessellation: Tessellation, gazetteer: Gazetteer, plan: DataFrame, rng: np.random.Generator) -> DataFrame:
    """Give each finest cell its township, village and basic cell, each a connected region."""
    centres = shapely.get_coordinates(shapely.point_on_surface(tessellation.polygons))
    graph = distances(tessellation.borders, centres * [np.cos(np.radians(37.2)), 1.0])
    townships = np.full(len(centres), "", dtype=object)
    villages = np.full(len(centres), "", dtype=object)
    basic = np.zeros(len(centres), dtype=np.int64)
    village_codes = gazetteer.villages.groupby("drawn_in")["division_code"].apply(list)
    for number, county in enumerate(gazetteer.counties.itertuples()):
        cells = np.flatnonzero(tessellation.county == number)
        here = plan[plan["county"] == county.name]
        sources = _nearest_distinct(centres[cells], here[["lon", "lat"]].to_numpy())
        of_township = grow(graph[cells][:, cells], sources, here["finest"].to_numpy(dtype=float))
        for index, (code, row) in enumerate(here.iterrows()):
            inside = cells[of_township == index]
            codes = _in_reading_order(village_codes[code], centres, inside, graph, rng)
            townships[inside] = code
            villages[inside] = codes
            if row["finest"] == row["basic"]:
                basic[inside] = inside
                continue
            # share this township's compounds among its villages by their cells
            count = pd.Series(villages[inside]).value_counts(sort=False)
            shares = _apportion(count, count * 0 + 1, min(int(row["basic"]), len(inside)))
            for village, share in np.minimum(shares, count).items():
                members = inside[villages[inside] == village]
                part = grow(graph[members][:, members], spread(centres[members], int(share), rng))
                basic[members] = members[0] * 1000 + part
    return pd.DataFrame(
        {
            "township": townships,
            "village": villages,
            "basic": basic,
            "lon": centres[:, 0],
            "lat": centres[:, 1],
        }
    )


def _nearest_distinct(centres: Floats, wanted: Floats) -> Ints:
    near = cKDTree(centres).query(wanted, k=min(64, len(centres)))[1]
    chosen: list[int] = []
    for options in near:
        chosen.append(next(int(option) for option in options if int(option) not in chosen))
    return np.array(chosen)


def _in_reading_order(
    codes: list[str], centres: Floats, cells: Ints, graph: Any, rng: np.random.Generator
) -> NDArray[Any]:
    """Grow one connected region per village and name the regions north to south, west to east."""
    if len(cells) < len(codes):
        message = f"{len(cells)} cells cannot hold {len(codes)} villages"
        raise ValueError(message)
    sources = spread(centres[cells], len(codes), rng)
    labels = grow(graph[cells][:, cells], sources)
    order = _reading_order(centres[cells[sources]])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return np.array(sorted(codes), dtype=object)[rank[labels]]


def _reading_order(points: Floats) -> Ints:
    """Order west to east within bands from north to south, the rule for grid codes."""
    bands = max(1, round(np.sqrt(len(points))))
    top, bottom = points[:, 1].max(), points[:, 1].min()
    band = np.minimum(((top - points[:, 1]) / max(top - bottom, 1e-12) * bands).astype(int), bands - 1)
    return np.lexsort((points[:, 0], band))


def _number(leaves: DataFrame) -> DataFrame:
    """Number basic cells within their village and building blocks within their compound."""
    basics = leaves.groupby(["village", "basic"], sort=False)[["lon", "lat"]].mean().reset_index()
    basics["sequence"] = _numbers(basics, "village")
    basics["basic_code"] = basics["village"] + basics["sequence"].map("{:03d}".format)
    leaves = leaves.merge(basics[["village", "basic", "basic_code"]], on=["village", "basic"], how="left")
    size = leaves.groupby("basic_code")["lon"].transform("size")
    numbered = leaves["basic_code"] + pd.Series(_numbers(leaves, "basic_code"), leaves.index).map("{:03d}".format)
    leaves["grid_code"] = leaves["basic_code"].where(size == 1, numbered)
    return leaves


def _numbers(places: DataFrame, inside: str) -> Ints:
    """Number the rows of each value of a column from 1, in reading order of their lon and lat."""
    points, numbers = places[["lon", "lat"]].to_numpy(), np.empty(len(places), dtype=np.int64)
    for rows in places.groupby(inside, sort=False).indices.values():
        numbers[rows[_reading_order(points[rows])]] = np.arange(1, len(rows) + 1)
    return numbers


def _people(leaves: DataFrame, rng: np.random.Generator) -> DataFrame:
    """Count households: 300-500 to a basic cell in towns, fewer in villages, a few outside the norm."""
    basics = leaves.drop_duplicates("basic_code")[["basic_code", "township"]].reset_index(drop=True)
    urban = (basics["township"].str[6] == "0").to_numpy()
    households = np.where(urban, rng.integers(300, 501, len(basics)), rng.integers(60, 260, len(basics)))
    odd = rng.random(len(basics)) < 0.015
    households[odd & urban] = rng.choice([140, 190, 240, 610, 720, 860], int((odd & urban).sum()))
    households[odd & ~urban] = rng.choice([8, 15, 520, 640], int((odd & ~urban).sum()))
    basics = basics.assign(basic_households=households, is_urban=urban)
    leaves = leaves.merge(basics.drop(columns="township"), on="basic_code", how="left")
    number = leaves.groupby("basic_code").cumcount()
    size = leaves.groupby("basic_code")["basic_code"].transform("size")
    share, left_over = leaves["basic_households"] // size, leaves["basic_households"] % size
    return leaves.assign(households=share + (number < left_over))


def _united(polygons: NDArray[Any], keys: pd.Series) -> dict[str, Any]:
    groups = keys.groupby(keys).indices
    return {key: shapely.coverage_union_all(polygons[rows]) for key, rows in groups.items()}


def _cells(gazetteer: Gazetteer, tessellation: Tessellation, leaves: DataFrame) -> DataFrame:
    polygons = tessellation.polygons
    county_codes = gazetteer.counties["division_code"].to_numpy()[tessellation.county]
    county_names = dict(zip(gazetteer.counties["division_code"], gazetteer.counties["name"], strict=True))
    township_names = gazetteer.townships.set_index("division_code")["name"].to_dict()
    village_names = gazetteer.villages.set_index("division_code")["name"].to_dict()
    dedicated = _dedicated(gazetteer, tessellation, leaves)
    households = leaves["households"]
    rows: list[tuple[Any, ...]] = []

    def add(level: int, codes: pd.Series, parents: pd.Series, name_of: Any) -> None:
        shapes = _united(polygons, codes)
        counts = households.groupby(codes).sum()
        parent_of = dict(zip(codes, parents, strict=True))
        scheme = LEVELS[level - 1].code_scheme
        for code, geometry in shapes.items():
            kind = "division" if level <= 3 else "dedicated" if code in dedicated else "basic"
            name, parent = name_of(code), parent_of[code]
            rows.append((code, scheme, level, parent, name, kind, int(counts[code]), geometry))

    county, basic = pd.Series(county_codes), leaves["basic_code"]
    compounds = set(basic[leaves["grid_code"] != basic])
    add(1, county, pd.Series([None] * len(leaves), dtype=object), county_names.__getitem__)
    add(2, leaves["township"], county, township_names.__getitem__)
    add(3, leaves["village"], leaves["township"], village_names.__getitem__)

    def basic_name(code: str) -> str:
        village = _short(village_names[code[:12]])
        default = f"{village}第{int(code[12:15])}{'小区' if code in compounds else '网格'}"
        return dedicated.get(code, default)

    add(4, basic, leaves["village"], basic_name)
    blocks = leaves["grid_code"] != basic
    polygons, households = polygons[blocks.to_numpy()], leaves["households"][blocks].reset_index(drop=True)
    add(5, leaves["grid_code"][blocks].reset_index(drop=True), basic[blocks].reset_index(drop=True),
        lambda code: f"{basic_name(code[:15])}{int(code[15:])}号楼院")  # fmt: skip
    columns = [
        "grid_code",
        "code_scheme",
        "grid_level",
        "parent_code",
        "name",
        "cell_kind",
        "household_count",
    ]
    return DataFrame(rows, columns=[*columns, "geometry"])


def _short(name: str) -> str:
    """Shorten 北关社区居民委员会 to 北关社区, 大章村村民委员会 to 大章村."""
    return re.sub(r"(村民委员会|村委会)$", "村", re.sub(r"(居民委员会|居委会)$", "", name)).replace("村村", "村")


def _dedicated(gazetteer: Gazetteer, tessellation: Tessellation, leaves: DataFrame) -> dict[str, str]:
    """Choose basic cells with a real school, hospital, market or station in them as dedicated cells."""
    places = gazetteer.places[gazetteer.places["kind"].isin(_DEDICATED)]
    place, cell = shapely.STRtree(tessellation.polygons).query(
        shapely.points(places["lon"], places["lat"]), predicate="within"
    )
    chosen: dict[str, str] = {}
    for name, kind, leaf in zip(places["name"].to_numpy()[place], places["kind"].to_numpy()[place], cell, strict=True):
        chosen.setdefault(leaves["basic_code"].iloc[leaf], f"{name}（{_DEDICATED[kind]}专属网格）")
    return chosen


def _zones(
    gazetteer: Gazetteer, tessellation: Tessellation, leaves: DataFrame, rng: np.random.Generator
) -> tuple[DataFrame, DataFrame]:
    """Cut each township into patrol zones by its households, with a post in the densest part of each."""
    townships = gazetteer.townships.set_index("division_code")
    households = leaves.groupby("township")["households"].sum()
    wanted = _apportion(households, households * 0 + 1, PATROL_ZONES)
    centres = leaves[["lon", "lat"]].to_numpy()
    graph = distances(tessellation.borders, centres * [np.cos(np.radians(37.2)), 1.0])
    area = shapely.area(tessellation.polygons)
    zones, posts = [], []
    for code, count in wanted.items():
        cells = np.flatnonzero((leaves["township"] == code).to_numpy())
        dense = cells[np.argsort(area[cells])[: max(int(count), len(cells) // 2)]]
        sources = np.searchsorted(cells, dense[spread(centres[dense], int(count), rng)])
        labels = grow(graph[cells][:, cells], sources, np.full(int(count), len(cells) / count))
        row = townships.loc[code]
        for number in range(int(count)):
            members = cells[labels == number]
            zone_code = f"PZ{code}{number + 1:02d}"
            name = f"{row['name']}第{number + 1}巡控区"
            unit = f"{row['county']}公安局{row['name']}派出所"
            geometry = shapely.coverage_union_all(tessellation.polygons[members])
            zones.append((zone_code, name, "area", "regular", unit, geometry))
            post = members[np.argmin(area[members])]
            posts.append((zone_code, row["county_code"], row["name"], *snap(centres[post])))
    zones += _segments(gazetteer, tessellation, leaves, posts, graph)
    columns = ["zone_code", "name", "zone_kind", "zone_type", "responsible_unit", "geometry"]
    return DataFrame(zones, columns=columns), DataFrame(
        posts, columns=["zone_code", "county_code", "township", "lon", "lat"]
    )


def _walk(points: Floats, chosen: Ints) -> Ints:
    """Order points so that each is followed by the nearest not yet visited."""
    left, path = list(chosen[1:]), [chosen[0]]
    while left:
        gaps = np.hypot(*(points[left] - points[path[-1]]).T)
        path.append(left.pop(int(np.argmin(gaps))))
    return np.array(path)


def _segments(
    gazetteer: Gazetteer, tessellation: Tessellation, leaves: DataFrame, posts: list[Any], graph: Any
) -> list[Any]:
    """Draw key road segments: lines through the cells between neighbouring posts of the city centre."""
    centres = leaves[["lon", "lat"]].to_numpy()
    centre = gazetteer.counties.set_index("name").loc[ZONE_COUNTY, "geometry"]
    seat = _seat(ZONE_COUNTY, centre, gazetteer.places)
    places = np.array([[post[3], post[4]] for post in posts])
    nearest = _walk(places, np.argsort(np.hypot(*(places - seat).T))[: _SEGMENTS + 1])
    stops = cKDTree(centres).query(places[nearest])[1]
    segments = []
    for number, (start, end) in enumerate(pairwise(stops), start=1):
        _, before = dijkstra(graph, indices=start, return_predecessors=True, limit=0.5)
        path = [int(end)]
        while path[-1] != start:
            path.append(int(before[path[-1]]))
        line = shapely.MultiLineString([snap(centres[path])])
        unit = posts[nearest[number - 1]][2]
        segments.append((f"PS{number:03d}", f"重点路段{number}号（巡段）", "segment", "regular", f"{unit}派出所", line))
    return segments
