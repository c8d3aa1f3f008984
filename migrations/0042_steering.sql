-- Steering of cameras by whoever watches their picture (GB/T 28181, PTZ): what the door of platforms has to send.

create table camera_movements (
    movement_id bigint generated always as identity primary key,
    camera_id bigint not null references cameras on delete cascade,
    pan smallint not null check (pan between -1 and 1),
    tilt smallint not null check (tilt between -1 and 1),
    zoom smallint not null check (zoom between -1 and 1),
    speed double precision not null check (speed > 0 and speed <= 1),
    lasts_s double precision not null check (lasts_s >= 0 and lasts_s <= 5),
    asked_at timestamptz not null default now()
);
comment on table camera_movements is 'written by access.steer_camera, taken out by the process at the door within a tenth of a second, sent, and not kept: the record is the audit';
comment on column camera_movements.lasts_s is 'then the camera is told to stop, unless it was told something else; 0: it stops now';
create index camera_movements_camera on camera_movements (camera_id);

insert into access.role_rights values ('dispatcher', 'cameras.steer'), ('supervisor', 'cameras.steer');
