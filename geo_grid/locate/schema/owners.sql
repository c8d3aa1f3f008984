-- The one-owner rule: which leaf cell and which patrol zone own a point.

-- The smallest code among all leaf cells, or zones, that cover a point, whatever the principal may see; so these functions
-- are not granted to anybody. Only geometries whose bounding boxes contain the point are tested. PL/pgSQL caches the plan.
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

-- The owner of a point if the principal may see it, else null. The rule itself needs all neighbours, also those that the
-- principal may not see.
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

-- sets the owners of what stands or is moved somewhere by its position, whatever the request says
create or replace function access.own_by_place() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    new.grid_code := access.owning_cell(new.geom, statement_timestamp());
    new.zone_code := access.owning_zone(new.geom, statement_timestamp());
    new.edition_id := edition_at(statement_timestamp());
    return new;
end $$;
