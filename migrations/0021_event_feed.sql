-- The server reads the outbox once for all who listen, and gives each what the policy events_seen would show them.

create function access.events_after(after_written_in xid8, after_event_id bigint, most integer)
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

revoke execute on function access.events_after from public, geo_grid_app;
grant execute on function access.events_after to geo_grid_service;
