-- Patrol units: their home cell, and which posts and zones they may reference.

-- a unit that a principal creates or edits counts as reported at that moment
create or replace function access.date_report() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.reported_at := statement_timestamp();
    return new;
end $$;

-- The home cell of a unit is that of its post, else of the place that was entered for it. A unit is visible to principals of its
-- present cell and of its home cell; those of its home cell may change it and report its positions, wherever it is.
create or replace function access.settle_unit() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if tg_op = 'UPDATE' and new.geom is distinct from old.geom and not access.city_wide('layers.write')
       and not coalesce(ST_Covers(access.my_area('layers.write'), new.geom), false) then
        raise exception 'this place is in none of your grid cells' using errcode = 'insufficient_privilege';
    end if;
    if tg_op = 'INSERT' or new.post_code is distinct from old.post_code or new.geom is distinct from old.geom then
        new.home_code := access.leaf_cell(
            coalesce((select p.geom from police_posts p where p.post_code = new.post_code), new.geom), statement_timestamp());
    end if;
    return new;
end $$;

create or replace function access.settle_units() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    moved text[] := array(
        select u.unit_code from patrol_units u
        where u.home_code is null
           or (u.post_code is not null
               and u.home_code in (select c.grid_code from grid_cells c
                                   where c.edition_id = new.edition_id or c.closed_by = new.edition_id)));
begin
    if moved <> '{}' then  -- an update without rows would still write a change of patrol_units
        update patrol_units u
        set home_code = access.leaf_cell(
            coalesce((select p.geom from police_posts p where p.post_code = u.post_code), u.geom), statement_timestamp())
        where u.unit_code = any(moved);
    end if;
    return null;
end $$;

-- the units whose home cell, or whose zone, is within the principal's cells
create or replace function access.my_units(wanted text) returns setof text
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select u.unit_code from patrol_units u
    where u.home_code in (select access.my_cells(wanted)) or u.zone_code in (select access.my_zones(wanted));
end;
grant execute on function access.my_units to geo_grid_app;

-- A unit may only reference a post and a zone that the principal sees: else the principal could find out that they exist,
-- and prevent their deletion.
create or replace function access.refuse_unseen() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.post_code is not null and (tg_op = 'INSERT' or new.post_code is distinct from old.post_code)
       and not exists (select from police_posts p where p.post_code = new.post_code) then
        raise exception 'there is no police post %', new.post_code using errcode = 'foreign_key_violation';
    end if;
    if new.zone_code is not null and (tg_op = 'INSERT' or new.zone_code is distinct from old.zone_code)
       and not access.city_wide('layers.write') and new.zone_code not in (select access.my_zones('layers.write')) then
        raise exception 'there is no patrol zone %', new.zone_code using errcode = 'foreign_key_violation';
    end if;
    return new;
end $$;

create constraint trigger editions_units after insert on editions
    deferrable initially deferred for each row execute function access.settle_units();
create trigger patrol_units_dated before insert or update on patrol_units
    for each row when (current_user = 'geo_grid_app') execute function access.date_report();
create trigger patrol_units_audited_insert after insert on patrol_units
    referencing new table as changed for each statement execute function access.audit_features('unit_code');
create trigger patrol_units_audited_delete after delete on patrol_units
    referencing old table as former for each statement execute function access.audit_features('unit_code');
create trigger patrol_units_audited_update after update on patrol_units
    referencing old table as former new table as changed for each statement
    when (current_user = 'geo_grid_app') execute function access.audit_features('unit_code');
create trigger patrol_units_home_insert before insert on patrol_units
    for each row execute function access.settle_unit();
create trigger patrol_units_home_update before update of geom, post_code on patrol_units
    for each row when (current_user = 'geo_grid_app') execute function access.settle_unit();
create trigger patrol_units_named before insert on patrol_units
    for each row when (current_user = 'geo_grid_app') execute function access.own_key('unit_code');
create trigger patrol_units_known before insert or update of post_code, zone_code on patrol_units
    for each row when (current_user = 'geo_grid_app') execute function access.refuse_unseen();
create trigger patrol_units_marked before insert or update of is_demo on patrol_units
    for each row when (current_user = 'geo_grid_app') execute function access.mark_demo();
