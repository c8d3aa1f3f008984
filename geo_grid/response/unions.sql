-- name: posts
-- with what their circles are joined by, and the newest of them, which tells whether they were drawn again
select p.post_code, p.key_periods, p.responsible_unit as unit_code, p.responsible_unit as unit_name,
       coalesce(z.zone_code, '') as zone_code, coalesce(z.name, '') as zone_name, '' as city_code, '' as city_name,
       (select max(c.response_circle_id) from response_circles c where c.post_code = p.post_code) as last_circle
from police_posts p
left join lateral (
    select zone_code, name from patrol_zones
    where zone_kind = 'area' and valid_to is null and ST_Covers(patrol_zones.geom, p.geom)
    order by zone_code limit 1
) z on true
order by p.post_code

-- name: circles
select post_code, tier_minutes, method, estimated_because, ST_AsBinary(geom) as geom from response_circles
where direction = 'outbound' and post_code = any(%(post_codes)s)
order by post_code, tier_minutes

-- name: own_area
-- null: of the whole city
select case when not access.city_wide('map') then ST_AsBinary(access.my_area('map')) end as geom
