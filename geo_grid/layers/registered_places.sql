-- name: items
select place_code as id,
       geom,
       jsonb_build_object(
           'place_code', place_code, 'place_kind', place_kind, 'name', name, 'responsible_unit', responsible_unit,
           'grid_code', grid_code, 'is_demo', is_demo) as properties
from registered_places
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
order by place_code
limit %(limit)s

-- name: stored
select registered_place_id, place_code, place_kind, name, responsible_unit, needs_assessment, is_demo, grid_code, zone_code,
       edition_id, unassigned, geom
from registered_places

-- name: taken
select place_code as key from registered_places where place_code = any(%(keys)s)
