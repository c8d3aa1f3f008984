-- name: state
-- what a snapshot stands on, and in how many seconds the next edition or duty begins, or a duty ends
select edition_at(now()) as edition, access.city_wide('map') as sees_all,
       (select published_at from editions where edition_id = edition_at(now())) as published_at,
       extract(epoch from least((select min(valid_from) from editions where valid_from > now()),
                                (select min(valid_from) from duties where valid_from > now()),
                                (select min(valid_to) from duties where valid_to > now())) - now())::float8 as ends_in_s

-- name: duties
select grid_code, duty_role, person_name, phone from duties
where in_force(valid_from, valid_to, now())
order by grid_code, duty_role, duty_id

-- name: levels
select grid_level, name_zh, name_en from grid_levels

-- name: segments
select zone_code, name, zone_type, responsible_unit, is_demo, ST_AsBinary(geom) as geom
from patrol_zones
where zone_kind = 'segment' and in_force(valid_from, valid_to, now())
order by zone_code

-- name: circles
select tier_minutes, post_code, circle_basis, method, estimated_because, ST_AsBinary(geom) as geom
from response_circles order by post_code, tier_minutes
