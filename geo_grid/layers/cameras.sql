-- name: items
-- from afar a count per 112-pixel square, near by each camera
with seen as (
    select * from cameras
    where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
),
squares as (
    select count(*) as point_count, count(*) filter (where not is_online) as offline_count,
           avg(ST_X(geom)) as lon, avg(ST_Y(geom)) as lat, bool_or(is_demo) as is_demo
    from seen
    where %(zoom)s < 16
    group by floor(ST_X(geom) / (%(pixel)s * 112)), floor(ST_Y(geom) / (%(pixel)s * 89))
)
select null as id,
       ST_SetSRID(ST_MakePoint(lon, lat), 4490) as geom,
       jsonb_build_object('point_count', point_count, 'offline_count', offline_count, 'is_demo', is_demo) as properties
from squares
union all
(select gb28181_id, geom,
        jsonb_build_object(
            'gb28181_id', gb28181_id, 'name', name, 'is_online', is_online, 'azimuth_deg', azimuth_deg,
            'fov_deg', fov_deg, 'range_m', range_m, 'grid_code', grid_code, 'is_demo', is_demo)
 from seen where %(zoom)s >= 16
 order by gb28181_id
 limit %(limit)s)

-- name: stored
select camera_id, gb28181_id, name, ptz_type, room_type, azimuth_deg, fov_deg, range_m, org_code, is_secret, is_online, is_demo,
       grid_code, zone_code, edition_id, unassigned, geom
from cameras

-- name: taken
select gb28181_id as key from cameras where gb28181_id = any(%(keys)s)
