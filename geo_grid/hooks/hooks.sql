-- name: all
select h.hook_id, h.url, h.label, h.kinds, h.grid_code, h.made_at, h.disabled_at, h.disabled_because,
       (select count(*) from hook_letters l where l.hook_id = h.hook_id and l.dead_at is null) as waiting,
       (select count(*) from hook_letters l where l.hook_id = h.hook_id and l.dead_at is not null) as dead
from hooks h
where h.hook_id = %(hook_id)s or %(hook_id)s::bigint is null
order by h.hook_id

-- name: cell
select from grid_cells where grid_code = %(grid_code)s limit 1

-- name: add
insert into hooks (url, label, kinds, grid_code, secret, made_by_id)
values (%(url)s, %(label)s, %(kinds)s, %(grid_code)s, %(secret)s, access.me())
returning hook_id

-- name: enable
update hooks
set disabled_at = case when %(enabled)s then null else coalesce(disabled_at, now()) end,
    disabled_because = case when %(enabled)s then null else coalesce(disabled_because, 'somebody disabled it') end,
    dead_in_row = case when %(enabled)s then 0 else dead_in_row end
where hook_id = %(hook_id)s

-- name: remove
delete from hooks where hook_id = %(hook_id)s

-- name: dead
select letter_id, kind, subject, payload, made_at, attempts, last_error, dead_at
from hook_letters
where hook_id = %(hook_id)s and dead_at is not null and (letter_id > %(after)s or %(after)s::bigint is null)
order by letter_id limit %(limit)s

-- name: send_again
update hook_letters set dead_at = null, attempts = 0, next_at = now()
where hook_id = %(hook_id)s and dead_at is not null
  and (letter_id = any(%(letter_ids)s) or %(letter_ids)s::bigint[] is null)

-- name: due
select * from access.due_letters(%(most)s)

-- name: taken
select access.letters_taken(%(letter_ids)s)

-- name: failed
select access.letter_failed(%(letter_id)s, %(why)s, %(wait_s)s, %(most_dead)s)

-- name: gone
select access.disable_hook(%(hook_id)s, %(why)s)

-- name: wanted
select any_hook, any_area from access.hooks_wanted()

-- name: note_areas
select access.note_areas(%(areas)s)

-- name: troubled
-- as the database's owner: hooks that are disabled, and letters that were given up
select count(*) filter (where h.disabled_at is not null) as disabled,
       coalesce(string_agg(h.hook_id || ' (' || split_part(h.url, '?', 1) || '): ' || coalesce(h.disabled_because, ''), '; ' order by h.hook_id)
                filter (where h.disabled_at is not null), '') as why,
       (select count(*) from hook_letters l where l.dead_at is not null) as dead,
       count(*) as count
from hooks h
