-- name: analyze_division
analyze grid_cells, patrol_zones

-- name: analyze_circles
analyze response_circles

-- name: unassigned
select count(*) from incidents where unassigned

-- name: stage_states
create temporary table given_states (gb28181_id text collate "C", state text) on commit drop

-- name: states
with written as (
    insert into camera_states (camera_id, state, since, reported_at)
    select c.camera_id, g.state, %(since)s, %(since)s from given_states g join cameras c using (gb28181_id)
    returning camera_id, since, state
)
insert into camera_state_log (camera_id, since, state) select camera_id, since, state from written

-- name: stage_mediation
create temporary table given_organisations (
    facility_code text collate "C", mediation_kind text, grid_code text, centre_code text collate "C",
    room_code text collate "C", studio_of text) on commit drop;
create temporary table given_mediators (facility_code text collate "C", person_name text, valid_from timestamptz) on commit drop

-- name: mediation_organisations
insert into mediation_organisations (facility_id, mediation_kind, grid_code, centre_id, room_id, studio_of, is_demo)
select f.facility_id, g.mediation_kind, g.grid_code, centre.facility_id, room.facility_id, g.studio_of, true
from given_organisations g
join facilities f on f.facility_code = g.facility_code
left join facilities centre on centre.facility_code = g.centre_code
left join facilities room on room.facility_code = g.room_code

-- name: mediators
insert into mediators (facility_id, person_name, valid_from, is_demo)
select f.facility_id, g.person_name, g.valid_from, true
from given_mediators g
join facilities f on f.facility_code = g.facility_code

-- name: volunteer_teams
-- every team patrols; what else it can do is told by its number
insert into volunteer_teams (facility_id, skills, is_demo)
select f.facility_id, array_remove(array['patrol', case when mod(n.number, 3) = 0 then 'first_aid' end,
           case when mod(n.number, 4) = 0 then 'fire' end, case when mod(n.number, 5) = 0 then 'mediation' end,
           case when mod(n.number, 7) = 0 then 'traffic' end, case when mod(n.number, 9) = 0 then 'flood' end,
           case when mod(n.number, 11) = 0 then 'search' end], null), true
from facilities f
cross join lateral (select right(f.facility_code, 5)::integer as number) n
where f.facility_kind = 'volunteer_team'

-- name: visits
-- The last four weeks of the grid managers of the first county, 襄都区: on six to ten of ten weekdays, each in the daytime.
-- Drawn by a hash of cell and day, so that the same moment gives the same visits.
insert into visits (grid_code, duty_id, visited_at, place_from, is_demo)
select d.grid_code, d.duty_id, v.visited_at, 'cell', true
from duties d
cross join generate_series(1, 28) g (ago)
cross join lateral (select (%(until)s::timestamptz at time zone 'Asia/Shanghai')::date - g.ago as day) w
cross join lateral (select (hashtextextended(d.grid_code, 1) & 1023) / 1023.0 as diligence,
                           (hashtextextended(d.grid_code || w.day, 2) & 1023) / 1023.0 as drawn,
                           (hashtextextended(d.grid_code || w.day, 3) & 1023) / 1023.0 as hour) h
cross join lateral (select (w.day + time '08:30' + h.hour * interval '9 hours') at time zone 'Asia/Shanghai' as visited_at) v
where d.duty_role = 'grid_manager' and d.grid_code in (select w from cells_within('130502') w) and extract(isodow from w.day) < 6
  and h.drawn < 0.6 + 0.4 * h.diligence

-- name: check_in_minutes
-- how often a unit on scene must be heard of; a city decides for itself
update incident_categories c set check_in_minutes = g.minutes
from (values ('public_order', 15), ('fire', 10), ('traffic', 30)) g (category_code, minutes) where c.category_code = g.category_code

-- name: run_cards
insert into run_cards (category_code, grid_code, hour_from, hour_to, needs, note) values
    ('public_order', null, null, null, '{"car": 1, "motorcycle": 1}', '演示'),
    ('public_order', null, '22:00', '06:00', '{"car": 2}', '演示：夜间两车同往'),
    ('traffic', null, null, null, '{"motorcycle": 1}', '演示'),
    ('traffic', '130502', '07:00', '09:00', '{"motorcycle": 2}', '演示：襄都区早高峰'),
    ('fire', null, null, null, '{"car": 2, "volunteers": 1}', '演示：外围警戒'),
    ('dispute', null, null, null, '{"foot": 1}', '演示'),
    ('help', null, null, null, '{"car": 1}', '演示')
