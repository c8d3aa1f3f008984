-- Deletion of old data.

-- Hourly work: deletes expired callers' numbers, changes, failures and sessions, and makes the audit's next partition.
create or replace function access.tidy(callers_kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    update incidents i set caller_number = null
    where i.caller_number is not null and i.closed_at < now() - callers_kept;
    perform access.tidy_changes();
    delete from access.login_failures f where f.failed_at < now() - interval '2 days';
    delete from access.oidc_logins o where o.begun_at < now() - interval '1 hour';
    delete from access.credentials c
    where c.credential_kind in ('session', 'service') and c.expires_at < now() - interval '1 day';
    perform access.make_audit_month(now() + interval '7 days');
    update access.credentials c set expires_at = now() + interval '7 days'
    from access.asking a where c.credential_id = a.credential_id;
end $$;
grant execute on function access.tidy to geo_grid_service;
