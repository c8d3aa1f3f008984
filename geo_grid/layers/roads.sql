-- name: items
select road_id::text as id,
       ST_SnapToGrid(geom, %(pixel)s / 2) as geom,
       jsonb_build_object('name', name, 'road_class', road_class, 'one_way', one_way, 'is_demo', is_demo) as properties
from roads
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
order by road_id
limit %(limit)s

-- name: stored
select road_id, osm_id, name, road_class, one_way, speed_kmh, is_demo, geom from roads

-- name: taken
select osm_id::text as key from roads where osm_id::text = any(%(keys)s)
