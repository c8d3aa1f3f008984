-- name: may_register
select p.platform_code, p.gb28181_id, p.source_crs, p.asked_at, l.heard_at is not null as was_there
from camera_platforms p
left join platform_links l using (platform_code)
where p.is_enabled
order by p.platform_code
limit %(most)s

-- name: begin
-- whoever is at the door now knows of nobody yet
with gone as (
    update platform_links set is_online = false, subscribed_until = null
)
insert into platform_door (gb28181_id, port, opened_at, seen_at, connections)
values (%(gb28181_id)s, %(port)s, now(), now(), 0)
on conflict (is_only) do update
set gb28181_id = excluded.gb28181_id, port = excluded.port, opened_at = excluded.opened_at, seen_at = excluded.seen_at

-- name: seen
update platform_door set seen_at = now(), connections = %(connections)s

-- name: left
delete from platform_door

-- name: note
insert into platform_links (platform_code, is_online, transport, registered_at, heard_at, subscribed_until, queried_at, announced,
                            received, whole_at, imported, refused, trouble, note)
select %(platform_code)s, %(is_online)s, %(transport)s, %(registered_at)s, %(heard_at)s, %(subscribed_until)s, %(queried_at)s,
       %(announced)s, %(received)s, %(whole_at)s, %(imported)s, %(refused)s, %(trouble)s, %(note)s
where exists (select from camera_platforms p where p.platform_code = %(platform_code)s)
on conflict (platform_code) do update
set is_online = excluded.is_online, transport = coalesce(excluded.transport, platform_links.transport),
    registered_at = coalesce(excluded.registered_at, platform_links.registered_at),
    heard_at = coalesce(excluded.heard_at, platform_links.heard_at), subscribed_until = excluded.subscribed_until,
    queried_at = coalesce(excluded.queried_at, platform_links.queried_at),
    announced = case when excluded.received is null then platform_links.announced else excluded.announced end,
    received = coalesce(excluded.received, platform_links.received),
    whole_at = coalesce(excluded.whole_at, platform_links.whole_at),
    imported = coalesce(excluded.imported, platform_links.imported),
    refused = coalesce(excluded.refused, platform_links.refused),
    trouble = excluded.trouble, note = coalesce(nullif(excluded.note, ''), platform_links.note)

-- name: refused
insert into platform_refusals (gb28181_id, why, address, refused)
select u.gb28181_id, u.why, u.address, u.refused
from unnest(%(ids)s::text[], %(whys)s::text[], %(addresses)s::text[], %(counts)s::bigint[]) u (gb28181_id, why, address, refused)
on conflict (gb28181_id, why) do update
set refused = platform_refusals.refused + excluded.refused, address = excluded.address, last_at = now()

-- name: bound
-- the newest stay; those of no name are one row for each reason
delete from platform_refusals r
where (r.gb28181_id, r.why) in (select o.gb28181_id, o.why from platform_refusals o
                                where o.gb28181_id <> '' order by o.last_at desc offset %(most)s)

-- name: meant
-- cameras of a platform that ids mean: themselves, and those with one of the devices among their parents
select g.number, c.gb28181_id
from unnest(%(ids)s::text[]) with ordinality g (gb28181_id, number)
join cameras c using (gb28181_id)
where c.platform_code = %(code)s
union
select g.number, c.gb28181_id
from cameras c
cross join lateral unnest(string_to_array(c.parent_id, '/')) p (parent_id)
join unnest(%(devices)s::text[], %(numbers)s::bigint[]) g (gb28181_id, number) on g.gb28181_id = btrim(p.parent_id)
where c.platform_code = %(code)s and cardinality(%(devices)s::text[]) > 0
order by 1

-- name: all_of
select gb28181_id from cameras where platform_code = %(code)s order by camera_id

-- name: now
-- for metrics: who sees it may see the map
select p.platform_code, l.is_online and exists (select from platform_door d where d.seen_at > statement_timestamp() - interval '1 minute') as is_online,
       extract(epoch from statement_timestamp() - l.heard_at)::float8 as heard_s, l.announced, l.received, l.trouble
from camera_platforms p
join platform_links l using (platform_code)
where p.is_enabled
order by p.platform_code

-- name: door
select gb28181_id, port, opened_at, connections, extract(epoch from statement_timestamp() - seen_at)::float8 as seen_s from platform_door

-- name: refusals
select why, sum(refused)::bigint as refused from platform_refusals group by why order by why

-- name: refusals_by_name
select gb28181_id, why, address, refused, last_at from platform_refusals order by last_at desc limit %(most)s

-- name: take_movements
-- what waited for long, such as while nobody was at the door, is not done any more
with taken as (
    delete from camera_movements returning *
)
select t.movement_id, p.gb28181_id as platform_id, c.gb28181_id, t.pan, t.tilt, t.zoom, t.speed, t.lasts_s
from taken t
join cameras c using (camera_id)
join camera_platforms p using (platform_code)
where p.is_enabled and t.asked_at > statement_timestamp() - interval '5 seconds'
order by t.movement_id

-- name: calls
-- what servers want; one that nobody has asked about for long is wanted no more
with over as (
    delete from platform_calls where wanted_at <= statement_timestamp() - interval '20 seconds'
)
select t.platform_call_id as number, t.state, p.gb28181_id as platform_id, c.gb28181_id, t.media_host, t.media_port, t.transport, t.ssrc
from platform_calls t
join cameras c using (camera_id)
join camera_platforms p using (platform_code)
where p.is_enabled and t.wanted_at > statement_timestamp() - interval '20 seconds'

-- name: answer_call
update platform_calls set state = %(state)s, why = %(why)s, sip_status = %(sip_status)s, sent_from = %(sent_from)s
where platform_call_id = %(number)s

-- name: call_began
insert into platform_dialogs (call_id, platform_id, transport, host, port, tag, target, remote, number)
values (%(call_id)s, %(platform_id)s, %(transport)s, %(host)s, %(port)s, %(tag)s, %(target)s, %(remote)s, %(number)s)
on conflict (call_id) do nothing

-- name: call_over
delete from platform_dialogs where call_id = %(call_id)s

-- name: in_motion
insert into cameras_in_motion (platform_id, gb28181_id, movement_id, transport, host, port)
values (%(platform_id)s, %(gb28181_id)s, %(movement_id)s, %(transport)s, %(host)s, %(port)s)
on conflict (platform_id, gb28181_id) do update
set movement_id = excluded.movement_id, transport = excluded.transport, host = excluded.host, port = excluded.port,
    begun_at = excluded.begun_at

-- name: stopped
-- unless it was told something newer meanwhile
delete from cameras_in_motion where movement_id = %(movement_id)s

-- name: left_dialogs
select call_id, platform_id, transport, host, port, tag, target, remote, number from platform_dialogs order by begun_at desc

-- name: left_in_motion
select platform_id, gb28181_id, movement_id, transport, host, port from cameras_in_motion order by begun_at desc
