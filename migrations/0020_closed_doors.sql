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

-- 3. Who owns a point: the same question as before, put so that only the innermost cells whose boxes hold the point
--    are measured, and in PL/pgSQL, which keeps its plan. Judged among all; told by the functions that ask these.
create function access.leaf_cell(place geometry, moment timestamptz) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return (
        select near.grid_code
        from (select c.grid_code, c.geom
              from grid_cells c
              where c.geom && place
                and c.valid_from <= moment and (c.valid_to is null or moment < c.valid_to)
                and not exists (select from grid_cells k
                                where k.parent_code = c.grid_code
                                  and k.valid_from <= moment and (k.valid_to is null or moment < k.valid_to))
              order by c.grid_code
              offset 0) near
        where ST_Covers(near.geom, place)
        limit 1);
end $$;

create function access.zone_of(place geometry, moment timestamptz) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return (
        select near.zone_code
        from (select z.zone_code, z.geom
              from patrol_zones z
              where z.zone_kind = 'area' and z.geom && place
                and z.valid_from <= moment and (z.valid_to is null or moment < z.valid_to)
              order by z.zone_code
              offset 0) near
        where ST_Covers(near.geom, place)
        limit 1);
end $$;

create or replace function access.owning_cell(place geometry, moment timestamptz) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    owner text := access.leaf_cell(place, moment);
begin
    return case when owner is null or access.city_wide('map') or owner in (select access.my_cells('map')) then owner end;
end $$;

create or replace function access.owning_zone(place geometry, moment timestamptz) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    owner text := access.zone_of(place, moment);
begin
    return case when owner is null or access.city_wide('map') or owner in (select access.my_zones('map')) then owner end;
end $$;
revoke execute on function access.leaf_cell, access.zone_of from public;

create or replace function access.incident_private(wanted bigint, out description text, out address text, out caller_number text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    select i.description, i.address,
           case when i.handler_id = access.me() then i.caller_number else access.masked(i.caller_number) end
    into description, address, caller_number
    from incidents i
    where i.incident_id = wanted
      and (access.city_wide('incidents.text') or i.grid_code in (select access.my_cells('incidents.text')));
end $$;

-- 4. A unit belongs somewhere: where its post is, else where it was put. It is seen where it is and where it belongs;
--    whoever answers for where it belongs reports for it and changes it, wherever it drives.
alter table patrol_units add column home_code text collate "C";
comment on column patrol_units.home_code is 'grid cell of its post, else of where it was put by hand; driving does not change it';
create index patrol_units_home on patrol_units (home_code);

create function access.settle_unit() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'UPDATE' and new.geom is distinct from old.geom and not access.city_wide('layers.write')
       and not coalesce(ST_Covers(access.my_area('layers.write'), new.geom), false) then
        raise exception 'this place is in none of your grid cells' using errcode = 'insufficient_privilege';
    end if;
    if tg_op = 'INSERT' or new.post_code is distinct from old.post_code or new.geom is distinct from old.geom then
        new.home_code := access.leaf_cell(
            coalesce((select p.geom from police_posts p where p.post_code = new.post_code), new.geom), statement_timestamp());
    end if;
    return new;
end $$;
create trigger patrol_units_home_insert before insert on patrol_units
    for each row execute function access.settle_unit();
create trigger patrol_units_home_update before update of geom, post_code on patrol_units
    for each row when (current_user = 'geo_grid_app') execute function access.settle_unit();
update patrol_units u
set home_code = access.leaf_cell(coalesce((select p.geom from police_posts p where p.post_code = u.post_code), u.geom), now());

-- it follows its post, and boundaries that are drawn anew there; what came before the first boundaries gets its place
create function access.follow_post() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if exists (select from patrol_units u where u.post_code = new.post_code) then  -- else nothing is told of units
        update patrol_units u set home_code = access.leaf_cell(new.geom, statement_timestamp())
        where u.post_code = new.post_code;
    end if;
    return null;
end $$;
create trigger police_posts_moved after update of geom on police_posts
    for each row when (new.geom is distinct from old.geom) execute function access.follow_post();

create function access.settle_units() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    moved text[] := array(
        select u.unit_code from patrol_units u
        where u.home_code is null
           or (u.post_code is not null
               and u.home_code in (select c.grid_code from grid_cells c
                                   where c.edition_id = new.edition_id or c.closed_by = new.edition_id)));
begin
    if moved <> '{}' then  -- else nothing is told of units
        update patrol_units u
        set home_code = access.leaf_cell(
            coalesce((select p.geom from police_posts p where p.post_code = u.post_code), u.geom), statement_timestamp())
        where u.unit_code = any(moved);
    end if;
    return null;
end $$;
create constraint trigger editions_units after insert on editions
    deferrable initially deferred for each row execute function access.settle_units();

-- those that belong to one's cells, or to a zone there
create function access.my_units(wanted text) returns setof text
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.unit_code from patrol_units u
    where u.home_code in (select access.my_cells(wanted)) or u.zone_code in (select access.my_zones(wanted));
end;

drop policy patrol_units_seen on patrol_units;
create policy patrol_units_seen on patrol_units for select using (
    (select access.city_wide('map')) or ST_Covers((select access.my_area('map')), geom)
    or home_code in (select access.my_cells('map')) or zone_code in (select access.my_zones('map')));
drop policy patrol_units_made on patrol_units;
create policy patrol_units_made on patrol_units for insert with check (
    (select access.city_wide('layers.write'))
    or (ST_Covers((select access.my_area('layers.write')), geom) and home_code in (select access.my_cells('layers.write'))));
drop policy patrol_units_changed on patrol_units;
create policy patrol_units_changed on patrol_units for update using (
    (select access.city_wide('layers.write')) or home_code in (select access.my_cells('layers.write')));
drop policy patrol_units_removed on patrol_units;
create policy patrol_units_removed on patrol_units for delete using (
    (select access.city_wide('layers.write')) or home_code in (select access.my_cells('layers.write')));
drop policy unit_positions_seen on unit_positions;
create policy unit_positions_seen on unit_positions for select using (
    (select access.city_wide('map')) or ST_Covers((select access.my_area('map')), geom)
    or unit_code in (select access.my_units('map')));

create or replace function access.report_positions(codes text[], moments timestamptz[], lons float8[], lats float8[], statuses text[])
returns table (number bigint, outcome text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    whole_city boolean := access.city_wide('positions.write');
begin
    if not access.may('positions.write') then
        raise exception 'you have no right to report positions' using errcode = 'insufficient_privilege';
    end if;
    return query
    with given as (
        select g.number, g.unit_code, g.reported_at,
               row_number() over (partition by g.unit_code, g.reported_at order by g.number) as times, ST_SetSRID(ST_MakePoint(g.lon, g.lat), 4490) as geom, g.unit_status
        from unnest(codes, moments, lons, lats, statuses) with ordinality
             as g (unit_code, reported_at, lon, lat, unit_status, number)
    ),
    known as (
        select g.*, u.reported_at as known_at
        from given g
        join patrol_units u using (unit_code)
        where whole_city or u.unit_code in (select access.my_units('positions.write'))
    ),
    tracked as (
        insert into unit_positions (unit_code, reported_at, geom)
        select k.unit_code, k.reported_at, k.geom from known k
        on conflict do nothing
        returning unit_positions.unit_code, unit_positions.reported_at
    ),
    newest as (
        select distinct on (k.unit_code) k.* from known k order by k.unit_code, k.reported_at desc, k.number desc
    ),
    moved as (
        update patrol_units u
        set geom = n.geom, reported_at = n.reported_at, unit_status = coalesce(n.unit_status, u.unit_status)
        from newest n
        where u.unit_code = n.unit_code and n.reported_at > u.reported_at
    )
    select g.number,
           case when k.number is null then 'unknown'
                when t.unit_code is null or k.times > 1 then 'repeated'
                when k.reported_at <= k.known_at then 'late'
                else 'accepted' end
    from given g
    left join known k on k.number = g.number
    left join tracked t on t.unit_code = g.unit_code and t.reported_at = g.reported_at
    order by g.number;
end $$;

-- 5. What is unique in the whole city tells nobody what they do not see. Posts and units are named by their codes
--    elsewhere: whoever answers for some cells begins them with the code of one of these. Cameras and facilities have
--    numbers that others give: they are unique among what whoever registers them sees, and whoever sees two of one
--    number has one removed.
create function access.may_name(key text) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    innermost text;
begin
    if access.city_wide('layers.write') then
        return true;
    end if;
    select left(key, n) into innermost
    from generate_series(1, length(key) - 1) n
    where substr(key, n + 1, 1) in ('-', '.', '_')
      and exists (select from access.cell_scope s where s.grid_code = left(key, n))
    order by n desc
    limit 1;
    return coalesce(innermost in (select access.my_cells('layers.write')), false);
end $$;

create function access.own_key() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    given text := to_jsonb(new)->>tg_argv[0];
    is_seen boolean;
begin
    if not access.may_name(given) then
        execute format('select exists (select from %I.%I where %I = $1)', tg_table_schema, tg_table_name, tg_argv[0])
            into is_seen using given;
        if not is_seen then  -- else that it is taken is no secret to them
            raise exception '% is not yours to give: begin it with the code of one of your grid cells and a hyphen', given
                using errcode = 'insufficient_privilege';
        end if;
    end if;
    return new;
end $$;
create trigger police_posts_named before insert on police_posts
    for each row when (current_user = 'geo_grid_app') execute function access.own_key('post_code');
create trigger patrol_units_named before insert on patrol_units
    for each row when (current_user = 'geo_grid_app') execute function access.own_key('unit_code');

-- one registration after the other, each with the rights of whoever registers
create function access.refuse_second() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    given text := to_jsonb(new)->>tg_argv[0];
    is_seen boolean;
begin
    perform pg_advisory_xact_lock(tg_relid::int, 0);
    execute format('select exists (select from %I.%I where %I = $1)', tg_table_schema, tg_table_name, tg_argv[0])
        into is_seen using given;
    if is_seen then
        raise exception '% is stored already', given using errcode = 'unique_violation';
    end if;
    return new;
end $$;
alter table cameras drop constraint cameras_gb28181_id_key;
create index cameras_gb28181_id on cameras (gb28181_id);
create trigger cameras_once before insert on cameras
    for each row execute function access.refuse_second('gb28181_id');
alter table facilities drop constraint facilities_facility_code_key;
create index facilities_facility_code on facilities (facility_code);
create trigger facilities_once before insert on facilities
    for each row execute function access.refuse_second('facility_code');

-- a unit names a post and a zone that whoever writes it sees; else they would learn that there are such, and hold them
create function access.refuse_unseen() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.post_code is not null and (tg_op = 'INSERT' or new.post_code is distinct from old.post_code)
       and not exists (select from police_posts p where p.post_code = new.post_code) then
        raise exception 'there is no police post %', new.post_code using errcode = 'foreign_key_violation';
    end if;
    if new.zone_code is not null and (tg_op = 'INSERT' or new.zone_code is distinct from old.zone_code)
       and not access.city_wide('layers.write') and new.zone_code not in (select access.my_zones('layers.write')) then
        raise exception 'there is no patrol zone %', new.zone_code using errcode = 'foreign_key_violation';
    end if;
    return new;
end $$;
create trigger patrol_units_known before insert or update of post_code, zone_code on patrol_units
    for each row when (current_user = 'geo_grid_app') execute function access.refuse_unseen();

-- a unit of elsewhere that names a post does not hold it
create function access.release_units() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    released text;
begin
    if access.city_wide('map') then
        return old;
    end if;
    for released in
        update patrol_units u set post_code = null
        where u.post_code = old.post_code
          and not coalesce(ST_Covers(access.my_area('map'), u.geom), false)
          and u.unit_code not in (select access.my_units('map'))
        returning u.unit_code
    loop
        perform access.record('feature.change', 'patrol_units', released, 'done',
                              jsonb_build_object('post_code', jsonb_build_array(old.post_code, null)));
    end loop;
    return old;
end $$;
create trigger police_posts_released before delete on police_posts
    for each row when (current_user = 'geo_grid_app') execute function access.release_units();

revoke execute on function access.settle_unit, access.settle_units, access.follow_post, access.my_units, access.may_name, access.own_key,
    access.refuse_second, access.refuse_unseen, access.release_units from public;
grant execute on function access.my_units, access.may_name to geo_grid_app;

-- 6. Events keep their order when the numbers of transactions begin anew: those of a database that was restored come
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
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return (select ((e.era::bigint << 48) + transaction::text::bigint)::text::xid8 from event_era e);
end $$;

-- all events before it are committed or given up
create function event_horizon() returns xid8
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return event_number(pg_snapshot_xmin(pg_current_snapshot()));
end $$;

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
