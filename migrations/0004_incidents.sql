-- What happens: incidents, each assigned to its leaf cell and patrol zone in the edition used.

create table incidents (
    incident_id bigint generated always as identity primary key,
    incident_number text collate "C" unique,
    category text not null check (category <> '' and length(category) <= 100),
    subtype text not null default '' check (length(subtype) <= 100),
    description text not null default '' check (length(description) <= 4000),
    address text not null default '' check (length(address) <= 400),
    caller_number text check (length(caller_number) <= 40),
    step text not null default 'reported'
        check (step in ('reported', 'accepted', 'assigned', 'handled', 'verified', 'evaluated')),
    received_at timestamptz not null default now(),
    dispatched_at timestamptz,
    departed_at timestamptz,
    arrived_at timestamptz,
    handled_at timestamptz,
    feedback_at timestamptz,
    verified_at timestamptz,
    closed_at timestamptz,
    recorded_zone text,
    geom geometry(Point, 4490) not null
        constraint incidents_geom_on_lattice check (on_lattice(geom)),
    grid_code text collate "C",
    zone_code text collate "C",
    edition_id bigint references editions,
    unassigned boolean generated always as (grid_code is null) stored,
    is_demo boolean not null default false
);
comment on column incidents.recorded_zone is 'beat or zone that an imported source recorded; never used for assignment';
comment on column incidents.unassigned is 'no grid cell covers the place in the edition used';
create index incidents_geom on incidents using gist (geom);
create index incidents_received on incidents (received_at desc, incident_id desc);
create index incidents_open on incidents (received_at desc) where closed_at is null;
create index incidents_grid_code on incidents (grid_code);
create index incidents_unassigned on incidents (incident_id) where unassigned;

create table idempotency_keys (
    idempotency_key text primary key check (length(idempotency_key) between 1 and 200),
    request_digest bytea not null,
    incident_id bigint not null references incidents,
    created_at timestamptz not null default now()
);

-- an incident as people read it, with the names its owners had in the edition used
create view incident_cards as
select i.incident_id, i.incident_number, i.category, i.subtype, i.description, i.address, i.caller_number, i.step,
       i.received_at, i.dispatched_at, i.departed_at, i.arrived_at, i.handled_at, i.feedback_at, i.verified_at,
       i.closed_at, ST_X(i.geom) as lon, ST_Y(i.geom) as lat, i.grid_code, c.name as grid_name,
       i.zone_code, z.name as zone_name, i.edition_id, i.unassigned, i.is_demo
from incidents i
left join grid_cells c on c.grid_code = i.grid_code
    and c.edition_id <= i.edition_id and (c.closed_by is null or c.closed_by > i.edition_id)
left join patrol_zones z on z.zone_code = i.zone_code
    and z.edition_id <= i.edition_id and (z.closed_by is null or z.closed_by > i.edition_id);
