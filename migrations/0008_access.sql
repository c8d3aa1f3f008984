-- Who may see and do what: principals, what they are bound to, what they show to prove who they are.
--
-- A transaction shows a credential in geo_grid.credential: the SHA-256 of a secret that only its bearer has.
-- What it is worth is looked up here, never told by the program: a statement smuggled into a request cannot
-- give itself another's rights, because it does not know another's secret.

create schema access;
revoke all on schema access from public;
grant usage on schema access to geo_grid_app;

create table access.roles (
    role text primary key,
    second_factor_required boolean not null default false
);
insert into access.roles values
    ('wall'), ('dispatcher'), ('planner'), ('supervisor'), ('administrator'), ('auditor'),
    ('service');  -- the server itself, for its index and for log-ins

create table access.role_rights (
    role text references access.roles,
    "right" text,
    primary key (role, "right")
);
insert into access.role_rights
select role, unnest(string_to_array(rights, ' ')) from (values
    ('wall', 'map incidents.read'),
    ('dispatcher', 'map bulk roster incidents.read incidents.text incidents.write cameras.open cameras.secret account'),
    ('planner', 'map bulk roster incidents.read cameras.secret export account'),
    ('supervisor', 'map bulk roster incidents.read incidents.text incidents.write cameras.open cameras.secret export account'),
    ('administrator', 'map accounts account'),
    ('auditor', 'audit account'),
    ('service', 'map roster')
) given (role, rights);

create table access.principals (
    principal_id bigint generated always as identity primary key,
    principal_kind text not null check (principal_kind in ('user', 'machine', 'kiosk', 'service')),
    login_name text collate "C" not null unique check (login_name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    display_name text not null check (display_name <> '' and length(display_name) <= 200),
    staff_number text collate "C" check (staff_number <> '' and length(staff_number) <= 64),
    role text not null references access.roles,
    city_wide boolean not null default false,
    sees_secret boolean not null default false,
    oidc_subject text unique check (length(oidc_subject) <= 255),
    disabled_at timestamptz,
    created_at timestamptz not null default now(),
    is_demo boolean not null default false,
    constraint the_server_alone_is_a_service check ((principal_kind = 'service') = (role = 'service')),
    constraint a_kiosk_has_the_role_wall check (principal_kind <> 'kiosk' or role = 'wall'),
    constraint a_machine_is_neither_administrator_nor_auditor check (
        principal_kind <> 'machine' or role not in ('administrator', 'auditor')),
    constraint administrators_and_auditors_need_a_staff_number check (
        role not in ('administrator', 'auditor') or staff_number is not null),
    constraint secret_cameras_are_for_dispatchers_planners_and_supervisors check (
        not sees_secret or role in ('dispatcher', 'planner', 'supervisor', 'service'))
);
comment on column access.principals.staff_number is 'the person behind the account: administrator and auditor are never the same';
create index principals_staff_number on access.principals (staff_number);

insert into access.principals (principal_kind, login_name, display_name, role, city_wide)
values ('service', 'geo_grid', 'the server', 'service', true);

create table access.principal_cells (
    principal_id bigint references access.principals,
    grid_code text collate "C",
    primary key (principal_id, grid_code)
);

create table access.passwords (
    principal_id bigint primary key references access.principals,
    hash text not null,
    former text[] not null default '{}',
    must_change boolean not null default true,
    changed_at timestamptz not null default now()
);
comment on column access.passwords.former is 'hashes of the passwords before this one, newest first';

create table access.second_factors (
    principal_id bigint primary key references access.principals,
    secret text not null,
    confirmed_at timestamptz,
    last_step bigint not null default 0
);
comment on column access.second_factors.last_step is 'RFC 6238 time step of the last code taken: none is taken twice';

create table access.credentials (
    credential_id bigint generated always as identity primary key,
    digest text collate "C" not null unique check (digest ~ '^[0-9a-f]{64}$'),
    principal_id bigint not null references access.principals,
    credential_kind text not null check (credential_kind in ('session', 'key', 'kiosk', 'service')),
    label text not null default '' check (length(label) <= 200),
    only_rights text[],
    page text,
    network cidr,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    idle interval,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    check ((credential_kind = 'kiosk') = (page is not null and network is not null)),
    check ((credential_kind = 'session') = (idle is not null))
);
comment on column access.credentials.only_rights is 'of the role''s rights only these; all when null';
create index credentials_principal on access.credentials (principal_id);
create index credentials_expires on access.credentials (expires_at);

-- by name, whether there is such a user or not: nobody learns from a lock which names exist
create table access.login_failures (
    login_name text collate "C" primary key,
    failures integer not null,
    failed_at timestamptz not null
);

create table access.oidc_logins (
    state_digest text collate "C" primary key,
    nonce text not null,
    verifier text not null,
    next_page text not null,
    begun_at timestamptz not null default now()
);

-- every cell with each of its ancestors and itself, as the newest boundaries have it; a retired cell
-- stays where it last was
create table access.cell_scope (
    ancestor_code text collate "C",
    grid_code text collate "C",
    primary key (ancestor_code, grid_code)
);
create index cell_scope_grid_code on access.cell_scope (grid_code);

-- cells and the zones they lie in, told by a point inside the cell, a point inside the zone, or a corner of
-- a road segment
create table access.zone_scope (
    grid_code text collate "C",
    zone_code text collate "C",
    primary key (grid_code, zone_code)
);

-- a role's right to secret cameras is that of those of its people who were given it
comment on column access.principals.sees_secret is 'without it the right cameras.secret of the role does not count';

-- who asks in this transaction; no row: nobody
create view access.asking as
select p.principal_id, p.principal_kind, p.login_name, p.display_name, p.role, p.city_wide, p.sees_secret,
       c.credential_id, c.credential_kind, c.only_rights, c.page,
       least(c.expires_at, c.last_seen_at + c.idle) as ends_at
from access.credentials c
join access.principals p using (principal_id)
where c.digest = nullif(current_setting('geo_grid.credential', true), '')
  and p.disabled_at is null
  and c.revoked_at is null
  and c.expires_at > now()
  and (c.idle is null or c.last_seen_at + c.idle > now())
  and (c.network is null or c.network >>= nullif(current_setting('geo_grid.address', true), '')::inet);

create view access.asking_rights as
select a.principal_id, a.city_wide, r."right"
from access.asking a
join access.role_rights r on r.role = a.role
where (a.only_rights is null or r."right" = any(a.only_rights))
  and (r."right" <> 'cameras.secret' or a.sees_secret);

-- whoever may call these functions and is not the server's role is the owner of the database
create function access.is_owner() returns boolean
language sql stable  -- without a search path of its own, so that it is inlined; its names are bound here
return session_user <> 'geo_grid_app';

-- The functions that policies ask, in PL/pgSQL where every statement asks: it keeps their plans. As the owner's, so that the role who asks need not read these tables.

-- who asks, if they have this right; one row after the other by its key, however the tables grow
create function access.with_right(wanted text, out principal_id bigint, out city_wide boolean)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    bearer bigint;
begin
    select c.principal_id into bearer
    from access.credentials c
    where c.digest = nullif(current_setting('geo_grid.credential', true), '')
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

create function access.may(wanted text) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return access.is_owner() or (access.with_right(wanted)).principal_id is not null;
end $$;

create function access.city_wide(wanted text) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return access.is_owner() or coalesce((access.with_right(wanted)).city_wide, false);
end $$;

create function access.my_cells(wanted text) returns setof text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    me bigint := (access.with_right(wanted)).principal_id;
begin
    return query
    select s.grid_code
    from access.principal_cells b
    join access.cell_scope s on s.ancestor_code = b.grid_code
    where b.principal_id = me;
end $$;
alter function access.my_cells(text) rows 200;

-- with the cells above: whoever answers for a township may know its county, and who leads there
create function access.my_chain(wanted text) returns setof text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
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
alter function access.my_chain(text) rows 200;

create function access.my_zones(wanted text) returns setof text
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select distinct z.zone_code
    from access.my_cells(wanted) m (grid_code)
    join access.zone_scope z using (grid_code);
end;
alter function access.my_zones(text) rows 20;

-- what things without an owner of their own are measured against: they are seen where they stand
create function access.my_area(wanted text) returns geometry
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select case when count(*) = 1 then (array_agg(c.geom))[1] else ST_Union(c.geom) end
    from access.principal_cells b
    join grid_cells c using (grid_code)
    where b.principal_id = (select w.principal_id from access.with_right(wanted) w)
      and c.valid_from <= statement_timestamp() and (c.valid_to is null or statement_timestamp() < c.valid_to);
end;

create function access.me() returns bigint
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return (select principal_id from access.asking);

-- refuse what is neither asked with this right nor by the owner of the database
create function access.require(wanted text) returns void
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.may(wanted) then
        raise exception 'the right % is needed for this', wanted using errcode = 'insufficient_privilege';
    end if;
end $$;

create function access.require_service() returns void
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not exists (select from access.asking where credential_kind = 'service') then
        raise exception 'only the server itself may ask this' using errcode = 'insufficient_privilege';
    end if;
end $$;

-- Owners of a point, told only to whom they belong: the one-owner rule needs all neighbours, also those
-- that whoever asks may not see.

create function access.owning_cell(place geometry, moment timestamptz) returns text
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select owner.grid_code
    from (select c.grid_code
          from grid_cells c
          where ST_Covers(c.geom, place)
            and c.valid_from <= moment and (c.valid_to is null or moment < c.valid_to)
            and not exists (select from grid_cells k
                            where k.parent_code = c.grid_code
                              and k.valid_from <= moment and (k.valid_to is null or moment < k.valid_to))
          order by c.grid_code
          limit 1) owner
    where access.city_wide('map') or owner.grid_code in (select access.my_cells('map'));
end;

create function access.owning_zone(place geometry, moment timestamptz) returns text
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select owner.zone_code
    from (select z.zone_code
          from patrol_zones z
          where z.zone_kind = 'area' and ST_Covers(z.geom, place)
            and z.valid_from <= moment and (z.valid_to is null or moment < z.valid_to)
          order by z.zone_code
          limit 1) owner
    where access.city_wide('map') or owner.zone_code in (select access.my_zones('map'));
end;

-- Scope follows the boundaries: at the commit that publishes an edition.

create function access.refresh_scope() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    with recursive newest as materialized (
        select distinct on (grid_code) grid_code, parent_code from grid_cells order by grid_code, valid_from desc
    ),
    path as (
        select grid_code as ancestor_code, grid_code from newest
        union
        select n.parent_code, p.grid_code
        from path p join newest n on n.grid_code = p.ancestor_code
        where n.parent_code is not null
    ),
    gone as (
        delete from access.cell_scope s
        where not exists (select from path where (path.ancestor_code, path.grid_code) = (s.ancestor_code, s.grid_code))
    )
    insert into access.cell_scope select ancestor_code, grid_code from path on conflict do nothing;

    with leaf as materialized (
        select c.grid_code, c.geom, ST_PointOnSurface(c.geom) as inside
        from grid_cells c
        where c.valid_to is null
          and not exists (select from grid_cells k where k.parent_code = c.grid_code and k.valid_to is null)
    ),
    spot as (
        select z.zone_code, case z.zone_kind when 'area' then ST_PointOnSurface(z.geom) else p.geom end as inside
        from patrol_zones z
        left join lateral ST_DumpPoints(z.geom) p on z.zone_kind = 'segment'
        where z.valid_to is null
    ),
    pair as materialized (
        select l.grid_code, z.zone_code
        from leaf l join patrol_zones z on ST_Covers(z.geom, l.inside)
        where z.valid_to is null and z.zone_kind = 'area'
        union
        select c.grid_code, s.zone_code
        from spot s join grid_cells c on ST_Covers(c.geom, s.inside)
        where c.valid_to is null and c.grid_code in (select grid_code from leaf)
    ),
    gone as (
        delete from access.zone_scope s
        where not exists (select from pair where (pair.grid_code, pair.zone_code) = (s.grid_code, s.zone_code))
    )
    insert into access.zone_scope select grid_code, zone_code from pair on conflict do nothing;
    return null;
end $$;

create constraint trigger editions_scope after insert on editions
    deferrable initially deferred for each row execute function access.refresh_scope();

-- administrator and auditor are never the same person, now or before
create function access.keep_apart() returns trigger
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
create trigger principals_kept_apart before insert or update on access.principals
    for each row execute function access.keep_apart();

-- what the server holds in memory about who may do what is dropped when these change
create trigger principals_announced after insert or update or delete on access.principals
    for each statement execute function announce_change();
create trigger principal_cells_announced after insert or update or delete on access.principal_cells
    for each statement execute function announce_change();
create trigger credentials_announced after update of revoked_at, expires_at, only_rights on access.credentials
    for each statement execute function announce_change();
create trigger roles_announced after update on access.roles
    for each statement execute function announce_change();
create trigger role_rights_announced after insert or update or delete on access.role_rights
    for each statement execute function announce_change();
create trigger police_posts_announced after insert or update or delete or truncate on police_posts
    for each statement execute function announce_change();

revoke execute on all functions in schema access from public;
grant execute on function access.may, access.city_wide, access.my_cells, access.my_chain, access.my_zones,
    access.my_area, access.me, access.owning_cell, access.owning_zone to geo_grid_app;
