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

-- Once per published edition, at commit: every cell in force has a parent in force one level up
-- that covers it. Only cells opened by this edition, and children of cells it opened or closed,
-- can have become wrong.
create or replace function check_edition() returns trigger language plpgsql as $$
declare
    found record;
begin
    select c.grid_code, c.grid_level, c.parent_code, p.grid_level as parent_level
    into found
    from grid_cells c
    left join grid_cells p on p.grid_code = c.parent_code and p.valid_to is null
    where c.valid_to is null and c.parent_code is not null
      and (c.edition_id = new.edition_id
           or c.parent_code in (select grid_code from grid_cells
                                where edition_id = new.edition_id or closed_by = new.edition_id))
      and (p.grid_code is null
           or p.grid_level <> c.grid_level - 1
           or not ST_Covers(p.geom, c.geom))
    order by c.grid_code
    limit 1;
    if found.grid_code is null then
        return null;
    elsif found.parent_level is null then
        raise exception 'grid cell % has no parent % in force', found.grid_code, found.parent_code
            using errcode = 'foreign_key_violation';
    elsif found.parent_level <> found.grid_level - 1 then
        raise exception 'grid cell % is at level % but its parent % is at level %',
            found.grid_code, found.grid_level, found.parent_code, found.parent_level
            using errcode = 'check_violation';
    else
        raise exception 'grid cell % reaches outside its parent %', found.grid_code, found.parent_code
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
