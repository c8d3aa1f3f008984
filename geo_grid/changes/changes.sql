-- name: sources
select kind, subject from change_sources

-- name: now
-- the end of the feed, and the newest change of each table
select feed, snapshot, newest from access.feed_now()

-- name: after
-- one row: what was not visible in a snapshot and is in another, or now
select feed, snapshot, is_kept, is_more, told
from access.changes_after(%(last)s::text::pg_snapshot, %(upto)s::text::pg_snapshot, %(most)s)
