-- Unique keys that do not disclose rows which the principal may not see.

-- Codes of posts and units are unique in the city, and are referenced: a principal bound to some cells must begin them with
-- the code of one of these cells. Numbers of cameras and facilities are given by others: they need only be unique among the
-- rows that the principal sees; somebody who sees two rows with the same number removes one.
create or replace function access.may_name(key text) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    innermost text;
begin
    if access.city_wide('layers.write') then
        return true;
    end if;
    select left(key, n) into innermost
    from generate_series(1, length(key) - 1) n
    where substr(key, n + 1, 1) in ('-', '.', '_')
      and exists (select from access.cell_scope s where s.grid_code = left(key, n))
    order by n desc
    limit 1;
    return coalesce(innermost in (select access.my_cells('layers.write')), false);
end $$;
grant execute on function access.may_name to geo_grid_app;

create or replace function access.own_key() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    given text := to_jsonb(new)->>tg_argv[0];
    is_seen boolean;
begin
    if not access.may_name(given) then
        execute format('select exists (select from %I.%I where %I = $1)', tg_table_schema, tg_table_name, tg_argv[0])
            into is_seen using given;
        if not is_seen then  -- a visible row with the same key may be reported as a conflict
            raise exception '% is not yours to give: begin it with the code of one of your grid cells and a hyphen', given
                using errcode = 'insufficient_privilege';
        end if;
    end if;
    return new;
end $$;

-- Refuses a number that whoever writes can see already: of rows inserted after the statement (as `added`), at a change before
-- it. A lock makes concurrent registrations wait for each other; runs with the principal's rights.
create or replace function access.refuse_second() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
    given text;
begin
    perform pg_advisory_xact_lock(tg_relid::int, 0);
    if tg_op = 'INSERT' then
        execute format('select a.%1$I from added a join %2$I.%3$I t using (%1$I) group by 1 having count(*) > 1 limit 1',
                       tg_argv[0], tg_table_schema, tg_table_name) into given;
    else
        execute format('select t.%1$I from %2$I.%3$I t where t.%1$I = ($1).%1$I', tg_argv[0], tg_table_schema, tg_table_name)
            into given using new;
    end if;
    if given is not null then
        raise exception '% is stored already', given using errcode = 'unique_violation';
    end if;
    return new;
end $$;
