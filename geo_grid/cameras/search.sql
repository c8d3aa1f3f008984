-- name: facets
-- by each of four properties at once; what the tables of codes call them is added beside
select case grouping(c.owner_name, c.network_code, c.type_code, s.kind)
            when 7 then 'owner_name' when 11 then 'network_code' when 13 then 'type_code' else 'camera_state' end as property,
       coalesce(c.owner_name, c.network_code, c.type_code, s.kind) as value, count(*) as cameras
from cameras c
cross join lateral (
    select coalesce((select x.state from camera_states x where x.camera_id = c.camera_id), 'unknown') as kind
) s
group by grouping sets ((c.owner_name), (c.network_code), (c.type_code), (s.kind))
order by property, cameras desc, value

-- name: sector
-- the box of a shape is what indexes know; those that see into it may stand far away
with sector as materialized (
    select ST_SetSRID(ST_GeomFromWKB(%(sector)s), 4490) as geom, ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490) as apex
),
near as (
    select c.camera_id from cameras c where c.geom && (select geom from sector)
    union
    select v.camera_id from camera_views v where v.geom && (select geom from sector)
)
select * from (
    select c.gb28181_id, c.name, ST_AsBinary(c.geom) as geom, ST_Covers(x.geom, c.geom) as stands_in, coalesce(ST_Intersects(v.geom, x.geom), false) as sees_in,
           ST_Distance(c.geom::geography, x.apex::geography) as distance_m, v.azimuth_deg, v.fov_deg, v.range_m, s.state as camera_state,
           c.owner_name, c.network_code, c.type_code, c.grid_code, c.sight_note
    from near n
    join cameras c using (camera_id)
    cross join sector x
    left join camera_views v using (camera_id)
    left join camera_states s using (camera_id)
    where is_wanted(c.owner_name, %(only_owner_name)s::text[]) and is_wanted(c.network_code, %(only_network_code)s::text[])
      and is_wanted(c.type_code, %(only_type_code)s::text[])
      and is_wanted(coalesce(s.state, 'unknown'), %(only_camera_state)s::text[])
) found
where stands_in or sees_in
order by sees_in desc, distance_m, gb28181_id
limit %(most)s
