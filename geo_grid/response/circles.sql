-- name: posts
-- those whose circles we draw: not those that have circles of a file, which come with a method of their own
select p.post_code, p.responsible_unit, p.circle_basis, p.is_demo, ST_X(p.geom) as lon, ST_Y(p.geom) as lat,
       (select min(c.drawn_from) from response_circles c
        where c.post_code = p.post_code and c.method = any(%(drawn)s)) as drawn_from,
       exists (select from response_circles c
               where c.post_code = p.post_code and c.method = %(routed)s) as is_routed
from police_posts p
where (p.post_code = %(post_code)s or %(post_code)s::text is null)
  and not exists (select from response_circles c
                  where c.post_code = p.post_code and c.circle_basis = p.circle_basis and c.method <> all(%(drawn)s))
order by p.post_code

-- name: closures
select ST_AsBinary(geom) as geom from road_closures
where (closed_from is null or closed_from <= now()) and (closed_to is null or now() < closed_to)
order by closure_code

-- name: clear
delete from response_circles
where post_code = any(%(post_codes)s) and method = any(%(drawn)s)

-- name: insert
insert into response_circles (post_code, tier_minutes, circle_basis, direction, dispatch_s, turnout_s, travel_s, method,
                              speed_kmh, detour_factor, responsible_unit, geom, is_demo, drawn_from)
values (%(post_code)s, %(tier_minutes)s, %(circle_basis)s, %(direction)s, %(dispatch_s)s, %(turnout_s)s, %(travel_s)s,
        %(method)s, %(speed_kmh)s, %(detour_factor)s, %(responsible_unit)s, %(geom)s, %(is_demo)s, %(drawn_from)s)

-- name: extract
select graph_key from osm_extract

-- name: closures_around
select ST_AsBinary(geom) as geom from road_closures
where geom && ST_Expand(ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490), 0.3)
  and (closed_from is null or closed_from <= now()) and (closed_to is null or now() < closed_to)
order by closure_code

-- name: isolated
select post_code from response_circles
where method = 'valhalla' and tier_minutes = 5 and ST_Area(geom::geography) < %(smallest_m2)s
order by post_code
