-- name: leaf
-- the one-owner rule, judged among all cells; told only to whom the cell belongs
select access.owning_cell(ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490), %(at)s) as grid_code

-- name: chain
-- the leaf and its ancestors, outermost first, with who is on duty
with recursive chain as (
    select c.* from grid_cells c
    where c.grid_code = %(leaf)s
      and c.valid_from <= %(at)s and (c.valid_to is null or %(at)s < c.valid_to)
    union all
    select p.* from chain c
    join grid_cells p on p.grid_code = c.parent_code
      and p.valid_from <= %(at)s and (p.valid_to is null or %(at)s < p.valid_to)
)
select c.grid_code, c.name, c.grid_level, l.name_zh as level_name_zh, l.name_en as level_name_en,
       c.cell_kind, c.household_count, c.households_estimated, c.area_m2, c.is_demo, d.duties
from chain c
join grid_levels l using (grid_level)
cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_object(
               'duty_role', d.duty_role, 'person_name', d.person_name, 'phone', d.phone)
               order by d.duty_role, d.duty_id), '[]') as duties
    from duties d
    where d.grid_code = c.grid_code
      and d.valid_from <= %(at)s and (d.valid_to is null or %(at)s < d.valid_to)
) d
order by c.grid_level

-- name: zone
select zone_code, name, zone_type, responsible_unit, is_demo
from patrol_zones
where zone_code = access.owning_zone(ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490), %(at)s)
  and valid_from <= %(at)s and (valid_to is null or %(at)s < valid_to)

-- name: segments
-- key roads that are patrolled besides the zones, near the place; lines are straight in lon and lat, and so measured
select zone_code, name, zone_type, responsible_unit, is_demo,
       ST_Distance(ST_Scale(ST_Translate(geom, -%(lon)s::float8, -%(lat)s::float8), %(east_m)s, %(north_m)s),
                   ST_SetSRID(ST_MakePoint(0, 0), 4490)) as distance_m
from patrol_zones
where zone_kind = 'segment'
  and geom && ST_Expand(ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490),
                        %(segment_m)s::float8 / (110000 * greatest(cos(radians(%(lat)s)), 0.01)),
                        %(segment_m)s::float8 / 110000)
  and valid_from <= %(at)s and (valid_to is null or %(at)s < valid_to)
order by distance_m, zone_code

-- name: response
-- the fastest circle of each post that covers the place; those of the past are not kept, and not guessed
select distinct on (post_code) tier_minutes, post_code, circle_basis, method
from response_circles
where geom && ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)  -- may use the index in spite of the policies
  and ST_Covers(geom, ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490))
  and %(response_known)s
order by post_code, tier_minutes

-- name: boundary_distance
select ST_Distance(ST_Boundary(c.geom)::geography,
                   ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)::geography) as distance_m
from grid_cells c
where c.grid_code = %(leaf)s
  and c.valid_from <= %(at)s and (c.valid_to is null or %(at)s < c.valid_to)

-- name: alternatives
-- other leaf cells within the positional error, nearest first
with place as (
    select ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490) as geom
),
near as (
    select c.grid_code, c.name, ST_Distance(c.geom::geography, place.geom::geography) as distance_m
    from grid_cells c, place
    where c.geom && ST_Expand(place.geom,
                              %(error_m)s::float8 / (110000 * greatest(cos(radians(%(lat)s)), 0.01)),
                              %(error_m)s::float8 / 110000)
      and c.valid_from <= %(at)s and (c.valid_to is null or %(at)s < c.valid_to)
      and not exists (
          select from grid_cells k
          where k.parent_code = c.grid_code
            and k.valid_from <= %(at)s and (k.valid_to is null or %(at)s < k.valid_to))
      and c.grid_code is distinct from %(leaf)s
)
select grid_code, name, distance_m from near where distance_m <= %(error_m)s order by distance_m, grid_code

-- name: moment
-- the database's clock, so that programs with wrong clocks ask about the same moment; a minute ago is now
select coalesce(%(at)s::timestamptz, now()) as at, edition_at(coalesce(%(at)s::timestamptz, now())) as edition,
       coalesce(%(at)s::timestamptz > now() - interval '1 minute', true) as response_known

-- name: extent
select ST_XMin(e) as west, ST_YMin(e) as south, ST_XMax(e) as east, ST_YMax(e) as north
from (select ST_Extent(geom) as e from grid_cells where grid_level = 1 and valid_to is null) city

-- name: sees_all
select access.city_wide('map') as sees_all
