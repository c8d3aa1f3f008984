-- Live pictures that a lower platform sends when it is called for them (GB/T 28181, INVITE): what the door of platforms has to call.

create table platform_calls (
    platform_call_id bigint generated always as identity primary key,
    camera_id bigint not null references cameras on delete cascade,
    media_host text check (length(media_host) <= 253),
    media_port integer not null check (media_port between 1 and 65535),
    transport text not null check (transport in ('udp', 'tcp')),
    ssrc text not null check (ssrc ~ '^0[0-9]{9}$'),
    state text not null default 'asked' check (state in ('asked', 'sending', 'over')),
    why text check (why in ('silent', 'refused', 'no_picture', 'hung_up', 'door')),
    sip_status integer,
    sent_from text[] not null default '{}',
    wanted_at timestamptz not null default now()
);
comment on table platform_calls is 'a row for each picture that a server waits for or receives; written by access.call_platform, answered by the process at the door of platforms, removed when nobody wants it for a while: the record is the audit';
comment on column platform_calls.media_host is 'where the server receives; null: at the address of the door that the platform sees';
comment on column platform_calls.why is 'why it is over. silent: the platform does not answer; refused: with sip_status; no_picture: it answers without one; hung_up: by the platform; door: the process at the door was started again';
comment on column platform_calls.sent_from is 'addresses that the picture may come from: the platform''s, and the one that it names';
comment on column platform_calls.wanted_at is 'when the server said last that it wants it still';
create index platform_calls_camera on platform_calls (camera_id);
