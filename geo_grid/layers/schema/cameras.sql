-- Cameras: whose they are, and their national ID; and which of them a map shows.

-- Says whether a value is among those that a map is narrowed to; null: it is narrowed to none.
create or replace function is_wanted(value text, wanted text[]) returns boolean
language sql immutable parallel safe
return wanted is null or value = any(wanted);
grant execute on function is_wanted to public;

create or replace function access.keep_national_id() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the ID % is national, and stays', old.gb28181_id using errcode = 'check_violation';
end $$;

create trigger cameras_owned before insert or update on cameras
    for each row when (current_user = 'geo_grid_app') execute function access.own_by_place();
create trigger cameras_audited_insert after insert on cameras
    referencing new table as changed for each statement execute function access.audit_features('gb28181_id');
create trigger cameras_audited_update after update on cameras
    referencing old table as former new table as changed for each statement execute function access.audit_features('gb28181_id');
create trigger cameras_audited_delete after delete on cameras
    referencing old table as former for each statement execute function access.audit_features('gb28181_id');
-- What platforms say of a camera, where it is and what it shows, goes by its national number alone: whoever gives a camera its
-- number, or says of which platform it is, must see all cameras, secret ones too.
create or replace function access.may_name_platforms() returns boolean
language sql stable set search_path = pg_catalog, public, pg_temp
return access.city_wide('layers.write') and access.may('cameras.secret');
grant execute on function access.may_name_platforms to geo_grid_app;

create or replace function access.number_camera() returns trigger
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.is_secret and not access.may('cameras.secret') then
        raise exception 'secret cameras are registered by who sees secret cameras' using errcode = 'insufficient_privilege';
    end if;
    if access.may_name_platforms() then
        return new;
    end if;
    if new.platform_code is distinct from (case tg_op when 'UPDATE' then old.platform_code end) then
        raise exception 'the platform of a camera is named by its catalogue, or by who sees all cameras of the city'
            using errcode = 'insufficient_privilege';
    end if;
    if new.gb28181_id not like 'LOCAL-%' and new.gb28181_id is distinct from (case tg_op when 'UPDATE' then old.gb28181_id end) then
        raise exception 'a national ID is given to a camera by who sees all cameras of the city: give it a local one, which begins with LOCAL-'
            using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger cameras_numbered before insert or update of platform_code, gb28181_id, is_secret on cameras
    for each row when (current_user = 'geo_grid_app') execute function access.number_camera();

create trigger cameras_once after insert on cameras
    referencing new table as added for each statement execute function access.refuse_second('gb28181_id');
create trigger cameras_once_renamed before update of gb28181_id on cameras
    for each row when (new.gb28181_id is distinct from old.gb28181_id) execute function access.refuse_second('gb28181_id');
create trigger cameras_keep_national_id before update of gb28181_id on cameras
    for each row when (new.gb28181_id is distinct from old.gb28181_id and old.gb28181_id not like 'LOCAL-%')
    execute function access.keep_national_id();
create trigger cameras_marked before insert or update of is_demo on cameras
    for each row when (current_user = 'geo_grid_app') execute function access.mark_demo();
