-- name: items
select zone_code as id,
       ST_SnapToGrid(geom, %(pixel)s / 2) as geom,
       jsonb_build_object(
           'zone_code', zone_code, 'name', name, 'zone_kind', zone_kind, 'zone_type', zone_type,
           'responsible_unit', responsible_unit, 'is_demo', is_demo) as properties
from patrol_zones
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
  and in_force(valid_from, valid_to, coalesce(%(at)s::timestamptz, statement_timestamp()))
order by zone_code
limit %(limit)s

-- name: stored
select patrol_zone_id, zone_code, name, zone_kind, zone_type, responsible_unit, is_demo, valid_from, valid_to, geom
from patrol_zones

-- name: taken
select zone_code as key from patrol_zones where valid_to is null and zone_code = any(%(keys)s)
