-- name: versions
select current_setting('server_version_num')::int as server,
       'PostgreSQL ' || current_setting('server_version') as server_text,
       current_setting('fsync') = 'on' and current_setting('synchronous_commit') <> 'off' as durable,
       to_regclass('migrations') is not null as migrated

-- name: migration
select coalesce(max(number), 0) as number from migrations

-- name: leakproof
-- whether the operator && may use an index under row policies: no dump brings that along, and only a superuser may say so
select coalesce(bool_and(p.proleakproof), true) as holds
from pg_proc p where p.oid = to_regprocedure('geometry_overlaps(geometry, geometry)')

-- name: clock
select now() as now, newest_time() as newest

-- name: counts
select (select count(*) from grid_cells where valid_to is null) as "grid cells",
       (select count(*) from patrol_zones where valid_to is null) as "patrol zones",
       (select count(*) from police_posts) as "posts",
       (select count(*) from cameras) as "cameras",
       (select count(*) from incidents) as "incidents",
       (select count(*) from facilities) as "facilities"

-- name: levels
select grid_level, array_agg(grid_code order by grid_code) as codes,
       array_agg(ST_AsBinary(geom) order by grid_code) as geoms
from grid_cells where valid_to is null group by grid_level order by grid_level

-- name: orphans
select 'cells without a parent in force' as what, count(*) as count, '' as advice
from grid_cells c
where c.valid_to is null and c.parent_code is not null
  and not exists (select from grid_cells p where p.grid_code = c.parent_code and p.valid_to is null)

-- name: stale_assignments
select 'open incidents assigned in a former edition' as what, count(*) as count,
       ': run geo-grid assign --all' as advice
from incidents where closed_at is null and edition_id is distinct from edition_at(now())

-- name: leaderless
select 'villages and communities without a grid lead' as what, count(*) as count,
       ': add duties' as advice
from grid_cells c
where c.valid_to is null and c.code_scheme = 'division_code_12'
  and not exists (select from duties d where d.grid_code = c.grid_code and d.duty_role = 'grid_lead'
                  and in_force(d.valid_from, d.valid_to, now()))

-- name: idle_mediation
select 'mediation organisations of cells that are not in force' as what, count(*) as count,
       ': PUT /mediation/organisations/{facility_code} with a cell that is' as advice
from mediation_organisations o
where o.grid_code is not null
  and not exists (select from grid_cells c where c.grid_code = o.grid_code and c.valid_to is null)

-- name: households
-- as the cells of a division without shapes
select grid_code, grid_level, parent_code, name, code_scheme, cell_kind, household_count, is_demo, null as shape
from grid_cells where valid_to is null

-- name: archive
-- whether the log is copied, and whether the last try failed
select current_setting('archive_mode') = 'on' as is_archived, last_failed_time as failed_at,
       coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) as fails
from pg_stat_archiver
