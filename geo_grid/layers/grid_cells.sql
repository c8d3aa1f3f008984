-- name: items
-- the level that fits the zoom; where an area is not divided so far, its finest level
with level as (
    select max(grid_level) as fits from grid_levels where min_zoom <= %(zoom)s
)
select c.grid_code as id,
       ST_SnapToGrid(c.geom, %(pixel)s / 2) as geom,
       jsonb_build_object(
           'grid_code', c.grid_code, 'name', c.name, 'grid_level', c.grid_level, 'parent_code', c.parent_code,
           'cell_kind', c.cell_kind, 'household_count', c.household_count, 'is_demo', c.is_demo) as properties
from grid_cells c, level
where c.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
  and c.valid_from <= statement_timestamp() and (c.valid_to is null or statement_timestamp() < c.valid_to)
  and (c.grid_level = level.fits
       or (c.grid_level < level.fits and not exists (
               select from grid_cells k
               where k.parent_code = c.grid_code
                 and k.valid_from <= statement_timestamp() and (k.valid_to is null or statement_timestamp() < k.valid_to))))
order by c.grid_code
limit %(limit)s

-- name: stored
select grid_cell_id, grid_code, grid_level, code_scheme, parent_code, name, cell_kind, household_count, is_demo,
       valid_from, valid_to, geom
from grid_cells

-- name: taken
select grid_code as key from grid_cells where valid_to is null and grid_code = any(%(keys)s)
