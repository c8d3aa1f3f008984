-- name: mine
-- Given to somebody is a matter by the last step that says who has it; whoever took a step after that has seen it.
with duty as materialized (
    select d.duty_id from my_duties() d
),
mine as materialized (
    select i.incident_id, 'handler' as is_mine_by from incidents i
    where i.handler_id = (select access.me()) and i.closed_at is null
    union all
    select i.incident_id, 'duty' from incidents i
    where i.assigned_duty in (select d.duty_id from duty d) and i.closed_at is null
      and i.handler_id is distinct from (select access.me())
)
select * from (
    select i.incident_id, i.category, i.step, i.grid_code, i.grid_name, i.received_at, i.due_at, i.due_for, m.is_mine_by,
           case when i.is_overdue then 'overdue'
                when i.is_warned or i.warn_at is null and i.due_at < now() + make_interval(secs => %(soon_h)s * 3600) then 'due_soon'
                else 'open' end as state,
           coalesce(g.actor_id is distinct from (select access.me())
                    and not exists (select from incident_steps s
                                    where s.incident_id = i.incident_id and s.number > g.number and s.actor_id = (select access.me())),
                    false) and g.number is not null as to_acknowledge
    from mine m
    join incident_cards i on i.incident_id = m.incident_id
    left join lateral (
        select s.number, s.actor_id from incident_steps s
        where s.incident_id = i.incident_id
          and s.action in ('assign', 'hand_over', 'decide', 'escalate', 'send_down', 'reject', 'reopen', 'move', 'unmerge')
        order by s.number desc limit 1
    ) g on true
) told
order by array_position(array['overdue', 'due_soon', 'open'], state), due_at nulls last, received_at, incident_id

-- name: shift_notes
select count(*) as open from shift_notes where acknowledged_at is null and written_id <> (select access.me())
