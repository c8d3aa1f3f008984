-- Who owns a point, judged among all, told to whom it belongs.

-- The same question put so that only the innermost cells whose boxes hold the point are measured, and in PL/pgSQL,
-- which keeps its plan. Judged among all; told by the functions that ask these.
create or replace function access.leaf_cell(place geometry, moment timestamptz) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return (
        select near.grid_code
        from (select c.grid_code, c.geom
              from leaf_cells(moment) c
              where c.geom && place
              order by c.grid_code
              offset 0) near
        where ST_Covers(near.geom, place)
        limit 1);
end $$;

create or replace function access.zone_of(place geometry, moment timestamptz) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return (
        select near.zone_code
        from (select z.zone_code, z.geom
              from patrol_zones z
              where z.zone_kind = 'area' and z.geom && place
                and in_force(z.valid_from, z.valid_to, moment)
              order by z.zone_code
              offset 0) near
        where ST_Covers(near.geom, place)
        limit 1);
end $$;

-- Owners of a point, told only to whom they belong: the one-owner rule needs all neighbours, also those that whoever
-- asks may not see.
create or replace function access.owning_cell(place geometry, moment timestamptz) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    owner text := access.leaf_cell(place, moment);
begin
    return case when owner is null or access.city_wide('map') or owner in (select access.my_cells('map')) then owner end;
end $$;
grant execute on function access.owning_cell to geo_grid_app;

create or replace function access.owning_zone(place geometry, moment timestamptz) returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    owner text := access.zone_of(place, moment);
begin
    return case when owner is null or access.city_wide('map') or owner in (select access.my_zones('map')) then owner end;
end $$;
grant execute on function access.owning_zone to geo_grid_app;
