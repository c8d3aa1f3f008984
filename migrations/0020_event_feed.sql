-- The server reads the outbox once for all who listen, and gives each what the policy events_seen would show them.

create function access.events_after(after_written_in xid8, after_event_id bigint, most integer)
returns table (written_in xid8, event_id bigint, kind text, key text, grid_code text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    return query
    select e.written_in, e.event_id, e.kind, e.key, e.grid_code
    from events e
    where (e.written_in, e.event_id) > (after_written_in, after_event_id)
      and e.written_in < pg_snapshot_xmin(pg_current_snapshot())
    order by e.written_in, e.event_id
    limit most;
end $$;

create function access.newest_event(out written_in xid8, out event_id bigint)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    select e.written_in, e.event_id into written_in, event_id
    from events e
    where e.written_in < pg_snapshot_xmin(pg_current_snapshot())
    order by e.written_in desc, e.event_id desc
    limit 1;
end $$;

revoke execute on function access.events_after, access.newest_event from public;
grant execute on function access.events_after, access.newest_event to geo_grid_app;
