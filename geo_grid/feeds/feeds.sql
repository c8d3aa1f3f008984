-- name: to_open
select access.camera_to_open(%(gb28181_id)s) as camera_id

-- name: may_see
select access.camera_seen(%(camera_id)s) as may_see

-- name: open
select * from access.open_camera(%(gb28181_id)s, %(reason)s, %(incident_id)s)

-- name: refuse
select access.refuse_picture(%(opening)s, %(gb28181_id)s, %(why)s)

-- name: stream_of
select * from access.stream_of(%(camera_id)s)

-- name: call
select access.call_platform(%(camera_id)s, %(media_host)s, %(media_port)s, %(transport)s, %(ssrc)s) as number

-- name: call_state
select * from access.call_state(%(number)s)

-- name: hang_up
select access.hang_up(%(number)s)

-- name: end
select access.end_picture(%(opening)s, %(named)s, %(gb28181_id)s, %(incident_id)s, %(seconds)s, %(ending)s, %(why)s)

-- name: note
select access.note_picture(%(opening)s, %(named)s, %(gb28181_id)s, %(incident_id)s, %(seconds)s)

-- name: end_lost
select access.end_lost_pictures()

-- name: hosts
select h.name, h.host, h.port, h.note,
       (select count(*) from camera_streams s where s.stream_host_id = h.stream_host_id) as camera_count
from stream_hosts h
order by h.name

-- name: host
select stream_host_id from stream_hosts where name = %(name)s

-- name: put_host
insert into stream_hosts (name, host, port, note) values (%(name)s, %(host)s, %(port)s, %(note)s)
on conflict (name) do update set host = excluded.host, port = excluded.port, note = excluded.note

-- name: remove_host
delete from stream_hosts where name = %(name)s

-- name: unclear
-- of which there is none, or more than one
select u.gb28181_id from unnest(%(ids)s::text[]) u (gb28181_id)
where (select count(*) from cameras c where c.gb28181_id = u.gb28181_id) <> 1

-- name: withdraw_addresses
delete from camera_streams s
using cameras c
where c.gb28181_id = any(%(ids)s) and s.camera_id = c.camera_id

-- name: put_addresses
insert into camera_streams (camera_id, stream_host_id, path)
select c.camera_id, %(stream_host_id)s, u.path
from unnest(%(ids)s::text[], %(paths)s::text[]) u (gb28181_id, path) join cameras c using (gb28181_id)
where u.path is not null

-- name: count
select count(*) from camera_streams where stream_host_id = %(stream_host_id)s

-- name: viewers
select * from access.camera_viewers(%(gb28181_id)s)

-- name: openings
select * from access.camera_openings(%(gb28181_id)s, %(before)s, %(limit)s)

-- name: unusual
select * from access.unusual_openings(%(since)s, %(zone)s, %(from)s, %(until)s, %(many)s, %(before)s, %(limit)s)

-- name: steers
select access.not_steered(%(camera_id)s, %(kinds)s) is null as steers

-- name: steer
select access.steer_camera(%(opening)s, %(camera_id)s, %(kinds)s, %(pan)s, %(tilt)s, %(zoom)s, %(speed)s, %(lasts_s)s) as why
