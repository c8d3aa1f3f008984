-- Cameras without a national ID have a local one, marked as such, until they get theirs.
alter table cameras drop constraint cameras_gb28181_id;
alter table cameras add constraint cameras_gb28181_id
    check (gb28181_id ~ '^([0-9]{10}(131|132)[0-9]{7}|LOCAL-[0-9A-Za-z._-]{1,26})$');

-- Which moments the database takes: those that every format can write, in nanoseconds too (they end with the years 1677
-- and 2262). Rows that are there already are not looked at: a migration must not fail on what was allowed before.
create function is_stored_moment(moment timestamptz) returns boolean
language sql immutable parallel safe
return moment is null or moment >= '1699-12-30 00:00:00+00' and moment < '2200-01-02 00:00:00+00';
alter table incidents add constraint incidents_received_at_between_1700_and_2199
    check (is_stored_moment(received_at)) not valid;
alter table road_closures add constraint road_closures_moments_between_1700_and_2199
    check (is_stored_moment(closed_from) and is_stored_moment(closed_to)) not valid;

create trigger cameras_once_renamed before update of gb28181_id on cameras
    for each row when (new.gb28181_id is distinct from old.gb28181_id) execute function access.refuse_second('gb28181_id');
-- whoever may change a camera may give it its national ID, once
grant update (gb28181_id) on cameras to geo_grid_app;
create function access.keep_national_id() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the ID % is national, and stays', old.gb28181_id using errcode = 'check_violation';
end $$;
revoke execute on function access.keep_national_id() from public;
create trigger cameras_keep_national_id before update of gb28181_id on cameras
    for each row when (new.gb28181_id is distinct from old.gb28181_id and old.gb28181_id not like 'LOCAL-%')
    execute function access.keep_national_id();
