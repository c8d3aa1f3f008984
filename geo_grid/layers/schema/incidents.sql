-- Incidents: their public view, owners and categories.

-- Masks a caller's number but for its last two digits, which identify nobody if the number is long enough.
create or replace function access.masked(number text) returns text
language sql immutable
return case when length(number) < 7 then repeat('*', length(number))
            else repeat('*', length(number) - 2) || right(number, 2) end;

create or replace function access.incident_private(wanted bigint, out description text, out address text, out caller_number text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    select i.description, i.address,
           case when i.caller_number is null or i.handler_id = access.me() then i.caller_number
                else access.masked(i.caller_number) end
    into description, address, caller_number
    from incidents i
    where i.incident_id = wanted
      and (access.city_wide('incidents.text') or i.grid_code in (select access.my_cells('incidents.text')));
end $$;
grant execute on function access.incident_private to geo_grid_app;

-- an incident with the names that its owners had in the edition of its assignment
create or replace view incident_cards with (security_invoker = true) as
select i.incident_id, i.incident_number, i.category, i.subtype, coalesce(p.description, '') as description,
       coalesce(p.address, '') as address, p.caller_number, i.step,
       i.received_at, i.dispatched_at, i.departed_at, i.arrived_at, i.handled_at, i.feedback_at, i.verified_at,
       i.closed_at, ST_X(i.geom) as lon, ST_Y(i.geom) as lat, i.grid_code, (select c.name from grid_cells c
           where c.grid_code = i.grid_code and c.edition_id <= i.edition_id and (c.closed_by is null or c.closed_by > i.edition_id)
           order by c.valid_from desc limit 1) as grid_name,
       i.zone_code, (select z.name from patrol_zones z
           where z.zone_code = i.zone_code and z.edition_id <= i.edition_id and (z.closed_by is null or z.closed_by > i.edition_id)
           order by z.valid_from desc limit 1) as zone_name, i.edition_id, i.unassigned, i.handler_id, i.is_demo,
       i.loop_code, i.accepted_at, i.assigned_cell, i.assigned_role, i.assigned_rule, i.return_count, i.is_final,
       i.suspended_at, i.suspended_s, i.outcome, i.evaluation, i.step_count, i.held_level, i.merged_into, i.assigned_duty,
       (select d.person_name from duties d where d.duty_id = i.assigned_duty) as assigned_name,
       array(select m.incident_id from incidents m where m.merged_into = i.incident_id order by m.incident_id) as merged_here,
       array(select u.unit_code from incident_units u
             where u.incident_id = i.incident_id and u.released_at is null order by u.assigned_at, u.unit_code) as unit_codes,
       array(select coalesce(p.name, u.unit_code) from incident_units u left join patrol_units p on p.unit_code = u.unit_code
             where u.incident_id = i.incident_id and u.released_at is null order by u.assigned_at, u.unit_code) as unit_names,
       i.policy_code, i.accept_due_at, i.arrive_due_at, i.settle_due_at, i.due_at, i.due_for,
       case i.due_for when 'accept' then i.accept_warn_at when 'arrive' then i.arrive_warn_at
                      when 'settle' then i.settle_warn_at end as warn_at,
       coalesce(i.due_at < statement_timestamp(), false) as is_overdue, i.is_on_time,
       coalesce(case i.due_for when 'accept' then i.accept_warn_at when 'arrive' then i.arrive_warn_at
                               when 'settle' then i.settle_warn_at end < statement_timestamp(), false) as is_warned
from incidents i
left join lateral access.incident_private(i.incident_id) p on true;
grant select on incident_cards to geo_grid_app;

-- sets owner and handler of an incident by its position and the principal, whatever the request says
create or replace function access.own_incident() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who record;
begin
    select p.principal_id, p.principal_kind, p.is_demo into who
    from access.asking a join access.principals p using (principal_id);
    new.grid_code := access.owning_cell(new.geom, statement_timestamp());
    new.zone_code := access.owning_zone(new.geom, statement_timestamp());
    new.edition_id := edition_at(statement_timestamp());
    new.handler_id := case who.principal_kind when 'user' then who.principal_id end;
    new.is_demo := coalesce(who.is_demo, false);
    return new;
end $$;

create or replace function category_code(named text) returns text
language plpgsql stable strict parallel safe as $$  -- which keeps its plan
begin
    if exists (select from incident_categories c where c.category_code = named) then
        return named;
    end if;
    return coalesce((select c.category_code from incident_categories c
                     where c.category_code = lower(named) or c.name_zh = named or lower(c.name_en) = lower(named)
                     limit 1),
                    (select n.category_code from incident_category_names n where n.name = lower(named)), named);
end $$;
grant execute on function category_code to public;

-- Says which category a name means, from now on and for all incidents that came with it; returns how many those are.
create or replace function access.decide_category(given text, code text) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    renamed bigint;
    listed text := (select c.category_code from incident_categories c
                    where c.category_code = lower(given) or c.name_zh = given or lower(c.name_en) = lower(given) limit 1);
begin
    if not access.city_wide('workflow.rules') then
        raise exception 'what a name means is decided for the whole city' using errcode = 'insufficient_privilege';
    end if;
    if listed is not null then
        raise exception 'this is the category %: a meaning is given to names that no category has', listed
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    insert into incident_category_names values (lower(given), code)
    on conflict (name) do update set category_code = excluded.category_code;
    update incidents i set category = code where lower(i.category) = lower(given);
    get diagnostics renamed = row_count;
    return renamed;
end $$;
grant execute on function access.decide_category to geo_grid_app;

-- replaces the name of a category by its code, for every writer: desk, files and demo
create or replace function categorise() returns trigger language plpgsql as $$
begin
    new.category := category_code(new.category);
    return new;
end $$;

create trigger incidents_owned before insert on incidents
    for each row when (current_user = 'geo_grid_app') execute function access.own_incident();
create trigger incidents_categorised before insert or update of category on incidents
    for each row execute function categorise();
