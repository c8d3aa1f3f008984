-- name: make
insert into drafts (title, base_edition_id, made_by)
select %(title)s, edition_id, %(author)s from editions order by valid_from desc limit 1
returning draft_id

-- name: list
select d.draft_id, d.title, d.base_edition_id, d.made_by, d.made_at, d.published_edition_id, d.discarded_at,
       (select count(*) from draft_steps s where s.draft_id = d.draft_id and s.undone_at is null) as steps,
       exists (select from grid_cells c
               where c.edition_id > d.base_edition_id or c.closed_by > d.base_edition_id) as is_stale
from drafts d
where d.draft_id = %(draft_id)s or %(draft_id)s::bigint is null
order by d.draft_id

-- name: lock
select draft_id from drafts where draft_id = %(draft_id)s for update

-- name: steps
select step_number, operation, arguments, author, reason, done_at, undone_at
from draft_steps where draft_id = %(draft_id)s order by step_number

-- name: cells
-- those in force
select grid_code, grid_level, parent_code, name, code_scheme, cell_kind, household_count, is_demo,
       ST_AsBinary(geom) as geom
from grid_cells where valid_to is null order by grid_code

-- name: cells_of_edition
select c.grid_code, c.grid_level, c.parent_code, c.name, c.code_scheme, c.cell_kind, c.household_count,
       c.is_demo, ST_AsBinary(c.geom) as geom
from grid_cells c join editions e on e.edition_id = %(edition)s
where c.valid_from <= e.valid_from and (c.valid_to is null or e.valid_from < c.valid_to)
order by c.grid_code

-- name: edition
select edition_id, note, valid_from from editions where edition_id = %(edition)s

-- name: draft_cells
-- as the last step that was not undone leaves them
select distinct on (c.grid_code) c.grid_code, c.is_retired, c.grid_level, c.parent_code, c.name, c.code_scheme,
       c.cell_kind, c.household_count, c.is_demo, ST_AsBinary(c.geom) as geom
from draft_cells c join draft_steps s using (draft_id, step_number)
where c.draft_id = %(draft_id)s and s.undone_at is null
order by c.grid_code, c.step_number desc

-- name: used_codes
select grid_code from grid_cells union select grid_code from draft_cells where draft_id = %(draft_id)s

-- name: forget_undone
delete from draft_steps where draft_id = %(draft_id)s and undone_at is not null

-- name: put_step
insert into draft_steps (draft_id, step_number, operation, arguments, author, reason)
select %(draft_id)s, coalesce(max(step_number), 0) + 1, %(operation)s, %(arguments)s, %(author)s, %(reason)s
from draft_steps where draft_id = %(draft_id)s
returning step_number

-- name: undo
update draft_steps set undone_at = clock_timestamp()
where draft_id = %(draft_id)s
  and step_number = (select max(step_number) from draft_steps where draft_id = %(draft_id)s and undone_at is null)
returning step_number, operation

-- name: redo
update draft_steps set undone_at = null
where draft_id = %(draft_id)s
  and step_number = (select min(step_number) from draft_steps where draft_id = %(draft_id)s and undone_at is not null)
returning step_number, operation

-- name: forget_cells
delete from draft_cells where draft_id = %(draft_id)s

-- name: rebased
update drafts set base_edition_id = (select edition_id from editions order by valid_from desc limit 1)
where draft_id = %(draft_id)s

-- name: discard
update drafts set discarded_at = now() where draft_id = %(draft_id)s

-- name: published
update drafts set published_edition_id = %(edition)s where draft_id = %(draft_id)s

-- name: hold_points
-- what comes in meanwhile waits for the end, and then finds the new owners; what came before is seen
lock table {tables} in share row exclusive mode

-- name: affected
-- what belongs to a cell that changes, or to none near by
select {key} as id from {table}
where (grid_code = any(%(codes)s)
       or (unassigned and geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)))
  and {is_open}

-- name: points_of
select ST_X(geom) as lon, ST_Y(geom) as lat, grid_code from {table} where grid_code = any(%(codes)s) and {counts}

-- name: duties_of
select grid_code, duty_role, person_name from duties
where grid_code = any(%(codes)s) and (valid_to is null or valid_to > now()) order by grid_code, duty_role, person_name

-- name: led
select distinct grid_code from duties where duty_role = 'grid_lead' and (valid_to is null or valid_to > now())
