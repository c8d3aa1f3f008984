-- name: compounds
-- those of whoever asks: the nearest to a position first, in metres on the ellipsoid; without one the chosen one first
select c.grid_code, c.name, c.duty_id, coalesce(c.grid_code = %(grid_code)s, false) as is_chosen,
       ST_Distance(c.geom::geography, ST_SetSRID(ST_MakePoint(%(lon)s::float8, %(lat)s::float8), 4490)::geography) as distance_m
from my_compounds() c
order by distance_m, is_chosen desc, c.grid_code

-- name: sent
select visit_id, request_digest from visits where actor_id = (select access.me()) and sent_key = %(sent_key)s

-- name: record
insert into visits (grid_code, duty_id, visited_at, place_from, actor_id, sent_key, request_digest)
values (%(grid_code)s, %(duty_id)s, %(visited_at)s, %(place_from)s, access.me(), %(sent_key)s, %(digest)s)
on conflict (actor_id, sent_key) do nothing
returning visit_id

-- name: note
insert into visit_notes (visit_id, note) values (%(visit_id)s, %(note)s)

-- name: visits
select v.visit_id, v.grid_code, c.name as grid_name, d.person_name, v.visited_at, v.recorded_at, v.place_from,
       coalesce(n.note, '') as note, v.is_demo
from visits v
left join duties d on d.duty_id = v.duty_id
left join visit_notes n on n.visit_id = v.visit_id
left join lateral (select c.name from grid_cells c where c.grid_code = v.grid_code order by c.valid_from desc limit 1) c on true

-- name: of_visit
where v.visit_id = %(visit_id)s

-- name: newest
where (%(within)s::text is null or v.grid_code in (select w from cells_within(%(within)s) w))
  and (%(before_at)s::timestamptz is null or (v.visited_at, v.visit_id) < (%(before_at)s, %(before_id)s))
order by v.visited_at desc, v.visit_id desc
limit %(limit)s

-- name: tidy
select access.tidy_visits(make_interval(days => %(texts_days)s))
