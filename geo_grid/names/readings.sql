-- name: readings
-- of each place its innermost cell, and how far the nearest road is
select c.grid_code, c.name as grid_name, near.road_m
from unnest(%(lons)s::float[], %(lats)s::float[]) with ordinality w (lon, lat, number)
cross join lateral (select ST_SetSRID(ST_MakePoint(w.lon, w.lat), 4490) as geom) here
left join lateral (select access.owning_cell(here.geom, statement_timestamp()) as grid_code) owner on true
left join grid_cells c on c.grid_code = owner.grid_code and c.valid_to is null
left join lateral (
    select d.road_m from (
        select ST_Distance(r.geom::geography, here.geom::geography) as road_m
        from roads r where r.geom && ST_Expand(here.geom, 0.02)
        order by r.geom <-> here.geom limit 1
    ) d where d.road_m <= 1000
) near on true
order by w.number
