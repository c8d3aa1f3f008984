-- What is done to an incident: kept for ever in its order, stage after stage.

-- of every table that says what was done: its rows stay as they are; in time their texts are emptied, nothing else
create or replace function keep_past() returns trigger language plpgsql as $$
declare
    before jsonb := to_jsonb(old);
    after jsonb := to_jsonb(new);
begin
    if after - 'note' - 'measures' is distinct from before - 'note' - 'measures'
       or coalesce(after->>'note', '') <> '' or after->>'measures' is not null then
        raise exception 'what was done is never changed' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;

-- Empties what was said about matters that were closed long enough ago, and deletes what shifts wrote to each other as long ago;
-- made-up texts of the demo stay. A subtype that no group of categories counts, and that fewer than five matters have, is what
-- somebody typed about one of them.
create or replace function access.tidy_incidents(texts_kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    update incidents i set description = '', address = ''
    where (i.description <> '' or i.address <> '') and i.closed_at < now() - texts_kept and not i.is_demo;
    update incidents i set subtype = ''
    from (select s.category, s.subtype from incidents s where s.subtype <> '' group by s.category, s.subtype having count(*) < 5) rare
    where i.category = rare.category and i.subtype = rare.subtype and i.closed_at < now() - texts_kept and not i.is_demo
      and not exists (select from category_group_members m where m.category = i.category and m.subtype = i.subtype);
    update incident_steps s set note = ''
    from incidents i
    where i.incident_id = s.incident_id and s.note <> '' and i.closed_at < now() - texts_kept;
    delete from shift_notes where written_at < now() - texts_kept;
end $$;
grant execute on function access.tidy_incidents to geo_grid_service;

-- whoever writes: no stage is skipped, and the loop is the one it began with
create or replace function keep_stages() returns trigger language plpgsql as $$
begin
    if new.step is distinct from old.step
       and not exists (select from loop_stages s where s.loop_code = new.loop_code and s.stage = new.step) then
        raise exception 'incident % cannot become %: its loop has no such stage', new.incident_id, new.step
            using errcode = 'check_violation';
    end if;
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
    where u.unit_code = new.unit_code and (busy.is_sent or u.unit_status in ('dispatched', 'on_scene'));
    return null;
end $$;

-- the account of a person at the desk who may give incidents of a cell to others; null: there is none
create or replace function access.handler_named(named text, cell text) returns bigint
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select p.principal_id
    from access.principals p
    where p.login_name = named and p.principal_kind = 'user' and p.disabled_at is null
      and exists (select from access.role_rights r where r.role = p.role and r."right" = 'incidents.dispatch')
      and (p.city_wide or exists (select from access.principal_cells b
                                  join access.cell_scope s on s.ancestor_code = b.grid_code
                                  where b.principal_id = p.principal_id and s.grid_code = cell));
end;
grant execute on function access.handler_named to geo_grid_app;

-- A unit of a patrol zone that is on patrol, for an incident that the police answer: the one heard of last; null: there is none. It
-- is held until the caller's transaction ends, so that of two who assign at once each gets another.
create or replace function access.free_unit_of_zone(zone text, incident bigint) returns text
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    candidate text;
    held text;
begin
    perform access.require('incidents.dispatch');
    if not exists (select from incidents i join incident_categories c on c.category_code = i.category
                   where i.incident_id = incident and c.answered_by = 'police') then
        return null;
    end if;
    loop
        select u.unit_code into candidate from patrol_units u
        where u.zone_code = zone and u.unit_status = 'on_patrol' order by u.reported_at desc, u.unit_code limit 1;
        exit when candidate is null;
        select u.unit_code into held from patrol_units u
        where u.unit_code = candidate and u.unit_status = 'on_patrol' for update;
        exit when held is not null;  -- else somebody else has got it meanwhile
    end loop;
    return held;
end $$;
grant execute on function access.free_unit_of_zone to geo_grid_app;

-- Who answers for a cell, the same whoever asks: in the nearest cell of its chain, no deeper than a level (null: any), in which somebody is there: its
-- manager before its lead, those in the field before those at the desk now; whoever is away is represented. No row: nobody.
create or replace function responsible_for(cell text, level integer)
returns table (assigned_cell text, assigned_role text, assigned_duty bigint, assigned_rule text)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    return query
    select c.grid_code, d.duty_role, coalesce(s.duty_id, d.duty_id),
           case when s.duty_id is not null then 'substitute' when level is not null then 'level'
                when c.grid_code = cell then 'leaf' else 'ancestor' end
    from cell_chain(cell, now()) c
    join duties d on d.grid_code = c.grid_code and in_force(d.valid_from, d.valid_to, now())
                 and d.duty_role in ('grid_manager', 'grid_lead')
    left join duty_absences a on a.duty_id = d.duty_id and in_force(a.valid_from, a.valid_to, now())
    left join duties s on s.duty_id = a.substitute_id and in_force(s.valid_from, s.valid_to, now())
        and not exists (select from duty_absences x where x.duty_id = s.duty_id and in_force(x.valid_from, x.valid_to, now()))
    where (level is null or c.grid_level <= level) and (a.duty_id is null or s.duty_id is not null)
    order by c.grid_level desc, d.duty_role desc,
             exists (select from desk_turns t where t.duty_id = d.duty_id and in_force(t.valid_from, t.valid_to, now())), d.duty_id
    limit 1;
end $$;
grant execute on function responsible_for to geo_grid_app;

-- Raises an incident that was not settled in time one level, as the action escalate does (workflow/loop.py, at_level), with a
-- step that nobody took: when its limit is over, and whoever has had it since it rose, or was sent down, has had that long too.
-- Returns the seconds until it is to be looked at again; null: it is closed, has no limit, or the city has it.
create or replace function access.rise(wanted bigint) returns double precision
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    i incidents;
    levels smallint[];
    reached smallint;
    upper_level smallint;
    policy sla_policies;
    holder record;
    had_since timestamptz;
    due timestamptz;
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    select * into i from incidents where incident_id = wanted for update;
    if i.closed_at is not null or i.settle_due_at is null then
        return null;
    end if;
    if i.suspended_at is not null or i.step not in ('reported', 'accepted', 'assigned') then
        return 300;  -- it may be resumed, or rejected
    end if;
    select max(s.done_at) into had_since from incident_steps s
    where s.incident_id = wanted and s.action in ('escalate', 'send_down');
    select * into policy from sla_policies where policy_code = i.policy_code;
    due := greatest(i.settle_due_at, deadline_of(policy.schedule_code, had_since, worked_before(policy.schedule_code, had_since),
                                                 policy.settle_s, i.stood));
    if due > clock_timestamp() then
        return greatest(1, extract(epoch from due - clock_timestamp()));
    end if;
    levels := array(select c.grid_level from cell_chain(i.grid_code, now()) c join grid_levels g using (grid_level)
                    where g.settles order by c.grid_level desc);
    reached := least(coalesce(i.held_level, levels[1], 0),
                     case when i.assigned_rule = 'city' then 0
                          else (select c.grid_level from cell_chain(i.grid_code, now()) c where c.grid_code = i.assigned_cell) end);
    if reached = 0 then
        return null;
    end if;
    select max(l) into upper_level from unnest(levels) l where l < reached;
    upper_level := coalesce(upper_level, 0);
    if i.step = 'assigned' then
        select * into holder from responsible_for(i.grid_code, upper_level);
        if not found then
            select null::text as assigned_cell, null::text as assigned_role, null::bigint as assigned_duty, 'city' as assigned_rule into holder;
        end if;
    else
        select i.assigned_cell, i.assigned_role, i.assigned_duty, i.assigned_rule into holder;
    end if;
    insert into incident_steps (incident_id, number, action, stage_before, stage_after, actor_id, actor_name, done_at, lon, lat, note, details)
    values (wanted, i.step_count + 1, 'escalate', i.step, i.step, null, 'geo_grid', clock_timestamp(), ST_X(i.geom), ST_Y(i.geom),
            'not settled in time 超时自动上报', jsonb_build_object('due_at', i.settle_due_at, 'held_level', upper_level) || case
                when i.step = 'assigned' then jsonb_build_object(
                    'had', jsonb_strip_nulls(jsonb_build_object(
                        'assigned_cell', i.assigned_cell, 'assigned_role', i.assigned_role, 'assigned_duty', i.assigned_duty,
                        'assigned_rule', i.assigned_rule)),
                    'has', jsonb_strip_nulls(to_jsonb(holder)))
                else '{}' end);
    update incidents set held_level = upper_level, step_count = i.step_count + 1, stepped_at = clock_timestamp(),
        assigned_cell = holder.assigned_cell, assigned_role = holder.assigned_role, assigned_duty = holder.assigned_duty,
        assigned_rule = holder.assigned_rule
    where incident_id = wanted
    returning * into i;  -- with the policy of its new level
    select * into policy from sla_policies where policy_code = i.policy_code;
    due := greatest(i.settle_due_at, deadline_of(policy.schedule_code, now(), worked_before(policy.schedule_code, now()), policy.settle_s, i.stood));
    return case when upper_level > 0 and i.settle_due_at is not null then greatest(60, extract(epoch from due - clock_timestamp())) end;
end $$;
grant execute on function access.rise to geo_grid_service;

create or replace function ask_for_rising() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if exists (select from incidents i join incident_categories c on c.category_code = i.category
               where i.incident_id = new.incident_id and c.rises) then
        perform ask_for('rise', new.incident_id::text, new.noted_at);
    end if;
    return null;
end $$;

-- what was closed late and is opened again rises as it would have
create or replace function ask_for_rising_again() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if exists (select from deadline_marks m where m.incident_id = new.incident_id and m.mark = 'breach' and m.target = 'settle')
       and exists (select from incident_categories c where c.category_code = new.category and c.rises) then
        perform ask_for('rise', new.incident_id::text, now());
    end if;
    return null;
end $$;
create trigger incidents_rise_again after update of closed_at on incidents
    for each row when (old.closed_at is not null and new.closed_at is null) execute function ask_for_rising_again();
create trigger deadline_marks_rise after insert on deadline_marks
    for each row when (new.mark = 'breach' and new.target = 'settle') execute function ask_for_rising();

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
    for each row execute function keep_past();
create trigger incidents_in_order before update of step, loop_code on incidents
    for each row execute function keep_stages();
-- after incidents_categorised, which gives it its category: triggers run in the order of their names
create trigger incidents_loop before insert on incidents
    for each row execute function begin_loop();
create trigger incidents_moved before update of geom on incidents
    for each row when (old.geom is distinct from new.geom) execute function access.own_by_place();
create trigger incident_units_busy after insert or update on incident_units
    for each row execute function access.occupy_units();
