-- Lower platforms that register with us over SIP (GB/T 28181), how it stands with each, and what was refused at the door.

alter table camera_platforms
    add column gb28181_id text collate "C" unique constraint camera_platforms_gb28181_id check (gb28181_id ~ '^[0-9]{20}$'),
    add column is_enabled boolean not null default false,
    add column asked_at timestamptz,
    add constraint camera_platforms_enabled_with_id check (gb28181_id is not null or not is_enabled);
comment on column camera_platforms.gb28181_id is 'what it registers as over SIP; its password is in a file of the server (GEO_GRID_SIP_NETRC), never here';
comment on column camera_platforms.is_enabled is 'it may register';
comment on column camera_platforms.asked_at is 'when somebody asked last that its catalogue be queried again';

-- written by the process at the door alone, as the owner
create table platform_links (
    platform_code text collate "C" primary key references camera_platforms on delete cascade,
    is_online boolean not null default false,
    transport text check (transport in ('udp', 'tcp')),
    registered_at timestamptz,
    heard_at timestamptz,
    subscribed_until timestamptz,
    queried_at timestamptz,
    announced integer,
    received integer,
    whole_at timestamptz,
    imported integer,
    refused integer,
    trouble text not null default '' check (length(trouble) <= 1000),
    note text not null default '' check (length(note) <= 2000)
);
comment on table platform_links is 'of each platform that may register: whether it is there, and how its last catalogue came';
comment on column platform_links.announced is 'devices that the last catalogue said it has; received: those that came';
comment on column platform_links.whole_at is 'when a catalogue came whole last, and went into the register; imported, refused: its rows';

create table platform_door (
    is_only boolean primary key default true check (is_only),
    gb28181_id text not null,
    port integer not null,
    opened_at timestamptz not null,
    seen_at timestamptz not null,
    connections integer not null
);
comment on table platform_door is 'the process that listens to platforms, if there is one';

create table platform_refusals (
    gb28181_id text not null check (length(gb28181_id) <= 32),
    why text not null check (length(why) <= 32),
    address text not null check (length(address) <= 64),
    refused bigint not null,
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    primary key (gb28181_id, why)
);
comment on table platform_refusals is 'what was refused at the door, by the name that was given; a bounded number of rows';

grant select on platform_links, platform_door, platform_refusals to geo_grid_app;
