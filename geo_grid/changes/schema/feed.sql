-- The feed of changes: the triggers that write it, and the functions that each server reads it with for all its listeners.

-- First argument, the kind: 'layer' for a table that maps draw, 'table' for one that only derived state depends on.
-- Second argument 'ordered': a lock until the commit makes transactions that change the table wait for each other, so that
-- the number of its newest change identifies the table's state, also after a restart.
create or replace function tell_table() returns trigger
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

-- Names are looked up row by row: joined, all cells may be read for one incident, since a plan is kept whatever it was made for.
create or replace function tell_incidents() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC' as $$
begin
    if (select count(*) from (select from changed limit 101) few) > 100 then
        insert into changes (kind) values ('incidents');  -- one change without a subject: readers reload all incidents
    else
        insert into changes (kind, subject, grid_code, payload)
        select 'incident', i.incident_id::text, i.grid_code,
               jsonb_build_object(
                   'incident_id', i.incident_id, 'category', i.category, 'subtype', i.subtype, 'step', i.step,
                   'received_at', i.received_at, 'closed_at', i.closed_at,
                   'lon', round(ST_X(i.geom)::numeric, 8), 'lat', round(ST_Y(i.geom)::numeric, 8),
                   'grid_code', i.grid_code, 'grid_name', (select c.name from grid_cells c
                       where c.grid_code = i.grid_code and c.edition_id <= i.edition_id and (c.closed_by is null or c.closed_by > i.edition_id)
                       order by c.valid_from desc limit 1),
                   'zone_code', i.zone_code, 'zone_name', (select z.name from patrol_zones z
                       where z.zone_code = i.zone_code and z.edition_id <= i.edition_id and (z.closed_by is null or z.closed_by > i.edition_id)
                       order by z.valid_from desc limit 1),
                   'edition_id', i.edition_id, 'unassigned', i.unassigned, 'is_demo', i.is_demo,
                   'due_at', i.due_at, 'due_for', i.due_for)
        from changed i
        order by i.incident_id;
    end if;
    return null;
end $$;

create or replace function tell_edition() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into changes (kind, subject) select 'edition', edition_id::text from changed;
    return null;
end $$;

-- Kinds and tables that the triggers can write: a server that declares others does not start (check_kinds in kinds.py).
create or replace view change_sources as
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

-- The name of the feed: of this database, and of its timeline, since a standby that took over may lack what was told before.
create or replace function feed_name(name text) returns text
language sql stable set search_path = pg_catalog, public, pg_temp
return left(md5(name || case when pg_is_in_recovery() then '' else left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) end), 16);

-- `told_to`: number of the newest transaction that wrote a change, 0: none did.
create or replace function access.feed_now() returns table (feed text, snapshot text, told_to bigint, newest jsonb)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    return query
    select feed_name(f.name), pg_current_snapshot()::text,
           coalesce((select c.written_in from changes c order by c.written_in desc limit 1)::text::bigint, 0),
           (select coalesce(jsonb_object_agg(s.subject, n.change_id), '{}')
            from change_sources s,
                 lateral (select max(c.change_id) as change_id from changes c
                          where c.kind in ('layer', 'table') and c.subject = s.subject) n
            where s.subject is not null and n.change_id is not null)
    from feed f;
end $$;

-- Changes that were not visible in the snapshot `last` and are visible in `upto` (null: now): those of transactions that had
-- no number yet, and those of transactions that were in progress. Of each table only the newest change is returned, of
-- other kinds every change. Each half of the union is one index scan that ends at the limit. `told_to`: as above, of those
-- that are returned, else null.
create or replace function access.changes_after(last pg_snapshot, upto pg_snapshot, most integer)
returns table (feed text, snapshot text, told_to bigint, is_kept boolean, is_more boolean, told jsonb)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    return query
    with found as materialized (
        (select c.change_id, c.kind, c.subject, c.grid_code, c.payload, c.written_in from changes c
         where c.written_in >= pg_snapshot_xmax(last)
           and (upto is null or pg_visible_in_snapshot(c.written_in, upto))
         order by c.written_in limit most + 1)
        union all
        (select c.change_id, c.kind, c.subject, c.grid_code, c.payload, c.written_in from changes c
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
    select feed_name(n.name), pg_current_snapshot()::text, (select max(f.written_in::text::bigint) from found f), n.purged_to < pg_snapshot_xmin(last),
           (select count(*) from found) > most,
           (select jsonb_agg(jsonb_build_array(o.change_id, o.kind, o.subject, o.grid_code, o.payload)
                             order by o.change_id) from once o)
    from feed n;
end $$;
grant execute on function access.feed_now, access.changes_after to geo_grid_service;

-- Deletes changes older than a day, but for the newest of each table, whose number is the table's version.
create or replace function access.tidy_changes() returns void
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
create trigger police_posts_told after insert or update or delete or truncate on police_posts
    for each statement execute function tell_table('layer');
create trigger patrol_units_told after insert or update or delete or truncate on patrol_units
    for each statement execute function tell_table('layer');
create trigger facilities_told after insert or update or delete or truncate on facilities
    for each statement execute function tell_table('layer');
create trigger cameras_told after insert or update or delete or truncate on cameras
    for each statement execute function tell_table('layer');
create trigger registered_places_told after insert or update or delete or truncate on registered_places
    for each statement execute function tell_table('layer');
create trigger road_closures_told after insert or update or delete or truncate on road_closures
    for each statement execute function tell_table('layer');
create trigger response_circles_told after insert or update or delete or truncate on response_circles
    for each statement execute function tell_table('layer');
create trigger duties_told after insert or update or delete or truncate on duties
    for each statement execute function tell_table('table');
create trigger base_features_told after insert or update or delete or truncate on base_features
    for each statement execute function tell_table('table');
create trigger roads_told after insert or update or delete or truncate on roads
    for each statement execute function tell_table('table');
create trigger principals_told after insert or update or delete on access.principals
    for each statement execute function tell_table('table');
create trigger principal_cells_told after insert or update or delete on access.principal_cells
    for each statement execute function tell_table('table');
create trigger role_rights_told after insert or update or delete on access.role_rights
    for each statement execute function tell_table('table');
create trigger credentials_told after update of revoked_at, expires_at, only_rights on access.credentials
    for each statement execute function tell_table('table');
create trigger roles_told after update on access.roles
    for each statement execute function tell_table('table');
create trigger editions_changed after insert or update or delete or truncate on editions
    for each statement execute function tell_table('table', 'ordered');
create trigger grid_levels_changed after insert or update or delete or truncate on grid_levels
    for each statement execute function tell_table('table', 'ordered');
create trigger editions_told after insert on editions
    referencing new table as changed for each statement execute function tell_edition();
create trigger incidents_told_insert after insert on incidents
    referencing new table as changed for each statement execute function tell_incidents();
create trigger incidents_told_update after update on incidents
    referencing new table as changed for each statement execute function tell_incidents();
