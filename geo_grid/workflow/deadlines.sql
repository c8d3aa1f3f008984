-- name: sweep
select swept, extract(epoch from next_at - %(moment)s)::float as next_s from access.sweep_deadlines(%(moment)s, %(most)s)

-- name: open
-- incidents with a deadline that is not met, the most urgent first
select i.incident_id, i.category, i.step, i.grid_code, i.received_at, i.policy_code, i.due_at, i.due_for, w.warn_at,
       coalesce(w.warn_at < statement_timestamp(), false) as is_warned, i.due_at < statement_timestamp() as is_overdue,
       ST_X(i.geom) as lon, ST_Y(i.geom) as lat
from incidents i
cross join lateral (select case i.due_for when 'accept' then i.accept_warn_at when 'arrive' then i.arrive_warn_at
                                          else i.settle_warn_at end as warn_at) w
where i.due_at is not null
  and (%(before)s::timestamptz is null or i.due_at < %(before)s)
  and (%(after_id)s::bigint is null
       or (i.due_at, i.incident_id) > (select a.due_at, a.incident_id from incidents a where a.incident_id = %(after_id)s))
order by i.due_at, i.incident_id
limit %(limit)s

-- name: policies
select policy_code, name_zh, name_en, category, urgency, grid_level, area_type, schedule_code, accept_s, arrive_s, settle_s,
       warn_percent, is_confirmed
from sla_policies order by precedence desc, policy_code

-- name: set_policy
insert into sla_policies (policy_code, name_zh, name_en, category, urgency, grid_level, area_type, schedule_code, accept_s,
                          arrive_s, settle_s, warn_percent, is_confirmed)
values (%(policy_code)s, %(name_zh)s, %(name_en)s, %(category)s, %(urgency)s, %(grid_level)s, %(area_type)s, %(schedule_code)s,
        %(accept_s)s, %(arrive_s)s, %(settle_s)s, %(warn_percent)s, %(is_confirmed)s)
on conflict (policy_code) do update set
    name_zh = excluded.name_zh, name_en = excluded.name_en, category = excluded.category, urgency = excluded.urgency,
    grid_level = excluded.grid_level, area_type = excluded.area_type, schedule_code = excluded.schedule_code,
    accept_s = excluded.accept_s, arrive_s = excluded.arrive_s, settle_s = excluded.settle_s,
    warn_percent = excluded.warn_percent, is_confirmed = excluded.is_confirmed

-- name: remove_policy
delete from sla_policies where policy_code = %(policy_code)s returning policy_code
