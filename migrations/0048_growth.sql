-- What 10 million rows showed (docs/growth.md).

-- 1. Tracks in partitions by day (UTC), which are dropped whole: 1,000 units that report every five seconds write 17 million rows a
-- day, and what is deleted must be vacuumed from its index. What there is goes to the partitions of its days; further ones are
-- made by the text's functions (geo_grid/db/schema/partitions.sql).
alter table unit_positions rename to unit_positions_whole;
alter table unit_positions_whole rename constraint unit_positions_pkey to unit_positions_whole_pkey;

create table unit_positions (
    unit_code text collate "C" not null,
    reported_at timestamptz not null,
    geom geometry(Point, 4490) not null constraint unit_positions_geom_on_lattice check (on_lattice(geom))
) partition by range (reported_at);
comment on table unit_positions is 'where units were, as long as it is kept; where they are is patrol_units.geom';
do $$
declare
    day timestamp;
begin
    for day in select distinct date_trunc('day', reported_at at time zone 'UTC') from unit_positions_whole
               where reported_at > now() - interval '366 days' loop
        execute format('create table %I partition of unit_positions for values from (%L) to (%L)',
                       'unit_positions_' || to_char(day, 'YYYY_MM_DD'), day at time zone 'UTC',
                       (day + interval '1 day') at time zone 'UTC');
    end loop;
end $$;
insert into unit_positions select unit_code, reported_at, geom from unit_positions_whole
where reported_at > now() - interval '366 days' and reported_at < 'infinity';
drop table unit_positions_whole;
alter table unit_positions
    add primary key (unit_code, reported_at),
    add constraint unit_positions_unit_code_fkey foreign key (unit_code) references patrol_units (unit_code) on delete cascade;
alter table unit_positions enable row level security;  -- the policies are the text's: until it is applied nobody sees a row
grant select on unit_positions to geo_grid_app;

-- 2. Every hour what is too old is looked for, and found without reading all incidents.
create index incidents_with_caller on incidents (closed_at) where caller_number is not null;
create index incidents_with_text on incidents (closed_at) where (description <> '' or address <> '') and not is_demo;

-- 3. The newest first, in the order of pages of features: ties by key, upwards.
create index incidents_listed on incidents (received_at desc nulls last, incident_id);
