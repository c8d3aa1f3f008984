-- name: items
select closure_code as id,
       geom,
       jsonb_build_object(
           'closure_code', closure_code, 'name', name, 'closure_kind', closure_kind, 'closed_from', closed_from,
           'closed_to', closed_to, 'is_demo', is_demo) as properties
from road_closures
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
  and (closed_to is null or closed_to > statement_timestamp())
order by closure_code
limit %(limit)s

-- name: stored
select road_closure_id, closure_code, name, closure_kind, closed_from, closed_to, is_demo, geom from road_closures

-- name: taken
select closure_code as key from road_closures where closure_code = any(%(keys)s)
