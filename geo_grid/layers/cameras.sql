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

-- name: camera_views
-- near, in the same tile; not of those that moved away
select c.gb28181_id as id, v.geom,
       jsonb_build_object('name', c.name, 'camera_state', s.state, 'range_m', v.range_m, 'is_cut', v.is_cut) as properties
from camera_views v
join cameras c using (camera_id)
left join camera_states s using (camera_id)
where %(zoom)s >= 16 and v.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
  and (select is_position_now(p.positioned_at) from camera_positions p where p.camera_id = c.camera_id) is not true
  and is_wanted(c.owner_name, %(only_owner_name)s::text[]) and is_wanted(c.network_code, %(only_network_code)s::text[])
  and is_wanted(c.type_code, %(only_type_code)s::text[]) and is_wanted(coalesce(s.state, 'unknown'), %(only_camera_state)s::text[])
order by c.gb28181_id
limit %(limit)s

-- name: stored
select c.camera_id, c.gb28181_id, c.name, c.ptz_type, c.room_type, c.direction_type, c.azimuth_deg, c.fov_deg, c.range_m,
       c.height_m, c.org_code, c.owner_name, c.local_network, c.is_secret, c.purpose, c.note, c.sight_note, c.parent_id, c.platform_code, c.is_demo,
       c.type_code, c.network_code, s.state as camera_state, s.since as state_since,
       c.grid_code, c.zone_code, c.edition_id, c.unassigned, c.geom
from cameras c
left join camera_states s using (camera_id)

-- name: taken
select gb28181_id as key from cameras where gb28181_id = any(%(keys)s)
