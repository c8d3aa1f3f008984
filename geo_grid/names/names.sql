-- Names of the city: all of them for the index, and those that were found once more, with the rights of whoever asks.

-- name: entries
select 'grid_cell' as kind, c.grid_code as code, c.name, (ST_XMin(c.geom) + ST_XMax(c.geom)) / 2 as lon,
       (ST_YMin(c.geom) + ST_YMax(c.geom)) / 2 as lat
from grid_cells c where c.valid_to is null
union all
select 'patrol_zone', z.zone_code, z.name, (ST_XMin(z.geom) + ST_XMax(z.geom)) / 2, (ST_YMin(z.geom) + ST_YMax(z.geom)) / 2
from patrol_zones z where z.valid_to is null
union all
select 'police_post', p.post_code, p.name, ST_X(p.geom), ST_Y(p.geom) from police_posts p
union all
select 'facility', f.facility_code, f.name, ST_X(f.geom), ST_Y(f.geom) from facilities f
union all
select 'registered_place', r.place_code, r.name, ST_X(r.geom), ST_Y(r.geom) from registered_places r
union all
select 'place', b.base_feature_id::text, b.name, (ST_XMin(b.geom) + ST_XMax(b.geom)) / 2, (ST_YMin(b.geom) + ST_YMax(b.geom)) / 2
from base_features b where b.name <> ''
union all
-- pieces of a road within some five kilometres are one
select 'road', r.name, r.name, avg((ST_XMin(r.geom) + ST_XMax(r.geom)) / 2), avg((ST_YMin(r.geom) + ST_YMax(r.geom)) / 2)
from roads r where r.name <> ''
group by r.name, round(ST_XMin(r.geom) * 20), round(ST_YMin(r.geom) * 20)

-- name: cameras
select 'camera' as kind, gb28181_id as code, name, ST_X(geom) as lon, ST_Y(geom) as lat from cameras

-- name: seen
-- what whoever asks may see of what was found, as it is now; a code of a road is its name
with wanted as (
    select * from unnest(%(kinds)s::text[], %(codes)s::text[], %(lons)s::float[], %(lats)s::float[])
        with ordinality w (kind, code, lon, lat, number)
)
select number, name, about, ST_X(geom) as lon, ST_Y(geom) as lat from (
select w.number, c.name, coalesce((select p.name from grid_cells p where p.grid_code = c.parent_code and p.valid_to is null), '') as about,
       ST_PointOnSurface(c.geom) as geom
from wanted w join grid_cells c on w.kind = 'grid_cell' and c.grid_code = w.code and c.valid_to is null
union all
select w.number, z.name, z.responsible_unit, ST_PointOnSurface(z.geom)
from wanted w join patrol_zones z on w.kind = 'patrol_zone' and z.zone_code = w.code and z.valid_to is null
union all
select w.number, p.name, p.responsible_unit, p.geom
from wanted w join police_posts p on w.kind = 'police_post' and p.post_code = w.code
union all
select w.number, f.name, f.phone, f.geom
from wanted w join facilities f on w.kind = 'facility' and f.facility_code = w.code
union all
select w.number, r.name, r.responsible_unit, r.geom
from wanted w join registered_places r on w.kind = 'registered_place' and r.place_code = w.code
union all
select w.number, c.name, coalesce((select g.name from grid_cells g where g.grid_code = c.grid_code and g.valid_to is null), ''), c.geom
from wanted w join cameras c on w.kind = 'camera' and c.gb28181_id = w.code
union all
select w.number, b.name, '', ST_PointOnSurface(b.geom)
from wanted w join base_features b on b.base_feature_id = case w.kind when 'place' then w.code::bigint end
union all
select w.number, w.code, '', near.geom
from wanted w
cross join lateral (select ST_ClosestPoint(r.geom, here.geom) as geom
                    from roads r, (select ST_SetSRID(ST_MakePoint(w.lon, w.lat), 4490) as geom) here
                    where r.name = w.code order by r.geom <-> here.geom limit 1) near
where w.kind = 'road'
) seen
order by number

-- name: units
-- units are few, and move: they are read as they are
select u.unit_code as code, u.name, u.unit_status as about, ST_X(u.geom) as lon, ST_Y(u.geom) as lat
from patrol_units u
where strpos(lower(u.unit_code), lower(%(wanted)s)) > 0 or strpos(lower(u.name), lower(%(wanted)s)) > 0
order by lower(u.unit_code) <> lower(%(wanted)s) and lower(u.name) <> lower(%(wanted)s),
         strpos(lower(u.name), lower(%(wanted)s)) <> 1, u.geom <-> ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490), u.unit_code
limit %(limit)s

-- name: crossings
-- where roads of two names meet, or come within 30 metres of each other: one place for each crossing
select distinct on (ST_SnapToGrid(at.geom, 0.001)) a.name as one, b.name as other, ST_X(at.geom) as lon, ST_Y(at.geom) as lat
from roads a
join roads b on b.name = any(%(others)s) and b.geom && ST_Expand(a.geom, 0.0003)
            and ST_DWithin(a.geom::geography, b.geom::geography, 30)
cross join lateral (select ST_ClosestPoint(a.geom, b.geom) as geom) at
where a.name = any(%(ones)s) and a.name <> b.name
limit %(limit)s
