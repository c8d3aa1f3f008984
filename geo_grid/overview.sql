-- name: matters
select count(*) as open,
       count(*) filter (where step in ('reported', 'accepted')) as unsent,
       count(*) filter (where due_at < now()) as overdue,
       count(*) filter (where due_at >= now() and due_at < now() + make_interval(mins => %(soon_min)s)) as due_soon,
       count(*) filter (where handler_id = access.me()) as mine,
       count(*) filter (where step = 'handled') as to_verify
from incidents where closed_at is null

-- name: units
select unit_status as status, shift, reported_at from patrol_units

-- name: closures
select count(*) as closures from road_closures
where coalesce(closed_from <= now(), true) and coalesce(closed_to > now(), true)

-- name: drafts
select count(*) filter (where submitted_at is null) as drafts,
       count(*) filter (where submitted_at is not null and approved_at is null) as to_approve
from drafts where published_edition_id is null and discarded_at is null

-- name: edition
select edition_id as edition, valid_from as edition_from from editions
where valid_from <= now() order by valid_from desc limit 1

-- name: notes
select count(*) as notes from shift_notes where acknowledged_at is null and written_id <> access.me()

-- name: accounts
select count(*) filter (where principal_kind = 'user' and disabled_at is null) as accounts from access.list_principals()

-- name: audit
select (body::jsonb ->> 'occurred_at')::timestamptz as audited_at from access.read_audit(0, %(before)s, 1)
