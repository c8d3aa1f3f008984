-- What clocks are compared with, and what a database that was restored does not have yet.

create or replace function newest_time() returns timestamptz
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return greatest(
    (select max(occurred_at) from events),
    (select max(published_at) from editions),
    (select max(reported_at) from patrol_units));
grant execute on function newest_time to geo_grid_app;
comment on function newest_time is 'newest moment that the database or a unit wrote down; tells nobody anything else';

-- what a database that was made from another, or restored, does not have yet; the owner asks for it before a
-- server is admitted. Tells what was done.
create or replace function access.settle() returns setof text
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
