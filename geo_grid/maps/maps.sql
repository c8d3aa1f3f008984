-- name: city
-- as wide as what whoever looks answers for
select ST_XMin(e) as west, ST_YMin(e) as south, ST_XMax(e) as east, ST_YMax(e) as north,
       edition_at(now()) as edition,
       coalesce((select bool_or(is_demo) from editions), false) as is_demo,
       exists (select from osm_extract) as has_base_map
from (select ST_Extent(geom) as e from grid_cells 
      where valid_to is null
        and case when (select access.city_wide('map')) then grid_level = 1
                 else grid_code in (select access.my_cells('map')) end) city
