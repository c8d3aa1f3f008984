-- What others hear of: tables that are counted and announced, and the outbox of events.

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

create or replace function event_number(transaction xid8) returns xid8
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return (select ((e.era::bigint << 48) + transaction::text::bigint)::text::xid8 from event_era e);
end $$;

-- all events before it are committed or given up
create or replace function event_horizon() returns xid8
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return event_number(pg_snapshot_xmin(pg_current_snapshot()));
end $$;
grant execute on function event_horizon to geo_grid_app;

create or replace function tell_incidents() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if (select count(*) from (select from changed limit 101) few) > 100 then
        insert into events (kind) values ('incidents');  -- many at once: look again
    else
        insert into events (kind, key, grid_code) select 'incident', incident_id::text, grid_code from changed;
    end if;
    perform pg_notify('geo_grid_changes', 'events');
    return null;
end $$;

create or replace function tell_edition() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into events (kind, key) select 'edition', edition_id::text from changed;
    perform pg_notify('geo_grid_changes', 'events');
    return null;
end $$;

create or replace function tell_layer() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into events (kind, key) values ('layer', tg_table_name);
    perform pg_notify('geo_grid_changes', 'events');
    return null;
end $$;

create or replace function access.events_after(after_written_in xid8, after_event_id bigint, most integer)
returns table (written_in xid8, event_id bigint, kind text, key text, grid_code text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    return query
    select e.written_in, e.event_id, e.kind, e.key, e.grid_code
    from events e
    where (e.written_in, e.event_id) > (after_written_in, after_event_id) and e.written_in < event_horizon()
    order by e.written_in, e.event_id
    limit most;
end $$;
grant execute on function access.events_after to geo_grid_service;

create trigger credentials_announced after update of revoked_at, expires_at, only_rights on access.credentials
    for each statement execute function announce_change();
create trigger principal_cells_announced after insert or update or delete on access.principal_cells
    for each statement execute function announce_change();
create trigger principals_announced after insert or update or delete on access.principals
    for each statement execute function announce_change();
create trigger role_rights_announced after insert or update or delete on access.role_rights
    for each statement execute function announce_change();
create trigger roles_announced after update on access.roles
    for each statement execute function announce_change();
create trigger base_features_announced after insert or update or delete or truncate on base_features
    for each statement execute function announce_change();
create trigger cameras_told after insert or update or delete or truncate on cameras
    for each statement execute function tell_layer();
create trigger cameras_announced after insert or update or delete or truncate on cameras
    for each statement execute function announce_change();
create trigger duties_announced after insert or update or delete or truncate on duties
    for each statement execute function announce_change();
create trigger editions_announced after insert or update or delete or truncate on editions
    for each statement execute function announce_change();
create trigger editions_told after insert on editions
    referencing new table as changed for each statement execute function tell_edition();
create trigger facilities_told after insert or update or delete or truncate on facilities
    for each statement execute function tell_layer();
create trigger facilities_announced after insert or update or delete or truncate on facilities
    for each statement execute function announce_change();
create trigger grid_levels_announced after insert or update or delete or truncate on grid_levels
    for each statement execute function announce_change();
create trigger incidents_told_insert after insert on incidents
    referencing new table as changed for each statement execute function tell_incidents();
create trigger incidents_told_update after update on incidents
    referencing new table as changed for each statement execute function tell_incidents();
create trigger patrol_units_told after insert or update or delete or truncate on patrol_units
    for each statement execute function tell_layer();
create trigger patrol_units_announced after insert or update or delete or truncate on patrol_units
    for each statement execute function announce_change();
create trigger police_posts_announced after insert or update or delete or truncate on police_posts
    for each statement execute function announce_change();
create trigger police_posts_told after insert or update or delete or truncate on police_posts
    for each statement execute function tell_layer();
create trigger response_circles_announced after insert or update or delete or truncate on response_circles
    for each statement execute function announce_change();
create trigger response_circles_told after insert or update or delete or truncate on response_circles
    for each statement execute function tell_layer();
create trigger road_closures_told after insert or update or delete or truncate on road_closures
    for each statement execute function tell_layer();
create trigger road_closures_announced after insert or update or delete or truncate on road_closures
    for each statement execute function announce_change();
create trigger roads_announced after insert or update or delete or truncate on roads
    for each statement execute function announce_change();
