-- name: posts
select post_code, responsible_unit, is_demo, ST_X(geom) as lon, ST_Y(geom) as lat from police_posts order by post_code

-- name: post
select post_code, responsible_unit, is_demo, ST_X(geom) as lon, ST_Y(geom) as lat
from police_posts where post_code = %(post_code)s

-- name: clear
delete from response_circles
where circle_basis = 'force_tier' and method = %(method)s
  and (post_code = %(post_code)s or %(post_code)s::text is null)

-- name: insert
insert into response_circles (post_code, tier_minutes, method, speed_kmh, detour_factor, responsible_unit, geom, is_demo)
values (%(post_code)s, %(tier_minutes)s, %(method)s, %(speed_kmh)s, %(detour_factor)s, %(responsible_unit)s,
        %(geom)s, %(is_demo)s)
