-- The audit: append-only, each row chained to the one before by SHA-256, in partitions by month (UTC).

-- the text that is hashed; an export has exactly this text
create or replace function access.audit_text(entry access.audit_log) returns text
language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC'
return (to_jsonb(entry) - 'previous_hash' - 'hash')::text;

create or replace function access.audit_hash(previous text, body text) returns text
language sql immutable set search_path = pg_catalog, pg_temp
return encode(sha256(convert_to(previous || '|' || body, 'UTF8')), 'hex');

create or replace function access.keep_audit() returns trigger language plpgsql as $$
begin
    raise exception 'audit rows are never changed or deleted' using errcode = 'insufficient_privilege';
end $$;

create or replace function access.make_audit_month(moment timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC' as $$
begin
    if access.make_partition('access.audit_log', 'month', moment) then
        execute format('create trigger kept_whole before truncate on %s for each statement execute function access.keep_audit()',
                       access.partition_of('access.audit_log', 'month', moment));
        insert into access.audit_months (month) values (date_trunc('month', moment)::date) on conflict do nothing;
    end if;
end $$;

-- the author of the row is the principal of the transaction; before a log-in is complete the server names it
create or replace function access.record(
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

create or replace function access.settle_sum(one access.audit_sums) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if one.events > 0 then
        perform access.record(one.action, one.object_type, one.summed_by, one.result, jsonb_build_object(
            'count', one.events, 'rows', one.row_count, 'parts', one.parts, 'addresses', one.addresses,
            'since', one.begun_at), one.actor_name);
    end if;
end $$;

-- Writes the counts of minutes that are over.
create or replace function access.settle_sums() returns void
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
grant execute on function access.settle_sums to geo_grid_service;

-- Events that one account can cause many times a second are written as one row at once, and then one row a minute with the
-- count of the others, so that the chain, from which nobody may delete, cannot be flooded.
create or replace function access.record_often(
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

create or replace function access.record_export(layer text, form text, row_count bigint, box text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('export');
    perform access.record_often('layer.export', 'layer', layer, 'done',
                                jsonb_build_object('form', form, 'rows', row_count, 'bbox', box), form, layer, row_count);
end $$;
grant execute on function access.record_export to geo_grid_app;

create or replace function access.record_refusal(route text, wanted text) returns void
language sql security definer set search_path = pg_catalog, public, pg_temp
return access.record_often('request.refused', 'route', route, 'refused', jsonb_build_object('right', wanted), route);
grant execute on function access.record_refusal to geo_grid_app;

-- Records what an auditor looked at, each question at once and then once a minute.
create or replace function access.note_look(question text, about text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('audit');
    perform access.record_often('audit.look', case about when '' then 'audit' else 'camera' end, about, 'done',
                                jsonb_build_object('question', question), about, question);
end $$;
grant execute on function access.note_look to geo_grid_app;

create or replace function access.read_audit(
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
grant execute on function access.read_audit to geo_grid_app;

-- where the chain begins now, and where it ends
create or replace function access.audit_ends(out first_id bigint, out first_hash text, out last_id bigint, out last_hash text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('audit');
    select coalesce(max(m.last_audit_id), 0), coalesce((array_agg(m.last_hash order by m.last_audit_id desc))[1], repeat('0', 64))
    into first_id, first_hash from access.audit_months m where m.dropped_at is not null and m.last_audit_id is not null;
    select h.audit_id, h.hash into last_id, last_hash from access.audit_head h;
end $$;
grant execute on function access.audit_ends to geo_grid_app;

create or replace function access.note_export(month_exported date, row_count bigint) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('audit');
    if month_exported is not null then
        update access.audit_months m set exported_at = now(), exported_rows = row_count where m.month = month_exported;
    end if;
    perform access.record('audit.export', 'month', coalesce(month_exported::text, ''), 'done',
                          jsonb_build_object('rows', row_count));
end $$;
grant execute on function access.note_export to geo_grid_app;

-- whole months, exported after they ended, at least six calendar months old
create or replace function access.drop_audit_month(month_dropped date, months_kept integer) returns bigint
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
    execute format('drop table %s', access.partition_of('access.audit_log', 'month', month_dropped));
    update access.audit_months m set dropped_at = now(), last_audit_id = last.audit_id, last_hash = last.hash
    where m.month = month_dropped;
    perform access.record('audit.drop', 'month', month_dropped::text, 'done', jsonb_build_object('rows', counted));
    return counted;
end $$;

create trigger audit_log_kept before update or delete on access.audit_log
    for each row execute function access.keep_audit();
create trigger audit_log_not_truncated before truncate on access.audit_log
    for each statement execute function access.keep_audit();
