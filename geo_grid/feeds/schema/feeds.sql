-- Live pictures: opening a camera, its end, who may see it and who saw it.

-- whether the principal may see this camera now: asked with every segment of its picture
create or replace function access.camera_seen(wanted bigint) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return access.may('cameras.open') and exists (
        select from cameras c
        where c.camera_id = wanted
          and (access.city_wide('map') or c.grid_code in (select access.my_cells('map')))
          and (not c.is_secret or access.may('cameras.secret')));
end $$;
grant execute on function access.camera_seen to geo_grid_app;

-- the camera of this ID that the principal may open now; null: there is none
create or replace function access.camera_to_open(wanted text) returns bigint
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return (select c.camera_id from cameras c
            where c.gb28181_id = wanted and access.camera_seen(c.camera_id)
            order by c.platform_code is null, c.camera_id limit 1);  -- of two with one number, that of a platform
end $$;
grant execute on function access.camera_to_open to geo_grid_app;

-- the code of the platform that can be called for the picture of a camera now; null: none
create or replace function access.platform_to_call(wanted bigint) returns text
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return (
    select p.platform_code from cameras c
    join camera_platforms p using (platform_code)
    join platform_links l using (platform_code)
    where c.camera_id = wanted and p.is_enabled and l.is_online
      and exists (select from platform_door d where d.seen_at > statement_timestamp() - interval '1 minute'));

-- Why the principal cannot steer this camera now: right (it is theirs to see, but not to steer), kind (it does not move, by its
-- PTZType), platform (none is there that would have it move); null: they can. `kinds`: values of PTZType that move.
create or replace function access.not_steered(wanted bigint, kinds integer[]) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    camera cameras;
begin
    if not access.may('cameras.steer') or not access.camera_seen(wanted) then
        return 'right';
    end if;
    select * into camera from cameras c where c.camera_id = wanted;
    if camera.ptz_type is null or camera.ptz_type <> all(kinds) then
        return 'kind';
    end if;
    if access.platform_to_call(wanted) is null then
        return 'platform';
    end if;
    return null;
end $$;
grant execute on function access.not_steered to geo_grid_app;

-- Has a camera move, whose picture the principal opened (audit_id `opening`); returns why not, as not_steered does, or null.
-- Each camera is recorded at once and then once a minute, with how often. What nobody took out is not kept.
create or replace function access.steer_camera(
    opening bigint, wanted bigint, kinds integer[], pan integer, tilt integer, zoom integer, speed double precision,
    lasts_s double precision) returns text
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    gb28181_id text := (select c.gb28181_id from cameras c where c.camera_id = wanted);
    why text;
begin
    perform access.require('cameras.steer');
    why := access.not_steered(wanted, kinds);
    perform access.record_often('camera.steer', 'camera', coalesce(gb28181_id, ''), case when why is null then 'done' else 'refused' end,
                                jsonb_strip_nulls(jsonb_build_object('opening', opening, 'why', why)), coalesce(gb28181_id, ''),
                                concat_ws(' ', gb28181_id, why));
    if why is not null then
        return why;
    end if;
    delete from camera_movements m where m.asked_at < statement_timestamp() - interval '10 seconds';
    insert into camera_movements (camera_id, pan, tilt, zoom, speed, lasts_s) values (wanted, pan, tilt, zoom, speed, lasts_s);
    return null;
end $$;
grant execute on function access.steer_camera to geo_grid_app;

-- Opens a camera; if for an incident, it must be open and visible to the principal. No row: the principal sees no such
-- camera, which is recorded where there is one.
create or replace function access.open_camera(wanted text, reason text, incident bigint)
returns table (audit_id bigint, camera_id bigint)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    seen bigint := access.camera_to_open(wanted);
begin
    perform access.require('cameras.open');
    if seen is null then
        if exists (select from cameras c where c.gb28181_id = wanted) then
            perform access.refuse_picture(null, wanted, 'hidden');
        end if;
        return;
    end if;
    if incident is not null and not exists (
        select from incidents i
        where i.incident_id = incident and i.closed_at is null
          and (access.city_wide('incidents.read') or i.grid_code in (select access.my_cells('incidents.read')))
    ) then
        raise exception 'there is no open incident %', incident using errcode = 'no_data_found';
    end if;
    return query select access.record('camera.open', 'camera', wanted, 'done',
                                      jsonb_build_object('reason', reason, 'incident_id', incident)), seen;
end $$;
grant execute on function access.open_camera to geo_grid_app;

-- Records that somebody was refused a picture, each reason at once and then once a minute.
create or replace function access.refuse_picture(opening bigint, wanted text, why text) returns void
language sql security definer set search_path = pg_catalog, public, pg_temp
return access.record_often('camera.refused', 'camera', wanted, 'refused',
                           jsonb_build_object('opening', opening, 'why', why), wanted, why);
grant execute on function access.refuse_picture to geo_grid_app;

-- where the picture of a camera is, and which platform could be called for it: told to the server alone
create or replace function access.stream_of(
    wanted bigint, out host_name text, out host text, out port integer, out path text, out platform_code text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    select h.name, h.host, h.port, s.path into host_name, host, port, path
    from camera_streams s join stream_hosts h using (stream_host_id)
    where s.camera_id = wanted;
    platform_code := (select access.platform_to_call(c.camera_id) from cameras c
                      where c.camera_id = wanted and c.gb28181_id ~ '^[0-9]{20}$');
end $$;
grant execute on function access.stream_of to geo_grid_service;

-- Has a platform called for the picture of a camera, which it is to send to where the server receives; returns the number of the
-- call. It is hung up when the server has not asked for its state for 20 seconds, or forgets it.
create or replace function access.call_platform(
    wanted bigint, media_host text, media_port integer, transport text, ssrc text) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    number bigint;
begin
    perform access.require_service();
    insert into platform_calls (camera_id, media_host, media_port, transport, ssrc)
    values (wanted, media_host, media_port, transport, ssrc) returning platform_call_id into number;
    return number;
end $$;
grant execute on function access.call_platform to geo_grid_service;

-- How a call stands, which is wanted still; over and taken_away: the platform was disabled, or has the camera no more; no row: it is
-- there no more.
create or replace function access.call_state(number bigint)
returns table (state text, why text, sip_status integer, sent_from text[])
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    return query
    update platform_calls c set wanted_at = statement_timestamp()
    from (select exists (select from cameras m join camera_platforms p using (platform_code)
                         where m.camera_id = k.camera_id and p.is_enabled) as may_send
          from platform_calls k where k.platform_call_id = number) o
    where c.platform_call_id = number
    returning case when o.may_send then c.state else 'over' end, case when o.may_send then c.why else 'taken_away' end,
              c.sip_status, c.sent_from;
end $$;
grant execute on function access.call_state to geo_grid_service;

create or replace function access.hang_up(number bigint) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from platform_calls c where c.platform_call_id = number;
end $$;
grant execute on function access.hang_up to geo_grid_service;

-- Records how a picture ended, in the name of whoever saw it, whose credential may be worth nothing any more.
create or replace function access.end_picture(
    opening bigint, named text, wanted text, incident bigint, seconds double precision, ending text, why text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from shown_pictures s where s.opening = end_picture.opening and s.is_recorded;
    if found then
        return;
    end if;
    delete from shown_pictures s where s.opening = end_picture.opening;
    perform access.record('camera.close', 'camera', wanted, case ending when 'broken' then 'failed' else 'done' end,
                          jsonb_strip_nulls(jsonb_build_object('opening', opening, 'incident_id', incident, 'seconds', seconds,
                                                               'ending', ending, 'why', why)), named);
end $$;
grant execute on function access.end_picture to geo_grid_service;

-- Notes that a server shows a picture, and for how long there was one; said again every 20 seconds.
create or replace function access.note_picture(
    opening bigint, named text, wanted text, incident bigint, seconds double precision) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    insert into shown_pictures as s (opening, named, gb28181_id, incident_id, seconds)
    values (note_picture.opening, note_picture.named, wanted, incident, note_picture.seconds)
    on conflict on constraint shown_pictures_pkey do update set seconds = excluded.seconds, seen_at = excluded.seen_at;
end $$;
grant execute on function access.note_picture to geo_grid_service;

-- Records the end of pictures whose server has said nothing of them for a minute: it was killed, or cannot reach the database.
create or replace function access.end_lost_pictures() returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    lost shown_pictures;
begin
    perform access.require_service();
    for lost in
        update shown_pictures s set is_recorded = true
        where not s.is_recorded and s.seen_at < statement_timestamp() - interval '1 minute'
        returning s.*
    loop
        perform access.record('camera.close', 'camera', lost.gb28181_id, 'failed',
                              jsonb_strip_nulls(jsonb_build_object('opening', lost.opening, 'incident_id', lost.incident_id,
                                                                   'seconds', lost.seconds, 'ending', 'server', 'why', 'lost')),
                              lost.named);
    end loop;
    delete from shown_pictures s where s.is_recorded and s.seen_at < statement_timestamp() - interval '1 hour';
end $$;
grant execute on function access.end_lost_pictures to geo_grid_service;

-- Who may open a camera now: the same rule as camera_seen, asked for everybody.
create or replace function access.camera_viewers(wanted text)
returns table (login_name text, display_name text, principal_kind text, role text, city_wide boolean, sees_secret boolean)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.note_look('viewers', wanted);
    if not exists (select from cameras c where c.gb28181_id = wanted) then
        raise exception 'there is no camera %', wanted using errcode = 'no_data_found';
    end if;
    return query
    with may as (
        select r.role from access.role_rights r where r."right" in ('map', 'cameras.open')
        group by r.role having count(*) = 2
    )
    select p.login_name, p.display_name, p.principal_kind, p.role, p.city_wide, p.sees_secret
    from access.principals p
    join may using (role)
    where p.disabled_at is null
      and p.principal_kind in ('user', 'machine')
      and (p.principal_kind = 'user' or exists (
          select from access.credentials k
          where k.principal_id = p.principal_id and k.revoked_at is null and k.expires_at > now()
            and (k.only_rights is null or k.only_rights @> array['map', 'cameras.open'])))
      and exists (
          select from cameras c
          where c.gb28181_id = wanted
            and (p.city_wide or exists (
                select from access.principal_cells b join access.cell_scope s on s.ancestor_code = b.grid_code
                where b.principal_id = p.principal_id and s.grid_code = c.grid_code))
            and (not c.is_secret or (p.sees_secret and exists (
                select from access.role_rights r where r.role = p.role and r."right" = 'cameras.secret'))))
    order by p.login_name;
end $$;
grant execute on function access.camera_viewers to geo_grid_app;

-- Who opened a camera, newest first; also one that is not there any more, and under the local ID that it had.
create or replace function access.camera_openings(wanted text, before bigint, at_most integer)
returns table (audit_id bigint, opened_at timestamptz, login_name text, role text, reason text, incident_id bigint,
               ended_at timestamptz, seconds double precision, ending text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.note_look('openings', wanted);
    return query
    select o.audit_id, o.occurred_at, o.actor_name, o.actor_role, o.detail->>'reason', (o.detail->>'incident_id')::bigint,
           e.occurred_at, (e.detail->>'seconds')::double precision, e.detail->>'ending'
    from access.audit_log o
    left join access.audit_log e on e.action = 'camera.close' and (e.detail->>'opening')::bigint = o.audit_id
    where o.object_type = 'camera' and o.object_id = any(array(
              select wanted union all select f.former_id from camera_former_ids f where f.gb28181_id = wanted)) and o.action = 'camera.open' and o.result = 'done'
      and (before is null or o.audit_id < before)
    order by o.audit_id desc
    limit at_most;
end $$;
grant execute on function access.camera_openings to geo_grid_app;

-- Openings that are worth a look, newest first: without an incident; outside usual hours (local time, past midnight too); or
-- the actor opened more than so many cameras within the hour before.
create or replace function access.unusual_openings(
    since timestamptz, zone text, usual_from time, usual_until time, many integer, before bigint, at_most integer)
returns table (audit_id bigint, opened_at timestamptz, login_name text, role text, gb28181_id text, reason text,
               incident_id bigint, unusual text[])
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.note_look('unusual', '');
    return query
    select o.audit_id, o.occurred_at, o.actor_name, o.actor_role, o.object_id, o.detail->>'reason',
           (o.detail->>'incident_id')::bigint, f.found
    from access.audit_log o
    cross join lateral (select (o.occurred_at at time zone zone)::time as at) l
    cross join lateral (
        select count(distinct b.object_id) as cameras
        from access.audit_log b
        where b.action = 'camera.open' and b.result = 'done' and b.actor_name = o.actor_name
          and b.occurred_at > o.occurred_at - interval '1 hour' and b.occurred_at <= o.occurred_at
    ) w
    cross join lateral (select array_remove(array[
        case when o.detail->>'incident_id' is null then 'no_incident' end,
        case when not case when usual_from <= usual_until then l.at >= usual_from and l.at < usual_until
                           else l.at >= usual_from or l.at < usual_until end then 'out_of_hours' end,
        case when w.cameras > many then 'many_cameras' end], null) as found) f
    where o.action = 'camera.open' and o.result = 'done' and o.occurred_at >= since
      and (before is null or o.audit_id < before) and cardinality(f.found) > 0
    order by o.audit_id desc
    limit at_most;
end $$;
grant execute on function access.unusual_openings to geo_grid_app;

create or replace function access.audit_stream_host() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    host stream_hosts := coalesce(new, old);
begin
    perform access.record('stream.host_' || case tg_op when 'DELETE' then 'removed' else 'registered' end, 'stream_host', host.name,
                          'done', jsonb_build_object('host', host.host, 'port', host.port));
    return null;
end $$;

-- addresses are counted by host: their paths may hold tokens
create or replace function access.audit_streams() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    told record;
begin
    for told in
        select h.name, count(*) as cameras from changed s join stream_hosts h using (stream_host_id) group by h.name order by h.name
    loop
        perform access.record('stream.addresses', 'stream_host', told.name, 'done',
                              jsonb_build_object('cameras', told.cameras, 'withdrawn', tg_op = 'DELETE'));
    end loop;
    return null;
end $$;

create trigger stream_hosts_audited after insert or update or delete on stream_hosts
    for each row execute function access.audit_stream_host();
create trigger camera_streams_audited_insert after insert on camera_streams
    referencing new table as changed for each statement execute function access.audit_streams();
create trigger camera_streams_audited_delete after delete on camera_streams
    referencing old table as changed for each statement execute function access.audit_streams();
