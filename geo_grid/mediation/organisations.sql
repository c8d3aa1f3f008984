-- name: place
select incident_id from incidents where incident_id = %(incident_id)s

-- name: candidates
-- the lowest level first, and of one level the nearest
with place as materialized (
    select i.geom, i.grid_code from incidents i where i.incident_id = %(incident_id)s
),
chain as materialized (
    select c.grid_code from place cross join lateral cell_chain(place.grid_code, now()) c
)
select p.*, ST_X(p.geom) as lon, ST_Y(p.geom) as lat, ST_Distance(p.geom::geography, place.geom::geography) as distance_m
from mediation_places p
cross join place
where (p.grid_code is null or p.grid_code in (select c.grid_code from chain c))
  and p.takes_cases and p.mediator_count > 0
  and (%(kind)s::text is null or p.mediation_kind = %(kind)s)
  and (%(facility_code)s::text is null or p.facility_code = %(facility_code)s)
  and (%(without)s::bigint is null or p.facility_id <> %(without)s)
order by array_position(array['village', 'township', 'county', 'city'], p.division_level), distance_m, p.facility_code
limit %(limit)s

-- name: list
select p.*, ST_X(p.geom) as lon, ST_Y(p.geom) as lat
from mediation_places p
where (%(after)s::text is null or p.facility_code > %(after)s)
  and (%(kind)s::text is null or p.mediation_kind = %(kind)s)
  and (%(level)s::text is null or p.division_level = %(level)s)
order by p.facility_code, p.facility_id
limit %(limit)s

-- name: one
select p.*, ST_X(p.geom) as lon, ST_Y(p.geom) as lat from mediation_places p where p.facility_id = %(facility_id)s

-- name: describe
insert into mediation_organisations (facility_id, mediation_kind, grid_code, centre_id, room_id, studio_of, takes_cases)
values (%(facility_id)s, %(mediation_kind)s, %(grid_code)s, %(centre_id)s, %(room_id)s, %(studio_of)s, %(takes_cases)s)
on conflict (facility_id) do update
set mediation_kind = excluded.mediation_kind, grid_code = excluded.grid_code, centre_id = excluded.centre_id,
    room_id = excluded.room_id, studio_of = excluded.studio_of, takes_cases = excluded.takes_cases

-- name: end_mediators
update mediators set valid_to = now()
where facility_id = %(facility_id)s and valid_to is null and person_name <> all(%(names)s::text[])

-- name: add_mediators
insert into mediators (facility_id, person_name)
select %(facility_id)s, n.person_name from unnest(%(names)s::text[]) n (person_name)
where not exists (select from mediators m
                  where m.facility_id = %(facility_id)s and m.person_name = n.person_name and m.valid_to is null)
