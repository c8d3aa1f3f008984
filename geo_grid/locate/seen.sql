-- name: seen
select array(select access.my_cells('map')) as cells,
       array(select access.my_zones('map')) as zones,
       array(select post_code from police_posts) as posts,
       ST_XMin(e) as west, ST_YMin(e) as south, ST_XMax(e) as east, ST_YMax(e) as north
from (select ST_Extent(geom) as e from grid_cells where grid_level = 1 and valid_to is null) city
