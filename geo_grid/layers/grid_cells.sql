-- name: items
-- the level that fits the zoom; where an area is not divided so far, its finest level
with level as (
    select max(grid_level) as fits, coalesce(%(at)s::timestamptz, statement_timestamp()) as moment
    from grid_levels where min_zoom <= %(zoom)s
)
select c.grid_code as id,
       ST_SnapToGrid(c.geom, %(pixel)s / 2) as geom,
       jsonb_build_object(
           'grid_code', c.grid_code, 'name', c.name, 'grid_level', c.grid_level, 'parent_code', c.parent_code,
           'cell_kind', c.cell_kind, 'household_count', c.household_count,
           'households_estimated', c.households_estimated, 'is_demo', c.is_demo) as properties
from level cross join lateral cells_of_level(level.fits, level.moment) c
where c.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
order by c.grid_code
limit %(limit)s

-- name: drawn
-- as prepared for the zoom (migration 0014), whole, so that nothing need be cut and mended; near by, as they are
select case when is_plain
            then ST_SnapToGrid(ST_TransScale(geom, -%(tile_west)s, -%(tile_north)s, %(units)s, -%(units)s), 1)
            else ST_AsMVTGeom(geom, ST_TileEnvelope(%(zoom)s, %(x)s, %(y)s), 4096, 64) end as geom,
       grid_code as id, grid_code, name, grid_level, parent_code, cell_kind, household_count, is_demo
from drawn_cells
where to_zoom = (select d.to_zoom from draw_steps d where %(zoom)s between d.from_zoom and d.to_zoom)
  and geom && ST_TileEnvelope(%(zoom)s, %(x)s, %(y)s, margin => 64.0 / 4096)
  and in_force(valid_from, valid_to, statement_timestamp())
union all
select ST_AsMVTGeom(ST_Transform(c.geom, 3857), ST_TileEnvelope(%(zoom)s, %(x)s, %(y)s), 4096, 64),
       c.grid_code, c.grid_code, c.name, c.grid_level, c.parent_code, c.cell_kind, c.household_count, c.is_demo
from (select max(grid_level) as fits from grid_levels where min_zoom <= %(zoom)s) level
cross join lateral cells_of_level(level.fits, statement_timestamp()) c
where %(zoom)s > (select max(d.to_zoom) from draw_steps d)
  and c.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)

-- name: undrawn
-- boundaries that an older version of geo_grid published have no simplified shapes
select not exists (select from draw_steps) and exists (select from grid_cells where valid_to is null) as is_undrawn

-- name: stored
select grid_cell_id, grid_code, grid_level, code_scheme, parent_code, name, cell_kind, household_count,
       households_estimated, is_demo, valid_from, valid_to, geom
from grid_cells

-- name: taken
select grid_code as key from grid_cells where valid_to is null and grid_code = any(%(keys)s)

-- name: in_force
select grid_code from grid_cells where grid_code = %(grid_code)s and valid_to is null
