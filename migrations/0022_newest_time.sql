-- What a clock is compared with: no time of ours should lie after now.

create function newest_time() returns timestamptz
language sql stable security definer set search_path = pg_catalog, public, pg_temp
return greatest(
    (select max(occurred_at) from events),
    (select max(published_at) from editions),
    (select max(reported_at) from patrol_units));
comment on function newest_time is 'newest moment that the database or a unit wrote down; tells nobody anything else';
revoke execute on function newest_time from public;
grant execute on function newest_time to geo_grid_app;
