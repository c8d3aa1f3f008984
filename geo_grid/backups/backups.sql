-- name: snapshot
select pg_export_snapshot() as snapshot, now() as made_at,
       current_setting('server_version') as postgresql, postgis_lib_version() as postgis,
       (select max(number) from migrations) as migration,
       (select encode(sha256(convert_to(e.published_at::text || e.note, 'UTF8')), 'hex')
        from editions e order by e.edition_id limit 1) as city

-- name: city
select (select encode(sha256(convert_to(e.published_at::text || e.note, 'UTF8')), 'hex')
        from editions e order by e.edition_id limit 1) as city

-- name: tables
select n.nspname as schema_name, c.relname as table_name
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname in ('public', 'access')
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by 1, 2

-- name: is_migrated
select to_regclass('public.migrations') is not null as is_migrated

-- name: end_sessions
delete from access.credentials where credential_kind in ('session', 'service')

-- name: connected
select pg_terminate_backend(pid) from pg_stat_activity where datname = %(database)s and pid <> pg_backend_pid()

-- name: log
-- the part of the log that is written now, and whether parts are copied into an archive
select clock_timestamp() as now, pg_walfile_name(pg_current_wal_lsn()) as part,
       current_setting('archive_mode') = 'on' as is_archived, current_setting('server_version_num')::integer / 10000 as version
