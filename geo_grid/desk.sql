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
select * from (
    select c.gb28181_id as code, c.name, case when c.is_online then 'online' else 'offline' end as status,
           c.azimuth_deg, c.fov_deg, c.range_m, c.is_demo,
           ST_X(c.geom) as lon, ST_Y(c.geom) as lat,
           ST_Distance(c.geom::geography, here.geog) as distance_m
    from cameras c, (select ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)::geography as geog) here
    order by c.geom::geography <-> here.geog
    limit 24
) near
order by distance_m, code
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
