-- name: demand
-- the innermost cells within a cell, where they are, and how much is there
with recursive below as (
    select c.* from grid_cells c where c.grid_code = %(within)s and c.valid_to is null
    union all
    select k.* from below b join grid_cells k on k.parent_code = b.grid_code and k.valid_to is null
)
select b.grid_code as code, ST_X(p.geom) as lon, ST_Y(p.geom) as lat,
       case %(demand)s when 'households' then coalesce(b.household_count, 0)
            else (select count(*) from incidents i
                  where i.grid_code = b.grid_code and i.received_at > now() - interval '12 months') end as weight
from below b
cross join lateral (select ST_PointOnSurface(b.geom) as geom) p
where b.grid_code in (select l.grid_code from leaf_cells('infinity') l)
order by b.grid_code

-- name: posts
-- posts within the cell, and those so near that they may serve it
select p.post_code as code, p.name, ST_X(p.geom) as lon, ST_Y(p.geom) as lat
from police_posts p, grid_cells c
where c.grid_code = %(within)s and c.valid_to is null and p.geom && ST_Expand(c.geom, 0.03)
order by p.post_code

-- name: candidates
select x.code, x.name, ST_X(x.geom) as lon, ST_Y(x.geom) as lat
from grid_cells c
cross join lateral (
    select f.facility_code as code, f.name, f.geom from facilities f
    where %(candidates)s = 'governance_centres' and f.facility_kind = 'governance_centre' and ST_Covers(c.geom, f.geom)
    union all
    select 'stop-' || s.mandatory_stop_id, s.name, s.geom from mandatory_stops s
    where %(candidates)s = 'mandatory_stops' and ST_Covers(c.geom, s.geom)
) x
where c.grid_code = %(within)s and c.valid_to is null
order by x.code
