-- One append-only feed of what changed, instead of events and counted versions side by side. A reader remembers the
-- snapshot as of which it read last and asks for what was not visible in it: a transaction that lasts long holds back its
-- own changes only, nobody waits for a counter, and nothing is announced one commit at a time (NOTIFY).

create table changes (
    change_id bigint generated always as identity primary key,
    written_in xid8 not null default pg_current_xact_id(),
    kind text not null check (kind in ('incident', 'incidents', 'edition', 'layer', 'table')),
    subject text collate "C",
    grid_code text collate "C",
    payload jsonb,
    happened_at timestamptz not null default clock_timestamp()
);
comment on column changes.subject is 'key of what changed: an incident, an edition, a table; null: many, look again';
comment on column changes.payload is 'what a screen needs to show it as it is now';
create index changes_written_in on changes (written_in, change_id);
create index changes_happened_at on changes (happened_at);
create index changes_of_tables on changes (subject, change_id) where kind in ('layer', 'table');

create table feed (
    one boolean primary key default true check (one),
    name text not null default left(replace(gen_random_uuid()::text, '-', ''), 16),
    database_id oid,
    purged_to xid8 not null default '0'
);
comment on column feed.name is 'what the numbers of transactions are of: another name, and places of before mean nothing';
comment on column feed.database_id is 'the database that these numbers are of; another one now: it was restored';
comment on column feed.purged_to is 'greatest written_in of what is not kept any more';
insert into feed (database_id) select database_id from event_era;

-- the payload is given out by the server, which narrows it to what somebody sees
alter table changes enable row level security;
grant select (change_id, written_in, kind, subject, grid_code, happened_at) on changes to geo_grid_app;

-- How often tables changed goes on from where it was, so that tiles on disk stay apart.
select setval(pg_get_serial_sequence('changes', 'change_id'), max(version) + 1) from table_versions having count(*) > 0;
insert into changes (kind, subject)
select case when table_name in ('police_posts', 'patrol_units', 'facilities', 'cameras', 'road_closures', 'response_circles')
            then 'layer' else 'table' end, table_name
from table_versions;

-- functions and triggers are the text's (geo_grid/changes/schema): until it is applied nothing is told
drop function announce_change, tell_layer, tell_incidents, tell_edition cascade;
drop function newest_time, access.events_after;
drop table events, event_era, table_versions;
