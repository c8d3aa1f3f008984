-- name: newest
select written_in::text as told_in, event_id from access.newest_event()

-- name: all_after
-- by the server itself, for all who listen
select e.written_in::text as told_in, e.event_id, e.kind, e.key, e.grid_code
from access.events_after(%(written_in)s::text::xid8, %(event_id)s, %(limit)s) e
order by e.written_in, e.event_id

-- name: after
-- in the order of their transactions: none of an earlier one can still come
select e.written_in::text as told_in, e.event_id, e.kind, e.key, e.grid_code from events e
where (e.written_in, e.event_id) > (%(written_in)s::text::xid8, %(event_id)s)
  and e.written_in < pg_snapshot_xmin(pg_current_snapshot())
order by e.written_in, e.event_id
limit %(limit)s
