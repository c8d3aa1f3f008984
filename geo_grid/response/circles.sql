-- name: posts
select post_code, responsible_unit, is_demo, ST_X(geom) as lon, ST_Y(geom) as lat from police_posts order by post_code

-- name: clear
delete from response_circles where circle_basis = 'force_tier' and method = %(method)s
