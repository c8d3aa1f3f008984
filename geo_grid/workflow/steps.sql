-- name: matter
select i.step as stage, i.handler_id, i.handled_by, i.accepted_at, i.dispatched_at, i.departed_at, i.arrived_at,
       i.handled_at, i.feedback_at, i.verified_at, i.closed_at, i.return_count, i.is_final, i.suspended_at, i.suspended_s,
       i.outcome, i.evaluation, i.step_count, i.grid_code, ST_X(i.geom) as lon, ST_Y(i.geom) as lat,
       i.assigned_cell, i.assigned_role, i.assigned_rule, l.return_within, l.most_returns,
       array(select s.stage from loop_stages s where s.loop_code = i.loop_code order by s.ordinal) as stages,
       greatest(clock_timestamp(), i.received_at, last.done_at) as now
from incidents i
join loops l on l.loop_code = i.loop_code
left join lateral (select s.done_at from incident_steps s where s.incident_id = i.incident_id
                   order by s.number desc limit 1) last on true
where i.incident_id = %(incident_id)s

-- name: units
select unit_code, departed_at, arrived_at from incident_units
where incident_id = %(incident_id)s and released_at is null order by assigned_at, unit_code

-- name: send
insert into incident_units (incident_id, unit_code, assigned_at)
select %(incident_id)s, u.unit_code, %(now)s from patrol_units u where u.unit_code = any(%(unit_codes)s)
returning unit_code

-- name: clock_unit
update incident_units set departed_at = %(departed_at)s, arrived_at = %(arrived_at)s
where incident_id = %(incident_id)s and unit_code = %(unit_code)s and released_at is null

-- name: release
update incident_units set released_at = %(now)s
where incident_id = %(incident_id)s and unit_code = any(%(unit_codes)s) and released_at is null

-- name: responsible
-- who answers for the cell: its manager, else its lead; where it has none, those of the nearest cell above
select d.grid_code, d.duty_role, d.grid_code = %(grid_code)s as is_leaf
from cell_chain(%(grid_code)s, now()) c
join duties d on d.grid_code = c.grid_code and in_force(d.valid_from, d.valid_to, now())
             and d.duty_role in ('grid_manager', 'grid_lead')
order by c.grid_level desc, d.duty_role desc limit 1

-- name: handler
select access.handler_named(%(name)s, %(grid_code)s) as handler_id

-- name: store
update incidents set
    step = %(stage)s, handler_id = %(handler_id)s, handled_by = %(handled_by)s, accepted_at = %(accepted_at)s,
    dispatched_at = %(dispatched_at)s, departed_at = %(departed_at)s, arrived_at = %(arrived_at)s,
    handled_at = %(handled_at)s, feedback_at = %(feedback_at)s, verified_at = %(verified_at)s, closed_at = %(closed_at)s,
    return_count = %(return_count)s, is_final = %(is_final)s, suspended_at = %(suspended_at)s,
    suspended_s = %(suspended_s)s, outcome = %(outcome)s, evaluation = %(evaluation)s, step_count = %(number)s, stepped_at = %(now)s,
    assigned_cell = %(assigned_cell)s, assigned_role = %(assigned_role)s, assigned_rule = %(assigned_rule)s,
    geom = ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)
where incident_id = %(incident_id)s

-- name: note
insert into incident_steps (incident_id, number, action, stage_before, stage_after, actor_id, actor_name, done_at, lon, lat, note, details)
values (%(incident_id)s, %(number)s, %(action)s, %(stage_before)s, %(stage)s, access.me(), access.my_name(), %(now)s,
        %(lon)s, %(lat)s, %(note)s, %(details)s)

-- name: all
select number, action, stage_before, stage_after, actor_name, done_at, lon, lat, note, details
from incident_steps where incident_id = %(incident_id)s order by number

-- name: loop
select s.stage, s.name_zh, s.name_en from loop_stages s
join incidents i on i.loop_code = s.loop_code
where i.incident_id = %(incident_id)s order by s.ordinal
