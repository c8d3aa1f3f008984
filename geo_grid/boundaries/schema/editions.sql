-- Constraints of editions: boundaries change only by an edition, and are a valid division when it commits.

create or replace function require_open_edition() returns trigger language plpgsql as $$
begin
    if exists (
        select from changed c join editions e on e.edition_id = coalesce(c.closed_by, c.edition_id)
        where e.published_in <> pg_current_xact_id()
    ) then
        raise exception 'boundaries change only in the transaction that publishes their edition'
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;

create or replace function refuse_delete() returns trigger language plpgsql as $$
begin
    raise exception '% keeps its history: close the row with an edition instead of deleting it', tg_table_name
        using errcode = 'integrity_constraint_violation';
end $$;

-- Cells in force without a parent in force one level up that covers them. Only cells opened by the edition, and children of
-- cells it opened or closed, can have become so.
create or replace function cells_without_parent(edition bigint)
returns table (grid_code text, grid_level smallint, parent_code text, parent_level smallint)
language sql stable parallel safe as $$
    select c.grid_code, c.grid_level, c.parent_code, p.grid_level
    from grid_cells c
    left join grid_cells p on p.grid_code = c.parent_code and p.valid_to is null
    where c.valid_to is null and c.parent_code is not null
      and (c.edition_id = edition
           or c.parent_code in (select e.grid_code from grid_cells e where e.edition_id = edition or e.closed_by = edition))
      and (p.grid_code is null
           or p.grid_level <> c.grid_level - 1
           or not ST_Covers(p.geom, c.geom))
$$;

grant execute on function cells_without_parent to geo_grid_service;

-- Once per published edition, at commit.
create or replace function check_edition() returns trigger language plpgsql as $$
declare
    found_cell record;
begin
    perform from cells_without_parent(new.edition_id);  -- by several processes, unlike a query that stops at its first row
    if not found then
        return null;
    end if;
    select * into found_cell from cells_without_parent(new.edition_id) order by grid_code limit 1;
    if found_cell.parent_level is null then
        raise exception 'grid cell % has no parent % in force', found_cell.grid_code, found_cell.parent_code
            using errcode = 'foreign_key_violation';
    elsif found_cell.parent_level <> found_cell.grid_level - 1 then
        raise exception 'grid cell % is at level % but its parent % is at level %',
            found_cell.grid_code, found_cell.grid_level, found_cell.parent_code, found_cell.parent_level
            using errcode = 'check_violation';
    else
        raise exception 'grid cell % reaches outside its parent %', found_cell.grid_code, found_cell.parent_code
            using errcode = 'check_violation';
    end if;
end $$;

-- Whether a later edition changed boundaries, also in cells that the principal may not see.
create or replace function boundaries_changed_after(edition bigint) returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select exists (select from grid_cells c where c.edition_id > edition)
        or exists (select from grid_cells c where c.closed_by > edition)
        or exists (select from patrol_zones z where z.edition_id > edition or z.closed_by > edition);
end;
grant execute on function boundaries_changed_after to geo_grid_app;

-- Lock of publishers, who wait for each other; readers do not wait.
create or replace function hold_editions() returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('boundaries.publish');
    lock table editions in share row exclusive mode;
end $$;
grant execute on function hold_editions to geo_grid_service;

-- Reassigns cameras, registered places and open incidents in cells that change, or without an owner near them, also those that the publisher
-- may not see. Rows that are inserted meanwhile wait for the commit, and get the new owners.
create or replace function assign_again(codes text[], zones text[], area geometry) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    moment timestamptz := clock_timestamp();
    edition bigint := edition_at(clock_timestamp());
begin
    perform access.require('boundaries.publish');
    lock table incidents, cameras, registered_places in share row exclusive mode;
    update incidents i
    set grid_code = access.owning_cell(i.geom, moment), zone_code = access.owning_zone(i.geom, moment), edition_id = edition
    where (i.grid_code = any(codes) or i.zone_code = any(zones) or ((i.unassigned or i.zone_code is null) and i.geom && area))
      and i.closed_at is null;
    update cameras c
    set grid_code = access.owning_cell(c.geom, moment), zone_code = access.owning_zone(c.geom, moment), edition_id = edition
    where c.grid_code = any(codes) or c.zone_code = any(zones) or ((c.unassigned or c.zone_code is null) and c.geom && area);
    update registered_places p
    set grid_code = access.owning_cell(p.geom, moment), zone_code = access.owning_zone(p.geom, moment), edition_id = edition
    where p.grid_code = any(codes) or p.zone_code = any(zones) or ((p.unassigned or p.zone_code is null) and p.geom && area);
end $$;
grant execute on function assign_again to geo_grid_service;

create constraint trigger editions_check after insert on editions
    deferrable initially deferred for each row execute function check_edition();
create trigger grid_cells_in_edition_insert after insert on grid_cells
    referencing new table as changed for each statement execute function require_open_edition();
create trigger grid_cells_in_edition_update after update on grid_cells
    referencing new table as changed for each statement execute function require_open_edition();
create trigger grid_cells_no_delete before delete on grid_cells
    for each statement execute function refuse_delete();
create trigger patrol_zones_in_edition_insert after insert on patrol_zones
    referencing new table as changed for each statement execute function require_open_edition();
create trigger patrol_zones_in_edition_update after update on patrol_zones
    referencing new table as changed for each statement execute function require_open_edition();
create trigger patrol_zones_no_delete before delete on patrol_zones
    for each statement execute function refuse_delete();
