-- The newest stored time, to check clocks against, and repairs after a restore.

create or replace function newest_time() returns timestamptz
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return greatest(
    (select max(happened_at) from changes),
    (select max(published_at) from editions),
    (select max(reported_at) from patrol_units));
grant execute on function newest_time to geo_grid_app;
comment on function newest_time is 'newest moment that the database or a unit wrote down; tells nobody anything else';

-- Repairs what a restored or cloned database has wrong; the owner calls it before a server starts. Returns what was done.
create or replace function access.settle() returns setof text
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    here oid := (select d.oid from pg_database d where d.datname = current_database());
    known feed;
    newest xid8;
    named text;
begin
    if (select r.rolsuper from pg_roles r where r.rolname = current_user) then  -- no dump brings these along
        if exists (select from pg_proc p where p.oid = to_regprocedure('geometry_overlaps(geometry, geometry)')
                   and not p.proleakproof) then
            alter function geometry_overlaps(geometry, geometry) leakproof;
            return next 'questions under the policies use spatial indexes again';
        end if;
        for named in select r.rolname from pg_roles r
                     where r.rolname in ('geo_grid_app', 'geo_grid_service')
                       and not exists (select from pg_db_role_setting s
                                       where s.setrole = r.oid and s.setdatabase = 0
                                         and 'track_activities=off' = any(s.setconfig)) loop
            execute format('alter role %I set track_activities = off', named);
            return next format('what %s asks is hidden from others again', named);
        end loop;
    end if;
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
