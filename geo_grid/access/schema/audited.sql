-- Audit by triggers of the tables, so that no client can bypass it.

create or replace function access.name_of(who bigint) returns text
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return (select p.login_name from access.principals p where p.principal_id = who);

-- Changes of accounts are recorded by the tables themselves.
create or replace function access.audit_principal() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    changes jsonb;
begin
    if tg_op = 'INSERT' then
        perform access.record('account.create', new.principal_kind, new.login_name, 'done', jsonb_build_object(
            'role', new.role, 'city_wide', new.city_wide, 'sees_secret', new.sees_secret, 'is_demo', new.is_demo));
        return null;
    end if;
    select jsonb_object_agg(n.key, jsonb_build_array(o.value, n.value)) into changes
    from jsonb_each(to_jsonb(new)) n join jsonb_each(to_jsonb(old)) o using (key)
    where n.value is distinct from o.value;
    if changes is not null then
        perform access.record('account.change', new.principal_kind, new.login_name, 'done', changes);
    end if;
    return null;
end $$;

create or replace function access.audit_cells() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    bound access.principal_cells := coalesce(new, old);
begin
    perform access.record(case tg_op when 'INSERT' then 'account.bind' else 'account.unbind' end, 'user',
                          access.name_of(bound.principal_id),
                          'done', jsonb_build_object('grid_code', bound.grid_code));
    return null;
end $$;

create or replace function access.audit_password() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.record('account.password', 'user',
                          access.name_of(new.principal_id),
                          'done', jsonb_build_object('must_change', new.must_change));
    return null;
end $$;

create or replace function access.audit_second_factor() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    factor access.second_factors := coalesce(new, old);
begin
    perform access.record(case when tg_op = 'DELETE' then 'account.factor_removed' else 'account.factor_confirmed' end, 'user',
                          access.name_of(factor.principal_id), 'done');
    return null;
end $$;

create or replace function access.audit_credential() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.record(new.credential_kind || case tg_op when 'INSERT' then '.issue' else '.revoke' end,
                          new.credential_kind, new.credential_id::text, 'done', jsonb_build_object(
        'account', access.name_of(new.principal_id),
        'label', new.label, 'rights', new.only_rights, 'page', new.page, 'network', new.network,
        'expires_at', new.expires_at));
    return null;
end $$;

create or replace function access.audit_role() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.record('role.change', 'role', new.role, 'done',
                          jsonb_build_object('second_factor_required', new.second_factor_required));
    return null;
end $$;

create or replace function access.audit_rights() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    changed access.role_rights := coalesce(new, old);
begin
    perform access.record('role.change', 'role', changed.role, 'done',
                          jsonb_build_object('right', changed."right", 'given', tg_op <> 'DELETE'));
    return null;
end $$;

-- deferred to the commit, so that the lock on the chain is not held while an edition is published
create or replace function access.audit_edition() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.record('boundaries.publish', 'edition', new.edition_id::text, 'done',
                          jsonb_build_object('note', new.note, 'valid_from', new.valid_from));
    return null;
end $$;

-- Every change by a principal is in the audit: one row each, or one with a count for an imported file.
create or replace function access.audit_features() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    key_column text := tg_argv[0];
    row_count bigint;
    entry record;
begin
    if access.is_owner() then
        return null;
    end if;
    if tg_op = 'DELETE' then
        select count(*) into row_count from former;
    else
        select count(*) into row_count from changed;
    end if;
    if row_count > 20 then
        perform access.record('features.' || lower(tg_op), tg_table_name, '', 'done', jsonb_build_object('rows', row_count));
    elsif tg_op = 'INSERT' then
        for entry in select to_jsonb(n) as row from changed n loop
            perform access.record('feature.create', tg_table_name, entry.row->>key_column, 'done', entry.row);
        end loop;
    elsif tg_op = 'DELETE' then
        for entry in select to_jsonb(o) as row from former o loop
            perform access.record('feature.delete', tg_table_name, entry.row->>key_column, 'done', entry.row);
        end loop;
    else
        for entry in
            select n.row->>key_column as key,
                   (select jsonb_object_agg(f.key, jsonb_build_array(o.row->f.key, f.value))
                    from jsonb_each(n.row) f where f.value is distinct from o.row->f.key) as changes
            from (select to_jsonb(c) as row from changed c) n
            join (select to_jsonb(f) as row from former f) o on o.row->key_column = n.row->key_column
        loop
            perform access.record('feature.change', tg_table_name, entry.key, 'done', coalesce(entry.changes, '{}'));
        end loop;
    end if;
    return null;
end $$;

create trigger credentials_issued after insert on access.credentials
    for each row when (new.credential_kind in ('key', 'kiosk')) execute function access.audit_credential();
create trigger credentials_revoked after update of revoked_at on access.credentials
    for each row when (old.revoked_at is null and new.revoked_at is not null and new.credential_kind in ('key', 'kiosk'))
    execute function access.audit_credential();
create trigger passwords_audited after insert or update of hash on access.passwords
    for each row execute function access.audit_password();
create trigger principal_cells_audited after insert or delete on access.principal_cells
    for each row execute function access.audit_cells();
create trigger principals_audited after insert or update on access.principals
    for each row execute function access.audit_principal();
create trigger role_rights_audited after insert or update or delete on access.role_rights
    for each row execute function access.audit_rights();
create trigger roles_audited after update on access.roles for each row execute function access.audit_role();
create trigger second_factors_confirmed after update of confirmed_at on access.second_factors
    for each row when (new.confirmed_at is not null) execute function access.audit_second_factor();
create trigger second_factors_removed after delete on access.second_factors
    for each row when (old.confirmed_at is not null) execute function access.audit_second_factor();
create constraint trigger editions_zz_audited after insert on editions
    deferrable initially deferred for each row execute function access.audit_edition();
