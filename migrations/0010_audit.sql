-- Who did what, when, from where, to what, with what result. Append-only, each row chained to the one before
-- by SHA-256, in partitions by month (UTC) that are dropped whole, after export and after six months.

create table access.audit_log (
    audit_id bigint not null,
    occurred_at timestamptz not null,
    actor_id bigint,
    actor_name text not null,
    actor_role text not null,
    address inet,
    request_id text,
    action text not null check (action ~ '^[a-z_]+[.][a-z_]+$'),
    object_type text not null default '',
    object_id text not null default '',
    result text not null check (result in ('done', 'refused', 'failed')),
    detail jsonb not null default '{}',
    previous_hash text not null,
    hash text not null,
    primary key (audit_id, occurred_at)
) partition by range (occurred_at);
create index audit_log_occurred on access.audit_log (occurred_at);

create table access.audit_head (
    one boolean primary key default true check (one),
    audit_id bigint not null,
    hash text not null
);
insert into access.audit_head values (true, 0, repeat('0', 64));

create table access.audit_months (
    month date primary key check (extract(day from month) = 1),
    exported_at timestamptz,
    exported_rows bigint,
    dropped_at timestamptz,
    last_audit_id bigint,
    last_hash text
);
comment on column access.audit_months.last_hash is 'of the month''s last row: where the chain goes on when the month is dropped';

-- the text that is hashed; an export holds it letter for letter
create function access.audit_text(entry access.audit_log) returns text
language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC'
return (to_jsonb(entry) - 'previous_hash' - 'hash')::text;

create function access.audit_hash(previous text, body text) returns text
language sql immutable set search_path = pg_catalog, pg_temp
return encode(sha256(convert_to(previous || '|' || body, 'UTF8')), 'hex');

create function access.keep_audit() returns trigger language plpgsql as $$
begin
    raise exception 'audit rows are never changed or deleted' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_log_kept before update or delete on access.audit_log
    for each row execute function access.keep_audit();
create trigger audit_log_not_truncated before truncate on access.audit_log
    for each statement execute function access.keep_audit();

create function access.audit_partition(month date) returns text
language sql immutable set search_path = pg_catalog, pg_temp
return 'audit_log_' || to_char(month, 'YYYY_MM');

create function access.make_audit_month(moment timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC' as $$
declare
    first_day date := date_trunc('month', moment)::date;
    partition text := access.audit_partition(first_day);
begin
    if to_regclass('access.' || partition) is null then
        execute format('create table access.%I partition of access.audit_log for values from (%L) to (%L)',
                       partition, first_day, (first_day + interval '1 month')::date);
        execute format('create trigger kept_whole before truncate on access.%I'
                       ' for each statement execute function access.keep_audit()', partition);
        insert into access.audit_months (month) values (first_day) on conflict do nothing;
    end if;
end $$;

-- who: the credential of this transaction; told by the server itself where nobody is known yet
create function access.record(
    what text, kind text, object text, outcome text, details jsonb default '{}', named text default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    head access.audit_head;
    who record;
    entry access.audit_log;
begin
    select a.principal_id, a.login_name, a.role, a.credential_kind into who from access.asking a;
    if who.credential_kind = 'service' then  -- the server acts for somebody, whom only it can know yet
        who.login_name := coalesce(named, nullif(current_setting('geo_grid.acts_for', true), ''), 'the server');
        select p.principal_id, p.role into who.principal_id, who.role
        from access.principals p where p.login_name = who.login_name;
    elsif who.principal_id is null and access.is_owner() then
        who.login_name := coalesce(nullif(current_setting('geo_grid.actor', true), ''), session_user);
        who.role := 'owner';
    elsif who.principal_id is null then
        raise exception 'nobody is asking: nothing is recorded' using errcode = 'insufficient_privilege';
    end if;
    -- one writer at a time, until its transaction ends: a chain has no branches
    select * into head from access.audit_head for update;
    entry.audit_id := head.audit_id + 1;
    entry.occurred_at := clock_timestamp();
    entry.actor_id := who.principal_id;
    entry.actor_name := left(who.login_name, 200);
    entry.actor_role := coalesce(who.role, '');
    entry.address := nullif(current_setting('geo_grid.address', true), '')::inet;
    entry.request_id := nullif(current_setting('geo_grid.request_id', true), '');
    entry.action := what;
    entry.object_type := kind;
    entry.object_id := left(object, 200);
    entry.result := outcome;
    entry.detail := details;
    entry.previous_hash := head.hash;
    entry.hash := access.audit_hash(head.hash, access.audit_text(entry));
    perform access.make_audit_month(entry.occurred_at);
    insert into access.audit_log select entry.*;
    update access.audit_head set audit_id = entry.audit_id, hash = entry.hash;
    return entry.audit_id;
end $$;

-- Changes of accounts are recorded by the tables themselves, so no way in can leave them out.

create function access.name_of(who bigint) returns text
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return (select p.login_name from access.principals p where p.principal_id = who);

create function access.audit_principal() returns trigger
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
create trigger principals_audited after insert or update on access.principals
    for each row execute function access.audit_principal();

create function access.audit_cells() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    bound access.principal_cells := coalesce(new, old);
begin
    perform access.record(case tg_op when 'INSERT' then 'account.bind' else 'account.unbind' end, 'user',
                          access.name_of(bound.principal_id),
                          'done', jsonb_build_object('grid_code', bound.grid_code));
    return null;
end $$;
create trigger principal_cells_audited after insert or delete on access.principal_cells
    for each row execute function access.audit_cells();

create function access.audit_password() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.record('account.password', 'user',
                          access.name_of(new.principal_id),
                          'done', jsonb_build_object('must_change', new.must_change));
    return null;
end $$;
create trigger passwords_audited after insert or update of hash on access.passwords
    for each row execute function access.audit_password();

create function access.audit_second_factor() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    factor access.second_factors := coalesce(new, old);
begin
    perform access.record(case when tg_op = 'DELETE' then 'account.factor_removed' else 'account.factor_confirmed' end, 'user',
                          access.name_of(factor.principal_id), 'done');
    return null;
end $$;
create trigger second_factors_confirmed after update of confirmed_at on access.second_factors
    for each row when (new.confirmed_at is not null) execute function access.audit_second_factor();
create trigger second_factors_removed after delete on access.second_factors
    for each row when (old.confirmed_at is not null) execute function access.audit_second_factor();

create function access.audit_credential() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.record(new.credential_kind || case tg_op when 'INSERT' then '.issue' else '.revoke' end,
                          new.credential_kind, new.credential_id::text, 'done', jsonb_build_object(
        'account', access.name_of(new.principal_id),
        'label', new.label, 'rights', new.only_rights, 'page', new.page, 'network', new.network,
        'expires_at', new.expires_at));
    return null;
end $$;
create trigger credentials_issued after insert on access.credentials
    for each row when (new.credential_kind in ('key', 'kiosk')) execute function access.audit_credential();
create trigger credentials_revoked after update of revoked_at on access.credentials
    for each row when (old.revoked_at is null and new.revoked_at is not null and new.credential_kind in ('key', 'kiosk'))
    execute function access.audit_credential();

create function access.audit_role() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.record('role.change', 'role', new.role, 'done',
                          jsonb_build_object('second_factor_required', new.second_factor_required));
    return null;
end $$;
create trigger roles_audited after update on access.roles for each row execute function access.audit_role();

create function access.audit_rights() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    changed access.role_rights := coalesce(new, old);
begin
    perform access.record('role.change', 'role', changed.role, 'done',
                          jsonb_build_object('right', changed."right", 'given', tg_op <> 'DELETE'));
    return null;
end $$;
create trigger role_rights_audited after insert or update or delete on access.role_rights
    for each row execute function access.audit_rights();

-- at the commit: the chain is not held for as long as a publish works
create function access.audit_edition() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.record('boundaries.publish', 'edition', new.edition_id::text, 'done',
                          jsonb_build_object('note', new.note, 'valid_from', new.valid_from));
    return null;
end $$;
create constraint trigger editions_zz_audited after insert on editions
    deferrable initially deferred for each row execute function access.audit_edition();

-- Reading: the auditor's page, export and check.

create function access.read_audit(
    after_id bigint, until_id bigint, at_most integer, since timestamptz default null, until timestamptz default null,
    actor text default null, what text default null, object text default null, outcome text default null
) returns table (audit_id bigint, body text, previous_hash text, hash text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('audit');
    return query
        select a.audit_id, access.audit_text(a), a.previous_hash, a.hash
        from access.audit_log a
        where a.audit_id > after_id and (until_id is null or a.audit_id < until_id)
          and (since is null or a.occurred_at >= since) and (until is null or a.occurred_at < until)
          and (actor is null or a.actor_name = actor)
          and (what is null or starts_with(a.action, what))
          and (object is null or a.object_id = object)
          and (outcome is null or a.result = outcome)
        order by case when until_id is null then a.audit_id end, a.audit_id desc
        limit at_most;
end $$;

-- where the chain begins now, and where it ends
create function access.audit_ends(out first_id bigint, out first_hash text, out last_id bigint, out last_hash text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('audit');
    select coalesce(max(m.last_audit_id), 0), coalesce((array_agg(m.last_hash order by m.last_audit_id desc))[1], repeat('0', 64))
    into first_id, first_hash from access.audit_months m where m.dropped_at is not null and m.last_audit_id is not null;
    select h.audit_id, h.hash into last_id, last_hash from access.audit_head h;
end $$;

create function access.note_export(month_exported date, row_count bigint) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('audit');
    if month_exported is not null then
        update access.audit_months m set exported_at = now(), exported_rows = row_count where m.month = month_exported;
    end if;
    perform access.record('audit.export', 'month', coalesce(month_exported::text, ''), 'done',
                          jsonb_build_object('rows', row_count));
end $$;

-- whole months, exported after they ended, at least six calendar months old
create function access.drop_audit_month(month_dropped date, months_kept integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC' as $$
declare
    known access.audit_months;
    last record;
    counted bigint;
begin
    if not access.is_owner() then
        raise exception 'months of the audit are dropped on the command line only' using errcode = 'insufficient_privilege';
    end if;
    select * into known from access.audit_months m where m.month = month_dropped and m.dropped_at is null for update;
    if known.month is null then
        raise exception 'there is no month % in the audit', to_char(month_dropped, 'YYYY-MM') using errcode = 'no_data_found';
    elsif month_dropped + make_interval(months => greatest(months_kept, 6) + 1) > now() then
        raise exception '% is kept until % (retention: % calendar months)', to_char(month_dropped, 'YYYY-MM'),
            to_char(month_dropped + make_interval(months => greatest(months_kept, 6) + 1), 'YYYY-MM-DD'),
            greatest(months_kept, 6) using errcode = 'object_not_in_prerequisite_state';
    elsif known.exported_at is null or known.exported_at < month_dropped + interval '1 month' then
        raise exception '% was not exported since it ended: export it first', to_char(month_dropped, 'YYYY-MM')
            using errcode = 'object_not_in_prerequisite_state';
    elsif exists (select from access.audit_months m where m.dropped_at is null and m.month < month_dropped) then
        raise exception 'months are dropped oldest first' using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform from access.audit_head for update;
    select a.audit_id, a.hash into last from access.audit_log a
    where a.occurred_at >= month_dropped and a.occurred_at < month_dropped + interval '1 month'
    order by a.audit_id desc limit 1;
    select count(*) into counted from access.audit_log a
    where a.occurred_at >= month_dropped and a.occurred_at < month_dropped + interval '1 month';
    execute format('drop table access.%I', access.audit_partition(month_dropped));
    update access.audit_months m set dropped_at = now(), last_audit_id = last.audit_id, last_hash = last.hash
    where m.month = month_dropped;
    perform access.record('audit.drop', 'month', month_dropped::text, 'done', jsonb_build_object('rows', counted));
    return counted;
end $$;

-- who opened which camera, when, why, for which incident (State Council Order 799: every retrieval is registered)
create function access.open_camera(wanted text, reason text, incident bigint) returns bigint
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
    return access.record('camera.open', 'camera', wanted, 'done',
                         jsonb_build_object('reason', reason, 'incident_id', incident));
end $$;

create function access.record_export(layer text, form text, row_count bigint, box text) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('export');
    return access.record('layer.export', 'layer', layer, 'done',
                         jsonb_build_object('form', form, 'rows', row_count, 'bbox', box));
end $$;

create function access.record_refusal(route text, wanted text) returns bigint
language sql security definer set search_path = pg_catalog, public, pg_temp
return access.record('request.refused', 'route', route, 'refused', jsonb_build_object('right', wanted));

revoke execute on all functions in schema access from public;
grant execute on function access.read_audit, access.audit_ends, access.note_export, access.open_camera,
    access.record_export, access.record_refusal to geo_grid_app;
