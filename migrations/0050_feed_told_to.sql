-- The feed says up to which transaction it was told: functions of other columns, which the text of the schema creates again.
drop function if exists access.feed_now();
drop function if exists access.changes_after(pg_snapshot, pg_snapshot, integer);
