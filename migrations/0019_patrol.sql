-- Patrol: who was at which mandatory stop, and when.

create table stop_check_ins (
    stop_check_in_id bigint generated always as identity primary key,
    zone_code text collate "C" not null,
    stop_name text not null check (stop_name <> ''),
    unit_code text collate "C" not null,
    checked_at timestamptz not null,
    distance_m real not null check (distance_m >= 0),
    recorded_at timestamptz not null default now(),
    constraint one_check_in_at_a_time unique (zone_code, stop_name, unit_code, checked_at)
);
comment on table stop_check_ins is 'a stop is told by its zone and name, which outlive a boundary that is drawn again';
create index stop_check_ins_checked on stop_check_ins (checked_at);
grant select, insert (zone_code, stop_name, unit_code, checked_at, distance_m) on stop_check_ins to geo_grid_app;
alter table stop_check_ins enable row level security;
create policy stop_check_ins_seen on stop_check_ins for select using (
    (select access.city_wide('map')) or zone_code in (select access.my_zones('map')));
create policy stop_check_ins_made on stop_check_ins for insert with check (
    (select access.city_wide('positions.write')) or zone_code in (select access.my_zones('positions.write')));
