-- Rules that people edit: what open matters depend on of them, and every change in the audit.

-- How many matters of a loop are at a stage that go on from there: those that are open, or were merged and may be taken apart
-- again. They are locked, in the order of their numbers: no step is taken of them until the caller's transaction ends.
create or replace function access.going_on_in(loop text) returns table (stage text, matters bigint)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.city_wide('workflow.rules') then
        raise exception 'loops are of the whole city' using errcode = 'insufficient_privilege';
    end if;
    return query
        with held as materialized (
            select i.step from incidents i
            where i.loop_code = loop and (i.closed_at is null or i.merged_into is not null)
            order by i.incident_id for update)
        select h.step, count(*) from held h group by h.step;
end $$;
grant execute on function access.going_on_in to geo_grid_app;

-- how many open matters each loop has, for those who edit them: whoever may read no incident is told the number alone
create or replace function access.open_in_loops() returns table (loop_code text, open bigint)
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select i.loop_code, count(*) from incidents i
    where i.closed_at is null and access.city_wide('workflow.rules')
    group by i.loop_code;
end;
grant execute on function access.open_in_loops to geo_grid_app;

create trigger incident_categories_audited_insert after insert on incident_categories
    referencing new table as changed for each statement execute function access.audit_features('category_code');
create trigger incident_categories_audited_update after update on incident_categories
    referencing old table as former new table as changed for each statement execute function access.audit_features('category_code');

create trigger incident_category_names_audited_insert after insert on incident_category_names
    referencing new table as changed for each statement execute function access.audit_features('name');
create trigger incident_category_names_audited_update after update on incident_category_names
    referencing old table as former new table as changed for each statement execute function access.audit_features('name');

create trigger loops_audited_insert after insert on loops
    referencing new table as changed for each statement execute function access.audit_features('loop_code');
create trigger loops_audited_update after update on loops
    referencing old table as former new table as changed for each statement execute function access.audit_features('loop_code');

create trigger loop_stages_audited_insert after insert on loop_stages
    referencing new table as changed for each statement execute function access.audit_features('loop_code');
create trigger loop_stages_audited_delete after delete on loop_stages
    referencing old table as former for each statement execute function access.audit_features('loop_code');

create trigger working_hours_audited_insert after insert on working_hours
    referencing new table as changed for each statement execute function access.audit_features('schedule_code');
create trigger working_hours_audited_delete after delete on working_hours
    referencing old table as former for each statement execute function access.audit_features('schedule_code');

create trigger duty_absences_audited_insert after insert on duty_absences
    referencing new table as changed for each statement execute function access.audit_features('absence_id');
create trigger duty_absences_audited_update after update on duty_absences
    referencing old table as former new table as changed for each statement execute function access.audit_features('absence_id');
create trigger duty_absences_audited_delete after delete on duty_absences
    referencing old table as former for each statement execute function access.audit_features('absence_id');
create trigger grid_levels_audited_update after update on grid_levels
    referencing old table as former new table as changed for each statement execute function access.audit_features('grid_level');
