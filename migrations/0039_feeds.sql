-- Live pictures: hosts that they may come from, which stream is whose camera, and the questions who may see and who saw.

create table stream_hosts (
    stream_host_id bigint generated always as identity primary key,
    name text collate "C" not null unique check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    host text not null check (host ~ '^[A-Za-z0-9.:-]{1,253}$'),
    port integer not null default 554 check (port between 1 and 65535),
    note text not null default '' check (length(note) <= 500),
    registered_at timestamptz not null default now()
);
comment on table stream_hosts is 'platforms, recorders and cameras that pictures may come from (RTSP); nothing else is connected to';
comment on column stream_hosts.host is 'name or IP address; its password is in a file of the server (GEO_GRID_STREAM_NETRC), never here';

create table camera_streams (
    camera_id bigint primary key references cameras on delete cascade,
    stream_host_id bigint not null references stream_hosts on delete cascade,
    path text not null check (path ~ '^/[!-~]*$' and length(path) <= 1000)
);
create index camera_streams_host on camera_streams (stream_host_id);
comment on column camera_streams.path is 'of rtsp://host:port/path; it may hold a token: read by the server''s own role alone';

grant select, insert (name, host, port, note), update (host, port, note), delete on stream_hosts to geo_grid_app;
grant select (camera_id, stream_host_id), insert, delete on camera_streams to geo_grid_app;

insert into access.role_rights values ('administrator', 'streams');

-- who opened which camera is asked of the audit itself
create index audit_log_cameras on access.audit_log (object_id, audit_id desc) where object_type = 'camera';
create index audit_log_openings on access.audit_log (audit_id desc) where action = 'camera.open';
create index audit_log_openings_by on access.audit_log (actor_name, occurred_at) where action = 'camera.open';
create index audit_log_ended on access.audit_log (((detail->>'opening')::bigint)) where action = 'camera.close';

-- its answer has more columns now: the text of the schema makes it again
drop function access.open_camera(text, text, bigint);
