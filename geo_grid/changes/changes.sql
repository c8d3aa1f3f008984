-- name: sources
select kind, subject from change_sources

-- name: now
-- the end of the feed (a snapshot), and the number of the newest change of each table
select feed, snapshot, told_to, newest from access.feed_now()

-- name: after
-- one row: the changes that were not visible in the snapshot `last` and are visible in `upto`, or now when it is null
select feed, snapshot, told_to, is_kept, is_more, told
from access.changes_after(%(last)s::text::pg_snapshot, %(upto)s::text::pg_snapshot, %(most)s)
