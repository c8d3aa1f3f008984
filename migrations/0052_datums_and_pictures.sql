-- A datum that seems mislabelled is refused, unless it was said of the platform that it is certain; the end of a picture is on record
-- also when the server that showed it was killed; a camera without a national ID has a network; incidents
-- show of what category they are.

alter table camera_platforms add column is_crs_certain boolean not null default false;
comment on column camera_platforms.is_crs_certain is 'its coordinates are in source_crs, although they look as if they were in another datum';

create table shown_pictures (
    opening bigint primary key,
    named text not null,
    gb28181_id text not null,
    incident_id bigint,
    seconds double precision not null default 0,
    seen_at timestamptz not null default now(),
    is_recorded boolean not null default false
);
comment on table shown_pictures is 'a row for each picture that a server shows, until its end is on record';
comment on column shown_pictures.opening is 'audit_id of its opening; named, gb28181_id and incident_id: by whom, of which camera, for what';
comment on column shown_pictures.seconds is 'for which there was a picture, as of seen_at: when its server said last that it shows it';
comment on column shown_pictures.is_recorded is 'its end was recorded in its server''s place, which had not been heard of for a minute';

-- The network of a camera without a national ID can be said.
alter table cameras
    add column local_network text collate "C" not null default '' constraint cameras_local_network check (local_network ~ '^[0-9]?$'),
    drop column network_code;
alter table cameras add column network_code text collate "C" generated always as
    (case when gb28181_id like 'LOCAL-%' then local_network else substr(gb28181_id, 14, 1) end) stored;
comment on column cameras.local_network is 'of a camera with a local ID: its network, as digit 14 of a national ID would say; not read of others';
grant insert (local_network), update (local_network) on cameras to geo_grid_app;

-- What kind of matter a sign on the map stands for.
update incident_categories c set icon = given.icon
from (values ('public_order', '治'), ('traffic', '车'), ('dispute', '纠'), ('help', '助'), ('fire', '火'), ('fraud', '骗'), ('city_matter', '事'))
     given (category_code, icon)
where c.category_code = given.category_code and c.icon = '';
comment on column incident_categories.icon is 'a letter or two that stand beside the sign of its incidents on a map; empty: none';

-- What somebody decided about cameras holds: a double that was removed does not come back with the next register, a refused move is
-- not proposed again, and who saw a camera under its local ID is told under its national one.
create table removed_doubles (
    gb28181_id text collate "C" primary key,
    other_id text collate "C" not null,
    removed_at timestamptz not null default now()
);
comment on table removed_doubles is 'cameras that were removed as doubles: registers that have them are told so, while other_id is there, the camera that stayed';
grant select, insert (gb28181_id, other_id), update (other_id) on removed_doubles to geo_grid_app;

create table camera_former_ids (
    former_id text collate "C" not null,
    gb28181_id text collate "C" not null,
    changed_at timestamptz not null default now(),
    primary key (former_id, gb28181_id)
);
comment on table camera_former_ids is 'local IDs that a national one has replaced; audit rows have the ID of their day';

alter table camera_proposals add column is_withdrawn boolean not null default false;
comment on column camera_proposals.is_withdrawn is 'nobody refused it: the register has the camera elsewhere again';
grant update (is_withdrawn) on camera_proposals to geo_grid_app;

-- A call of 10,000 letters is taken as it is.
alter table incidents drop constraint incidents_description_check,
    add constraint incidents_description_check check (length(description) <= 10000);
