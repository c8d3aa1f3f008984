-- What can see, what can help, and how to get there.

create table cameras (
    camera_id bigint generated always as identity primary key,
    gb28181_id text collate "C" not null unique
        constraint cameras_gb28181_id check (gb28181_id ~ '^[0-9]{10}(131|132)[0-9]{7}$'),
    name text not null check (name <> '' and length(name) <= 200),
    ptz_type smallint check (ptz_type between 1 and 7),
    room_type smallint check (room_type in (1, 2)),
    azimuth_deg double precision check (azimuth_deg >= 0 and azimuth_deg < 360),
    fov_deg double precision check (fov_deg > 0 and fov_deg <= 360),
    range_m double precision check (range_m > 0),
    org_code text not null default '',
    is_secret boolean not null default false,
    is_online boolean not null default true,
    geom geometry(Point, 4490) not null
        constraint cameras_geom_on_lattice check (on_lattice(geom)),
    grid_code text collate "C",
    zone_code text collate "C",
    edition_id bigint references editions,
    unassigned boolean generated always as (grid_code is null) stored,
    is_demo boolean not null default false
);
create index cameras_geom on cameras using gist (geom);
create index cameras_geog on cameras using gist ((geom::geography));  -- nearest, in metres
create index cameras_grid_code on cameras (grid_code);

create table facilities (
    facility_id bigint generated always as identity primary key,
    facility_code text collate "C" not null unique check (code_follows_scheme(facility_code, 'local')),
    facility_kind text not null check (facility_kind in (
        'mediation_organisation', 'mediation_room', 'governance_centre', 'service_station',
        'volunteer_team', 'video_conference_point', 'school', 'hospital', 'town_hall', 'key_place')),
    name text not null check (name <> '' and length(name) <= 200),
    division_level text check (division_level in ('city', 'county', 'township', 'village')),
    member_count integer check (member_count >= 0),
    phone text not null default '',
    source text not null default '',
    geom geometry(Point, 4490) not null
        constraint facilities_geom_on_lattice check (on_lattice(geom)),
    is_demo boolean not null default false
);
create index facilities_geom on facilities using gist (geom);
create index facilities_geog on facilities using gist ((geom::geography));  -- nearest, in metres

create table roads (
    road_id bigint generated always as identity primary key,
    osm_id bigint unique,
    name text not null default '',
    road_class text not null,
    one_way boolean not null default false,
    speed_kmh double precision check (speed_kmh > 0),
    geom geometry(LineString, 4490) not null
        constraint roads_geom_valid check (ST_IsValid(geom) and not ST_IsEmpty(geom))
        constraint roads_geom_on_lattice check (on_lattice(geom)),
    is_demo boolean not null default false
);
create index roads_geom on roads using gist (geom);
