-- The role the server works as. It owns nothing: it cannot change tables, switch triggers off, read files
-- or run programs, and later rights by row bind it. Migrations and the command line work as the owner.

do $$
begin
    if not exists (select from pg_roles where rolname = 'geo_grid_app') then
        create role geo_grid_app login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
    end if;
exception
    when duplicate_object or unique_violation then
        null;  -- another database of this cluster made it meanwhile
    when insufficient_privilege then
        raise exception 'the role geo_grid_app is missing and may not be created here: as a superuser, run'
            ' CREATE ROLE geo_grid_app LOGIN; and migrate again'
            using errcode = 'insufficient_privilege';
end $$;

revoke create on schema public from public;
grant usage on schema public to geo_grid_app;

grant select on code_schemes, grid_levels, editions, grid_cells, patrol_zones, mandatory_stops, duties,
    police_posts, response_circles, patrol_units, incidents, incident_cards, idempotency_keys, cameras, facilities,
    roads, table_versions, migrations
to geo_grid_app;
grant insert on incidents, idempotency_keys to geo_grid_app;
grant update (grid_code, zone_code, edition_id) on incidents to geo_grid_app;

-- a view works with the rights of whoever asks, not of its owner
alter view incident_cards set (security_invoker = true);

-- whoever may change an announced table need not be able to write the counts
alter function announce_change() security definer;
alter function announce_change() set search_path = public, pg_temp;
