-- name: items
select unit_code as id,
       geom,
       jsonb_build_object(
           'unit_code', unit_code, 'name', name, 'unit_kind', unit_kind, 'unit_status', unit_status,
           'zone_code', zone_code, 'skills', skills, 'shift', shift, 'reported_at', reported_at, 'is_demo', is_demo) as properties
from patrol_units
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
order by unit_code
limit %(limit)s

-- name: stored
select patrol_unit_id, unit_code, name, unit_kind, post_code, zone_code, unit_status, skills, shift, reported_at, is_demo, geom
from patrol_units

-- name: taken
select unit_code as key from patrol_units where unit_code = any(%(keys)s)
