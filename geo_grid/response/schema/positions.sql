-- Positions and tracks of units: a track is kept in partitions by day (UTC).

-- Stores a batch of positions: the newest of each unit becomes its position, and all are added to its track. Positions that
-- are known already, or of units that the principal may not see, are skipped, and those that are older than any setting keeps
-- are in no track. A day that has no partition yet gets it here: no server was there that makes it beforehand. Returns the
-- outcome of each position, by its number from 1.
create or replace function access.report_positions(reports json)
returns table (number bigint, outcome text)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    whole_city boolean := access.city_wide('positions.write');
    codes text[] := array(select r.value->>'unit_code' from json_array_elements(reports) r);
    kept_from timestamptz := now() - interval '366 days';
begin
    if not access.may('positions.write') then
        raise exception 'you have no right to report positions' using errcode = 'insufficient_privilege';
    end if;
    -- before any row is locked, since it waits for those who write units
    perform access.make_partition('unit_positions', 'day', d.day)
    from (select distinct date_trunc('day', (r.value->>'reported_at')::timestamptz, 'UTC') as day
          from json_array_elements(reports) r) d
    where d.day >= kept_from - interval '1 day';
    -- rows are locked in the order of their keys, so that batches of the same units wait for each other without a deadlock
    perform from patrol_units u where u.unit_code = any(codes) order by u.unit_code for no key update;
    return query
    with given as (
        select g.number, g.unit_code, g.reported_at,
               row_number() over (partition by g.unit_code, g.reported_at order by g.number) as times,
               ST_SetSRID(ST_MakePoint(g.lon, g.lat), 4490) as geom, g.unit_status
        from rows from (json_to_recordset(reports) as (
                 unit_code text, reported_at timestamptz, lon float8, lat float8, unit_status text)) with ordinality
             as g (unit_code, reported_at, lon, lat, unit_status, number)
    ),
    known as (
        select g.*, u.reported_at as known_at
        from given g
        join patrol_units u using (unit_code)
        where whole_city or u.unit_code in (select access.my_units('positions.write'))
    ),
    tracked as (
        insert into unit_positions (unit_code, reported_at, geom)
        select k.unit_code, k.reported_at, k.geom from known k where k.reported_at > kept_from
        on conflict do nothing
        returning unit_positions.unit_code, unit_positions.reported_at
    ),
    newest as (
        select distinct on (k.unit_code) k.* from known k order by k.unit_code, k.reported_at desc, k.number desc
    ),
    moved as (
        update patrol_units u
        set geom = n.geom, reported_at = n.reported_at, unit_status = coalesce(n.unit_status, u.unit_status)
        from newest n
        where u.unit_code = n.unit_code and n.reported_at > u.reported_at
    )
    select g.number,
           case when k.number is null then 'unknown'
                when k.times > 1 or t.unit_code is null and k.reported_at > kept_from then 'repeated'
                when k.reported_at <= k.known_at then 'late'
                else 'accepted' end
    from given g
    left join known k on k.number = g.number
    left join tracked t on t.unit_code = g.unit_code and t.reported_at = g.reported_at
    order by g.number;
end $$;
grant execute on function access.report_positions(json) to geo_grid_app;

-- Drops the partitions of days that are over since `kept`, and makes those of today and the next two. Both need a table for themselves
-- for a moment, and whoever writes waits behind them: if they do not get it at once, as while a backup is made, the next hour does
-- it. In this order, since who reports locks the track before the units.
create or replace function access.tidy_positions(kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set lock_timeout = '1s' as $$
begin
    perform access.require_service();
    perform access.drop_partitions('unit_positions', 'day', now() - kept);
    perform access.make_partition('unit_positions', 'day', now() + n * interval '1 day') from generate_series(0, 2) n;
exception when lock_not_available then
    null;
end $$;
grant execute on function access.tidy_positions to geo_grid_service;
