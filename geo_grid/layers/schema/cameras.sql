-- Cameras: whose they are, their national ID, and who opened them.

create or replace function access.keep_national_id() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the ID % is national, and stays', old.gb28181_id using errcode = 'check_violation';
end $$;

-- Opens a camera; if for an incident, it must be open and visible to the principal.
create or replace function access.open_camera(wanted text, reason text, incident bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    seen boolean;
begin
    perform access.require('cameras.open');
    select true into seen from cameras c
    where c.gb28181_id = wanted
      and (access.city_wide('map') or c.grid_code in (select access.my_cells('map')))
      and (not c.is_secret or access.may('cameras.secret'));
    if seen is null then
        return null;
    end if;
    if incident is not null and not exists (
        select from incidents i
        where i.incident_id = incident and i.closed_at is null
          and (access.city_wide('incidents.read') or i.grid_code in (select access.my_cells('incidents.read')))
    ) then
        raise exception 'there is no open incident %', incident using errcode = 'no_data_found';
    end if;
    return access.record('camera.open', 'camera', wanted, 'done',
                         jsonb_build_object('reason', reason, 'incident_id', incident));
end $$;
grant execute on function access.open_camera to geo_grid_app;

create trigger cameras_owned before insert or update on cameras
    for each row when (current_user = 'geo_grid_app') execute function access.own_by_place();
create trigger cameras_audited_insert after insert on cameras
    referencing new table as changed for each statement execute function access.audit_features('gb28181_id');
create trigger cameras_audited_update after update on cameras
    referencing old table as former new table as changed for each statement execute function access.audit_features('gb28181_id');
create trigger cameras_audited_delete after delete on cameras
    referencing old table as former for each statement execute function access.audit_features('gb28181_id');
create trigger cameras_once before insert on cameras
    for each row execute function access.refuse_second('gb28181_id');
create trigger cameras_once_renamed before update of gb28181_id on cameras
    for each row when (new.gb28181_id is distinct from old.gb28181_id) execute function access.refuse_second('gb28181_id');
create trigger cameras_keep_national_id before update of gb28181_id on cameras
    for each row when (new.gb28181_id is distinct from old.gb28181_id and old.gb28181_id not like 'LOCAL-%')
    execute function access.keep_national_id();
create trigger cameras_marked before insert on cameras
    for each row when (current_user = 'geo_grid_app') execute function access.mark_demo();
