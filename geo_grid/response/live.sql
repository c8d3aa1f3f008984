-- name: units
select unit_code, name, unit_kind as kind, unit_status as status, shift, reported_at, ST_X(geom) as lon, ST_Y(geom) as lat
from patrol_units
order by unit_code

-- name: posts
-- each with the number of its newest circle, which tells whether they were drawn again
select p.post_code, p.key_periods,
       (select max(c.response_circle_id) from response_circles c where c.post_code = p.post_code) as last_circle
from police_posts p
order by p.post_code

-- name: circles
select tier_minutes, ST_AsBinary(geom) as geom from response_circles
where direction = 'outbound' and post_code = any(%(post_codes)s)

-- name: units_seen
-- which of these whoever asks sees
select unit_code from patrol_units where unit_code = any(%(unit_codes)s)
