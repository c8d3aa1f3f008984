-- name: leaf
-- the one-owner rule among all cells; the result is returned only if the principal may see the owner
select access.owning_cell(ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490), %(at)s) as grid_code

-- name: chain
-- the leaf and its ancestors, outermost first, with who is on duty
select c.grid_code, c.name, c.grid_level, l.name_zh as level_name_zh, l.name_en as level_name_en,
       c.cell_kind, c.household_count, c.households_estimated, c.area_m2, c.is_demo, d.duties
from cell_chain(%(leaf)s, %(at)s) c
join grid_levels l using (grid_level)
cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_object(
               'duty_role', d.duty_role, 'person_name', d.person_name, 'phone', d.phone)
               order by d.duty_role, d.duty_id), '[]') as duties
    from duties d
    where d.grid_code = c.grid_code
      and in_force(d.valid_from, d.valid_to, %(at)s)
) d
order by c.grid_level

-- name: zone
select zone_code, name, zone_type, responsible_unit, is_demo
from patrol_zones
where zone_code = access.owning_zone(ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490), %(at)s)
  and in_force(valid_from, valid_to, %(at)s)

-- name: segments
-- patrol segments near the place, nearest first; distances are to lines that are straight in lon and lat
select zone_code, name, zone_type, responsible_unit, is_demo,
       ST_Distance(ST_Scale(ST_Translate(geom, -%(lon)s::float8, -%(lat)s::float8), %(east_m)s, %(north_m)s),
                   ST_SetSRID(ST_MakePoint(0, 0), 4490)) as distance_m
from patrol_zones
where zone_kind = 'segment'
  and geom && ST_Expand(ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490),
                        %(segment_m)s::float8 / (110000 * greatest(cos(radians(%(lat)s)), 0.01)),
                        %(segment_m)s::float8 / 110000)
  and in_force(valid_from, valid_to, %(at)s)
order by distance_m, zone_code

-- name: response
-- the circle of the shortest tier of each post that covers the place; circles of the past are not stored
select distinct on (post_code) tier_minutes, post_code, circle_basis, method, estimated_because
from response_circles
where geom && ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)  -- leakproof, so that the index is used in spite of the policies
  and ST_Covers(geom, ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490))
  and %(response_known)s
order by post_code, tier_minutes

-- name: boundary_distance
select ST_Distance(ST_Boundary(c.geom)::geography,
                   ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)::geography) as distance_m
from grid_cells c
where c.grid_code = %(leaf)s
  and in_force(c.valid_from, c.valid_to, %(at)s)

-- name: alternatives
-- other leaf cells within the positional error, nearest first
with place as (
    select ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490) as geom
),
near as (
    select c.grid_code, c.name, ST_Distance(c.geom::geography, place.geom::geography) as distance_m
    from leaf_cells(%(at)s) c, place
    where c.geom && ST_Expand(place.geom,
                              %(error_m)s::float8 / (110000 * greatest(cos(radians(%(lat)s)), 0.01)),
                              %(error_m)s::float8 / 110000)
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
