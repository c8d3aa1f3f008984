-- What the process at the door of platforms has begun there and has to end: whoever opens the door after one that was killed ends it.

create table platform_dialogs (
    call_id text primary key,
    platform_id text not null,
    transport text not null check (transport in ('udp', 'tcp')),
    host text not null,
    port integer not null,
    tag text not null,
    target text not null,
    remote text not null,
    number integer not null,
    begun_at timestamptz not null default now()
);
comment on table platform_dialogs is 'a row for each call that a platform took, until it has taken note that it is over; apart from platform_calls, whose rows servers remove, whether or not anybody is at the door';
comment on column platform_dialogs.platform_id is 'who was registered, as it is called in SIP; host and port: where it was called';
comment on column platform_dialogs.target is 'address that requests within the call name (RFC 3261, 12.1.2); tag is ours, remote is its To with its own, number that of our last request';

create table cameras_in_motion (
    platform_id text not null,
    gb28181_id text not null,
    movement_id bigint not null,
    transport text not null check (transport in ('udp', 'tcp')),
    host text not null,
    port integer not null,
    begun_at timestamptz not null default now(),
    primary key (platform_id, gb28181_id)
);
comment on table cameras_in_motion is 'a row for each camera that was told to move, written before it is told, until its platform has taken a stop';
comment on column cameras_in_motion.movement_id is 'of camera_movements: the last that it was told';
