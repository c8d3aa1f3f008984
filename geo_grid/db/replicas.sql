-- name: end
-- asked at the primary: how far its log goes on the disk, and so every commit that can be seen goes; whose log, and its clock
select pg_current_wal_flush_lsn()::text as place,
       left(pg_walfile_name(pg_current_wal_lsn()), 8) as timeline,
       (select s.system_identifier from pg_control_system() s) as system,
       clock_timestamp() as now

-- name: has
-- asked at a replica, before its transaction begins, with that answer: its timeline is that of its last restart point, so
-- that after another primary was promoted it is left out for some minutes, rather than compared by places of another log
select pg_is_in_recovery()
       and (select lpad(upper(to_hex(c.timeline_id)), 8, '0') from pg_control_checkpoint() c) = %(timeline)s
       and (select s.system_identifier from pg_control_system() s) = %(system)s as follows,
       coalesce(pg_wal_lsn_diff(%(place)s::text::pg_lsn, pg_last_wal_replay_lsn()), 0)::bigint as behind_bytes,
       extract(epoch from %(now)s - clock_timestamp())::float8 as clock_behind_s
