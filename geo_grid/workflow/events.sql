-- name: now
-- the place after everything that was told so far
select event_horizon()::text as told_in

-- name: all_after
-- by the server itself, for all who listen
select e.written_in::text as told_in, e.event_id, e.kind, e.key, e.grid_code
from access.events_after(%(written_in)s::text::xid8, %(event_id)s, %(limit)s) e
order by e.written_in, e.event_id

-- name: after
-- in the order of their transactions: none of an earlier one can still come
(select e.written_in::text as told_in, e.event_id, e.kind, e.key, e.grid_code from events e
 where (e.written_in, e.event_id) > (%(written_in)s::text::xid8, %(event_id)s)
   and e.written_in < event_horizon()
 order by e.written_in, e.event_id
 limit %(limit)s)
union all
-- a place that is not reached yet is of a database that was set back since: look again at everything
select event_horizon()::text, 0, kind, null, null
from unnest(array['incidents', 'edition', 'layer']) kind
where %(written_in)s::text::xid8 > event_horizon()
