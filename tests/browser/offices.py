"""A small city with something for every page of the office: people on duty, matters of fourteen months, disputes, registers."""

import pandas as pd

from geo_grid.boundaries import publish_cells
from geo_grid.db import connect
from tests.squares import cells, local_levels, square, whole

_MIDDLE = (
    "ST_SetSRID(ST_MakePoint(114.5 + 0.00390625 + (n % 2) * 0.0078125, 37.00390625 + (n / 2 % 2) * 0.0078125), 4490)"
)
_CELL = "(array['A', 'B', 'C', 'D'])[1 + n % 4]"
_THINGS = (
    "insert into duties (grid_code, duty_role, person_name, phone) values ('A', 'grid_lead', '王芳', '0319-1001'),"
    " ('A', 'grid_manager', '李强', '0319-1002'), ('A', 'grid_assistant', '张敏', ''), ('B', 'grid_manager', '刘洋', '0319-1003')",
    "insert into police_posts (post_code, name, post_kind, responsible_unit, geom) select 'PP' || n, '第' || n || '警务站', 'police_post',"
    f" '巡特警大队', {_MIDDLE} from generate_series(1, 4) n",
    # more in the newest months, and never as many in one cell as in another
    "insert into incidents (category, subtype, step, received_at, accepted_at, dispatched_at, departed_at, arrived_at, handled_at, closed_at,"
    " outcome, grid_code, edition_id, geom) select (array['traffic', 'fraud', 'help', 'public_order', 'dispute'])[1 + n % 5], '', 'verified', at,"
    " at + make_interval(secs => 30 + n % 90), at + make_interval(secs => 60 + n % 200), at + make_interval(secs => 120 + n % 300),"
    " at + make_interval(secs => 300 + n % 1500), at + interval '2 hours', at + interval '3 hours',"
    f" case when n % 11 = 0 then 'not_solved' else 'solved' end, {_CELL}, 1, {_MIDDLE}"
    " from (select n, now() - make_interval(hours => (sqrt(n) * 380)::integer + (n % 4) * 30) as at from generate_series(1, 700) n"
    "       where n % 4 < 3 or n % 3 = 0) x",
    "insert into incidents (category, received_at, grid_code, edition_id, geom)"
    f" select '流浪犬', now() - make_interval(hours => n), {_CELL}, 1, {_MIDDLE} from generate_series(1, 7) n",
    "insert into incidents (category, received_at, grid_code, edition_id, geom)"
    f" select 'dispute', now() - make_interval(hours => n), 'A', 1, {_MIDDLE} from generate_series(4, 5) n",
    "insert into facilities (facility_code, facility_kind, name, division_level, geom, phone) select 'MO' || n, 'mediation_organisation',"
    " (array['南园社区调委会', '桥东街道调解中心', '区医疗纠纷调委会'])[n], (array['village', 'township', 'county'])[n],"
    f" {_MIDDLE}, '0319-20' || n from generate_series(1, 3) n",
    "insert into mediation_organisations (facility_id, mediation_kind, grid_code)"
    " select facility_id, 'people', null from facilities where facility_code in ('MO1', 'MO2')",
    "insert into mediators (facility_id, person_name) select facility_id, '调解员' || facility_code from facilities"
    " where facility_code in ('MO1', 'MO2')",
    "insert into registered_places (place_code, place_kind, name, responsible_unit, geom, grid_code) select 'RP' || n,"
    " case when n < 3 then 'major_project' else 'hidden_danger' end, (array['城北快速路改造', '老旧小区拆迁', '化工库房隐患'])[n],"
    f" '住建局', {_MIDDLE}, {_CELL} from generate_series(1, 3) n",
)


def make_offices(conninfo: str) -> None:
    """Fill an empty database; four cells A to D in P, of 320 to 460 households."""
    with connect(conninfo) as connection:
        local_levels(connection)
        frame = cells(
            ("P", 1, None, whole(2, 2)),
            ("A", 2, "P", square(0, 0)),
            ("B", 2, "P", square(1, 0)),
            ("C", 2, "P", square(0, 1)),
            ("D", 2, "P", square(1, 1)),
        )
        frame["name"] = ["桥东街道", "南园社区", "北园社区", "东关社区", "西关社区"]
        frame["household_count"] = pd.Series([None, 320, 460, 410, 350], dtype=object)
        publish_cells(connection, frame, "offices")
        for statement in _THINGS:
            connection.execute(statement.encode())
