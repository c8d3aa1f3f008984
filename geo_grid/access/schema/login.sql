-- Log-in and sessions. The functions that decide about a log-in need the credential of the service role, which no request
-- has.

-- Everything the server needs to verify a password; for an unknown name the same without a hash.
-- blocked_s: seconds for which this address or device is locked; crowded_s: for which all but known devices are locked,
-- since somebody tries passwords.
create or replace function access.login_facts(
    named text, device text, out principal_id bigint, out hash text, out must_change boolean, out password_age interval,
    out factor_secret text, out factor_required boolean, out is_known boolean, out blocked_s double precision,
    out crowded_s double precision, out clock double precision)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    select p.principal_id, w.hash, w.must_change, now() - w.changed_at,
           (select f.secret from access.second_factors f where f.principal_id = p.principal_id and f.confirmed_at is not null),
           r.second_factor_required
    into principal_id, hash, must_change, password_age, factor_secret, factor_required
    from access.principals p
    join access.passwords w using (principal_id)
    join access.roles r using (role)
    where p.login_name = named and p.principal_kind = 'user' and p.disabled_at is null;
    is_known := access.is_known_device(principal_id, device);
    -- a lock makes concurrent attempts with one name wait for each other, so that every failure is counted
    perform pg_advisory_xact_lock(hashtextextended('login ' || named || case when is_known then device else '' end, 0));
    if is_known then
        blocked_s := access.locked_s(named, device, 5, interval '1 day');
        crowded_s := 0;
    else
        blocked_s := greatest(access.locked_s(named, coalesce(access.neighbourhood(), ''), 5, interval '1 day'),
                              access.locked_s(named, 'code', 5, interval '1 day'));
        crowded_s := access.locked_s(named, 'everywhere', 25, interval '15 minutes');
    end if;
    clock := extract(epoch from clock_timestamp());
end $$;
grant execute on function access.login_facts to geo_grid_service;

-- outcome: done; failed, which counts; refused. A right password without the code counts for the place alone.
create or replace function access.note_login(named text, device text, outcome text, why text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who bigint := (select p.principal_id from access.principals p where p.login_name = named);
    is_known boolean := access.is_known_device(who, device);
    mine text := case when is_known then device else coalesce(access.neighbourhood(), '') end;
    counted text[] := case
        when outcome = 'done' then '{}'
        when why = 'code missing' or is_known and outcome = 'failed' then array[mine]
        when why = 'code' then array[mine, 'everywhere', 'code']
        when outcome = 'failed' then array[mine, 'everywhere']
        else '{}' end;
begin
    perform access.require_service();
    insert into access.login_failures as f (login_name, counted_by, failures, failed_at)
    select named, c, 1, clock_timestamp() from unnest(counted) c order by c
    on conflict (login_name, counted_by) do update set
        failures = case when f.failed_at < clock_timestamp() - interval '1 day' then 1 else f.failures + 1 end,
        failed_at = clock_timestamp();
    if outcome = 'done' then
        delete from access.login_failures f where f.login_name = named and f.counted_by in (mine, 'code');
    end if;
    if why = 'locked' then
        perform access.record_often('session.login', 'user', named, outcome, jsonb_build_object('reason', why), why, why, 0, named);
    else
        perform access.record('session.login', 'user', named, outcome, jsonb_build_object('reason', why), named);
    end if;
end $$;
grant execute on function access.note_login to geo_grid_service;

-- seconds for which a name is locked: a minute after the allowed number of failures, doubled at each further one
create or replace function access.locked_s(named text, by_what text, free integer, longest interval) returns double precision
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return coalesce(
    (select greatest(0, extract(epoch from
         f.failed_at + least(interval '1 minute' * power(2, least(f.failures - free, 20)), longest) - clock_timestamp()))
     from access.login_failures f
     where f.login_name = named and f.counted_by = by_what and f.failures >= free), 0)::float8;

-- the network that a client can choose its address from: a /64 for IPv6, the address itself for IPv4
create or replace function access.neighbourhood() returns text
language sql stable set search_path = pg_catalog, pg_temp
return (
    select case family(a) when 6 then network(set_masklen(a, 64))::text else host(a) end
    from (select nullif(current_setting('geo_grid.address', true), '')::inet as a) asking
);

create or replace function access.is_known_device(who bigint, device text) returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return exists (select from access.known_devices d
               where d.digest = device and d.principal_id = who and d.expires_at > now());

-- whether a device is known to the account of a name, asked before a log-in has its turn: waits for no other log-in
create or replace function access.knows_device(named text, device text) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    return access.is_known_device(
        (select p.principal_id from access.principals p where p.login_name = named), device);
end $$;
grant execute on function access.knows_device to geo_grid_service;

-- After a complete log-in, stores the browser as a known device with a new secret; other accounts known on it stay known.
create or replace function access.know_device(who bigint, brought text, made text, may_last interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from access.known_devices d where d.expires_at <= now();
    update access.known_devices d set digest = made where d.digest = brought;
    insert into access.known_devices as d values (made, who, now() + may_last)
    on conflict (digest, principal_id) do update set expires_at = excluded.expires_at;
    delete from access.known_devices d
    where d.principal_id = who
      and d.digest in (select o.digest from access.known_devices o where o.principal_id = who
                       order by o.expires_at desc offset 20);
end $$;
grant execute on function access.know_device to geo_grid_service;

-- Forgets the known devices of an account, after somebody else set its password or disabled it.
create or replace function access.forget_devices() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    delete from access.known_devices d where d.principal_id = new.principal_id;
    return null;
end $$;

-- Uses up a time step of the second factor, so that its code is valid only once.
create or replace function access.use_factor_step(who bigint, step bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    update access.second_factors f set last_step = step where f.principal_id = who and f.last_step < step;
    return found;
end $$;
grant execute on function access.use_factor_step to geo_grid_service;

create or replace function access.open_session(
    who bigint, secret_digest text, may_idle interval, may_last interval, rights text[], reason text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    insert into access.credentials (digest, principal_id, credential_kind, idle, expires_at, only_rights, label)
    values (secret_digest, who, 'session', may_idle, now() + may_last, rights, reason);
end $$;
grant execute on function access.open_session to geo_grid_service;

create or replace function access.find_oidc(subject text, out principal_id bigint, out login_name text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    select p.principal_id, p.login_name into principal_id, login_name from access.principals p
    where p.oidc_subject = subject and p.principal_kind = 'user' and p.disabled_at is null;
end $$;
grant execute on function access.find_oidc to geo_grid_service;

create or replace function access.begin_oidc(state text, nonce text, verifier text, next_page text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from access.oidc_logins o where o.begun_at < now() - interval '10 minutes';
    insert into access.oidc_logins values (state, nonce, verifier, next_page);
end $$;
grant execute on function access.begin_oidc to geo_grid_service;

-- deletes the state, so that it is valid once
create or replace function access.end_oidc(state text, out nonce text, out verifier text, out next_page text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from access.oidc_logins o where o.state_digest = state and o.begun_at > now() - interval '10 minutes'
    returning o.nonce, o.verifier, o.next_page into nonce, verifier, next_page;
end $$;
grant execute on function access.end_oidc to geo_grid_service;

-- The identity of a credential, which the server caches.
create or replace function access.identify(
    out principal_id bigint, out login_name text, out display_name text, out principal_kind text, out role text,
    out credential_kind text, out rights text[], out city_wide boolean, out page text, out label text, out good_for_s double precision)
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select a.principal_id, a.login_name, a.display_name, a.principal_kind, a.role, a.credential_kind,
           (select coalesce(array_agg(r."right" order by r."right"), '{}') from access.asking_rights r),
           a.city_wide, a.page, c.label, extract(epoch from a.ends_at - now())
    from access.asking a join access.credentials c using (credential_id);
end;
grant execute on function access.identify to geo_grid_app;

-- the session lives on
create or replace function access.touch() returns void
language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    update access.credentials c set last_seen_at = now()
    from access.asking a where c.credential_id = a.credential_id;
end;
grant execute on function access.touch to geo_grid_app;

create or replace function access.close_session() returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    mine bigint := (select credential_id from access.asking where credential_kind in ('session', 'kiosk'));
begin
    if mine is not null then
        perform access.record('session.logout', 'user', (select login_name from access.asking), 'done');
        update access.credentials c set revoked_at = now() where c.credential_id = mine and c.credential_kind = 'session';
    end if;
end $$;
grant execute on function access.close_session to geo_grid_app;

-- Records that a kiosk token was refused: its account, and why. Unknown tokens are not recorded.
create or replace function access.note_screen(token_digest text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    shown record;
    why text;
begin
    perform access.require_service();
    select p.login_name, p.disabled_at, c.revoked_at, c.expires_at into shown
    from access.credentials c join access.principals p using (principal_id)
    where c.digest = token_digest and c.credential_kind = 'kiosk';
    if shown.login_name is not null then
        why := case when shown.disabled_at is not null then 'disabled' when shown.revoked_at is not null then 'revoked'
                    when shown.expires_at <= now() then 'expired' else 'network' end;
        perform access.record_often('session.screen', 'kiosk', shown.login_name, 'refused',
                                    jsonb_build_object('reason', why), why, '', 0, shown.login_name);
    end if;
end $$;
grant execute on function access.note_screen to geo_grid_service;

-- Hashes of an account's present and former passwords, newest first: the server checks a new password against them.
create or replace function access.former_passwords(who bigint) returns text[]
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    return (select array_prepend(w.hash, w.former) from access.passwords w where w.principal_id = who);
end $$;
grant execute on function access.former_passwords to geo_grid_service;

-- Internal: callers must check the right.
create or replace function access.put_password(who bigint, new_hash text, kept integer, change boolean) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into access.passwords as w (principal_id, hash, must_change) values (who, new_hash, change)
    on conflict (principal_id) do update set
        hash = excluded.hash, must_change = change, changed_at = now(),
        former = (array_prepend(w.hash, w.former))[1:greatest(kept - 1, 0)];
    -- end all sessions that were opened with the old password
    update access.credentials c set revoked_at = now()
    where c.principal_id = who and c.credential_kind = 'session' and c.revoked_at is null;
end $$;

create or replace function access.set_password(who bigint, new_hash text, kept integer) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    perform set_config('geo_grid.acts_for', access.name_of(who), true);
    perform access.put_password(who, new_hash, kept, false);
end $$;
grant execute on function access.set_password to geo_grid_service;

create or replace function access.offer_factor(who bigint, new_secret text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    insert into access.second_factors as f (principal_id, secret) values (who, new_secret)
    on conflict (principal_id) do update set secret = excluded.secret, last_step = 0 where f.confirmed_at is null;
end $$;
grant execute on function access.offer_factor to geo_grid_service;

create or replace function access.offered_factor(who bigint) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    return (select f.secret from access.second_factors f where f.principal_id = who and f.confirmed_at is null);
end $$;
grant execute on function access.offered_factor to geo_grid_service;

create or replace function access.confirm_factor(who bigint) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    perform set_config('geo_grid.acts_for', access.name_of(who), true);
    update access.second_factors f set confirmed_at = now() where f.principal_id = who and f.confirmed_at is null;
    update access.credentials c set revoked_at = now()
    where c.principal_id = who and c.credential_kind = 'session' and c.revoked_at is null;
end $$;
grant execute on function access.confirm_factor to geo_grid_service;

-- Makes the credential of the service role for one start of a server; only the owner may call it.
create or replace function access.admit_server(secret_digest text, may_last interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        raise exception 'only the owner of the database admits a server' using errcode = 'insufficient_privilege';
    end if;
    insert into access.credentials (digest, principal_id, credential_kind, expires_at)
    select secret_digest, principal_id, 'service', now() + may_last from access.principals where role = 'service';
end $$;

create trigger passwords_forget_devices after update of must_change on access.passwords
    for each row when (new.must_change) execute function access.forget_devices();
create trigger principals_forget_devices after update of disabled_at on access.principals
    for each row when (new.disabled_at is not null) execute function access.forget_devices();

-- The people of the demo, to choose from without a password: in the demo city alone. Who may ask at all, the server decides.
create or replace function access.demo_people() returns table (principal_id bigint, login_name text, display_name text, role text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    return query
        select p.principal_id, p.login_name, p.display_name, p.role
        from access.principals p join access.roles r using (role)
        where p.is_demo and p.principal_kind = 'user' and p.disabled_at is null and is_demo_city()
          and not r.second_factor_required
        order by p.principal_id;
end $$;
grant execute on function access.demo_people to geo_grid_service;
