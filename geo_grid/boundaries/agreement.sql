-- name: pairs
-- only those whose file said to whom they belonged
select recorded_zone as recorded, coalesce(grid_code, '') as owner, count(*) as count
from incidents
where recorded_zone <> ''
group by 1, 2

-- name: cells
select grid_code, name, ST_AsBinary(geom) as geom from grid_cells
where valid_to is null and grid_code = any(%(codes)s)
order by grid_code
