-- What is done to an incident: kept for ever in its order, stage after stage.

create or replace function keep_steps() returns trigger language plpgsql as $$
begin
    raise exception 'steps of incidents are never changed' using errcode = 'insufficient_privilege';
end $$;

-- whoever writes: no stage is skipped, and the loop is the one it began with
create or replace function keep_stages() returns trigger language plpgsql as $$
begin
    if (select s.ordinal from loop_stages s where s.loop_code = new.loop_code and s.stage = new.step)
       > 1 + (select s.ordinal from loop_stages s where s.loop_code = old.loop_code and s.stage = old.step) then
        raise exception 'incident % cannot become % from %: a stage of its loop is skipped', new.incident_id, new.step, old.step
            using errcode = 'check_violation';
    end if;
    return new;
end $$;

-- the loop is that of its category when it came in
create or replace function begin_loop() returns trigger language plpgsql as $$
begin
    new.loop_code := coalesce((select c.loop_code from incident_categories c where c.category_code = new.category), 'six_steps');
    return new;
end $$;

-- a unit is as busy as the matters it was sent to make it
create or replace function access.occupy_units() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update patrol_units u
    set unit_status = case when busy.is_there then 'on_scene' when busy.is_sent then 'dispatched' else 'on_patrol' end
    from (select bool_or(i.arrived_at is not null) as is_there, count(*) > 0 as is_sent
          from incident_units i where i.unit_code = new.unit_code and i.released_at is null) busy
    where u.unit_code = new.unit_code;
    return null;
end $$;

-- the account of a person at the desk who may write incidents in a cell; null: there is none
create or replace function access.handler_named(named text, cell text) returns bigint
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select p.principal_id
    from access.principals p
    where p.login_name = named and p.principal_kind = 'user' and p.disabled_at is null
      and exists (select from access.role_rights r where r.role = p.role and r."right" = 'incidents.write')
      and (p.city_wide or exists (select from access.principal_cells b
                                  join access.cell_scope s on s.ancestor_code = b.grid_code
                                  where b.principal_id = p.principal_id and s.grid_code = cell));
end;
grant execute on function access.handler_named to geo_grid_app;

-- whether whoever asks is of a level above: bound to the whole city, or to a cell around the one that has a matter, which is
-- the cell of that level (0: the city) in the chain of the cell that owns it
create or replace function access.is_above(cell text, level integer) returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select exists (
        select from access.asking a join access.principals p on p.principal_id = a.principal_id
        where p.city_wide or exists (
            select from access.principal_cells b
            join access.cell_scope s on s.ancestor_code = b.grid_code
            join cell_chain(cell, now()) c on c.grid_code = s.grid_code
            where b.principal_id = a.principal_id and c.grid_level = level and b.grid_code <> c.grid_code));
end;
grant execute on function access.is_above to geo_grid_app;

create or replace function access.my_name() returns text
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return coalesce((select a.login_name from access.asking a), session_user::text);
end $$;
grant execute on function access.my_name to geo_grid_app;

create trigger incident_steps_kept before update on incident_steps
    for each row execute function keep_steps();
create trigger incidents_in_order before update of step, loop_code on incidents
    for each row execute function keep_stages();
-- after incidents_categorised, which gives it its category: triggers run in the order of their names
create trigger incidents_loop before insert on incidents
    for each row execute function begin_loop();
create trigger incidents_moved before update of geom on incidents
    for each row when (old.geom is distinct from new.geom) execute function access.own_by_place();
create trigger incident_units_busy after insert or update on incident_units
    for each row execute function access.occupy_units();
