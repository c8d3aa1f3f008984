-- name: newest
select written_in::text as written_in, event_id from events
where written_in < pg_snapshot_xmin(pg_current_snapshot())
order by written_in desc, event_id desc
limit 1

-- name: after
-- in the order of their transactions: none of an earlier one can still come
select written_in::text as written_in, event_id, kind, key from events
where (written_in, event_id) > (%(written_in)s::text::xid8, %(event_id)s)
  and written_in < pg_snapshot_xmin(pg_current_snapshot())
order by written_in, event_id
limit %(limit)s
