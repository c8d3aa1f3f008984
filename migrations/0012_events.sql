-- What happened, for those who watch: an outbox, read under the rights of whoever reads.

create table events (
    event_id bigint generated always as identity primary key,
    written_in xid8 not null default pg_current_xact_id(),
    occurred_at timestamptz not null default clock_timestamp(),
    kind text not null check (kind in ('incident', 'incidents', 'edition')),
    key text,
    grid_code text collate "C"
);
comment on column events.written_in is 'readers take only what every earlier transaction has committed or given up';
create index events_occurred on events (occurred_at);
create index events_order on events (written_in, event_id);

alter table events enable row level security;
create policy events_seen on events for select using (
    case kind
        when 'edition' then (select access.may('map'))
        when 'incidents' then (select access.may('incidents.read'))
        else (select access.city_wide('incidents.read')) or grid_code in (select access.my_cells('incidents.read'))
    end);
grant select on events to geo_grid_app;

create function tell_incidents() returns trigger
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
create trigger incidents_told_insert after insert on incidents
    referencing new table as changed for each statement execute function tell_incidents();
create trigger incidents_told_update after update on incidents
    referencing new table as changed for each statement execute function tell_incidents();

create function tell_edition() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into events (kind, key) select 'edition', edition_id::text from changed;
    perform pg_notify('geo_grid_changes', 'events');
    return null;
end $$;
create trigger editions_told after insert on editions
    referencing new table as changed for each statement execute function tell_edition();
revoke execute on function tell_incidents, tell_edition from public;

-- What is due every hour: old callers' numbers, events, failures and sessions, the audit's next month.
create function access.tidy(callers_kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    update incidents i set caller_number = null
    where i.caller_number is not null and i.closed_at < now() - callers_kept;
    delete from events e where e.occurred_at < now() - interval '1 day';
    delete from access.login_failures f where f.failed_at < now() - interval '2 days';
    delete from access.oidc_logins o where o.begun_at < now() - interval '1 hour';
    delete from access.credentials c
    where c.credential_kind in ('session', 'service') and c.expires_at < now() - interval '1 day';
    perform access.make_audit_month(now() + interval '7 days');
    update access.credentials c set expires_at = now() + interval '7 days'
    from access.asking a where c.credential_id = a.credential_id;
end $$;

revoke execute on function access.tidy from public;
grant execute on function access.tidy to geo_grid_app;
