-- name: matter
select i.incident_id, i.step as stage, i.handler_id, i.handled_by, i.accepted_at, i.dispatched_at, i.departed_at, i.arrived_at,
       i.handled_at, i.feedback_at, i.verified_at, i.closed_at, i.return_count, i.is_final, i.suspended_at, i.suspended_s,
       i.outcome, i.evaluation, i.step_count, i.grid_code, i.zone_code, ST_X(i.geom) as lon, ST_Y(i.geom) as lat,
       i.assigned_cell, i.assigned_role, i.assigned_duty, i.assigned_rule, i.held_level, i.merged_into,
       coalesce(chain.levels, '{}') as levels, case when i.assigned_rule = 'city' then 0 else chain.holder_level end as holder_level,
       l.return_within, l.most_returns,
       array(select s.stage from loop_stages s where s.loop_code = i.loop_code order by s.ordinal) as stages,
       greatest(clock_timestamp(), i.received_at, last.done_at) as now, given.given_at,
       case when given.number is not null then (
           select min(a.done_at) from incident_steps a
           where a.incident_id = i.incident_id and a.number > given.number and a.action = 'acknowledge') end as receipt_at,
       case when i.return_count > 0 then (
           select (select c.grid_level from cell_chain(i.grid_code, now()) c
                   where c.grid_code = b.details #>> '{had,assigned_cell}')
           from incident_steps b where b.incident_id = i.incident_id and b.action = 'return'
           order by b.number desc limit 1) end as returned_by,
       access.may(%(right)s) as may, i.step <> 'handled' or access.may('incidents.verify') as may_close
from incidents i
join loops l on l.loop_code = i.loop_code
cross join lateral (select array_agg(c.grid_level order by c.grid_level desc) filter (where g.settles) as levels,
                           max(c.grid_level) filter (where c.grid_code = i.assigned_cell) as holder_level
                    from cell_chain(i.grid_code, now()) c left join grid_levels g on g.grid_level = c.grid_level) chain
left join lateral (select s.done_at from incident_steps s where s.incident_id = i.incident_id
                   order by s.number desc limit 1) last on true
left join lateral (select g.number, g.done_at as given_at from incident_steps g
                   where g.incident_id = i.incident_id and i.step = 'assigned' and (g.details ? 'has' or g.action = 'assign')
                   order by g.number desc limit 1) given on true
where i.incident_id = %(incident_id)s

-- name: units
select unit_code, departed_at, arrived_at, checked_in_at from incident_units
where incident_id = %(incident_id)s and released_at is null order by assigned_at, unit_code

-- name: send
insert into incident_units (incident_id, unit_code, assigned_at)
select %(incident_id)s, u.unit_code, %(now)s from patrol_units u where u.unit_code = any(%(unit_codes)s)
returning unit_code

-- name: clock_unit
update incident_units set departed_at = %(departed_at)s, arrived_at = %(arrived_at)s, checked_in_at = %(checked_in_at)s
where incident_id = %(incident_id)s and unit_code = %(unit_code)s and released_at is null

-- name: release
update incident_units set released_at = %(now)s
where incident_id = %(incident_id)s and unit_code = any(%(unit_codes)s) and released_at is null

-- name: owners
select access.owning_cell(place.geom, now()) as grid_code, access.owning_zone(place.geom, now()) as zone_code
from (select ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490) as geom) place

-- name: unit_of_zone
-- a unit of the patrol zone that is on patrol, for what the police answer: the one heard of last
select unit_code from access.free_unit_of_zone(%(zone_code)s, %(incident_id)s) unit_code where unit_code is not null

-- name: nearest_on_patrol
-- the nearest unit that is on patrol, for what the police answer
select u.unit_code, ST_Distance(u.geom::geography, i.geom::geography) as distance_m
from incidents i
join incident_categories c on c.category_code = i.category and c.answered_by = 'police'
join patrol_units u on u.unit_status = 'on_patrol'
where i.incident_id = %(incident_id)s
order by distance_m, u.unit_code limit 1

-- name: responsible
select * from responsible_for(%(grid_code)s, %(level)s)

-- name: is_above
select access.is_above(%(grid_code)s, %(level)s) as is_above

-- name: other
select closed_at, merged_into from incidents where incident_id = %(incident_id)s

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
    assigned_duty = %(assigned_duty)s, held_level = %(held_level)s, merged_into = %(merged_into)s,
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

-- name: rise
select access.rise(%(incident_id)s) as again_s

-- name: tidy
select access.tidy_incidents(make_interval(days => %(texts_days)s))
