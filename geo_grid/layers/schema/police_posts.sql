-- Police posts, and the home cells of their units.

-- The home cell of a unit follows its post, and new boundaries there; units from before the first edition get one then.
create or replace function access.follow_post() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if exists (select from patrol_units u where u.post_code = new.post_code) then  -- an update without rows writes a change too
        update patrol_units u set home_code = access.leaf_cell(new.geom, statement_timestamp())
        where u.post_code = new.post_code;
    end if;
    return null;
end $$;

-- a unit of other cells that references a post does not prevent its deletion
create or replace function access.release_units() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    released text;
begin
    if access.city_wide('map') then
        return old;
    end if;
    for released in
        update patrol_units u set post_code = null
        where u.post_code = old.post_code
          and not coalesce(ST_Covers(access.my_area('map'), u.geom), false)
          and u.unit_code not in (select access.my_units('map'))
        returning u.unit_code
    loop
        perform access.record('feature.change', 'patrol_units', released, 'done',
                              jsonb_build_object('post_code', jsonb_build_array(old.post_code, null)));
    end loop;
    return old;
end $$;

create trigger police_posts_audited_insert after insert on police_posts
    referencing new table as changed for each statement execute function access.audit_features('post_code');
create trigger police_posts_audited_update after update on police_posts
    referencing old table as former new table as changed for each statement execute function access.audit_features('post_code');
create trigger police_posts_audited_delete after delete on police_posts
    referencing old table as former for each statement execute function access.audit_features('post_code');
create trigger police_posts_moved after update of geom on police_posts
    for each row when (new.geom is distinct from old.geom) execute function access.follow_post();
create trigger police_posts_named before insert on police_posts
    for each row when (current_user = 'geo_grid_app') execute function access.own_key('post_code');
create trigger police_posts_released before delete on police_posts
    for each row when (current_user = 'geo_grid_app') execute function access.release_units();
create trigger police_posts_marked before insert or update of is_demo on police_posts
    for each row when (current_user = 'geo_grid_app') execute function access.mark_demo();
