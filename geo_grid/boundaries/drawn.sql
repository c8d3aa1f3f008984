-- name: steps
select from_zoom, to_zoom, grid_level from draw_steps

-- name: put_step
insert into draw_steps (from_zoom, to_zoom, grid_level) values (%(from_zoom)s, %(to_zoom)s, %(level)s)

-- name: clear
-- deletes rows instead of truncating, so that queries for tiles neither wait nor find the table empty meanwhile
with steps as (delete from draw_steps)
delete from drawn_cells

-- name: cells
-- those in force, and those this edition closed; `changed` where this edition did something
select c.grid_code, c.grid_level, c.name, c.parent_code, c.cell_kind, c.household_count, c.is_demo,
       ST_AsBinary(ST_Transform(c.geom, 3857)) as geom,
       in_force(c.valid_from, c.valid_to, %(moment)s) as is_open,
       %(edition)s::bigint is null or c.edition_id = %(edition)s or c.closed_by is not distinct from %(edition)s as changed
from grid_cells c
where in_force(c.valid_from, c.valid_to, %(moment)s)
   or c.closed_by = %(edition)s
order by c.grid_code, c.valid_from

-- name: forget
delete from drawn_cells where valid_to < statement_timestamp()

-- name: close
update drawn_cells set valid_to = %(moment)s
where valid_to is null and to_zoom = %(to_zoom)s and grid_code = any(%(codes)s)

-- name: analyze
analyze drawn_cells

-- name: clock
select statement_timestamp() as now
