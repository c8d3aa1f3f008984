-- name: items
select road_id::text as id,
       ST_SnapToGrid(geom, %(pixel)s / 2) as geom,
       jsonb_build_object('name', name, 'road_class', road_class, 'one_way', one_way, 'is_demo', is_demo) as properties
from roads
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
order by road_id
limit %(limit)s

-- name: drawn
-- main roads from afar, all of them near by
select ST_AsMVTGeom(ST_Simplify(ST_Transform(geom, 3857), %(pixel)s * 55660, true),
                    ST_TileEnvelope(%(zoom)s, %(x)s, %(y)s), 4096, 64) as geom,
       road_class, nullif(name, '') as name, one_way, is_demo
from (
    select * from roads
    where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
      and (%(zoom)s >= 14 or road_class = any(case
           when %(zoom)s >= 13 then array['motorway', 'motorway_link', 'trunk', 'trunk_link', 'primary', 'primary_link',
                                          'secondary', 'tertiary', 'unclassified', 'residential']
           when %(zoom)s >= 11 then array['motorway', 'trunk', 'primary', 'secondary', 'tertiary']
           when %(zoom)s >= 9 then array['motorway', 'trunk', 'primary', 'secondary']
           when %(zoom)s >= 7 then array['motorway', 'trunk', 'primary']
           else array['motorway', 'trunk'] end))
    order by road_id
    limit %(limit)s
) shown

-- name: stored
select road_id, osm_id, name, road_class, one_way, speed_kmh, is_demo, geom from roads

-- name: taken
select osm_id::text as key from roads where osm_id::text = any(%(keys)s)
