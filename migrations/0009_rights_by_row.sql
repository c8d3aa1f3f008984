-- Rights by row, for every way in: lookups, maps, tiles, exports and events ask these tables as geo_grid_app.
-- `(select f())` is asked once per statement, not once per row.

-- private fields: no right to the columns; access.incident_private tells them to whom they are for
alter table incidents add column handler_id bigint references access.principals;
comment on column incidents.handler_id is 'the dispatcher who handles it, and alone sees the caller''s number';
create index incidents_handler on incidents (handler_id) where handler_id is not null;

revoke select on incidents, duties, idempotency_keys from geo_grid_app;
revoke insert on incidents, idempotency_keys from geo_grid_app;
revoke update (grid_code, zone_code, edition_id) on incidents from geo_grid_app;
grant select (incident_id, incident_number, category, subtype, step, received_at, dispatched_at, departed_at,
    arrived_at, handled_at, feedback_at, verified_at, closed_at, recorded_zone, geom, grid_code, zone_code, edition_id, unassigned,
    handler_id, is_demo) on incidents to geo_grid_app;
grant insert (category, subtype, description, address, caller_number, received_at, geom) on incidents to geo_grid_app;
grant select on duties to geo_grid_app;

create function access.masked(number text) returns text
language sql immutable set search_path = pg_catalog, pg_temp
return repeat('*', greatest(length(number) - 2, 0)) || right(number, 2);

create function access.incident_private(wanted bigint, out description text, out address text, out caller_number text)
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select i.description, i.address,
           case when i.handler_id = access.me() then i.caller_number else access.masked(i.caller_number) end
    from incidents i
    where i.incident_id = wanted
      and (access.city_wide('incidents.text') or i.grid_code in (select access.my_cells('incidents.text')));
end;

-- the owner and the handler of an incident are what they are, not what a request says
create function access.own_incident() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    new.grid_code := access.owning_cell(new.geom, statement_timestamp());
    new.zone_code := access.owning_zone(new.geom, statement_timestamp());
    new.edition_id := edition_at(statement_timestamp());
    new.handler_id := (select principal_id from access.asking where principal_kind = 'user');
    new.is_demo := false;
    return new;
end $$;
create trigger incidents_owned before insert on incidents
    for each row when (current_user = 'geo_grid_app') execute function access.own_incident();

-- the same key of another caller is another key
alter table idempotency_keys add column principal_id bigint references access.principals;
alter table idempotency_keys drop constraint idempotency_keys_pkey;
create unique index idempotency_keys_of_caller on idempotency_keys (idempotency_key, coalesce(principal_id, 0));
grant select on idempotency_keys to geo_grid_app;
grant insert (idempotency_key, request_digest, incident_id, principal_id) on idempotency_keys to geo_grid_app;

drop view incident_cards;
-- an incident as people read it, with the names its owners had in the edition used
create view incident_cards with (security_invoker = true) as
select i.incident_id, i.incident_number, i.category, i.subtype, coalesce(p.description, '') as description,
       coalesce(p.address, '') as address, p.caller_number, i.step,
       i.received_at, i.dispatched_at, i.departed_at, i.arrived_at, i.handled_at, i.feedback_at, i.verified_at,
       i.closed_at, ST_X(i.geom) as lon, ST_Y(i.geom) as lat, i.grid_code, c.name as grid_name,
       i.zone_code, z.name as zone_name, i.edition_id, i.unassigned, i.handler_id, i.is_demo
from incidents i
left join lateral access.incident_private(i.incident_id) p on true
left join grid_cells c on c.grid_code = i.grid_code
    and c.edition_id <= i.edition_id and (c.closed_by is null or c.closed_by > i.edition_id)
left join patrol_zones z on z.zone_code = i.zone_code
    and z.edition_id <= i.edition_id and (z.closed_by is null or z.closed_by > i.edition_id);
grant select on incident_cards to geo_grid_app;

alter table grid_cells enable row level security;
create policy grid_cells_seen on grid_cells for select using (
    (select access.city_wide('map')) or grid_code in (select access.my_chain('map')));

alter table patrol_zones enable row level security;
create policy patrol_zones_seen on patrol_zones for select using (
    (select access.city_wide('map')) or zone_code in (select access.my_zones('map')));

alter table mandatory_stops enable row level security;
create policy mandatory_stops_seen on mandatory_stops for select using (
    (select access.city_wide('map')) or zone_code in (select access.my_zones('map')));

alter table duties enable row level security;
create policy duties_seen on duties for select using (
    (select access.city_wide('roster')) or grid_code in (select access.my_chain('roster')));

alter table police_posts enable row level security;
create policy police_posts_seen on police_posts for select using (
    (select access.city_wide('map')) or ST_Covers((select access.my_area('map')), geom));

-- a circle is seen by whoever sees its post
alter table response_circles enable row level security;
create policy response_circles_seen on response_circles for select using (
    (select access.city_wide('map')) or post_code in (select p.post_code from police_posts p));

alter table patrol_units enable row level security;
create policy patrol_units_seen on patrol_units for select using (
    (select access.city_wide('map')) or ST_Covers((select access.my_area('map')), geom));

alter table facilities enable row level security;
create policy facilities_seen on facilities for select using (
    (select access.city_wide('map')) or ST_Covers((select access.my_area('map')), geom));

alter table cameras enable row level security;
create policy cameras_seen on cameras for select using (
    ((select access.city_wide('map')) or grid_code in (select access.my_cells('map')))
    and (not is_secret or (select access.may('cameras.secret'))));

-- roads are everybody's
alter table roads enable row level security;
create policy roads_seen on roads for select using ((select access.may('map')));

alter table incidents enable row level security;
create policy incidents_seen on incidents for select using (
    (select access.city_wide('incidents.read')) or grid_code in (select access.my_cells('incidents.read')));
create policy incidents_filed on incidents for insert with check (
    (select access.city_wide('incidents.write')) or grid_code in (select access.my_cells('incidents.write')));

alter table idempotency_keys enable row level security;
create policy idempotency_keys_own on idempotency_keys
    using (principal_id = (select access.me())) with check (principal_id = (select access.me()));

revoke execute on function access.masked, access.incident_private, access.own_incident from public;
grant execute on function access.incident_private to geo_grid_app;

-- Boxes that overlap tell nothing of a row but that: with this, policies leave the spatial indexes in use.
-- Only a superuser may say so; elsewhere maps are slower, not wrong (docs/operations.md).
do $$
begin
    if (select rolsuper from pg_roles where rolname = current_user) then
        alter function geometry_overlaps(geometry, geometry) leakproof;
    end if;
end $$;
