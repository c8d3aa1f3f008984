-- name: record
insert into joint_meetings (grid_code, title, held_at, units, actor_id, actor_name, sent_key, request_digest)
values (%(grid_code)s, %(title)s, %(held_at)s, %(units)s, access.me(), access.my_name(), %(sent_key)s, %(digest)s)
on conflict (actor_id, sent_key) do nothing
returning meeting_id

-- name: resolve
insert into meeting_resolutions (meeting_id, number, responsible_unit, incident_id)
values (%(meeting_id)s, %(number)s, %(unit)s, %(incident_id)s)

-- name: sent
select meeting_id, request_digest from joint_meetings where actor_id = (select access.me()) and sent_key = %(sent_key)s

-- name: meetings
select m.meeting_id, m.title, m.held_at, m.grid_code, m.units, m.actor_name, m.recorded_at, r.resolutions
from joint_meetings m
cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_object(
        'number', r.number, 'responsible_unit', r.responsible_unit, 'incident_id', r.incident_id, 'category', i.category,
        'step', i.step, 'text', i.description, 'due_at', i.due_at, 'is_open', i.closed_at is null) order by r.number), '[]') as resolutions
    from meeting_resolutions r join incident_cards i using (incident_id)
    where r.meeting_id = m.meeting_id
) r

-- name: of_meeting
where m.meeting_id = %(meeting_id)s

-- name: newest
where %(before_at)s::timestamptz is null or (m.held_at, m.meeting_id) < (%(before_at)s, %(before_id)s)
order by m.held_at desc, m.meeting_id desc
limit %(limit)s
