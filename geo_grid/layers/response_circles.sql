-- name: items
-- from afar only the largest tier
select response_circle_id::text as id,
       ST_SnapToGrid(geom, %(pixel)s / 2) as geom,
       jsonb_build_object(
           'post_code', post_code, 'tier_minutes', tier_minutes, 'circle_basis', circle_basis, 'method', method,
           'direction', direction, 'travel_s', travel_s, 'speed_kmh', speed_kmh, 'detour_factor', detour_factor, 'on_foot_m', on_foot_m,
           'estimated_because', estimated_because,
           'is_demo', is_demo) as properties
from response_circles
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
  and (tier_minutes = 5 or %(zoom)s >= 12)
  and built_at <= coalesce(%(at)s::timestamptz, statement_timestamp())
order by tier_minutes desc, post_code
limit %(limit)s

-- name: stored
select response_circle_id, post_code, tier_minutes, circle_basis, method, direction, dispatch_s, turnout_s, travel_s,
       speed_kmh, detour_factor, on_foot_m, estimated_because, responsible_unit, is_demo,
       built_at as valid_from, null::timestamptz as valid_to,  -- one that is drawn again is not kept
       geom
from response_circles

-- name: taken
select post_code as key from response_circles where post_code = any(%(keys)s)
