-- The base map without the Internet: what an OpenStreetMap extract shows besides its roads.

create table base_features (
    base_feature_id bigint generated always as identity primary key,
    feature_kind text not null check (feature_kind in
        ('water', 'waterway', 'green', 'farmland', 'built_up', 'building', 'railway', 'place')),
    feature_class text not null default '',
    name text not null default '',
    min_zoom smallint not null check (min_zoom between 0 and 22),
    osm_id bigint,
    geom geometry(Geometry, 4490) not null
        constraint base_features_geom_valid check (ST_IsValid(geom) and not ST_IsEmpty(geom))
        constraint base_features_geom_on_lattice check (on_lattice(geom)),
    is_demo boolean not null default false
);
comment on column base_features.min_zoom is 'too small to be seen at the zooms before';
create index base_features_geom on base_features using gist (geom, min_zoom);
alter table base_features enable row level security;
create policy base_features_seen on base_features for select using ((select access.may('map')));

-- which extract roads and base features are from: one at a time
create table osm_extract (
    one boolean primary key default true check (one),
    file_name text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    data_from timestamptz,
    imported_at timestamptz not null default now(),
    road_count bigint not null,
    base_feature_count bigint not null
);
grant select on base_features, osm_extract to geo_grid_app;

create trigger base_features_announced after insert or update or delete or truncate on base_features
    for each statement execute function announce_change();
create trigger roads_announced after insert or update or delete or truncate on roads
    for each statement execute function announce_change();
