-- Drafts over HTTP: who sees and changes them, approval by a second person, and the server that brings what was
-- approved into force. Nobody who asks over HTTP writes boundaries themselves: a right to approve is not one to write.

insert into access.role_rights values
    ('planner', 'boundaries.draft'), ('supervisor', 'boundaries.draft'), ('supervisor', 'boundaries.approve'),
    ('service', 'boundaries.publish');

alter table drafts
    add column made_by_id bigint references access.principals,
    add column submitted_at timestamptz,
    add column submitted_by text,
    add column submitted_by_id bigint references access.principals,
    add column approved_at timestamptz,
    add column approved_by text,
    add column approved_by_id bigint references access.principals,
    add column note text check (note <> '' and length(note) <= 500),
    add column effective_at timestamptz,
    add column returned_because text check (length(returned_because) <= 2000),
    add check (approved_at is null or submitted_at is not null);
comment on column drafts.note is 'for the history, given by whoever approved it';
comment on column drafts.effective_at is 'when it is brought into force';
comment on column drafts.returned_because is 'why it was not approved, or could not be brought into force';
-- patrol zones are drafted beside grid cells, in the same rows: cell_kind is their zone_type there
alter table draft_cells
    add column layer text not null default 'grid_cells' check (layer in ('grid_cells', 'patrol_zones')),
    add column responsible_unit text not null default '',
    drop constraint draft_cells_pkey,
    add primary key (draft_id, step_number, layer, grid_code),
    alter column geom type geometry(Geometry, 4490);

alter table draft_steps add column author_id bigint references access.principals;
create index drafts_due on drafts (effective_at) where approved_at is not null and published_edition_id is null;

-- those whose cells are all among mine, and me
create function access.my_people(wanted text) returns setof bigint
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select (access.with_right(wanted)).principal_id
    union
    select p.principal_id
    from access.principals p
    where not p.city_wide
      and exists (select from access.principal_cells b where b.principal_id = p.principal_id)
      and not exists (select from access.principal_cells b
                      where b.principal_id = p.principal_id
                        and b.grid_code not in (select access.my_cells(wanted)));
end;

alter table drafts enable row level security;
create policy drafts_seen on drafts for select using (
    (select access.city_wide('boundaries.draft')) or (select access.may('boundaries.publish'))
    or made_by_id in (select access.my_people('boundaries.draft')));
create policy drafts_made on drafts for insert with check ((select access.may('boundaries.draft')));
create policy drafts_changed on drafts for update using (
    (select access.city_wide('boundaries.draft')) or (select access.may('boundaries.publish'))
    or made_by_id in (select access.my_people('boundaries.draft')));
grant select, insert (title, base_edition_id, made_by),
    update (base_edition_id, submitted_at, submitted_by, approved_at, approved_by, note, effective_at, returned_because, published_edition_id, discarded_at)
    on drafts to geo_grid_app;

alter table draft_steps enable row level security;
create policy draft_steps_of_drafts on draft_steps using (draft_id in (select d.draft_id from drafts d))
    with check (draft_id in (select d.draft_id from drafts d) and (select access.may('boundaries.draft')));
grant select, insert (draft_id, step_number, operation, arguments, author, reason), update (undone_at), delete on draft_steps
    to geo_grid_app;
alter table draft_cells enable row level security;
create policy draft_cells_of_drafts on draft_cells using (draft_id in (select d.draft_id from drafts d))
    with check (draft_id in (select d.draft_id from drafts d) and (select access.may('boundaries.draft')));
grant select, insert, delete on draft_cells to geo_grid_app;

-- who did it is who asks, not what a request says
create function access.own_draft() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who record;
begin
    if access.is_owner() then
        return new;
    end if;
    select a.principal_id, a.login_name into who from access.asking a;
    if tg_table_name = 'draft_steps' then
        new.author := who.login_name;
        new.author_id := who.principal_id;
        return new;
    end if;
    if tg_op = 'INSERT' then
        new.made_by := who.login_name;
        new.made_by_id := who.principal_id;
        return new;
    end if;
    if new.published_edition_id is distinct from old.published_edition_id then
        perform access.require('boundaries.publish');
    end if;
    new.submitted_by := old.submitted_by;
    new.submitted_by_id := old.submitted_by_id;
    new.approved_by := old.approved_by;
    new.approved_by_id := old.approved_by_id;
    if old.submitted_at is null and new.submitted_at is not null then
        new.submitted_by := who.login_name;
        new.submitted_by_id := who.principal_id;
    elsif new.submitted_at is null then
        new.submitted_by := null;
        new.submitted_by_id := null;
    end if;
    if old.approved_at is null and new.approved_at is not null then
        perform access.require('boundaries.approve');
        -- what was in force before was approved before: it is taken back by one alone, at once
        if exists (select from draft_steps s where s.draft_id = new.draft_id and s.undone_at is null and s.operation <> 'restore')
           and (new.submitted_by_id = who.principal_id
                or exists (select from draft_steps s
                           where s.draft_id = new.draft_id and s.undone_at is null and s.author_id = who.principal_id)) then
            raise exception 'a second person approves: you drew or submitted draft % yourself', new.draft_id
                using errcode = 'insufficient_privilege';
        end if;
        new.approved_by := who.login_name;
        new.approved_by_id := who.principal_id;
        perform access.record('boundaries.approve', 'draft', new.draft_id::text, 'done',
                              jsonb_build_object('title', new.title, 'note', new.note, 'effective_at', new.effective_at));
    elsif new.approved_at is null then
        new.approved_by := null;
        new.approved_by_id := null;
    elsif new.note is distinct from old.note or new.effective_at is distinct from old.effective_at then
        raise exception 'draft % is approved as it is', new.draft_id using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger drafts_owned before insert or update on drafts for each row execute function access.own_draft();
create trigger draft_steps_owned before insert on draft_steps for each row execute function access.own_draft();

-- what is submitted stays as it is, so that what is approved is what was looked at
create function keep_submitted() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if exists (select from drafts d where d.draft_id = coalesce(new.draft_id, old.draft_id) and d.submitted_at is not null) then
        raise exception 'draft % is submitted: withdraw it before changing it', coalesce(new.draft_id, old.draft_id)
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    return coalesce(new, old);
end $$;
create trigger draft_steps_submitted before insert or update or delete on draft_steps
    for each row execute function keep_submitted();
create trigger draft_cells_submitted before insert or delete on draft_cells
    for each row execute function keep_submitted();

-- The server brings into force what was approved and is due, and only while it does so.
alter table editions enable row level security;
create policy editions_seen on editions for select using (true);
create policy editions_opened on editions for insert with check (
    (select access.may('boundaries.publish'))
    and exists (select from drafts d where d.approved_at is not null and d.effective_at <= clock_timestamp()
                                       and d.published_edition_id is null and d.discarded_at is null));
grant insert (valid_from, note, is_demo) on editions to geo_grid_app;
create policy grid_cells_opened on grid_cells for insert with check ((select access.may('boundaries.publish')));
create policy grid_cells_closed on grid_cells for update using ((select access.may('boundaries.publish')));
grant insert (grid_code, code_scheme, grid_level, parent_code, name, cell_kind, household_count, geom, valid_from,
    edition_id, is_demo), update (valid_to, closed_by) on grid_cells to geo_grid_app;
create policy patrol_zones_opened on patrol_zones for insert with check ((select access.may('boundaries.publish')));
create policy patrol_zones_closed on patrol_zones for update using ((select access.may('boundaries.publish')));
grant insert (zone_code, name, zone_kind, zone_type, responsible_unit, geom, valid_from, edition_id, is_demo),
    update (valid_to, closed_by) on patrol_zones to geo_grid_app;
create policy mandatory_stops_set on mandatory_stops for insert with check ((select access.may('boundaries.publish')));
create policy mandatory_stops_cleared on mandatory_stops for delete using ((select access.may('boundaries.publish')));
grant insert (zone_code, name, window_from, window_to, geom), delete on mandatory_stops to geo_grid_app;
create policy duties_given on duties for insert with check ((select access.may('boundaries.publish')));
create policy duties_ended on duties for update using ((select access.may('boundaries.publish')));
grant insert (grid_code, duty_role, person_name, phone, valid_from), update (valid_to) on duties to geo_grid_app;
create policy drawn_cells_written on drawn_cells for insert with check ((select access.may('boundaries.publish')));
create policy drawn_cells_closed on drawn_cells for update using ((select access.may('boundaries.publish')));
create policy drawn_cells_cleared on drawn_cells for delete using ((select access.may('boundaries.publish')));
grant insert, update (valid_to), delete on drawn_cells to geo_grid_app;
alter table draw_steps enable row level security;
create policy draw_steps_seen on draw_steps for select using (true);
create policy draw_steps_written on draw_steps for all using ((select access.may('boundaries.publish')));
grant insert, delete on draw_steps to geo_grid_app;

-- whether boundaries changed after an edition, also where whoever asks may not look
create function boundaries_changed_after(edition bigint) returns boolean
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select exists (select from grid_cells c where c.edition_id > edition)
        or exists (select from grid_cells c where c.closed_by > edition)
        or exists (select from patrol_zones z where z.edition_id > edition or z.closed_by > edition);
end;
create index grid_cells_closed_by on grid_cells (closed_by) where closed_by is not null;

-- what belongs to a zone that is redrawn
create index incidents_zone_code on incidents (zone_code);
create index cameras_zone_code on cameras (zone_code);

-- two publishers one after the other; readers are not held up
create function hold_editions() returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require('boundaries.publish');
    lock table editions in share row exclusive mode;
end $$;

-- Cameras, and incidents that are open, in cells that change, or in none near by, go to their owners: also those
-- that whoever publishes may not see. What comes in meanwhile waits for the end, and then finds the new owners.
create function assign_again(codes text[], zones text[], area geometry) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    moment timestamptz := clock_timestamp();
    edition bigint := edition_at(clock_timestamp());
begin
    perform access.require('boundaries.publish');
    lock table incidents, cameras in share row exclusive mode;
    update incidents i
    set grid_code = access.owning_cell(i.geom, moment), zone_code = access.owning_zone(i.geom, moment), edition_id = edition
    where (i.grid_code = any(codes) or i.zone_code = any(zones) or ((i.unassigned or i.zone_code is null) and i.geom && area))
      and i.closed_at is null;
    update cameras c
    set grid_code = access.owning_cell(c.geom, moment), zone_code = access.owning_zone(c.geom, moment), edition_id = edition
    where c.grid_code = any(codes) or c.zone_code = any(zones) or ((c.unassigned or c.zone_code is null) and c.geom && area);
end $$;

revoke execute on function access.my_people, access.own_draft, keep_submitted, boundaries_changed_after, hold_editions, assign_again from public;
grant execute on function access.my_people, access.require, boundaries_changed_after, hold_editions, assign_again to geo_grid_app;
