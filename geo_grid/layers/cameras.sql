-- name: items
-- from afar a count per 112-pixel square, near by each camera; a camera that nobody reported on counts as neither
with squares as (
    select count(*) as point_count, count(*) filter (where s.state <> 'online') as offline_count,
           avg(ST_X(c.geom)) as lon, avg(ST_Y(c.geom)) as lat, bool_or(c.is_demo) as is_demo
    from cameras c
    left join camera_states s using (camera_id)
    where %(zoom)s < 16 and c.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
      and is_wanted(c.owner_name, %(only_owner_name)s::text[]) and is_wanted(c.network_code, %(only_network_code)s::text[])
      and is_wanted(c.type_code, %(only_type_code)s::text[]) and is_wanted(coalesce(s.state, 'unknown'), %(only_camera_state)s::text[])
    group by floor(ST_X(c.geom) / (%(pixel)s * 112)), floor(ST_Y(c.geom) / (%(pixel)s * 89))
)
select null as id,
       ST_SetSRID(ST_MakePoint(lon, lat), 4490) as geom,
       jsonb_build_object('point_count', point_count, 'offline_count', offline_count, 'is_demo', is_demo) as properties
from squares
union all
(select c.gb28181_id, c.geom,
        jsonb_build_object(
            'gb28181_id', c.gb28181_id, 'name', c.name, 'camera_state', s.state,
            'azimuth_deg', coalesce(v.azimuth_deg, c.azimuth_deg), 'fov_deg', coalesce(v.fov_deg, c.fov_deg),
            'range_m', coalesce(v.range_m, c.range_m), 'owner_name', c.owner_name, 'network_code', c.network_code,
            'type_code', c.type_code, 'grid_code', c.grid_code, 'is_demo', c.is_demo)
 from cameras c
 left join camera_states s using (camera_id)
 left join camera_views v using (camera_id)
 where %(zoom)s >= 16 and c.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
   and is_wanted(c.owner_name, %(only_owner_name)s::text[]) and is_wanted(c.network_code, %(only_network_code)s::text[])
   and is_wanted(c.type_code, %(only_type_code)s::text[]) and is_wanted(coalesce(s.state, 'unknown'), %(only_camera_state)s::text[])
 order by c.gb28181_id
 limit %(limit)s)

-- name: drawn
-- tiles are kept as long as no camera is edited, so that states, which change all the time, are not in them; one that is
-- narrowed by states is not kept
with envelope as (
    select ST_TileEnvelope(%(zoom)s, %(x)s, %(y)s) as box
),
seen as (
    select * from cameras c
    where c.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
      and is_wanted(c.owner_name, %(only_owner_name)s::text[]) and is_wanted(c.network_code, %(only_network_code)s::text[])
      and is_wanted(c.type_code, %(only_type_code)s::text[])
      and (%(only_camera_state)s::text[] is null
           or coalesce((select s.state from camera_states s where s.camera_id = c.camera_id), 'unknown')
              = any(%(only_camera_state)s::text[]))
),
squares as (
    select count(*) as point_count, avg(ST_X(geom)) as lon, avg(ST_Y(geom)) as lat, bool_or(is_demo) as is_demo
    from seen
    where %(zoom)s < 16
    group by floor(ST_X(geom) / (%(pixel)s * 112)), floor(ST_Y(geom) / (%(pixel)s * 89))
),
drawn as (
    select ST_SetSRID(ST_MakePoint(lon, lat), 4490) as geom,
           jsonb_build_object('point_count', point_count, 'is_demo', is_demo) as properties
    from squares
    union all
    (select geom, jsonb_strip_nulls(jsonb_build_object(
                'id', gb28181_id, 'gb28181_id', gb28181_id, 'name', name, 'azimuth_deg', azimuth_deg, 'fov_deg', fov_deg,
                'range_m', range_m, 'owner_name', owner_name, 'network_code', network_code, 'type_code', type_code,
                'grid_code', grid_code, 'is_demo', is_demo))
     from seen where %(zoom)s >= 16 order by gb28181_id limit %(limit)s)
)
select ST_AsMVTGeom(ST_Transform(d.geom, 3857), e.box, 4096, 64) as geom, d.properties from drawn d, envelope e

-- name: stored
select c.camera_id, c.gb28181_id, c.name, c.ptz_type, c.room_type, c.direction_type, c.azimuth_deg, c.fov_deg, c.range_m,
       c.height_m, c.org_code, c.owner_name, c.is_secret, c.purpose, c.note, c.sight_note, c.parent_id, c.platform_code, c.is_demo,
       c.type_code, c.network_code, s.state as camera_state, s.since as state_since,
       c.grid_code, c.zone_code, c.edition_id, c.unassigned, c.geom
from cameras c
left join camera_states s using (camera_id)

-- name: taken
select gb28181_id as key from cameras where gb28181_id = any(%(keys)s)
