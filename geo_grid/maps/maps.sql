-- name: city
select ST_XMin(e) as west, ST_YMin(e) as south, ST_XMax(e) as east, ST_YMax(e) as north,
       edition_at(now()) as edition,
       coalesce((select bool_or(is_demo) from editions), false) as is_demo
from (select ST_Extent(geom) as e from grid_cells where grid_level = 1 and valid_to is null) city
