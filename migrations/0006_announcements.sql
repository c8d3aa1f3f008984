-- What programs hold in memory is derived from these tables; each change is counted and announced.
-- LISTEN gives the change at once; the count shows it to a program that missed the announcement.

create table table_versions (
    table_name text primary key,
    version bigint not null default 0
);

create function announce_change() returns trigger language plpgsql as $$
begin
    insert into table_versions values (tg_table_name, 1)
    on conflict (table_name) do update set version = table_versions.version + 1;
    perform pg_notify('geo_grid_changes', tg_table_name);
    return null;
end $$;

create trigger editions_announced after insert or update or delete or truncate on editions
    for each statement execute function announce_change();
create trigger grid_levels_announced after insert or update or delete or truncate on grid_levels
    for each statement execute function announce_change();
create trigger duties_announced after insert or update or delete or truncate on duties
    for each statement execute function announce_change();
create trigger response_circles_announced after insert or update or delete or truncate on response_circles
    for each statement execute function announce_change();
