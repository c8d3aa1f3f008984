-- name: fill
-- The days of a year as the package knows them, or as weekends; returns those that changed. What somebody edited stays unless
-- `over`; an announced day is never made provisional again.
insert into working_days as d (day, is_working, is_provisional, name_zh, name_en)
select * from unnest(%(days)s::date[], %(working)s::boolean[], %(provisional)s::boolean[], %(names_zh)s::text[], %(names_en)s::text[])
on conflict (day) do update set
    is_working = excluded.is_working, is_provisional = excluded.is_provisional, is_edited = false,
    name_zh = excluded.name_zh, name_en = excluded.name_en
where (%(over)s or not d.is_edited) and (d.is_provisional or not excluded.is_provisional)
  and (d.is_working, d.is_provisional, d.is_edited, d.name_zh, d.name_en)
      is distinct from (excluded.is_working, excluded.is_provisional, false, excluded.name_zh, excluded.name_en)
returning d.day

-- name: set
insert into working_days (day, is_working, is_provisional, is_edited, name_zh, name_en)
values (%(day)s, %(is_working)s, false, true, %(name_zh)s, %(name_en)s)
on conflict (day) do update set
    is_working = excluded.is_working, is_provisional = false, is_edited = true, name_zh = excluded.name_zh, name_en = excluded.name_en

-- name: announce
-- a year some of whose days are said is announced: its other days are what they are
update working_days set is_provisional = false
where is_provisional and day between make_date(%(year)s, 1, 1) and make_date(%(year)s, 12, 31)

-- name: days
select day, is_working, is_provisional, is_edited, name_zh, name_en from working_days
where day between %(first)s and %(last)s order by day

-- name: years
select extract(year from day)::int as year, count(*) filter (where is_working) as working, count(*) as days,
       bool_or(is_provisional) as is_provisional
from working_days group by 1 order by 1

-- name: schedules
select s.schedule_code, s.name_zh, s.name_en, s.every_day, s.is_confirmed,
       coalesce(jsonb_agg(jsonb_build_object('weekday', h.weekday, 'begins_at', to_char(h.begins_at, 'HH24:MI'),
                                             'ends_at', to_char(h.ends_at, 'HH24:MI'))
                          order by h.weekday, h.begins_at) filter (where h.weekday is not null), '[]') as hours
from working_schedules s left join working_hours h using (schedule_code)
group by s.schedule_code order by s.schedule_code

-- name: set_schedule
insert into working_schedules (schedule_code, name_zh, name_en, every_day, is_confirmed)
values (%(schedule_code)s, %(name_zh)s, %(name_en)s, %(every_day)s, %(is_confirmed)s)
on conflict (schedule_code) do update set
    name_zh = excluded.name_zh, name_en = excluded.name_en, every_day = excluded.every_day, is_confirmed = excluded.is_confirmed

-- name: clear_hours
delete from working_hours where schedule_code = %(schedule_code)s

-- name: set_hours
insert into working_hours (schedule_code, weekday, begins_at, ends_at)
select %(schedule_code)s, * from unnest(%(weekdays)s::smallint[], %(begins)s::time[], %(ends)s::time[])

-- name: keep_timezone
select access.keep_timezone(%(timezone)s)

-- name: reckon
select access.reckon_deadlines(%(timezone)s) as reckoned

-- name: provisional
-- the first provisional day from now on, by year
select extract(year from day)::int as year, min(day) as first, min(day) - current_date as in_days from working_days
where is_provisional and day >= current_date group by 1 order by 1
