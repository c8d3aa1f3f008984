-- One append-only feed of what changed, instead of events and counted versions side by side. A reader remembers the
-- snapshot as of which it read last and asks for what was not visible in it: a transaction that lasts long holds back its
-- own changes only, nobody waits for a counter, and nothing is announced one commit at a time (NOTIFY).

create table changes (
    change_id bigint generated always as identity primary key,
    written_in xid8 not null default pg_current_xact_id(),
    kind text not null check (kind in ('incident', 'incidents', 'edition', 'layer', 'table')),
    subject text collate "C",
    grid_code text collate "C",
    payload jsonb,
    happened_at timestamptz not null default clock_timestamp()
);
comment on column changes.subject is 'key of what changed: an incident, an edition, a table; null: many, look again';
comment on column changes.payload is 'what a screen needs to show it as it is now';
create index changes_written_in on changes (written_in, change_id);
create index changes_happened_at on changes (happened_at);
create index changes_of_tables on changes (subject, change_id) where kind in ('layer', 'table');

create table feed (
    one boolean primary key default true check (one),
    name text not null default left(replace(gen_random_uuid()::text, '-', ''), 16),
    database_id oid,
    purged_to xid8 not null default '0'
);
comment on column feed.name is 'what the numbers of transactions are of: another name, and places of before mean nothing';
comment on column feed.database_id is 'the database that these numbers are of; another one now: it was restored';
comment on column feed.purged_to is 'greatest written_in of what is not kept any more';
insert into feed (database_id) select database_id from event_era;

-- who may hear of what; the payload is given out by the server, which narrows it
alter table changes enable row level security;
create policy changes_seen on changes for select using (
    case kind
        when 'edition' then (select access.may('map'))
        when 'layer' then (select access.may('map'))
        when 'incidents' then (select access.may('incidents.read'))
        when 'incident' then
            (select access.city_wide('incidents.read')) or grid_code in (select access.my_cells('incidents.read'))
        else false
    end);
grant select (change_id, written_in, kind, subject, grid_code, happened_at) on changes to geo_grid_app;

-- 1. What writes changes: by statement for tables, by row for incidents unless there are many.

-- layer: a table that maps draw; table: one that what programs hold in memory is derived from. `ordered`: its changes are
-- written one transaction after the other, so that the newest number tells one state from another for ever.
create function tell_table() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_table_schema not in ('public', 'access') then
        raise exception 'only changes of the city''s own tables are told' using errcode = 'insufficient_privilege';
    end if;
    if tg_argv[1] = 'ordered' then
        perform pg_advisory_xact_lock('changes'::regclass::oid::int, tg_relid::int);
    end if;
    insert into changes (kind, subject) values (tg_argv[0], tg_table_name);
    return null;
end $$;

create or replace function tell_incidents() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC' as $$
begin
    if (select count(*) from (select from changed limit 101) few) > 100 then
        insert into changes (kind) values ('incidents');  -- many at once: look again
    else
        insert into changes (kind, subject, grid_code, payload)
        select 'incident', i.incident_id::text, i.grid_code,
               jsonb_build_object(
                   'incident_id', i.incident_id, 'category', i.category, 'subtype', i.subtype, 'step', i.step,
                   'received_at', i.received_at, 'closed_at', i.closed_at,
                   'lon', round(ST_X(i.geom)::numeric, 8), 'lat', round(ST_Y(i.geom)::numeric, 8),
                   'grid_code', i.grid_code, 'grid_name', c.name, 'zone_code', i.zone_code, 'zone_name', z.name,
                   'edition_id', i.edition_id, 'unassigned', i.unassigned, 'is_demo', i.is_demo)
        from changed i
        left join grid_cells c on c.grid_code = i.grid_code
            and c.edition_id <= i.edition_id and (c.closed_by is null or c.closed_by > i.edition_id)
        left join patrol_zones z on z.zone_code = i.zone_code
            and z.edition_id <= i.edition_id and (z.closed_by is null or z.closed_by > i.edition_id);
    end if;
    return null;
end $$;

create or replace function tell_edition() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into changes (kind, subject) select 'edition', edition_id::text from changed;
    return null;
end $$;

do $$
declare
    before record;
    table_name text;
begin
    for before in
        select t.tgname, t.tgrelid::regclass as on_table from pg_trigger t
        where t.tgfoid in ('announce_change'::regproc, 'tell_layer'::regproc)
    loop
        execute format('drop trigger %I on %s', before.tgname, before.on_table);
    end loop;
    foreach table_name in array array['police_posts', 'patrol_units', 'facilities', 'cameras', 'road_closures',
                                      'response_circles'] loop
        execute format('create trigger %I after insert or update or delete or truncate on %I'
                       ' for each statement execute function tell_table(''layer'')', table_name || '_told', table_name);
    end loop;
    foreach table_name in array array['duties', 'base_features', 'roads'] loop
        execute format('create trigger %I after insert or update or delete or truncate on %I'
                       ' for each statement execute function tell_table(''table'')', table_name || '_told', table_name);
    end loop;
    foreach table_name in array array['principals', 'principal_cells', 'role_rights'] loop
        execute format('create trigger %I after insert or update or delete on access.%I'
                       ' for each statement execute function tell_table(''table'')', table_name || '_told', table_name);
    end loop;
end $$;
-- boundaries: tiles of them outlive a server
create trigger editions_changed after insert or update or delete or truncate on editions
    for each statement execute function tell_table('table', 'ordered');
create trigger grid_levels_changed after insert or update or delete or truncate on grid_levels
    for each statement execute function tell_table('table', 'ordered');
create trigger credentials_told after update of revoked_at, expires_at, only_rights on access.credentials
    for each statement execute function tell_table('table');
create trigger roles_told after update on access.roles
    for each statement execute function tell_table('table');

-- what can be written here: a server that does not know all of it, or misses some, does not start
create view change_sources as
select case t.tgfoid when 'tell_edition'::regproc then 'edition'
                     else split_part(encode(t.tgargs, 'escape'), '\000', 1) end as kind,
       case when t.tgfoid = 'tell_table'::regproc then c.relname::text end as subject
from pg_trigger t
join pg_class c on c.oid = t.tgrelid
where t.tgfoid in ('tell_table'::regproc, 'tell_edition'::regproc)
union
select said.kind, null
from pg_trigger t, unnest(array['incident', 'incidents']) said (kind)
where t.tgfoid = 'tell_incidents'::regproc;

-- 2. What reads them: the server itself, once for all who listen.

create function access.feed_now() returns table (feed text, snapshot text, newest jsonb)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    return query
    select f.name, pg_current_snapshot()::text,
           (select coalesce(jsonb_object_agg(s.subject, n.change_id), '{}')
            from change_sources s,
                 lateral (select max(c.change_id) as change_id from changes c
                          where c.kind in ('layer', 'table') and c.subject = s.subject) n
            where s.subject is not null and n.change_id is not null)
    from feed f;
end $$;

-- What was not visible in one snapshot and is in another, or now: those that had no number yet, and those in progress. Of
-- a table the newest is told, of all others each. Each half is read in the order of one index, up to a bound.
create function access.changes_after(last pg_snapshot, upto pg_snapshot, most integer)
returns table (feed text, snapshot text, is_kept boolean, is_more boolean, told jsonb)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    return query
    with found as materialized (
        (select c.change_id, c.kind, c.subject, c.grid_code, c.payload from changes c
         where c.written_in >= pg_snapshot_xmax(last)
           and (upto is null or pg_visible_in_snapshot(c.written_in, upto))
         order by c.written_in limit most + 1)
        union all
        (select c.change_id, c.kind, c.subject, c.grid_code, c.payload from changes c
         where c.written_in = any(array(select pg_snapshot_xip(last)))
           and (upto is null or pg_visible_in_snapshot(c.written_in, upto))
         order by c.written_in limit most + 1)
    ),
    once as (
        select f.change_id, f.kind, f.subject, f.grid_code, f.payload from found f where f.kind not in ('layer', 'table')
        union all
        select max(f.change_id), f.kind, f.subject, null, null from found f where f.kind in ('layer', 'table')
        group by f.kind, f.subject
    )
    select n.name, pg_current_snapshot()::text, n.purged_to < pg_snapshot_xmin(last),
           (select count(*) from found) > most,
           (select jsonb_agg(jsonb_build_array(o.change_id, o.kind, o.subject, o.grid_code, o.payload)
                             order by o.change_id) from once o)
    from feed n;
end $$;
revoke execute on function tell_table, access.feed_now, access.changes_after from public, geo_grid_app;
grant execute on function access.feed_now, access.changes_after to geo_grid_service;

-- 3. A day of them is kept, and for ever the newest of each table: its number is the table's version.

create function access.tidy_changes() returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    with gone as (
        delete from changes c
        where c.happened_at < now() - interval '1 day'
          and (c.kind not in ('layer', 'table')
               or c.change_id < (select max(n.change_id) from changes n
                                 where n.kind in ('layer', 'table') and n.subject = c.subject))
        returning c.written_in
    )
    update feed f
    set purged_to = greatest(f.purged_to, (select g.written_in from gone g order by g.written_in desc limit 1));
end $$;
revoke execute on function access.tidy_changes from public, geo_grid_app;

create or replace function access.tidy(callers_kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    update incidents i set caller_number = null
    where i.caller_number is not null and i.closed_at < now() - callers_kept;
    perform access.tidy_changes();
    delete from access.login_failures f where f.failed_at < now() - interval '2 days';
    delete from access.oidc_logins o where o.begun_at < now() - interval '1 hour';
    delete from access.credentials c
    where c.credential_kind in ('session', 'service') and c.expires_at < now() - interval '1 day';
    perform access.make_audit_month(now() + interval '7 days');
    update access.credentials c set expires_at = now() + interval '7 days'
    from access.asking a where c.credential_id = a.credential_id;
end $$;

-- 4. A database that was made from another, or restored, numbers its transactions anew: its feed gets another name, and
--    what was written before counts as seen, whatever its numbers were.
create or replace function access.settle() returns setof text
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    here oid := (select d.oid from pg_database d where d.datname = current_database());
    known feed;
    newest xid8;
begin
    if has_database_privilege('geo_grid_app', current_database(), 'TEMPORARY') then
        execute format('revoke temporary on database %I from public, geo_grid_app', current_database());
    end if;
    select * into known from feed for update;
    select c.written_in into newest from changes c order by c.written_in desc limit 1;
    if known.database_id <> here or newest >= pg_snapshot_xmax(pg_current_snapshot()) then
        update feed set name = default, database_id = here, purged_to = '0';
        update editions set published_in = '3'::xid8;  -- frozen: no transaction to come has the number of a past one
        delete from changes c where c.kind not in ('layer', 'table')
            or c.change_id < (select max(n.change_id) from changes n
                              where n.kind in ('layer', 'table') and n.subject = c.subject);
        update changes set written_in = '3'::xid8 where written_in <> pg_current_xact_id();
        return next 'this database was restored: changes are numbered anew, and whoever listens looks again';
    elsif known.database_id is null then
        update feed set name = default, database_id = here;
    end if;
end $$;

create or replace function newest_time() returns timestamptz
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return greatest(
    (select max(happened_at) from changes),
    (select max(published_at) from editions),
    (select max(reported_at) from patrol_units));

-- 5. What this replaces. How often tables changed goes on from where it was, so that tiles on disk stay apart.
do $$
begin
    perform setval(pg_get_serial_sequence('changes', 'change_id'), (select max(version) + 1 from table_versions));
exception when null_value_not_allowed then null;
end $$;
insert into changes (kind, subject)
select s.kind, s.subject from change_sources s join table_versions v on v.table_name = s.subject;
drop function access.events_after, event_horizon, announce_change, tell_layer;
drop table events, event_era, table_versions;
drop function event_number;
