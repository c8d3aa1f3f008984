-- The index orders by distance on a sphere. So three times as many rows as are wanted are read from it, and ordered by
-- their distance on the ellipsoid.

-- name: posts
-- these are ranked by arrival time: the nearest post over the roads need not be the nearest in a straight line
select * from (
    select p.post_code as code, p.name, p.post_kind as kind, p.responsible_unit, p.phone, p.key_periods, p.is_demo,
           ST_X(p.geom) as lon, ST_Y(p.geom) as lat,
           ST_Distance(p.geom::geography, here.geog) as distance_m
    from police_posts p, (select ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)::geography as geog) here
    order by p.geom::geography <-> here.geog
    limit 12
) near
order by distance_m, code

-- name: units
select * from (
    select u.unit_code as code, u.name, u.unit_kind as kind, u.unit_status as status, u.skills, u.shift, u.reported_at, u.is_demo,
           ST_X(u.geom) as lon, ST_Y(u.geom) as lat,
           ST_Distance(u.geom::geography, here.geog) as distance_m
    from patrol_units u, (select ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)::geography as geog) here
    where u.unit_status <> 'off_duty'
    order by u.geom::geography <-> here.geog
    limit 15
) near
order by distance_m, code

-- name: cameras
-- those that see the place go first, wherever they stand; whether the others see it is false, or unknown without a view. One that
-- moves is where it was last, if that is not long ago, and nobody knows what it sees
with here as materialized (
    select point, point::geography as geog from (select ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490) as point) given
),
near as (
    -- without those that moved away: many may have one place in the register, such as a station. A subquery that has a value is
    -- asked row by row along the index; `not exists` would be a join, and all cameras ordered after it
    (select c.camera_id from cameras c
     where (select is_position_now(p.positioned_at) from camera_positions p where p.camera_id = c.camera_id) is not true
     order by c.geom::geography <-> (select geog from here) limit 24)
    union
    -- &&, which is leakproof, so that the index is used in spite of the policies
    select v.camera_id from camera_views v
    where v.geom && (select point from here) and ST_Covers(v.geom, (select point from here))
    union
    (select p.camera_id from camera_positions p where is_position_now(p.positioned_at)
     order by p.geom::geography <-> (select geog from here) limit 24)
)
select c.gb28181_id as code, c.name, s.state as status, f.azimuth_deg, f.fov_deg, f.range_m, c.is_demo,
       case when v.camera_id is not null then coalesce(ST_Covers(v.geom, h.point), false) end as sees,
       f.sight_note, p.positioned_at, ST_X(i.geom) as lon, ST_Y(i.geom) as lat, ST_Distance(i.geom::geography, h.geog) as distance_m
from near
join cameras c using (camera_id)
left join camera_positions p on p.camera_id = c.camera_id and is_position_now(p.positioned_at)
cross join lateral (select coalesce(p.geom, c.geom) as geom) i
left join camera_views v on v.camera_id = c.camera_id and p.camera_id is null
left join lateral (
    select coalesce(v.azimuth_deg, c.azimuth_deg) as azimuth_deg, coalesce(v.fov_deg, c.fov_deg) as fov_deg,
           coalesce(v.range_m, c.range_m) as range_m, nullif(c.sight_note, '') as sight_note
    where p.camera_id is null
) f on true
left join camera_states s on s.camera_id = c.camera_id
cross join here h
order by coalesce(ST_Covers(v.geom, h.point), false) desc, distance_m, code
limit 8

-- name: facilities
select * from (
    select f.facility_code as code, f.name, f.facility_kind as kind, f.phone, f.is_demo,
           ST_X(f.geom) as lon, ST_Y(f.geom) as lat,
           ST_Distance(f.geom::geography, here.geog) as distance_m
    from facilities f, (select ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)::geography as geog) here
    order by f.geom::geography <-> here.geog
    limit 24
) near
order by distance_m, code
limit 8
