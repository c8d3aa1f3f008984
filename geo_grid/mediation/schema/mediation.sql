-- Mediation: organisations as they are read, what stays as it was, and what is deleted in time.

-- An organisation with its place: read by whom it serves, even where the facility itself lies outside their cells; so the
-- view works with the rights of its owner, and repeats the rule of mediation_organisations_seen.
create or replace view mediation_places with (security_barrier) as
select o.facility_id, f.facility_code, f.name, f.division_level, f.phone, o.mediation_kind, o.grid_code,
       centre.facility_code as centre_code, centre.name as centre_name, room.facility_code as room_code,
       room.name as room_name, o.studio_of, o.takes_cases, o.is_demo, f.geom,
       (select count(*) from mediators m
        where m.facility_id = o.facility_id and in_force(m.valid_from, m.valid_to, now())) as mediator_count
from mediation_organisations o
join facilities f on f.facility_id = o.facility_id
left join facilities centre on centre.facility_id = o.centre_id
left join facilities room on room.facility_id = o.room_id
where f.facility_kind = 'mediation_organisation' and f.division_level is not null
  and (select access.may('map'))
  and (o.grid_code is null or (select access.city_wide('map')) or o.grid_code in (select access.my_chain('map')));
grant select on mediation_places to geo_grid_app;

-- Deletes the parties of disputes that were closed long enough ago, and empties what was written about them.
create or replace function access.tidy_disputes(parties_kept interval, texts_kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from mediation_parties p
    using mediation_cases c join incidents i on i.incident_id = c.incident_id
    where c.case_id = p.case_id and i.closed_at < now() - parties_kept;
    update mediation_steps s set note = ''
    from mediation_cases c join incidents i on i.incident_id = c.incident_id
    where c.case_id = s.case_id and s.note <> '' and i.closed_at < now() - texts_kept;
end $$;
grant execute on function access.tidy_disputes to geo_grid_service;

-- A dispute in mediation is handled by settling its case, so that both end alike.
create or replace function keep_to_mediation() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    going_on bigint := (select c.case_id from mediation_cases c where c.incident_id = new.incident_id and c.ended_at is null);
begin
    if going_on is not null then
        raise exception 'this dispute is in mediation: settle case %, or end it first (not_settled, withdraw)', going_on
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    return new;
end $$;
create trigger incidents_handled_by_mediation before update of step on incidents
    for each row when (new.step = 'handled' and old.step <> 'handled') execute function keep_to_mediation();

-- A dispute that is moved to where its organisation does not serve goes to the one of the same kind that would have been chosen.
create or replace function move_mediation() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    going_on record;
    chosen record;
begin
    select c.case_id, c.step_count + 1 as number, o.mediation_kind into going_on
    from mediation_cases c join mediation_organisations o using (facility_id)
    where c.incident_id = new.incident_id and c.ended_at is null and o.grid_code is not null
      and o.grid_code not in (select k.grid_code from cell_chain(new.grid_code, now()) k);
    if not found then
        return null;
    end if;
    select f.facility_id, f.division_level, ST_Distance(f.geom::geography, new.geom::geography) as distance_m into chosen
    from mediation_organisations o join facilities f using (facility_id)
    where f.facility_kind = 'mediation_organisation' and f.division_level is not null and o.takes_cases
      and o.mediation_kind = going_on.mediation_kind
      and (o.grid_code is null or o.grid_code in (select k.grid_code from cell_chain(new.grid_code, now()) k))
      and exists (select from mediators m where m.facility_id = o.facility_id and in_force(m.valid_from, m.valid_to, now()))
    order by array_position(array['village', 'township', 'county', 'city'], f.division_level), distance_m, f.facility_code
    limit 1;
    if not found then
        raise exception 'this dispute is in mediation, and no organisation of its kind serves that place: end case % first',
            going_on.case_id using errcode = 'object_not_in_prerequisite_state';
    end if;
    update mediation_cases
    set facility_id = chosen.facility_id, division_level = chosen.division_level, chosen_by = 'nearest', step_count = going_on.number
    where case_id = going_on.case_id;
    insert into mediation_steps (case_id, number, action, facility_id, distance_m, note, actor_id, actor_name, done_at)
    values (going_on.case_id, going_on.number, 'hand_on', chosen.facility_id, chosen.distance_m, '', access.me(), access.my_name(),
            clock_timestamp());
    return null;
end $$;
create trigger incidents_move_mediation after update of geom on incidents
    for each row when (old.grid_code is distinct from new.grid_code) execute function move_mediation();

-- A case does not outlive its incident: one that is closed by another way than settling it (merged, not solved) ends its case
-- too, with a step by whoever closed it.
create or replace function end_mediation() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    ended mediation_cases;
begin
    update mediation_cases
    set ended_at = clock_timestamp(), step_count = step_count + 1,
        outcome = case new.outcome when 'not_solved' then 'not_settled' else 'withdrawn' end
    where incident_id = new.incident_id and ended_at is null
    returning * into ended;
    if found then
        insert into mediation_steps (case_id, number, action, facility_id, note, actor_id, actor_name, done_at)
        values (ended.case_id, ended.step_count, case ended.outcome when 'not_settled' then 'not_settled' else 'withdraw' end,
                ended.facility_id, '', access.me(), access.my_name(), ended.ended_at);
    end if;
    return null;
end $$;
create trigger incidents_end_mediation after update of closed_at on incidents
    for each row when (old.closed_at is null and new.closed_at is not null) execute function end_mediation();

-- ... and goes on when a merge is taken back. Who ends a case themselves says why.
create or replace function resume_mediation() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    resumed mediation_cases;
begin
    update mediation_cases c set ended_at = null, outcome = null, step_count = c.step_count + 1
    where c.incident_id = new.incident_id and c.outcome = 'withdrawn' and c.ended_at >= old.closed_at
      and exists (select from mediation_steps s where s.case_id = c.case_id and s.number = c.step_count and s.note = '')
    returning * into resumed;
    if found then
        insert into mediation_steps (case_id, number, action, facility_id, note, actor_id, actor_name, done_at)
        values (resumed.case_id, resumed.step_count, 'reopen', resumed.facility_id, '', access.me(), access.my_name(),
                clock_timestamp());
    end if;
    return null;
end $$;
create trigger incidents_resume_mediation after update of closed_at on incidents
    for each row when (old.merged_into is not null and new.merged_into is null) execute function resume_mediation();

create trigger mediation_steps_kept before update on mediation_steps
    for each row execute function keep_past();
create trigger mediation_organisations_audited_insert after insert on mediation_organisations
    referencing new table as changed for each statement execute function access.audit_features('facility_id');
create trigger mediation_organisations_audited_update after update on mediation_organisations
    referencing old table as former new table as changed for each statement execute function access.audit_features('facility_id');
