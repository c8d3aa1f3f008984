-- name: make
insert into drafts (title, base_edition_id, made_by) values (%(title)s, %(base)s, %(author)s) returning draft_id

-- name: list
select d.draft_id, d.title, d.base_edition_id, d.made_by, d.made_at, d.published_edition_id, d.discarded_at,
       d.submitted_at, d.submitted_by, d.approved_at, d.approved_by, d.note, d.effective_at, d.returned_because,
       (select count(*) from draft_steps s where s.draft_id = d.draft_id and s.undone_at is null) as steps,
       boundaries_changed_after(d.base_edition_id) as is_stale
from drafts d
where (d.draft_id = %(draft_id)s or %(draft_id)s::bigint is null)
  and (%(is_open)s::boolean is null or %(is_open)s = (d.published_edition_id is null and d.discarded_at is null))
order by d.draft_id

-- name: lock
select draft_id from drafts where draft_id = %(draft_id)s for update

-- name: steps
select step_number, operation, arguments, author, reason, done_at, undone_at
from draft_steps where draft_id = %(draft_id)s order by step_number

-- name: cells
-- those in force
select grid_code, grid_level, parent_code, name, code_scheme, cell_kind, household_count,
       households_estimated, is_demo, ST_AsBinary(geom) as geom
from grid_cells where valid_to is null order by grid_code

-- name: zones
-- those in force, as the cells of a division of their own
select zone_code as grid_code, case zone_kind when 'area' then 1 else 0 end as grid_level, null as parent_code, name,
       'local' as code_scheme, zone_type as cell_kind, null::integer as household_count, false as households_estimated, is_demo, responsible_unit,
       ST_AsBinary(geom) as geom
from patrol_zones where valid_to is null order by zone_code

-- name: used_zone_codes
select distinct zone_code as grid_code from patrol_zones

-- name: zones_of_edition
select z.zone_code as grid_code, case z.zone_kind when 'area' then 1 else 0 end as grid_level, null as parent_code, z.name,
       'local' as code_scheme, z.zone_type as cell_kind, null::integer as household_count, false as households_estimated, z.is_demo, z.responsible_unit,
       ST_AsBinary(z.geom) as geom
from patrol_zones z join editions e on e.edition_id = %(edition)s
where in_force(z.valid_from, z.valid_to, e.valid_from)
order by z.zone_code

-- name: cells_of_edition
select c.grid_code, c.grid_level, c.parent_code, c.name, c.code_scheme, c.cell_kind, c.household_count,
       c.households_estimated, c.is_demo, ST_AsBinary(c.geom) as geom
from grid_cells c join editions e on e.edition_id = %(edition)s
where in_force(c.valid_from, c.valid_to, e.valid_from)
order by c.grid_code

-- name: edition
select edition_id, note, valid_from from editions where edition_id = %(edition)s

-- name: draft
select draft_id from drafts where draft_id = %(draft_id)s

-- name: draft_cells
-- as the last step that was not undone leaves them
select distinct on (c.grid_code) c.grid_code, c.is_retired, c.grid_level, c.parent_code, c.name, c.code_scheme,
       c.cell_kind, c.household_count, c.households_estimated, c.is_demo, c.responsible_unit, ST_AsBinary(c.geom) as geom
from draft_cells c join draft_steps s using (draft_id, step_number)
where c.draft_id = %(draft_id)s and c.layer = %(layer)s and s.undone_at is null
order by c.grid_code, c.step_number desc

-- name: used_codes
select distinct grid_code from grid_cells

-- name: codes_of_draft
select distinct grid_code from draft_cells where draft_id = %(draft_id)s and layer = %(layer)s

-- name: newest
select edition_id from editions order by valid_from desc limit 1

-- name: editions
select e.edition_id, e.valid_from, e.published_at, e.note, e.is_demo, d.draft_id, d.title, d.submitted_by, d.approved_by
from editions e left join drafts d on d.published_edition_id = e.edition_id
order by e.valid_from desc limit %(limit)s

-- name: mine
-- codes of the cells that the principal may redraw; null: all
select case when access.city_wide('boundaries.draft') then null
            else array(select access.my_cells('boundaries.draft')) end as codes

-- name: seen_cells
-- null: all
select case when access.city_wide('map') then null else array(select access.my_chain('map')) end as codes

-- name: submit
update drafts set submitted_at = now(), submitted_by = %(by)s, returned_because = null where draft_id = %(draft_id)s

-- name: withdraw
update drafts set submitted_at = null, submitted_by = null, approved_at = null, approved_by = null, effective_at = null,
    returned_because = %(reason)s
where draft_id = %(draft_id)s

-- name: approve
update drafts set approved_at = now(), approved_by = %(by)s, note = %(note)s, effective_at = coalesce(%(effective_at)s, now())
where draft_id = %(draft_id)s

-- name: due
-- an approved draft, and the seconds until its moment
select note, extract(epoch from effective_at - clock_timestamp())::float as seconds from drafts
where draft_id = %(draft_id)s and approved_at is not null and published_edition_id is null and discarded_at is null
for update

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

-- name: assign_again
select assign_again(%(codes)s, %(zones)s, ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490))

-- name: led
select distinct grid_code from duties where duty_role = 'grid_lead' and (valid_to is null or valid_to > now())

-- name: check_now
set constraints all immediate

-- name: workers
select distinct grid_code, person_name, phone from duties
where duty_role = any(%(roles)s) and (valid_to is null or valid_to > now())

-- name: end_duties
update duties set valid_to = %(moment)s where grid_code = %(code)s and valid_from < %(moment)s
  and (valid_to is null or valid_to > %(moment)s)

-- name: give_duty
insert into duties (grid_code, duty_role, person_name, phone, valid_from)
values (%(code)s, %(duty_role)s, %(person_name)s, %(phone)s, %(moment)s)

-- name: stops
select zone_code, name, to_char(window_from, 'HH24:MI') as window_from, to_char(window_to, 'HH24:MI') as window_to,
       array[ST_X(geom), ST_Y(geom)] as point
from mandatory_stops order by zone_code, mandatory_stop_id

-- name: clear_stops
delete from mandatory_stops where zone_code = %(code)s

-- name: put_stop
insert into mandatory_stops (zone_code, name, window_from, window_to, geom)
values (%(code)s, %(name)s, %(window_from)s, %(window_to)s, ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490))
