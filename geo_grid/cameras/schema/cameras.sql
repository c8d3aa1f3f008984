-- Cameras: their state and their last position apart from the register, and when what they see is worked out again.

-- Those of these cameras that the principal may report on. Raises: the principal may report on none.
create or replace function access.cameras_to_report_on(ids text[]) returns table (camera_id bigint, gb28181_id text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    whole_city boolean := access.city_wide('cameras.report');
    sees_secret boolean := access.may('cameras.secret');
begin
    if not access.may('cameras.report') then
        raise exception 'you have no right to report on cameras' using errcode = 'insufficient_privilege';
    end if;
    return query
    select c.camera_id, c.gb28181_id from cameras c
    where c.gb28181_id = any(ids) and (whole_city or c.grid_code in (select access.my_cells('cameras.report')))
      and (sees_secret or not c.is_secret);
end $$;

-- Takes a batch of states. Only changes are written; that a camera was heard of again is noted once a minute. Returns the
-- outcome of each report, by its number from 1: changed, same, late (older than what is known) or unknown (there is no such
-- camera, or it is not for the principal to report on). No edit of a camera: neither audit nor feed of changes hear of it.
create or replace function access.report_camera_states(reports json)
returns table (number bigint, outcome text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    camera_ids bigint[];
    names text[];
begin
    select array_agg(c.camera_id), array_agg(c.gb28181_id) into camera_ids, names
    from access.cameras_to_report_on(array(select r.value->>'gb28181_id' from json_array_elements(reports) r)) c;
    -- in the order of their keys, so that batches about the same cameras wait for each other without a deadlock
    perform from camera_states s where s.camera_id = any(camera_ids) order by s.camera_id for no key update;
    return query
    with given as (
        select g.number, g.gb28181_id, g.state, coalesce(g.since, now()) as moment
        from rows from (json_to_recordset(reports) as (gb28181_id text, state text, since timestamptz)) with ordinality
             as g (gb28181_id, state, since, number)
    ),
    known as (
        select g.*, c.camera_id, s.state as stored, s.since, s.reported_at
        from given g
        join unnest(camera_ids, names) as c (camera_id, gb28181_id) using (gb28181_id)
        left join camera_states s using (camera_id)
        where exists (select from cameras still where still.camera_id = c.camera_id)  -- others may have deleted some meanwhile
    ),
    timely as (
        select k.*, lag(k.state, 1, k.stored) over (partition by k.camera_id order by k.moment, k.number) as before
        from known k where k.since is null or k.moment >= k.since
    ),
    changes as (
        select distinct on (t.camera_id, t.moment) t.* from timely t
        where t.state is distinct from t.before order by t.camera_id, t.moment, t.number desc
    ),
    logged as (
        insert into camera_state_log as l (camera_id, since, state)
        select n.camera_id, n.moment, n.state from changes n
        on conflict (camera_id, since) do update set state = excluded.state
    ),
    written as (
        insert into camera_states as s (camera_id, state, since, reported_at)
        select distinct on (n.camera_id) n.camera_id, n.state, n.moment, n.moment from changes n
        order by n.camera_id, n.moment desc
        on conflict (camera_id) do update
        set state = excluded.state, since = excluded.since, reported_at = excluded.reported_at
    ),
    heard as (
        update camera_states s set reported_at = n.moment
        from (select t.camera_id, max(t.moment) as moment from timely t
              where t.camera_id not in (select n.camera_id from changes n) group by t.camera_id) n
        where s.camera_id = n.camera_id and n.moment >= s.reported_at + interval '1 minute'
    )
    select g.number,
           case when k.number is null then 'unknown'
                when bool_and(t.number is null) then 'late'
                when bool_or(t.state is distinct from t.before) then 'changed'
                else 'same' end
    from given g
    left join known k on k.number = g.number
    left join timely t on t.number = k.number and t.camera_id = k.camera_id
    group by g.number, k.number
    order by g.number;
end $$;
grant execute on function access.report_camera_states(json) to geo_grid_app;

-- Deletes what is older than `kept`, but for the state that each camera was in at that moment.
create or replace function access.tidy_camera_states(kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from camera_state_log l
    where l.since < now() - kept
      and exists (select from camera_state_log n
                  where n.camera_id = l.camera_id and n.since > l.since and n.since <= now() - kept);
end $$;
grant execute on function access.tidy_camera_states to geo_grid_service;

-- Takes a batch of positions: the newest of each camera is kept, unless a newer one is known. Returns the outcome of each, by its
-- number from 1: accepted, late (not newer than what is known or comes with it, or older than is kept) or unknown, as of states.
-- No edit of a camera.
create or replace function access.report_camera_positions(reports json)
returns table (number bigint, outcome text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    ids text[] := array(select r.value->>'gb28181_id' from json_array_elements(reports) r);
begin
    perform from camera_positions p
    where p.camera_id in (select c.camera_id from cameras c where c.gb28181_id = any(ids))
    order by p.camera_id for no key update;
    return query
    with given as (
        select g.*, c.camera_id
        from rows from (json_to_recordset(reports) as (
                 gb28181_id text, positioned_at timestamptz, lon float8, lat float8, speed_kmh float8, heading_deg float8))
             with ordinality as g (gb28181_id, moment, lon, lat, speed_kmh, heading_deg, number)
        left join access.cameras_to_report_on(ids) c using (gb28181_id)
    ),
    newest as (
        select distinct on (g.camera_id) g.* from given g
        where g.camera_id is not null and g.moment > now() - interval '1 day'
        order by g.camera_id, g.moment desc, g.number desc
    ),
    written as (
        insert into camera_positions as p (camera_id, geom, positioned_at, speed_kmh, heading_deg)
        select n.camera_id, ST_SetSRID(ST_MakePoint(n.lon, n.lat), 4490), n.moment, n.speed_kmh, n.heading_deg from newest n
        order by n.camera_id
        on conflict (camera_id) do update
        set geom = excluded.geom, positioned_at = excluded.positioned_at, received_at = excluded.received_at,
            speed_kmh = excluded.speed_kmh, heading_deg = excluded.heading_deg
        where p.positioned_at < excluded.positioned_at
        returning p.camera_id
    )
    select g.number, case when g.camera_id is null then 'unknown' when t.number is null then 'late' else 'accepted' end
    from given g
    left join (select n.number from newest n join written w using (camera_id)) t on t.number = g.number
    order by g.number;
end $$;
grant execute on function access.report_camera_positions(json) to geo_grid_app;

-- Whether a position says where a camera is, and not only where it was.
create or replace function is_position_now(positioned_at timestamptz) returns boolean
language sql stable parallel safe return positioned_at > statement_timestamp() - interval '5 minutes';
grant execute on function is_position_now to geo_grid_app;

-- Deletes positions that are older than `kept`.
create or replace function access.tidy_camera_positions(kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from camera_positions p where p.positioned_at < now() - kept;
end $$;
grant execute on function access.tidy_camera_positions to geo_grid_service;

-- What cameras see depends on their place, their optics, and the buildings.
create constraint trigger cameras_seen_from_insert after insert on cameras
    deferrable initially deferred for each row execute function ask_once('camera_views');
create constraint trigger cameras_seen_from_update
    after update of geom, ptz_type, direction_type, azimuth_deg, fov_deg, range_m, is_secret on cameras
    deferrable initially deferred for each row execute function ask_once('camera_views');
create constraint trigger osm_extract_seen after insert or update or delete on osm_extract
    deferrable initially deferred for each row execute function ask_once('camera_views');

-- The server, which works views out, does not see secret cameras: they have none.
create or replace function access.forget_view() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    delete from camera_views v where v.camera_id = new.camera_id;
    return null;
end $$;
create trigger cameras_view_forgotten after update of is_secret on cameras
    for each row when (new.is_secret and not old.is_secret) execute function access.forget_view();

-- Coverage is worked out some seconds after the last view, and after boundaries change.
create or replace function access.ask_for_coverage() returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    perform ask_for('camera_coverage', '', now() + interval '5 seconds');
end $$;
grant execute on function access.ask_for_coverage to geo_grid_service;
create constraint trigger editions_covered after insert on editions
    deferrable initially deferred for each row execute function ask_once('camera_coverage');

-- A national ID takes the place of a local one: what is on record of the local one is the camera's still.
create or replace function access.keep_former_id() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into camera_former_ids (former_id, gb28181_id) values (old.gb28181_id, new.gb28181_id) on conflict do nothing;
    return null;
end $$;
create trigger cameras_former_id after update of gb28181_id on cameras
    for each row when (old.gb28181_id <> new.gb28181_id) execute function access.keep_former_id();

-- Whoever stores a camera that was removed as a double says that it is none.
create or replace function access.forget_removed_double() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    delete from removed_doubles d using stored s where d.gb28181_id = s.gb28181_id;
    return null;
end $$;
create trigger cameras_no_double after insert on cameras referencing new table as stored
    for each statement execute function access.forget_removed_double();
