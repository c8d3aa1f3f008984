-- Log-in, sessions, and the care of accounts. What decides about a log-in answers only to the server itself,
-- whose credential no request carries.

-- Everything the server must know to judge a password; for a name that is nobody's, the same without a hash.
create function access.login_facts(
    named text, out principal_id bigint, out hash text, out must_change boolean, out password_age interval,
    out factor_secret text, out factor_required boolean, out blocked_s double precision, out clock double precision)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    -- a second question about one name waits for the first: guesses are counted one by one
    perform pg_advisory_xact_lock(hashtextextended('login ' || named, 0));
    select p.principal_id, w.hash, w.must_change, now() - w.changed_at,
           (select f.secret from access.second_factors f where f.principal_id = p.principal_id and f.confirmed_at is not null),
           r.second_factor_required
    into principal_id, hash, must_change, password_age, factor_secret, factor_required
    from access.principals p
    join access.passwords w using (principal_id)
    join access.roles r using (role)
    where p.login_name = named and p.principal_kind = 'user' and p.disabled_at is null;
    -- five failures lock for a minute, each further one twice as long, up to a day
    select extract(epoch from f.failed_at + least(interval '1 minute' * power(2, f.failures - 5), interval '1 day') - clock_timestamp())
    into blocked_s from access.login_failures f where f.login_name = named and f.failures >= 5;
    blocked_s := greatest(coalesce(blocked_s, 0), 0);
    clock := extract(epoch from clock_timestamp());
end $$;

create function access.note_login(named text, outcome text, why text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    if outcome = 'done' then
        delete from access.login_failures f where f.login_name = named;
    elsif outcome = 'failed' then
        insert into access.login_failures as f values (named, 1, clock_timestamp())
        on conflict (login_name) do update set
            failures = case when f.failed_at < clock_timestamp() - interval '1 day' then 1 else f.failures + 1 end,
            failed_at = clock_timestamp();
    end if;
    perform access.record('session.login', 'user', named, outcome, jsonb_build_object('reason', why), named);
end $$;

-- Take a time step of the second factor, once.
create function access.use_factor_step(who bigint, step bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    update access.second_factors f set last_step = step where f.principal_id = who and f.last_step < step;
    return found;
end $$;

create function access.open_session(
    who bigint, secret_digest text, may_idle interval, may_last interval, rights text[], reason text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    insert into access.credentials (digest, principal_id, credential_kind, idle, expires_at, only_rights, label)
    values (secret_digest, who, 'session', may_idle, now() + may_last, rights, reason);
end $$;

create function access.find_oidc(subject text, out principal_id bigint, out login_name text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    select p.principal_id, p.login_name into principal_id, login_name from access.principals p
    where p.oidc_subject = subject and p.principal_kind = 'user' and p.disabled_at is null;
end $$;

create function access.begin_oidc(state text, nonce text, verifier text, next_page text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from access.oidc_logins o where o.begun_at < now() - interval '10 minutes';
    insert into access.oidc_logins values (state, nonce, verifier, next_page);
end $$;

-- a state is good once
create function access.end_oidc(state text, out nonce text, out verifier text, out next_page text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from access.oidc_logins o where o.state_digest = state and o.begun_at > now() - interval '10 minutes'
    returning o.nonce, o.verifier, o.next_page into nonce, verifier, next_page;
end $$;

-- Who asks, as the server keeps it in memory.
create function access.identify(
    out principal_id bigint, out login_name text, out display_name text, out principal_kind text, out role text,
    out credential_kind text, out rights text[], out city_wide boolean, out page text, out label text, out good_for_s double precision)
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select a.principal_id, a.login_name, a.display_name, a.principal_kind, a.role, a.credential_kind,
           (select coalesce(array_agg(r."right" order by r."right"), '{}') from access.asking_rights r),
           a.city_wide, a.page, c.label, extract(epoch from a.ends_at - now())
    from access.asking a join access.credentials c using (credential_id);
end;

-- the session lives on
create function access.touch() returns void
language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    update access.credentials c set last_seen_at = now()
    from access.asking a where c.credential_id = a.credential_id;
end;

create function access.close_session() returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    mine bigint := (select credential_id from access.asking where credential_kind in ('session', 'kiosk'));
begin
    if mine is not null then
        perform access.record('session.logout', 'user', (select login_name from access.asking), 'done');
        update access.credentials c set revoked_at = now() where c.credential_id = mine and c.credential_kind = 'session';
    end if;
end $$;

-- A password that whoever asks chose. The server has judged it; the history is judged with the hashes told here.
create function access.former_passwords(who bigint) returns text[]
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    return (select array_prepend(w.hash, w.former) from access.passwords w where w.principal_id = who);
end $$;

-- internal: the callers below ask for the right
create function access.put_password(who bigint, new_hash text, kept integer, change boolean) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into access.passwords as w (principal_id, hash, must_change) values (who, new_hash, change)
    on conflict (principal_id) do update set
        hash = excluded.hash, must_change = change, changed_at = now(),
        former = (array_prepend(w.hash, w.former))[1:greatest(kept - 1, 0)];
    -- whoever knew the old password is out
    update access.credentials c set revoked_at = now()
    where c.principal_id = who and c.credential_kind = 'session' and c.revoked_at is null;
end $$;

create function access.set_password(who bigint, new_hash text, kept integer) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    perform set_config('geo_grid.acts_for', access.name_of(who), true);
    perform access.put_password(who, new_hash, kept, false);
end $$;

create function access.offer_factor(who bigint, new_secret text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    insert into access.second_factors as f (principal_id, secret) values (who, new_secret)
    on conflict (principal_id) do update set secret = excluded.secret, last_step = 0 where f.confirmed_at is null;
end $$;

create function access.offered_factor(who bigint) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    return (select f.secret from access.second_factors f where f.principal_id = who and f.confirmed_at is null);
end $$;

create function access.confirm_factor(who bigint) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    perform set_config('geo_grid.acts_for', access.name_of(who), true);
    update access.second_factors f set confirmed_at = now() where f.principal_id = who and f.confirmed_at is null;
    update access.credentials c set revoked_at = now()
    where c.principal_id = who and c.credential_kind = 'session' and c.revoked_at is null;
end $$;

-- Care of accounts: with the right, or as the owner of the database.

-- an administrator cannot make himself an auditor, nor open an auditor's account: its owner does, here
create function access.refuse_auditors(named text) returns void
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() and exists (select from access.principals p where p.login_name = named and p.role = 'auditor') then
        raise exception 'accounts of auditors are cared for on the command line only' using errcode = 'insufficient_privilege';
    end if;
end $$;

create function access.refuse_unknown_cells(cells text[]) returns void
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    unknown text;
begin
    select cell into unknown from unnest(cells) cell
    where not exists (select from grid_cells c where c.grid_code = cell and c.valid_to is null) limit 1;
    if unknown is not null then
        raise exception 'there is no grid cell % in force', unknown using errcode = 'foreign_key_violation';
    end if;
end $$;

create function access.add_principal(
    kind text, named text, displayed text, staff text, given_role text, whole_city boolean, secret boolean,
    cells text[], subject text, demo boolean default false) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    made bigint;
begin
    perform access.require('accounts');
    if given_role = 'auditor' and not access.is_owner() then
        raise exception 'accounts of auditors are made on the command line only' using errcode = 'insufficient_privilege';
    end if;
    perform access.refuse_unknown_cells(cells);
    insert into access.principals (principal_kind, login_name, display_name, staff_number, role, city_wide, sees_secret, oidc_subject, is_demo)
    values (kind, named, displayed, staff, given_role, whole_city, secret, subject, demo)
    returning principal_id into made;
    insert into access.principal_cells select made, cell from unnest(cells) cell;
    return made;
end $$;

create function access.change_principal(
    named text, displayed text, given_role text, whole_city boolean, secret boolean, cells text[], disabled boolean,
    subject text) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who bigint;
begin
    perform access.require('accounts');
    perform access.refuse_auditors(named);
    select principal_id into who from access.principals where login_name = named and principal_kind <> 'service' for update;
    if who is null then
        return null;
    end if;
    if disabled and who = access.me() then
        raise exception 'you cannot disable your own account' using errcode = 'check_violation';
    end if;
    perform access.refuse_unknown_cells(cells);
    update access.principals p set
        display_name = coalesce(displayed, p.display_name), role = coalesce(given_role, p.role),
        city_wide = coalesce(whole_city, p.city_wide), sees_secret = coalesce(secret, p.sees_secret),
        oidc_subject = coalesce(nullif(subject, ''), p.oidc_subject),
        disabled_at = case when disabled then coalesce(p.disabled_at, now()) when not disabled then null else p.disabled_at end
    where p.principal_id = who;
    if cells is not null then
        delete from access.principal_cells b where b.principal_id = who and b.grid_code <> all(cells);
        insert into access.principal_cells select who, cell from unnest(cells) cell on conflict do nothing;
    end if;
    if disabled then
        update access.credentials c set revoked_at = now() where c.principal_id = who and c.revoked_at is null;
    end if;
    return who;
end $$;

-- a one-time password, to be changed at the first log-in; also unlocks the name
create function access.reset_password(named text, new_hash text, kept integer) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who bigint;
begin
    perform access.require('accounts');
    perform access.refuse_auditors(named);
    select principal_id into who from access.principals p where p.login_name = named and p.principal_kind = 'user';
    if who is not null then
        perform access.put_password(who, new_hash, kept, true);
        delete from access.login_failures f where f.login_name = named;
    end if;
    return who is not null;
end $$;

create function access.list_principals() returns table (
    principal_kind text, login_name text, display_name text, staff_number text, role text, city_wide boolean,
    sees_secret boolean, grid_codes text[], has_second_factor boolean, uses_oidc boolean, disabled_at timestamptz,
    is_demo boolean, last_seen_at timestamptz)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('accounts');
    return query
        select p.principal_kind, p.login_name, p.display_name, p.staff_number, p.role, p.city_wide, p.sees_secret,
               array(select b.grid_code from access.principal_cells b where b.principal_id = p.principal_id order by 1),
               exists (select from access.second_factors f where f.principal_id = p.principal_id and f.confirmed_at is not null),
               p.oidc_subject is not null, p.disabled_at, p.is_demo,
               (select max(c.last_seen_at) from access.credentials c where c.principal_id = p.principal_id)
        from access.principals p where p.principal_kind <> 'service' order by p.login_name;
end $$;

create function access.issue_credential(
    named text, kind text, secret_digest text, labelled text, rights text[], shown_page text, from_network cidr,
    may_last interval) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who access.principals;
    unknown text;
    made bigint;
begin
    perform access.require('accounts');
    perform access.refuse_auditors(named);
    select * into who from access.principals p where p.login_name = named and p.disabled_at is null
        and p.principal_kind = case kind when 'key' then 'machine' when 'kiosk' then 'kiosk' end;
    if who.principal_id is null then
        return null;
    end if;
    select w into unknown from unnest(rights) w
    where not exists (select from access.role_rights r where r.role = who.role and r."right" = w) limit 1;
    if unknown is not null then
        raise exception 'the role % has no right %', who.role, unknown using errcode = 'check_violation';
    end if;
    insert into access.credentials (digest, principal_id, credential_kind, label, only_rights, page, network, expires_at)
    values (secret_digest, who.principal_id, kind, labelled, rights, shown_page, from_network, now() + may_last)
    returning credential_id into made;
    return made;
end $$;

create function access.list_credentials() returns table (
    credential_id bigint, credential_kind text, login_name text, label text, only_rights text[], page text,
    network text, created_at timestamptz, last_seen_at timestamptz, expires_at timestamptz, revoked_at timestamptz)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('accounts');
    return query
        select c.credential_id, c.credential_kind, p.login_name, c.label, c.only_rights, c.page, c.network::text,
               c.created_at, c.last_seen_at, c.expires_at, c.revoked_at
        from access.credentials c join access.principals p using (principal_id)
        where c.credential_kind in ('key', 'kiosk') order by c.credential_id;
end $$;

create function access.revoke_credential(wanted bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('accounts');
    update access.credentials c set revoked_at = coalesce(c.revoked_at, now())
    where c.credential_id = wanted and c.credential_kind in ('key', 'kiosk');
    return found;
end $$;

create function access.remove_factor(named text) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('accounts');
    perform access.refuse_auditors(named);
    delete from access.second_factors f using access.principals p
    where p.principal_id = f.principal_id and p.login_name = named;
    return found;
end $$;

create function access.require_factor(wanted text, required boolean) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('accounts');
    update access.roles r set second_factor_required = required where r.role = wanted and r.role not in ('service', 'wall');
    return found;
end $$;

create function access.list_roles() returns table (role text, second_factor_required boolean, rights text[])
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('accounts');
    return query
        select r.role, r.second_factor_required,
               array(select x."right" from access.role_rights x where x.role = r.role order by 1)
        from access.roles r where r.role <> 'service' order by r.role;
end $$;

-- the server's own credential, for one start; only the owner can give it
create function access.admit_server(secret_digest text, may_last interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        raise exception 'only the owner of the database admits a server' using errcode = 'insufficient_privilege';
    end if;
    insert into access.credentials (digest, principal_id, credential_kind, expires_at)
    select secret_digest, principal_id, 'service', now() + may_last from access.principals where role = 'service';
end $$;

revoke execute on all functions in schema access from public;
grant execute on function access.login_facts, access.note_login, access.use_factor_step, access.open_session,
    access.find_oidc, access.begin_oidc, access.end_oidc, access.identify, access.touch, access.close_session,
    access.former_passwords, access.set_password, access.offer_factor, access.offered_factor, access.confirm_factor,
    access.add_principal, access.change_principal, access.reset_password, access.list_principals,
    access.issue_credential, access.list_credentials, access.revoke_credential, access.remove_factor,
    access.require_factor, access.list_roles to geo_grid_app;
