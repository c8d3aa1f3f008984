-- Places are made, changed and removed over HTTP, by whoever has the right, within their own cells.

insert into access.role_rights values ('planner', 'layers.write'), ('supervisor', 'layers.write');

grant insert (post_code, name, post_kind, responsible_unit, phone, geom, is_demo),
    update (name, post_kind, responsible_unit, phone, geom, is_demo), delete on police_posts to geo_grid_app;
grant insert (unit_code, name, unit_kind, post_code, zone_code, unit_status, reported_at, geom, is_demo),
    update (name, unit_kind, post_code, zone_code, unit_status, reported_at, geom, is_demo), delete on patrol_units to geo_grid_app;
grant insert (facility_code, facility_kind, name, division_level, member_count, phone, source, geom, is_demo),
    update (facility_kind, name, division_level, member_count, phone, source, geom, is_demo), delete on facilities to geo_grid_app;
grant insert (gb28181_id, name, ptz_type, room_type, azimuth_deg, fov_deg, range_m, org_code, is_secret, is_online, geom, is_demo),
    update (name, ptz_type, room_type, azimuth_deg, fov_deg, range_m, org_code, is_secret, is_online, geom, is_demo), delete
    on cameras to geo_grid_app;
grant insert (post_code, tier_minutes, method, speed_kmh, detour_factor, responsible_unit, geom, is_demo), delete
    on response_circles to geo_grid_app;

create policy police_posts_made on police_posts for insert with check (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));
create policy police_posts_changed on police_posts for update using (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));
create policy police_posts_removed on police_posts for delete using (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));

create policy patrol_units_made on patrol_units for insert with check (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));
create policy patrol_units_changed on patrol_units for update using (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));
create policy patrol_units_removed on patrol_units for delete using (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));

create policy facilities_made on facilities for insert with check (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));
create policy facilities_changed on facilities for update using (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));
create policy facilities_removed on facilities for delete using (
    (select access.city_wide('layers.write')) or ST_Covers((select access.my_area('layers.write')), geom));

create policy cameras_made on cameras for insert with check (
    ((select access.city_wide('layers.write')) or grid_code in (select access.my_cells('layers.write')))
    and (not is_secret or (select access.may('cameras.secret'))));
create policy cameras_changed on cameras for update using (
    ((select access.city_wide('layers.write')) or grid_code in (select access.my_cells('layers.write')))
    and (not is_secret or (select access.may('cameras.secret'))));
create policy cameras_removed on cameras for delete using (
    ((select access.city_wide('layers.write')) or grid_code in (select access.my_cells('layers.write')))
    and (not is_secret or (select access.may('cameras.secret'))));

-- the circles of a post are drawn by whoever may move it
create policy response_circles_made on response_circles for insert with check (
    (select access.may('layers.write')) and post_code in (select p.post_code from police_posts p));
create policy response_circles_removed on response_circles for delete using (
    (select access.may('layers.write')) and post_code in (select p.post_code from police_posts p));

-- the owner of a camera is what it is, not what a request says
create function access.own_camera() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    new.grid_code := access.owning_cell(new.geom, statement_timestamp());
    new.zone_code := access.owning_zone(new.geom, statement_timestamp());
    new.edition_id := edition_at(statement_timestamp());
    return new;
end $$;
create trigger cameras_owned before insert or update on cameras
    for each row when (current_user = 'geo_grid_app') execute function access.own_camera();

-- a unit that was moved or set by hand was heard of at that moment
create function access.date_report() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.reported_at := statement_timestamp();
    return new;
end $$;
create trigger patrol_units_dated before insert or update on patrol_units
    for each row when (current_user = 'geo_grid_app') execute function access.date_report();

-- Every change by somebody is in the audit: by row, or counted where it is a whole file.
create function access.audit_features() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    key_column text := tg_argv[0];
    row_count bigint;
    entry record;
begin
    if access.is_owner() then
        return null;
    end if;
    if tg_op = 'DELETE' then
        select count(*) into row_count from former;
    else
        select count(*) into row_count from changed;
    end if;
    if row_count > 20 then
        perform access.record('features.' || lower(tg_op), tg_table_name, '', 'done', jsonb_build_object('rows', row_count));
    elsif tg_op = 'INSERT' then
        for entry in select to_jsonb(n) as row from changed n loop
            perform access.record('feature.create', tg_table_name, entry.row->>key_column, 'done', entry.row);
        end loop;
    elsif tg_op = 'DELETE' then
        for entry in select to_jsonb(o) as row from former o loop
            perform access.record('feature.delete', tg_table_name, entry.row->>key_column, 'done', entry.row);
        end loop;
    else
        for entry in
            select n.row->>key_column as key,
                   (select jsonb_object_agg(f.key, jsonb_build_array(o.row->f.key, f.value))
                    from jsonb_each(n.row) f where f.value is distinct from o.row->f.key) as changes
            from (select to_jsonb(c) as row from changed c) n
            join (select to_jsonb(f) as row from former f) o on o.row->key_column = n.row->key_column
        loop
            perform access.record('feature.change', tg_table_name, entry.key, 'done', coalesce(entry.changes, '{}'));
        end loop;
    end if;
    return null;
end $$;

-- those who watch look again
alter table events drop constraint events_kind_check,
    add constraint events_kind_check check (kind in ('incident', 'incidents', 'edition', 'layer'));
drop policy events_seen on events;
create policy events_seen on events for select using (
    case kind
        when 'edition' then (select access.may('map'))
        when 'layer' then (select access.may('map'))
        when 'incidents' then (select access.may('incidents.read'))
        else (select access.city_wide('incidents.read')) or grid_code in (select access.my_cells('incidents.read'))
    end);
create function tell_layer() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    insert into events (kind, key) values ('layer', tg_table_name);
    perform pg_notify('geo_grid_changes', 'events');
    return null;
end $$;

do $$
declare
    layer text;
    key_column text;
begin
    for layer, key_column in values ('police_posts', 'post_code'), ('patrol_units', 'unit_code'),
                                    ('facilities', 'facility_code'), ('cameras', 'gb28181_id') loop
        execute format('create trigger %I after insert on %I referencing new table as changed'
                       ' for each statement execute function access.audit_features(%L)', layer || '_audited_insert', layer, key_column);
        execute format('create trigger %I after update on %I referencing old table as former new table as changed'
                       ' for each statement execute function access.audit_features(%L)', layer || '_audited_update', layer, key_column);
        execute format('create trigger %I after delete on %I referencing old table as former'
                       ' for each statement execute function access.audit_features(%L)', layer || '_audited_delete', layer, key_column);
        execute format('create trigger %I after insert or update or delete or truncate on %I'
                       ' for each statement execute function tell_layer()', layer || '_told', layer);
    end loop;
end $$;
create trigger facilities_announced after insert or update or delete or truncate on facilities
    for each statement execute function announce_change();
create trigger cameras_announced after insert or update or delete or truncate on cameras
    for each statement execute function announce_change();

revoke execute on function access.own_camera, access.date_report, access.audit_features, tell_layer from public;
