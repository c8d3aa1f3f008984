-- name: notes
select shift_note_id, grid_code, note, written_by, written_at, written_id = access.me() as is_own, acknowledged_by, acknowledged_at
from shift_notes where not %(open_only)s or acknowledged_at is null
order by written_at desc, shift_note_id desc limit %(limit)s

-- name: desks
-- the cells of whoever asks, without those below them
with mine as materialized (select m.grid_code from access.my_cells('incidents.write') m (grid_code))
select c.grid_code, c.name from grid_cells c
where c.valid_to is null and c.grid_code in (select m.grid_code from mine m)
  and (c.parent_code is null or c.parent_code not in (select m.grid_code from mine m))
order by c.grid_code

-- name: may
select access.city_wide('incidents.write') or %(grid_code)s in (select access.my_cells('incidents.write')) as may

-- name: add
insert into shift_notes (grid_code, note, written_id, written_by)
values (%(grid_code)s, %(note)s, access.me(), access.my_name())
returning shift_note_id, grid_code, note, written_by, written_at, written_id = access.me() as is_own, acknowledged_by, acknowledged_at

-- name: one
select acknowledged_by, acknowledged_at, written_id = access.me() as is_own
from shift_notes where shift_note_id = %(shift_note_id)s for update

-- name: acknowledge
update shift_notes set acknowledged_id = access.me(), acknowledged_by = access.my_name(), acknowledged_at = now()
where shift_note_id = %(shift_note_id)s
returning shift_note_id, grid_code, note, written_by, written_at, written_id = access.me() as is_own, acknowledged_by, acknowledged_at

-- name: check_ins
select i.incident_id, i.category, u.unit_code, coalesce(p.name, u.unit_code) as unit_name, u.arrived_at, coalesce(u.checked_in_at, u.arrived_at) as heard_at,
       coalesce(u.checked_in_at, u.arrived_at) + make_interval(mins => c.check_in_minutes) as due_at,
       coalesce(u.checked_in_at, u.arrived_at) + make_interval(mins => c.check_in_minutes) < now() as is_overdue
from incident_units u
join incidents i using (incident_id)
join incident_categories c on c.category_code = i.category
left join patrol_units p on p.unit_code = u.unit_code
where u.released_at is null and u.arrived_at is not null and c.check_in_minutes is not null
order by due_at
