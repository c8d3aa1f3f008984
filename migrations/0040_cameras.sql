-- Cameras: their register, where it comes from, their state apart from their place, and what they see.

-- 1. Source platforms: each says in which datum its coordinates are.
create table camera_platforms (
    platform_code text collate "C" primary key check (code_follows_scheme(platform_code, 'local')),
    name text not null check (name <> '' and length(name) <= 200),
    source_crs text not null check (source_crs <> '' and length(source_crs) <= 200),
    imported_at timestamptz,
    datum_note text not null default '' check (length(datum_note) <= 1000)
);
comment on table camera_platforms is 'platforms whose registers are imported';
comment on column camera_platforms.datum_note is 'why its datum seems to be another one, as of the last import; empty: it does not';

-- 2. The register. Codes are kept raw: what they mean stands in geo_grid/gb28181/codes.toml.
alter table cameras drop constraint cameras_gb28181_id;
alter table cameras add constraint cameras_gb28181_id check (gb28181_id ~ '^([0-9]{20}|LOCAL-[0-9A-Za-z._-]{1,26})$');
alter table cameras drop constraint cameras_ptz_type_check;
alter table cameras add constraint cameras_ptz_type check (ptz_type between 0 and 999);
alter table cameras drop constraint cameras_room_type_check;
alter table cameras add constraint cameras_room_type check (room_type between 0 and 999);
alter table cameras
    add column direction_type smallint constraint cameras_direction_type check (direction_type between 0 and 999),
    add column height_m double precision constraint cameras_height_m check (height_m >= 0 and height_m <= 1000),
    add column owner_name text not null default '' constraint cameras_owner_name check (length(owner_name) <= 200),
    add column purpose text not null default '' constraint cameras_purpose check (length(purpose) <= 200),
    add column note text not null default '' constraint cameras_note check (length(note) <= 1000),
    add column sight_note text not null default '' constraint cameras_sight_note check (length(sight_note) <= 500),
    add column parent_id text not null default '' constraint cameras_parent_id check (length(parent_id) <= 200),
    add column platform_code text collate "C" references camera_platforms,
    add column type_code text collate "C" generated always as
        (case when gb28181_id like 'LOCAL-%' then '' else substr(gb28181_id, 11, 3) end) stored,
    add column network_code text collate "C" generated always as
        (case when gb28181_id like 'LOCAL-%' then '' else substr(gb28181_id, 14, 1) end) stored;
comment on column cameras.direction_type is 'DirectionType as it was given; azimuth_deg, where given, is finer and goes before it';
comment on column cameras.parent_id is 'ParentID of the catalogue as it was given, of several parents too; nothing is derived from it';
comment on column cameras.sight_note is 'what can be seen from here, or cannot, as a person noted it';
create index cameras_platform_code on cameras (platform_code) where platform_code is not null;
create index cameras_name on cameras (name);

-- 3. State: written often and in batches, by those who may report it; it is no edit of a camera.
create table camera_states (
    camera_id bigint primary key references cameras on delete cascade,
    state text not null check (state in ('online', 'offline', 'fault')),
    since timestamptz not null check (is_stored_moment(since)),
    reported_at timestamptz not null
) with (fillfactor = 70);
comment on column camera_states.reported_at is 'when it was last heard of, to the minute';
create index camera_states_not_online on camera_states (camera_id) where state <> 'online';

create table camera_state_log (
    camera_id bigint not null references cameras on delete cascade,
    since timestamptz not null,
    state text not null,
    primary key (camera_id, since)
);
comment on table camera_state_log is 'each change of a state; read for availability by hour, deleted in time';
create index camera_state_log_since on camera_state_log (since);

insert into camera_states (camera_id, state, since, reported_at)
select camera_id, case when is_online then 'online' else 'offline' end, now(), now() from cameras;
insert into camera_state_log (camera_id, state, since) select camera_id, state, since from camera_states;
alter table cameras drop column is_online;

-- 4. What somebody has to decide about: cameras that a register has elsewhere, and those that seem to be one.
create table camera_proposals (
    proposal_id bigint generated always as identity primary key,
    proposal_kind text not null check (proposal_kind in ('moved', 'national_id', 'duplicate')),
    camera_id bigint not null references cameras on delete cascade,
    other_id bigint references cameras on delete cascade,
    national_id text collate "C",
    geom geometry(Point, 4490) constraint camera_proposals_geom_on_lattice check (on_lattice(geom)),
    distance_m double precision not null,
    source text not null check (length(source) <= 300),
    proposed_at timestamptz not null default now(),
    decided_at timestamptz,
    is_accepted boolean,
    decided_by text,
    check ((decided_at is null) = (is_accepted is null)),
    check (case proposal_kind when 'moved' then geom is not null when 'national_id' then national_id is not null
           else other_id is not null end)
);
create unique index camera_proposals_open on camera_proposals
    (camera_id, proposal_kind, coalesce(other_id, 0), coalesce(national_id, '')) where decided_at is null;

-- 5. What each camera sees, worked out from its place, its direction and the buildings around it.
create table camera_views (
    camera_id bigint primary key references cameras on delete cascade,
    stands_at geometry(Point, 4490) not null,
    azimuth_deg double precision,
    fov_deg double precision not null,
    range_m double precision not null,
    buildings_of bigint not null,
    is_cut boolean not null,
    area_m2 double precision not null,
    geom geometry(Polygon, 4490)
);
comment on column camera_views.azimuth_deg is 'null: it sees around';
comment on column camera_views.buildings_of is 'change of base_features after which it was worked out';
comment on column camera_views.is_cut is 'buildings hide a part of it; their heights are not looked at';
comment on column camera_views.geom is 'null: it stands in a building, whose walls hide everything';
create index camera_views_geom on camera_views using gist (geom);

create table camera_coverage (
    grid_code text collate "C" primary key,
    cell_m2 double precision not null,
    seen_m2 double precision not null,
    twice_m2 double precision not null,
    cameras integer not null,
    blind geometry(MultiPolygon, 4490),
    computed_at timestamptz not null default now()
);
comment on table camera_coverage is 'of each innermost cell: how much of it cameras see, once and more often, and what they do not';

-- 6. Who works with it.
insert into access.role_rights values
    ('dispatcher', 'cameras.report'), ('planner', 'cameras.report'), ('supervisor', 'cameras.report'), ('service', 'cameras.draw');
grant insert (direction_type, height_m, owner_name, purpose, note, sight_note, parent_id, platform_code),
    update (direction_type, height_m, owner_name, purpose, note, sight_note, parent_id, platform_code) on cameras to geo_grid_app;
grant select on camera_platforms, camera_states, camera_state_log, camera_proposals, camera_views, camera_coverage to geo_grid_app;
grant insert, update on camera_platforms to geo_grid_app;
grant insert (proposal_kind, camera_id, other_id, national_id, geom, distance_m, source),
    update (decided_at, is_accepted, decided_by) on camera_proposals to geo_grid_app;
grant insert, update, delete on camera_views, camera_coverage to geo_grid_app;
