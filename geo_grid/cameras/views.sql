-- name: buildings_of
-- which import of an extract the buildings come from
select coalesce(extract(epoch from max(imported_at)) * 1000000, 0)::bigint as version from osm_extract

-- name: cameras
-- of secret ones the server sees nothing, and no view is kept
select c.camera_id, ST_X(c.geom) as lon, ST_Y(c.geom) as lat, c.ptz_type, c.room_type, c.direction_type, c.azimuth_deg, c.fov_deg,
       c.range_m, v.camera_id is not null as has_view,
       jsonb_build_array(ST_X(v.stands_at), ST_Y(v.stands_at), v.azimuth_deg, v.fov_deg, v.range_m, v.buildings_of) as view
from cameras c
left join camera_views v using (camera_id)
where not c.is_secret
order by ST_GeoHash(c.geom, 7), c.camera_id

-- name: clear
delete from camera_views where camera_id = any(%(camera_ids)s)

-- name: buildings
select b.base_feature_id, ST_AsBinary(b.geom) as geom
from base_features b
where b.base_feature_id in (
    select f.base_feature_id
    from unnest(%(wkb)s::bytea[]) u (box)
    join base_features f on f.geom && ST_SetSRID(ST_GeomFromWKB(u.box), 4490) and f.feature_kind = 'building')

-- name: draw
insert into camera_views as v (camera_id, stands_at, azimuth_deg, fov_deg, range_m, buildings_of, is_cut, area_m2, geom)
select u.camera_id, ST_SetSRID(ST_MakePoint(u.lon, u.lat), 4490), u.azimuth_deg, u.fov_deg, u.range_m, %(version)s,
       u.is_cut, u.area_m2, ST_SetSRID(ST_GeomFromWKB(u.wkb), 4490)
from unnest(%(camera_ids)s::bigint[], %(lons)s::float8[], %(lats)s::float8[], %(azimuths)s::float8[], %(fovs)s::float8[],
            %(ranges)s::float8[], %(cuts)s::boolean[], %(areas)s::float8[], %(wkb)s::bytea[])
     u (camera_id, lon, lat, azimuth_deg, fov_deg, range_m, is_cut, area_m2, wkb)
on conflict (camera_id) do update
set stands_at = excluded.stands_at, azimuth_deg = excluded.azimuth_deg, fov_deg = excluded.fov_deg, range_m = excluded.range_m,
    buildings_of = excluded.buildings_of, is_cut = excluded.is_cut, area_m2 = excluded.area_m2, geom = excluded.geom

-- name: in_box
-- not of those that moved away
select c.gb28181_id, c.name, v.azimuth_deg, v.fov_deg, v.range_m, v.is_cut, s.state as camera_state, ST_AsBinary(v.geom) as geom
from camera_views v
join cameras c using (camera_id)
left join camera_states s using (camera_id)
where v.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
  and (select is_position_now(p.positioned_at) from camera_positions p where p.camera_id = c.camera_id) is not true
  and is_wanted(c.owner_name, %(only_owner_name)s::text[]) and is_wanted(c.network_code, %(only_network_code)s::text[])
  and is_wanted(c.type_code, %(only_type_code)s::text[]) and is_wanted(coalesce(s.state, 'unknown'), %(only_camera_state)s::text[])
order by c.gb28181_id
limit %(most)s
