-- The principal of the transaction and what it may see: the functions that policies call.

-- The principal of this transaction; no row: there is none.
create or replace view access.asking as
select p.principal_id, p.principal_kind, p.login_name, p.display_name, p.role, p.city_wide, p.sees_secret,
       c.credential_id, c.credential_kind, c.only_rights, c.page,
       least(c.expires_at, c.last_seen_at + c.idle) as ends_at
from access.credentials c
join access.principals p using (principal_id)
where c.digest = nullif(current_setting('geo_grid.credential', true), '')
  and (c.credential_kind <> 'service' or session_user = 'geo_grid_service')
  and p.disabled_at is null
  and c.revoked_at is null
  and c.expires_at > now()
  and (c.idle is null or c.last_seen_at + c.idle > now())
  and (c.network is null or c.network >>= nullif(current_setting('geo_grid.address', true), '')::inet);

create or replace view access.asking_rights as
select a.principal_id, a.city_wide, r."right"
from access.asking a
join access.role_rights r on r.role = a.role
where (a.only_rights is null or r."right" = any(a.only_rights))
  and (r."right" <> 'cameras.secret' or a.sees_secret)
  and (r."right" <> 'account' or a.principal_kind = 'user');

-- whether the caller is the owner of the database: any role that may call these functions and is not one of the server's
create or replace function access.is_owner() returns boolean
language sql stable parallel safe  -- without a search path of its own, so that it is inlined; its names are bound here
return session_user not in ('geo_grid_app', 'geo_grid_service');

-- the principal, if it has this right; joins row by row over primary keys, whatever the sizes of the tables
create or replace function access.with_right(wanted text, out principal_id bigint, out city_wide boolean)
language plpgsql stable parallel safe security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    bearer bigint;
begin
    select c.principal_id into bearer
    from access.credentials c
    where c.digest = nullif(current_setting('geo_grid.credential', true), '')
      and (c.credential_kind <> 'service' or session_user = 'geo_grid_service')
      and c.revoked_at is null
      and c.expires_at > now()
      and (c.idle is null or c.last_seen_at + c.idle > now())
      and (c.network is null or c.network >>= nullif(current_setting('geo_grid.address', true), '')::inet)
      and (c.only_rights is null or wanted = any(c.only_rights));
    select p.principal_id, p.city_wide into principal_id, city_wide
    from access.principals p
    where p.principal_id = bearer
      and p.disabled_at is null
      and exists (select from access.role_rights r where r.role = p.role and r."right" = wanted)
      and (wanted <> 'cameras.secret' or p.sees_secret);
end $$;

-- Functions that policies call in every statement are in PL/pgSQL, which caches their plans. They run as the owner (security
-- definer), so that the calling role needs no right to read these tables.
create or replace function access.may(wanted text) returns boolean
language plpgsql stable parallel safe security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return access.is_owner() or (access.with_right(wanted)).principal_id is not null;
end $$;
grant execute on function access.may to geo_grid_app;

create or replace function access.city_wide(wanted text) returns boolean
language plpgsql stable parallel safe security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return access.is_owner() or coalesce((access.with_right(wanted)).city_wide, false);
end $$;
grant execute on function access.city_wide to geo_grid_app;

create or replace function access.my_cells(wanted text) returns setof text
language plpgsql stable rows 200 parallel safe security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    me bigint := (access.with_right(wanted)).principal_id;
begin
    return query
    select s.grid_code
    from access.principal_cells b
    join access.cell_scope s on s.ancestor_code = b.grid_code
    where b.principal_id = me;
end $$;
grant execute on function access.my_cells to geo_grid_app;

-- the principal's cells and their ancestors: whoever is responsible for a township may see its county, and who leads there
create or replace function access.my_chain(wanted text) returns setof text
language plpgsql stable rows 200 parallel safe security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    me bigint := (access.with_right(wanted)).principal_id;
begin
    return query
    select s.grid_code
    from access.principal_cells b
    join access.cell_scope s on s.ancestor_code = b.grid_code
    where b.principal_id = me
    union all
    select s.ancestor_code
    from access.principal_cells b
    join access.cell_scope s on s.grid_code = b.grid_code
    where b.principal_id = me;
end $$;
grant execute on function access.my_chain to geo_grid_app;

create or replace function access.my_zones(wanted text) returns setof text
language sql stable rows 20 security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select distinct z.zone_code
    from access.my_cells(wanted) m (grid_code)
    join access.zone_scope z using (grid_code);
end;
grant execute on function access.my_zones to geo_grid_app;

-- the area in which objects without an owner column are visible, by their location
create or replace function access.my_area(wanted text) returns geometry
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select case when count(*) = 1 then (array_agg(c.geom))[1] else ST_Union(c.geom) end
    from access.principal_cells b
    join grid_cells c using (grid_code)
    where b.principal_id = (select w.principal_id from access.with_right(wanted) w)
      and in_force(c.valid_from, c.valid_to, statement_timestamp());
end;
grant execute on function access.my_area to geo_grid_app;

-- the principals all of whose cells are among the caller's, and the caller
create or replace function access.my_people(wanted text) returns setof bigint
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select (access.with_right(wanted)).principal_id
    union
    select p.principal_id
    from access.principals p
    where not p.city_wide
      and exists (select from access.principal_cells b where b.principal_id = p.principal_id)
      and not exists (select from access.principal_cells b
                      where b.principal_id = p.principal_id
                        and b.grid_code not in (select access.my_cells(wanted)));
end;
grant execute on function access.my_people to geo_grid_app;

create or replace function access.me() returns bigint
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return (select principal_id from access.asking);
end $$;
grant execute on function access.me to geo_grid_app;

-- raises an exception unless the principal has this right, or the caller is the owner of the database
create or replace function access.require(wanted text) returns void
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.may(wanted) then
        raise exception 'the right % is needed for this', wanted using errcode = 'insufficient_privilege';
    end if;
end $$;
grant execute on function access.require to geo_grid_app;

create or replace function access.require_service() returns void
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not exists (select from access.asking where credential_kind = 'service') then
        raise exception 'only the server itself may ask this' using errcode = 'insufficient_privilege';
    end if;
end $$;

-- whether the principal is one of the demo's: what such a one brings is marked like the demo's own
create or replace function access.asks_for_demo() returns boolean
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return coalesce((select p.is_demo from access.asking a join access.principals p using (principal_id)), false);
end $$;

create or replace function access.mark_demo() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    new.is_demo := case tg_op when 'INSERT' then access.asks_for_demo() else old.is_demo end;
    return new;
end $$;
