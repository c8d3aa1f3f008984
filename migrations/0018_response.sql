-- Minutes on real roads: circles from travel times, closures that change them, and units that say where they are.

alter table osm_extract
    add column is_demo boolean not null default false,
    add column graph_key text;
comment on column osm_extract.graph_key is 'by which the road graph in the state folder is found: of the extract, its service area and speeds';

-- what a tier of minutes is made of, for each way in which "1-3-5" is used; nothing official fixes the delays
create table circle_rules (
    circle_basis text not null check (circle_basis in ('place_tier', 'force_tier', 'phase')),
    tier_minutes smallint not null check (tier_minutes in (1, 3, 5)),
    direction text not null check (direction in ('outbound', 'inbound')),
    dispatch_s integer not null default 0 check (dispatch_s >= 0),
    turnout_s integer not null default 0 check (turnout_s >= 0),
    travel_s integer not null generated always as (tier_minutes * 60 - dispatch_s - turnout_s) stored
        check (travel_s > 0),
    primary key (circle_basis, tier_minutes)
);
comment on column circle_rules.direction is 'outbound: from the post to places; inbound: from places to it';
insert into circle_rules (circle_basis, tier_minutes, direction, dispatch_s, turnout_s) values
    ('force_tier', 1, 'outbound', 0, 0), ('force_tier', 3, 'outbound', 0, 0), ('force_tier', 5, 'outbound', 0, 0),
    ('place_tier', 1, 'inbound', 0, 0), ('place_tier', 3, 'inbound', 0, 0), ('place_tier', 5, 'inbound', 0, 0),
    ('phase', 5, 'outbound', 60, 120);  -- react within 1, set out within 3, be there within 5
grant select on circle_rules to geo_grid_app;

alter table police_posts
    add column circle_basis text not null default 'force_tier' check (circle_basis in ('place_tier', 'force_tier', 'phase')),
    add column key_periods text not null default '' check (length(key_periods) <= 200);
comment on column police_posts.key_periods is 'when it counts, as OpenStreetMap writes opening hours; empty: always';
grant insert (circle_basis, key_periods), update (circle_basis, key_periods) on police_posts to geo_grid_app;

alter table response_circles
    alter column speed_kmh drop not null,
    alter column detour_factor drop not null,
    add constraint response_circles_estimate_named check (method <> 'geodesic_estimate' or (speed_kmh is not null and detour_factor is not null)),
    add column direction text not null default 'outbound' check (direction in ('outbound', 'inbound')),
    add column dispatch_s integer not null default 0,
    add column turnout_s integer not null default 0,
    add column travel_s integer not null default 0,
    add column drawn_from text not null default '';
update response_circles set travel_s = tier_minutes * 60;
comment on column response_circles.travel_s is 'seconds on the road: the tier without delay of dispatch and turnout';
comment on column response_circles.drawn_from is 'digest of all it depends on; another one now means it is out of date';

-- each pair is asked about once per circle that is in it
create or replace function check_circles_nest() returns trigger language plpgsql as $$
declare
    other record;
begin
    for other in
        select o.tier_minutes, o.geom
        from response_circles c
        join response_circles o using (post_code, circle_basis)
        where c.response_circle_id = new.response_circle_id and o.tier_minutes <> c.tier_minutes
    loop
        if not (case when other.tier_minutes > new.tier_minutes then ST_Covers(other.geom, new.geom)
                     else ST_Covers(new.geom, other.geom) end) then
            raise exception 'post %: the %-minute circle reaches outside the %-minute circle', new.post_code,
                least(other.tier_minutes, new.tier_minutes), greatest(other.tier_minutes, new.tier_minutes)
                using errcode = 'check_violation';
        end if;
    end loop;
    return null;
end $$;

-- what nobody may drive through: roads that are closed, areas that are to be avoided
create table road_closures (
    road_closure_id bigint generated always as identity primary key,
    closure_code text collate "C" not null unique check (code_follows_scheme(closure_code, 'local')),
    name text not null check (name <> '' and length(name) <= 200),
    closure_kind text not null default 'closed' check (closure_kind in ('closed', 'avoided')),
    closed_from timestamptz,
    closed_to timestamptz,
    geom geometry(Geometry, 4490) not null
        constraint road_closures_geom_valid check (ST_IsValid(geom) and not ST_IsEmpty(geom))
        constraint road_closures_geom_on_lattice check (on_lattice(geom))
        constraint road_closures_geom_kind check (geometrytype(geom) in ('LINESTRING', 'MULTILINESTRING', 'POLYGON', 'MULTIPOLYGON')),
    is_demo boolean not null default false,
    constraint a_closure_ends_after_it_begins check (closed_to > closed_from)
);
create index road_closures_geom on road_closures using gist (geom);
grant select, insert (closure_code, name, closure_kind, closed_from, closed_to, geom, is_demo),
    update (name, closure_kind, closed_from, closed_to, geom, is_demo), delete on road_closures to geo_grid_app;
alter table road_closures enable row level security;
create policy road_closures_seen on road_closures for select using ((select access.may('map')));  -- roads are everybody's
create policy road_closures_made on road_closures for insert with check (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));
create policy road_closures_changed on road_closures for update using (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));
create policy road_closures_removed on road_closures for delete using (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));
create trigger road_closures_audited_insert after insert on road_closures referencing new table as changed
    for each statement execute function access.audit_features('closure_code');
create trigger road_closures_audited_update after update on road_closures referencing old table as former new table as changed
    for each statement execute function access.audit_features('closure_code');
create trigger road_closures_audited_delete after delete on road_closures referencing old table as former
    for each statement execute function access.audit_features('closure_code');
create trigger road_closures_told after insert or update or delete or truncate on road_closures
    for each statement execute function tell_layer();
create trigger road_closures_announced after insert or update or delete or truncate on road_closures
    for each statement execute function announce_change();

-- the server draws circles again when what they depend on has changed
insert into access.role_rights values ('service', 'circles.draw'),
    ('service', 'incidents.read');  -- where they were, to say which share circles cover
create policy response_circles_drawn on response_circles for insert with check ((select access.may('circles.draw')));
create policy response_circles_cleared on response_circles for delete using ((select access.may('circles.draw')));
grant insert (circle_basis, direction, dispatch_s, turnout_s, travel_s, drawn_from) on response_circles to geo_grid_app;
create trigger response_circles_told after insert or update or delete or truncate on response_circles
    for each statement execute function tell_layer();

-- units: what they can do and when they are there
alter table patrol_units
    add column skills text not null default '' check (length(skills) <= 200),
    add column shift text not null default '' check (length(shift) <= 200);
comment on column patrol_units.skills is 'words with commas';
comment on column patrol_units.shift is 'when it is on duty, as OpenStreetMap writes opening hours; empty: always';
grant insert (skills, shift), update (skills, shift) on patrol_units to geo_grid_app;

create trigger patrol_units_announced after insert or update or delete or truncate on patrol_units
    for each statement execute function announce_change();

-- where units were, for playback, as long as it is kept; where they are is patrol_units.geom
create table unit_positions (
    unit_code text collate "C" not null references patrol_units (unit_code) on delete cascade,
    reported_at timestamptz not null,
    geom geometry(Point, 4490) not null
        constraint unit_positions_geom_on_lattice check (on_lattice(geom)),
    primary key (unit_code, reported_at)
);
create index unit_positions_reported on unit_positions using brin (reported_at);
grant select on unit_positions to geo_grid_app;
alter table unit_positions enable row level security;
create policy unit_positions_seen on unit_positions for select using (
    (select access.city_wide('map')) or ST_Covers((select access.my_area('map')), geom));

insert into access.role_rights values ('dispatcher', 'positions.write'), ('supervisor', 'positions.write');

-- a batch of positions: each unit's newest becomes where it is, all of them its track. What was known already, or of
-- a unit that is not theirs, is told and left. Returns one row for each position, by its number from 1.
create function access.report_positions(codes text[], moments timestamptz[], lons float8[], lats float8[], statuses text[])
returns table (number bigint, outcome text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    whole_city boolean := access.city_wide('positions.write');
    own_area geometry := case when whole_city then null else access.my_area('positions.write') end;
begin
    if not access.may('positions.write') then
        raise exception 'you have no right to report positions' using errcode = 'insufficient_privilege';
    end if;
    return query
    with given as (
        select g.number, g.unit_code, g.reported_at,
               row_number() over (partition by g.unit_code, g.reported_at order by g.number) as times, ST_SetSRID(ST_MakePoint(g.lon, g.lat), 4490) as geom, g.unit_status
        from unnest(codes, moments, lons, lats, statuses) with ordinality
             as g (unit_code, reported_at, lon, lat, unit_status, number)
    ),
    known as (
        select g.*, u.reported_at as known_at
        from given g
        join patrol_units u using (unit_code)
        where whole_city or ST_Covers(own_area, u.geom)
    ),
    tracked as (
        insert into unit_positions (unit_code, reported_at, geom)
        select k.unit_code, k.reported_at, k.geom from known k
        on conflict do nothing
        returning unit_positions.unit_code, unit_positions.reported_at
    ),
    newest as (
        select distinct on (k.unit_code) k.* from known k order by k.unit_code, k.reported_at desc, k.number desc
    ),
    moved as (
        update patrol_units u
        set geom = n.geom, reported_at = n.reported_at, unit_status = coalesce(n.unit_status, u.unit_status)
        from newest n
        where u.unit_code = n.unit_code and n.reported_at > u.reported_at
    )
    select g.number,
           case when k.number is null then 'unknown'
                when t.unit_code is null or k.times > 1 then 'repeated'
                when k.reported_at <= k.known_at then 'late'
                else 'accepted' end
    from given g
    left join known k on k.number = g.number
    left join tracked t on t.unit_code = g.unit_code and t.reported_at = g.reported_at
    order by g.number;
end $$;
revoke execute on function access.report_positions from public;
grant execute on function access.report_positions to geo_grid_app;

-- a reported position comes every few seconds and is no edit that the audit keeps: the function above writes as the owner
drop trigger patrol_units_audited_update on patrol_units;
create trigger patrol_units_audited_update after update on patrol_units
    referencing old table as former new table as changed for each statement
    when (current_user = 'geo_grid_app') execute function access.audit_features('unit_code');

-- positions past their time are forgotten
create function access.tidy_positions(kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from unit_positions p where p.reported_at < now() - kept;
end $$;
revoke execute on function access.tidy_positions from public;
grant execute on function access.tidy_positions to geo_grid_app;
