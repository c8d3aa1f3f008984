-- What the application's role can see and reach is less, so that a statement smuggled into a request, or somebody
-- who can connect as that role, finds no door to what others may.

-- 1. The server itself has a role of its own: for what judges log-ins, brings boundaries into force and tidies up.
--    Its credential is worth nothing in a session of the application's role, whoever may have learnt it.
do $$
begin
    if not exists (select from pg_roles where rolname = 'geo_grid_service') then
        create role geo_grid_service login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
    end if;
exception
    when duplicate_object or unique_violation then
        null;  -- another database of this cluster made it meanwhile
    when insufficient_privilege then
        raise exception 'the role geo_grid_service is missing and may not be created here: as a superuser, run'
            ' CREATE ROLE geo_grid_service LOGIN IN ROLE geo_grid_app; and migrate again'
            using errcode = 'insufficient_privilege';
end $$;
do $$
begin
    if not pg_has_role('geo_grid_service', 'geo_grid_app', 'member') then
        grant geo_grid_app to geo_grid_service;
    end if;
exception
    when insufficient_privilege then
        raise exception 'the role geo_grid_service must be a member of geo_grid_app: as a superuser, run'
            ' GRANT geo_grid_app TO geo_grid_service; and migrate again'
            using errcode = 'insufficient_privilege';
end $$;
grant usage on schema access to geo_grid_service;

-- what these roles ask is not told to others of the same role; only a superuser may say so (docs/operations.md)
do $$
declare
    named text;
begin
    if (select rolsuper from pg_roles where rolname = current_user) then
        for named in select r.rolname from pg_roles r
                     where r.rolname in ('geo_grid_app', 'geo_grid_service')
                       and not exists (select from pg_db_role_setting s
                                       where s.setrole = r.oid and s.setdatabase = 0
                                         and 'track_activities=off' = any(s.setconfig)) loop
            execute format('alter role %I set track_activities = off', named);
        end loop;
    end if;
end $$;

create or replace function access.is_owner() returns boolean
language sql stable  -- without a search path of its own, so that it is inlined; its names are bound here
return session_user not in ('geo_grid_app', 'geo_grid_service');

create or replace view access.asking as
select p.principal_id, p.principal_kind, p.login_name, p.display_name, p.role, p.city_wide, p.sees_secret,
       c.credential_id, c.credential_kind, c.only_rights, c.page,
       least(c.expires_at, c.last_seen_at + c.idle) as ends_at
from access.credentials c
join access.principals p using (principal_id)
where c.digest = nullif(current_setting('geo_grid.credential', true), '')
  and (c.credential_kind <> 'service' or session_user = 'geo_grid_service')
  and p.disabled_at is null
  and c.revoked_at is null
  and c.expires_at > now()
  and (c.idle is null or c.last_seen_at + c.idle > now())
  and (c.network is null or c.network >>= nullif(current_setting('geo_grid.address', true), '')::inet);

create or replace function access.with_right(wanted text, out principal_id bigint, out city_wide boolean)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    bearer bigint;
begin
    select c.principal_id into bearer
    from access.credentials c
    where c.digest = nullif(current_setting('geo_grid.credential', true), '')
      and (c.credential_kind <> 'service' or session_user = 'geo_grid_service')
      and c.revoked_at is null
      and c.expires_at > now()
      and (c.idle is null or c.last_seen_at + c.idle > now())
      and (c.network is null or c.network >>= nullif(current_setting('geo_grid.address', true), '')::inet)
      and (c.only_rights is null or wanted = any(c.only_rights));
    select p.principal_id, p.city_wide into principal_id, city_wide
    from access.principals p
    where p.principal_id = bearer
      and p.disabled_at is null
      and exists (select from access.role_rights r where r.role = p.role and r."right" = wanted)
      and (wanted <> 'cameras.secret' or p.sees_secret);
end $$;

revoke execute on function access.login_facts, access.note_login, access.use_factor_step, access.open_session,
    access.find_oidc, access.begin_oidc, access.end_oidc, access.former_passwords, access.set_password,
    access.offer_factor, access.offered_factor, access.confirm_factor, access.tidy, access.tidy_positions,
    hold_editions, assign_again from geo_grid_app;
grant execute on function access.login_facts, access.note_login, access.use_factor_step, access.open_session,
    access.find_oidc, access.begin_oidc, access.end_oidc, access.former_passwords, access.set_password,
    access.offer_factor, access.offered_factor, access.confirm_factor, access.tidy, access.tidy_positions,
    hold_editions, assign_again to geo_grid_service;

-- boundaries are written by the server alone
revoke insert (valid_from, note, is_demo) on editions from geo_grid_app;
grant insert (valid_from, note, is_demo) on editions to geo_grid_service;
revoke insert (grid_code, code_scheme, grid_level, parent_code, name, cell_kind, household_count, geom, valid_from,
    edition_id, is_demo), update (valid_to, closed_by) on grid_cells from geo_grid_app;
grant insert (grid_code, code_scheme, grid_level, parent_code, name, cell_kind, household_count, geom, valid_from,
    edition_id, is_demo), update (valid_to, closed_by) on grid_cells to geo_grid_service;
revoke insert (zone_code, name, zone_kind, zone_type, responsible_unit, geom, valid_from, edition_id, is_demo),
    update (valid_to, closed_by) on patrol_zones from geo_grid_app;
grant insert (zone_code, name, zone_kind, zone_type, responsible_unit, geom, valid_from, edition_id, is_demo),
    update (valid_to, closed_by) on patrol_zones to geo_grid_service;
revoke insert (zone_code, name, window_from, window_to, geom), delete on mandatory_stops from geo_grid_app;
grant insert (zone_code, name, window_from, window_to, geom), delete on mandatory_stops to geo_grid_service;
revoke insert (grid_code, duty_role, person_name, phone, valid_from), update (valid_to) on duties from geo_grid_app;
grant insert (grid_code, duty_role, person_name, phone, valid_from), update (valid_to) on duties to geo_grid_service;
revoke insert, update (valid_to), delete on drawn_cells from geo_grid_app;
grant insert, update (valid_to), delete on drawn_cells to geo_grid_service;
revoke insert, delete on draw_steps from geo_grid_app;
grant insert, delete on draw_steps to geo_grid_service;

-- 2. No tables, views or functions of one's own: what would answer in place of ours in a connection that others
--    use after. Rows in bulk go by way of a table that the owner makes, empty and like one of ours.
create function access.stage(like_table text, columns text[]) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    listed text := (select string_agg(quote_ident(c.name), ', ' order by c.number)
                    from unnest(columns) with ordinality c (name, number));
begin
    if to_regclass('pg_temp.staged') is not null then
        drop table pg_temp.staged;
    end if;
    execute format('create temporary table staged on commit drop as select 0 as row_number, %s from public.%I with no data',
                   listed, like_table);
    grant select, insert on pg_temp.staged to public;
end $$;
revoke execute on function access.stage from public;
grant execute on function access.stage to geo_grid_app;

-- functions of triggers are for our triggers: not on tables of somebody's own
create or replace function announce_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_table_schema not in ('public', 'access') then
        raise exception 'only changes of the city''s own tables are announced' using errcode = 'insufficient_privilege';
    end if;
    insert into table_versions values (tg_table_name, 1)
    on conflict (table_name) do update set version = table_versions.version + 1;
    perform pg_notify('geo_grid_changes', tg_table_name);
    return null;
end $$;
revoke execute on function announce_change, require_open_edition, refuse_delete, check_edition, check_circles_nest
    from public;

-- 3. Events keep their order when the numbers of transactions begin anew: those of a database that was restored come
--    before all that follow, whatever their numbers were.
create table event_era (
    one boolean primary key default true check (one),
    era integer not null default 0 check (era between 0 and 32767),
    database_id oid
);
comment on table event_era is 'how often the numbers of transactions began anew: the upper 16 of the 64 bits of events.written_in';
comment on column event_era.database_id is 'the database that these numbers are of; another one now: it was restored';
insert into event_era default values;

create function event_number(transaction xid8) returns xid8
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select ((e.era::bigint << 48) + transaction::text::bigint)::text::xid8 from event_era e;
end;

-- all events before it are committed or given up
create function event_horizon() returns xid8
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return event_number(pg_snapshot_xmin(pg_current_snapshot()));

alter table events alter column written_in set default event_number(pg_current_xact_id());
revoke execute on function event_number, event_horizon from public;
grant execute on function event_horizon to geo_grid_app;

-- what a database that was made from another, or restored, does not have yet; the owner asks for it before a
-- server is admitted. Tells what was done.
create function access.settle() returns setof text
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    here oid := (select d.oid from pg_database d where d.datname = current_database());
    known event_era;
    newest xid8;
begin
    if has_database_privilege('geo_grid_app', current_database(), 'TEMPORARY') then
        execute format('revoke temporary on database %I from public, geo_grid_app', current_database());
    end if;
    select * into known from event_era for update;
    select e.written_in into newest from events e order by e.written_in desc limit 1;
    if known.database_id <> here or newest >= event_number(pg_snapshot_xmax(pg_current_snapshot())) then
        update event_era set era = era + 1, database_id = here;
        update editions set published_in = '3'::xid8;  -- frozen: no transaction to come has the number of a past one
        insert into events (kind) values ('incidents'), ('edition'), ('layer');  -- look again at everything
        perform pg_notify('geo_grid_changes', 'events');
        return next 'this database was restored: events are numbered anew, and whoever listens looks again';
    elsif known.database_id is null then
        update event_era set database_id = here;
    end if;
end $$;
revoke execute on function access.settle from public;
