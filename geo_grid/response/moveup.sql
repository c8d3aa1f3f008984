-- name: units
-- those that drive: who walks does not move up
select unit_code, name, unit_status, shift, zone_code, ST_X(geom) as lon, ST_Y(geom) as lat
from patrol_units
where zone_code is not null and unit_kind in ('car', 'motorcycle')
order by unit_code

-- name: zones
select z.zone_code, z.name, ST_X(p.geom) as lon, ST_Y(p.geom) as lat,
       (select count(*) from incidents i where i.zone_code = z.zone_code and i.closed_at is null) as open_incidents
from patrol_zones z
cross join lateral (
    select coalesce((select s.geom from police_posts s where ST_Covers(z.geom, s.geom) order by s.post_code limit 1),
                    ST_PointOnSurface(z.geom)) as geom
) p
where z.zone_kind = 'area' and z.valid_to is null
order by z.zone_code
