-- Where cameras are that move, on bodies and vehicles: the last position of each, apart from the register. No track is kept.

create table camera_positions (
    camera_id bigint primary key references cameras on delete cascade,
    geom geometry(Point, 4490) not null constraint camera_positions_geom_on_lattice check (on_lattice(geom)),
    positioned_at timestamptz not null check (is_stored_moment(positioned_at)),
    received_at timestamptz not null default now(),
    speed_kmh double precision check (speed_kmh >= 0 and speed_kmh <= 2000),
    heading_deg double precision check (heading_deg >= 0 and heading_deg < 360)
) with (fillfactor = 70);
comment on table camera_positions is 'the last position of each camera that moves; state, and no edit of the camera';
comment on column camera_positions.heading_deg is 'where it moves to, clockwise from north; where it looks nobody knows';
create index camera_positions_geog on camera_positions using gist ((geom::geography));
create index camera_positions_positioned_at on camera_positions (positioned_at);
grant select on camera_positions to geo_grid_app;
