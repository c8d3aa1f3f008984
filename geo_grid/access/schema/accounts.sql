-- Functions for accounts, callable with the right to administer them, or by the owner of the database.

-- administrator and auditor are never the same person, now or before
create or replace function access.keep_apart() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'UPDATE' and old.role <> new.role and (old.role in ('administrator', 'auditor')
                                                      or new.role in ('administrator', 'auditor')) then
        raise exception 'the role % is given to an account of its own and never changed', 
            case when old.role in ('administrator', 'auditor') then old.role else new.role end
            using errcode = 'check_violation';
    end if;
    if new.role in ('administrator', 'auditor') and exists (
        select from access.principals p
        where p.staff_number = new.staff_number and p.principal_id <> new.principal_id
          and p.role in ('administrator', 'auditor') and p.role <> new.role
    ) then
        raise exception 'administrator and auditor are never the same person: staff number % has the other role',
            new.staff_number using errcode = 'check_violation';
    end if;
    return new;
end $$;

-- an administrator cannot make himself an auditor, nor open an auditor's account: its owner does, here
create or replace function access.refuse_auditors(named text) returns void
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() and exists (select from access.principals p where p.login_name = named and p.role = 'auditor') then
        raise exception 'accounts of auditors are cared for on the command line only' using errcode = 'insufficient_privilege';
    end if;
end $$;

create or replace function access.refuse_unknown_cells(cells text[]) returns void
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

create or replace function access.add_principal(
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
grant execute on function access.add_principal to geo_grid_app;

create or replace function access.change_principal(
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
grant execute on function access.change_principal to geo_grid_app;

-- Sets a one-time password, which must be changed at the first log-in; also unlocks the name.
create or replace function access.reset_password(named text, new_hash text, kept integer) returns boolean
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
grant execute on function access.reset_password to geo_grid_app;

create or replace function access.list_principals() returns table (
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
grant execute on function access.list_principals to geo_grid_app;

create or replace function access.issue_credential(
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
grant execute on function access.issue_credential to geo_grid_app;

create or replace function access.list_credentials() returns table (
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
grant execute on function access.list_credentials to geo_grid_app;

create or replace function access.revoke_credential(wanted bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('accounts');
    update access.credentials c set revoked_at = coalesce(c.revoked_at, now())
    where c.credential_id = wanted and c.credential_kind in ('key', 'kiosk');
    return found;
end $$;
grant execute on function access.revoke_credential to geo_grid_app;

create or replace function access.remove_factor(named text) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('accounts');
    perform access.refuse_auditors(named);
    delete from access.second_factors f using access.principals p
    where p.principal_id = f.principal_id and p.login_name = named;
    return found;
end $$;
grant execute on function access.remove_factor to geo_grid_app;

create or replace function access.require_factor(wanted text, required boolean) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('accounts');
    update access.roles r set second_factor_required = required where r.role = wanted and r.role not in ('service', 'wall');
    return found;
end $$;
grant execute on function access.require_factor to geo_grid_app;

create or replace function access.list_roles() returns table (role text, second_factor_required boolean, rights text[])
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('accounts');
    return query
        select r.role, r.second_factor_required,
               array(select x."right" from access.role_rights x where x.role = r.role order by 1)
        from access.roles r where r.role <> 'service' order by r.role;
end $$;
grant execute on function access.list_roles to geo_grid_app;

create trigger principals_kept_apart before insert or update on access.principals
    for each row execute function access.keep_apart();
