-- name: absences
-- those of now and later, or one by its number
select a.absence_id, a.duty_id, d.grid_code, d.duty_role, d.person_name, a.substitute_id, s.person_name as substitute_name,
       a.valid_from, a.valid_to
from duty_absences a
join duties d on d.duty_id = a.duty_id
left join duties s on s.duty_id = a.substitute_id
where case when %(absence_id)s::bigint is null then a.valid_to is null or a.valid_to > now() else a.absence_id = %(absence_id)s end
  and (%(grid_code)s::text is null or d.grid_code = %(grid_code)s)
order by a.valid_from, a.absence_id

-- name: duty
select from duties where duty_id = %(duty_id)s and in_force(valid_from, valid_to, now())

-- name: overlapping
select from duty_absences
where duty_id = %(duty_id)s
  and tstzrange(valid_from, valid_to) && tstzrange(%(valid_from)s::timestamptz, %(valid_to)s::timestamptz)

-- name: add
insert into duty_absences (duty_id, substitute_id, valid_from, valid_to)
values (%(duty_id)s, %(substitute_id)s, %(valid_from)s, %(valid_to)s) returning absence_id

-- name: forget
delete from duty_absences where absence_id = %(absence_id)s and valid_from > now()

-- name: end
update duty_absences set valid_to = now()
where absence_id = %(absence_id)s and valid_from < now() and (valid_to is null or valid_to > now())

-- name: roster
-- the people of a cell and of the cells in it
with recursive inside as (
    select %(grid_code)s::text collate "C" as grid_code
    union
    select c.grid_code from grid_cells c join inside on c.parent_code = inside.grid_code where c.valid_to is null
)
select d.duty_id, d.grid_code, d.duty_role, d.person_name,
       exists (select from desk_turns t where t.duty_id = d.duty_id
               and t.valid_from < %(day_ends)s and t.valid_to > %(day_begins)s) as at_desk
from duties d
where d.grid_code in (select i.grid_code from inside i) and d.valid_from < %(day_ends)s and (d.valid_to is null or d.valid_to > %(day_begins)s)
order by d.duty_role desc, d.person_name, d.duty_id

-- name: clear_day
delete from desk_turns where duty_id = any(%(known)s) and valid_from < %(day_ends)s and valid_to > %(day_begins)s

-- name: put_day
insert into desk_turns (duty_id, valid_from, valid_to)
select duty_id, %(day_begins)s, %(day_ends)s from unnest(%(duty_ids)s::bigint[]) duty_id
