-- name: expect
-- adds recurring jobs at the first start of a server
insert into due_work (kind, subject, due_at) select unnest(%(kinds)s::text[]), '', now()
on conflict (kind, subject) do nothing

-- name: claim
with found as (
    select w.due_id
    from unnest(%(kinds)s::text[], %(limits)s::integer[]) k (kind, most)
    cross join lateral (
        select d.due_id
        from due_work d
        where d.kind = k.kind and d.due_at <= now() and (d.claimed_until is null or d.claimed_until <= now())
        order by d.due_at
        limit k.most
        for update skip locked) w)
update due_work w
set attempts = w.attempts + 1,
    last_error = case when w.claimed_until is null then w.last_error else 'the server that had it in hand is gone' end,
    due_at = now() + make_interval(secs => %(lease_s)s), claimed_until = now() + make_interval(secs => %(lease_s)s),
    claimed_in = pg_current_xact_id()
where w.due_id = any(array(select due_id from found))  -- a join would be planned for far more rows than there are
returning w.due_id, w.kind, w.subject, w.attempts, w.claimed_in::text as claimed_in

-- name: renew
with held as (
    select due_id from due_work where due_id = any(%(due_ids)s) and claimed_in::text = any(%(claims)s)
    order by due_id for update)
update due_work w
set due_at = case when due_at = claimed_until then now() + make_interval(secs => %(lease_s)s) else due_at end,
    claimed_until = now() + make_interval(secs => %(lease_s)s)
from held where w.due_id = held.due_id

-- name: next
-- seconds until the next job of these kinds is due; null: there is none
select extract(epoch from min(greatest(w.due_at, w.claimed_until)) - clock_timestamp())::float as seconds
from unnest(%(kinds)s::text[]) k (kind)
cross join lateral (select d.due_at, d.claimed_until from due_work d where d.kind = k.kind order by d.due_at limit 1) w

-- name: failing
select kind, count(*) as count, max(attempts) as attempts from due_work where last_error is not null
group by kind order by kind

-- name: waiting
select kind, count(*) as count, coalesce(max(attempts) filter (where last_error is not null), 0) as failed_tries,
       greatest(0, extract(epoch from clock_timestamp() - min(due_at)))::float as late_s
from due_work group by kind order by kind

-- name: hold
select due_id from due_work where due_id = any(%(due_ids)s) and claimed_in::text = %(claim)s
order by due_id for update

-- name: done
delete from due_work where due_id = any(%(due_ids)s) and due_at = claimed_until

-- name: again
-- a job that was asked for again while it was done keeps that earlier moment
update due_work
set due_at = least(case when due_at < claimed_until then due_at end, clock_timestamp() + make_interval(secs => %(wait_s)s)),
    attempts = 0, last_error = null, claimed_until = null, claimed_in = null
where due_id = any(%(due_ids)s)

-- name: failed
update due_work
set due_at = clock_timestamp() + make_interval(secs => %(wait_s)s), last_error = left(%(error)s, 2000),
    claimed_until = null, claimed_in = null
where due_id = %(due_id)s and claimed_in::text = %(claim)s

-- name: troubled
-- jobs whose last attempt failed, those with most attempts first
select kind, subject, attempts, last_error from due_work
where last_error is not null and kind = any(%(kinds)s)
order by attempts desc, kind, subject limit %(limit)s

-- name: unknown
select kind, count(*) as count from due_work where kind <> all(%(kinds)s) group by kind order by kind

-- name: count
select count(*) as count, count(*) filter (where due_at < now() - interval '1 minute') as late from due_work
where kind = any(%(kinds)s)
