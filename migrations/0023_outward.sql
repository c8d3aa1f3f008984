-- Log-in, audit and what goes out: failures are counted by name and place, so that strangers lock nobody out;
-- what happens often is summed up by the minute; openings of cameras name incidents that are there.

-- Browsers from which somebody logged in before. Their failures are counted apart from those of strangers.
create table access.known_devices (
    digest text collate "C" not null check (digest ~ '^[0-9a-f]{64}$'),
    principal_id bigint not null references access.principals,
    expires_at timestamptz not null,
    primary key (digest, principal_id)
);
create index known_devices_principal on access.known_devices (principal_id);

delete from access.login_failures;
alter table access.login_failures
    add column counted_by text collate "C" not null,
    drop constraint login_failures_pkey,
    add primary key (login_name, counted_by);
comment on column access.login_failures.counted_by is
    'digest of a known device; else the address; "everywhere": by strangers; "code": the password was right';

-- what a sender can choose their addresses from: of IPv6 that is a network of 64 bits
create function access.neighbourhood() returns text
language sql stable set search_path = pg_catalog, pg_temp
return (
    select case family(a) when 6 then network(set_masklen(a, 64))::text else host(a) end
    from (select nullif(current_setting('geo_grid.address', true), '')::inet as a) asking
);

create function access.is_known_device(who bigint, device text) returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return exists (select from access.known_devices d
               where d.digest = device and d.principal_id = who and d.expires_at > now());

-- seconds for which a name is locked: for a minute after so many failures, twice as long after each further one
create function access.locked_s(named text, by_what text, free integer, longest interval) returns double precision
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return coalesce(
    (select greatest(0, extract(epoch from
         f.failed_at + least(interval '1 minute' * power(2, least(f.failures - free, 20)), longest) - clock_timestamp()))
     from access.login_failures f
     where f.login_name = named and f.counted_by = by_what and f.failures >= free), 0)::float8;

drop function access.login_facts(text);
-- Everything the server must know to judge a password; for a name that is nobody's, the same without a hash.
-- blocked_s: for whoever asks; crowded_s: for everybody who is no known device, because strangers guess.
create function access.login_facts(
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
    -- a second question about one name waits for the first: guesses are counted one by one
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

drop function access.note_login(text, text, text);
-- outcome: done; failed, which counts; refused. A right password without the code counts for the place alone.
create function access.note_login(named text, device text, outcome text, why text) returns void
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

-- After a full log-in this browser is known, under a new secret; others who logged in from it keep their place.
create function access.know_device(who bigint, brought text, made text, may_last interval) returns void
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

-- a password that somebody else set, or an account that was disabled: no browser is known any more
create function access.forget_devices() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    delete from access.known_devices d where d.principal_id = new.principal_id;
    return null;
end $$;
create trigger passwords_forget_devices after update of must_change on access.passwords
    for each row when (new.must_change) execute function access.forget_devices();
create trigger principals_forget_devices after update of disabled_at on access.principals
    for each row when (new.disabled_at is not null) execute function access.forget_devices();

-- What one account can make happen many times a second is one row of the audit at once, and one a minute with the
-- count of the others: the chain cannot be flooded with rows that nobody may delete.
create table access.audit_sums (
    actor_name text collate "C" not null,
    action text not null,
    summed_by text not null,
    object_type text not null,
    result text not null,
    begun_at timestamptz not null,
    events bigint not null default 0,
    row_count bigint not null default 0,
    parts jsonb not null default '{}',
    addresses text[] not null default '{}',
    primary key (actor_name, action, summed_by)
);
comment on column access.audit_sums.events is 'since the row that was written at once';
comment on column access.audit_sums.parts is 'how often each, the first fifty';

create function access.settle_sum(one access.audit_sums) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if one.events > 0 then
        perform access.record(one.action, one.object_type, one.summed_by, one.result, jsonb_build_object(
            'count', one.events, 'rows', one.row_count, 'parts', one.parts, 'addresses', one.addresses,
            'since', one.begun_at), one.actor_name);
    end if;
end $$;

create function access.record_often(
    what text, kind text, object text, outcome text, details jsonb, part text, by_what text default '',
    row_count bigint default 0, named text default null) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who text := coalesce(named, (select a.login_name from access.asking a));
    one access.audit_sums;
begin
    if who is null then  -- the owner of the database, on the command line
        perform access.record(what, kind, object, outcome, details, named);
        return;
    end if;
    loop
        insert into access.audit_sums (actor_name, action, summed_by, object_type, result, begun_at)
        values (left(who, 200), what, by_what, kind, outcome, clock_timestamp()) on conflict do nothing;
        if found then
            perform access.record(what, kind, object, outcome, details, named);
            return;
        end if;
        select * into one from access.audit_sums s
        where s.actor_name = left(who, 200) and s.action = what and s.summed_by = by_what for update;
        exit when found;  -- else it was settled meanwhile
    end loop;
    if one.begun_at < clock_timestamp() - interval '1 minute' then
        perform access.settle_sum(one);
        perform access.record(what, kind, object, outcome, details, named);
        update access.audit_sums s
        set begun_at = clock_timestamp(), events = 0, row_count = 0, parts = '{}', addresses = '{}'
        where s.actor_name = one.actor_name and s.action = what and s.summed_by = by_what;
        return;
    end if;
    update access.audit_sums s set
        events = s.events + 1,
        row_count = s.row_count + coalesce(record_often.row_count, 0),
        parts = case when s.parts ? part or (select count(*) from jsonb_object_keys(s.parts)) < 50
                then s.parts || jsonb_build_object(part, coalesce((s.parts->>part)::bigint, 0) + 1) else s.parts end,
        addresses = case when coalesce(current_setting('geo_grid.address', true), '') = any (s.addresses || ''::text)
                              or cardinality(s.addresses) >= 10 then s.addresses
                    else s.addresses || current_setting('geo_grid.address', true) end
    where s.actor_name = one.actor_name and s.action = what and s.summed_by = by_what;
end $$;

-- write down the sums whose minute is over
create function access.settle_sums() returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    one access.audit_sums;
begin
    perform access.require_service();
    for one in
        delete from access.audit_sums s
        where (s.actor_name, s.action, s.summed_by) in (
            select o.actor_name, o.action, o.summed_by from access.audit_sums o
            where o.begun_at < clock_timestamp() - interval '1 minute' order by o.begun_at for update skip locked)
        returning s.*
    loop
        perform access.settle_sum(one);
    end loop;
end $$;

drop function access.record_export(text, text, bigint, text);
create function access.record_export(layer text, form text, row_count bigint, box text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('export');
    perform access.record_often('layer.export', 'layer', layer, 'done',
                                jsonb_build_object('form', form, 'rows', row_count, 'bbox', box), form, layer, row_count);
end $$;

drop function access.record_refusal(text, text);
create function access.record_refusal(route text, wanted text) returns void
language sql security definer set search_path = pg_catalog, public, pg_temp
return access.record_often('request.refused', 'route', route, 'refused', jsonb_build_object('right', wanted), route);

-- A screen's token that is not taken: whose it is, and why. A token that was never ours is nobody's.
create function access.note_screen(token_digest text) returns void
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

-- A camera is opened for an incident that is there, open, and seen by whoever opens it.
create or replace function access.open_camera(wanted text, reason text, incident bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    seen boolean;
begin
    perform access.require('cameras.open');
    select true into seen from cameras c
    where c.gb28181_id = wanted
      and (access.city_wide('map') or c.grid_code in (select access.my_cells('map')))
      and (not c.is_secret or access.may('cameras.secret'));
    if seen is null then
        return null;
    end if;
    if incident is not null and not exists (
        select from incidents i
        where i.incident_id = incident and i.closed_at is null
          and (access.city_wide('incidents.read') or i.grid_code in (select access.my_cells('incidents.read')))
    ) then
        raise exception 'there is no open incident %', incident using errcode = 'no_data_found';
    end if;
    return access.record('camera.open', 'camera', wanted, 'done',
                         jsonb_build_object('reason', reason, 'incident_id', incident));
end $$;

-- the last two digits tell who calls only where there are many
create or replace function access.masked(number text) returns text
language sql immutable set search_path = pg_catalog, pg_temp
return case when length(number) < 7 then repeat('*', length(number))
            else repeat('*', length(number) - 2) || right(number, 2) end;

-- Who logs in with a password may change it, whatever their role: a right of people, not of machines and screens.
insert into access.role_rights values ('wall', 'account');
create or replace view access.asking_rights as
select a.principal_id, a.city_wide, r."right"
from access.asking a
join access.role_rights r on r.role = a.role
where (a.only_rights is null or r."right" = any(a.only_rights))
  and (r."right" <> 'cameras.secret' or a.sees_secret)
  and (r."right" <> 'account' or a.principal_kind = 'user');

revoke execute on function access.neighbourhood, access.is_known_device, access.locked_s, access.login_facts,
    access.note_login, access.know_device, access.forget_devices, access.settle_sum,
    access.record_often, access.settle_sums, access.record_export, access.record_refusal, access.note_screen from public;
grant execute on function access.login_facts, access.note_login, access.know_device, access.settle_sums,
    access.note_screen to geo_grid_service;
grant execute on function access.record_export, access.record_refusal to geo_grid_app;
