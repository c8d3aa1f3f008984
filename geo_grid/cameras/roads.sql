-- name: cell
select g.name, ST_AsBinary(g.geom) as geom
from grid_cells g
where g.grid_code = %(within)s and in_force(g.valid_from, g.valid_to, statement_timestamp())

-- name: roads
select r.road_id, r.name, r.road_class, ST_AsBinary(r.geom) as geom
from roads r
where r.geom && ST_SetSRID(ST_GeomFromWKB(%(cell)s), 4490)
  and ST_Intersects(r.geom, ST_SetSRID(ST_GeomFromWKB(%(cell)s), 4490))
order by r.road_id
limit %(most)s

-- name: views
-- of cameras in whatever state, as coverage of cells has it: a camera that is off is mended
select ST_AsBinary(v.geom) as geom
from camera_views v
where v.geom && ST_SetSRID(ST_GeomFromWKB(%(cell)s), 4490)
order by v.camera_id
