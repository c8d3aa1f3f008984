-- Letters to hooks: written by the transaction that changes something, read and settled by the server's own role.

-- Whether a hook is told of something in a cell (null: in none). The account that made it must still be in force with its
-- right, and is told of the cells it is bound to now.
create or replace function access.hook_hears(hook hooks, cell text) returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select exists (
        select from access.principals p
        join access.role_rights r on r.role = p.role and r."right" = 'webhooks'
        where p.principal_id = hook.made_by_id and p.disabled_at is null
          and (p.city_wide or exists (
              select from access.principal_cells b
              join access.cell_scope s on s.ancestor_code = b.grid_code
              where b.principal_id = p.principal_id and s.grid_code = cell)))
      and (hook.grid_code is null or exists (
          select from access.cell_scope s where s.ancestor_code = hook.grid_code and s.grid_code = cell));
end;

-- One letter for each hook that wants it. Changes without a place (many incidents at once, an edition) are for all hooks.
create or replace function write_letters() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    said text := case new.kind when 'incident' then 'incident.changed' when 'incidents' then 'incidents.changed'
                               else 'boundaries.published' end;
begin
    insert into hook_letters (hook_id, kind, subject, payload)
    select h.hook_id, said, new.kind || ':' || coalesce(new.subject, ''),
           coalesce(new.payload, case new.kind when 'edition' then jsonb_build_object('edition_id', new.subject::bigint) else '{}' end)
    from hooks h
    where h.disabled_at is null and said = any(h.kinds)
      and (new.kind <> 'incident' or access.hook_hears(h, new.grid_code));
    return null;
end $$;

-- Letters that are due, oldest first, at most so many of each hook: none while an earlier one of its subject waits.
create or replace function access.due_letters(most integer)
returns table (letter_id bigint, hook_id bigint, url text, secret text, kind text, subject text, payload jsonb,
               made_at timestamptz, attempts integer)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    return query
    select l.letter_id, h.hook_id, h.url, h.secret, l.kind, l.subject, l.payload, l.made_at, l.attempts
    from hooks h
    cross join lateral (
        select d.* from hook_letters d
        where d.hook_id = h.hook_id and d.dead_at is null and d.next_at <= clock_timestamp()
          and not exists (select from hook_letters e
                          where e.hook_id = d.hook_id and e.subject = d.subject and e.letter_id < d.letter_id
                            and e.dead_at is null and e.next_at > clock_timestamp())
        order by d.letter_id limit most) l
    where h.disabled_at is null
    order by h.hook_id, l.letter_id;
end $$;

create or replace function access.letters_taken(taken bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    with gone as (delete from hook_letters l where l.letter_id = any(taken) returning l.hook_id)
    update hooks h set dead_in_row = 0 where h.dead_in_row > 0 and h.hook_id in (select g.hook_id from gone g);
end $$;

-- A try that failed: tried again after a while, or given up (null). A hook with so many given up in a row is disabled.
create or replace function access.letter_failed(failed bigint, why text, wait_s double precision, most_dead integer) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    of_hook bigint;
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    update hook_letters l
    set attempts = l.attempts + 1, last_error = left(why, 2000),
        next_at = clock_timestamp() + make_interval(secs => coalesce(wait_s, 0)),
        dead_at = case when wait_s is null then clock_timestamp() end
    where l.letter_id = failed
    returning l.hook_id into of_hook;
    if wait_s is null then
        update hooks h
        set dead_in_row = h.dead_in_row + 1,
            disabled_at = case when h.dead_in_row + 1 >= most_dead then coalesce(h.disabled_at, now()) else h.disabled_at end,
            disabled_because = case when h.dead_in_row + 1 >= most_dead
                                    then left(h.dead_in_row + 1 || ' letters in a row were given up, the last because: ' || why, 2000)
                                    else h.disabled_because end
        where h.hook_id = of_hook;
    end if;
end $$;

create or replace function access.disable_hook(disabled bigint, why text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    update hooks h set disabled_at = now(), disabled_because = left(why, 2000)
    where h.hook_id = disabled and h.disabled_at is null;
end $$;

-- What hooks want: whether there are any, whether any is told of areas; and forgets letters that were given up long ago.
create or replace function access.hooks_wanted(out any_hook boolean, out any_area boolean)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from hook_letters l where l.dead_at < now() - interval '30 days';
    select count(*) > 0, coalesce(bool_or(h.kinds && array['area.uncovered', 'area.covered']), false)
    into any_hook, any_area
    from hooks h where h.disabled_at is null;
end $$;

-- Whether free units reach any of each area, as it is now: those that changed since the last time are told once.
create or replace function access.note_areas(areas jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    insert into hook_letters (hook_id, kind, subject, payload)
    select h.hook_id, n.kind, n.area_kind || ':' || n.code, n.said
    from (select a.area_kind, a.code, to_jsonb(a) as said,
                 case when a.is_covered then 'area.covered' else 'area.uncovered' end as kind
          from jsonb_to_recordset(areas) as a (area_kind text, code text, name text, is_covered boolean, as_of timestamptz)
          join hook_areas o on o.area_kind = a.area_kind and o.code = a.code and o.is_covered <> a.is_covered) n
    join hooks h on h.disabled_at is null and n.kind = any(h.kinds)
        and access.hook_hears(h, case n.area_kind when 'county' then n.code end)
    order by n.area_kind, n.code;
    delete from hook_areas o
    where not exists (select from jsonb_to_recordset(areas) as a (area_kind text, code text)
                      where a.area_kind = o.area_kind and a.code = o.code);
    insert into hook_areas as o (area_kind, code, is_covered)
    select a.area_kind, a.code, a.is_covered from jsonb_to_recordset(areas) as a (area_kind text, code text, is_covered boolean)
    on conflict (area_kind, code) do update set is_covered = excluded.is_covered where o.is_covered <> excluded.is_covered;
end $$;
grant execute on function access.due_letters, access.letters_taken, access.letter_failed, access.disable_hook,
    access.hooks_wanted, access.note_areas to geo_grid_service;

-- a hook that is made or comes into force again is looked at soon
create or replace function ask_for_letters() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform ask_for('hook_letters', '', now());
    perform ask_for('hook_areas', '', now());
    return null;
end $$;

create or replace function access.audit_hook() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    hook hooks := coalesce(new, old);
begin
    perform access.record(case tg_op when 'INSERT' then 'hook.create' when 'DELETE' then 'hook.delete' else 'hook.change' end,
                          'hook', hook.hook_id::text, 'done', jsonb_build_object(
        'url', split_part(hook.url, '?', 1), 'kinds', hook.kinds, 'grid_code', hook.grid_code,
        'disabled_at', hook.disabled_at));
    return null;
end $$;

create trigger changes_to_hooks after insert on changes
    for each row when (new.kind in ('incident', 'incidents', 'edition')) execute function write_letters();
create trigger hooks_asked after insert or update of disabled_at on hooks
    for each row when (new.disabled_at is null) execute function ask_for_letters();
create trigger hooks_audited after insert or delete on hooks for each row execute function access.audit_hook();
create trigger hooks_change_audited after update of disabled_at on hooks
    for each row when (old.disabled_at is distinct from new.disabled_at) execute function access.audit_hook();
