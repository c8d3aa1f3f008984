-- name: items
select post_code as id,
       geom,
       jsonb_build_object(
           'post_code', post_code, 'name', name, 'post_kind', post_kind, 'responsible_unit', responsible_unit,
           'circle_basis', circle_basis, 'key_periods', key_periods,
           'is_demo', is_demo) as properties
from police_posts
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
order by post_code
limit %(limit)s

-- name: stored
select police_post_id, post_code, name, post_kind, responsible_unit, phone, circle_basis, key_periods, is_demo, geom from police_posts

-- name: taken
select post_code as key from police_posts where post_code = any(%(keys)s)
