-- name: read
select * from access.read_audit(%(after)s, %(before)s, %(limit)s, %(since)s, %(until)s, %(actor)s, %(action)s,
    %(object_id)s, %(result)s)

-- name: ends
select * from access.audit_ends()

-- name: note_export
select access.note_export(%(month)s, %(rows)s)

-- name: drop
select access.drop_audit_month(%(month)s, %(months)s) as rows

-- name: record_export
select access.record_export(%(layer)s, %(form)s, %(rows)s, %(bbox)s)

-- name: record_refusal
select access.record_refusal(%(route)s, %(right)s)

-- name: note_look
select access.note_look(%(question)s, '')

-- name: settle
select access.settle_sums()
