-- name: all
select run_card_id, category_code, grid_code, hour_from, hour_to, needs, note from run_cards
order by category_code, grid_code, hour_from, run_card_id

-- name: card
-- the card that says most: of the category before of any; of the smallest cell; of the hour before of any
select r.run_card_id, r.category_code, r.grid_code, r.hour_from, r.hour_to, r.needs, r.note
from run_cards r
left join cell_chain(%(grid_code)s, now()) c on c.grid_code = r.grid_code
where (r.category_code is null or r.category_code = %(category)s)
  and (r.grid_code is null or c.grid_code is not null)
  and (r.hour_from is null
       or case when r.hour_from < r.hour_to then %(hour)s::time >= r.hour_from and %(hour)s::time < r.hour_to
               else %(hour)s::time >= r.hour_from or %(hour)s::time < r.hour_to end)
order by r.category_code is null, c.grid_level desc nulls last, r.hour_from is null, r.run_card_id
limit 1

-- name: nearest
select * from (
    select u.unit_code, u.name, u.reported_at, ST_Distance(u.geom::geography, here.geog) as distance_m
    from patrol_units u, (select ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)::geography as geog) here
    where u.unit_kind = %(kind)s and u.unit_status = 'on_patrol'
    order by u.geom::geography <-> here.geog
    limit %(limit)s
) near
order by distance_m, unit_code

-- name: sent
select from patrol_units u where u.unit_code = any(%(codes)s) and u.unit_kind = %(kind)s

-- name: add
insert into run_cards (category_code, grid_code, hour_from, hour_to, needs, note)
values (%(category_code)s, %(grid_code)s, %(hour_from)s, %(hour_to)s, %(needs)s, %(note)s) returning run_card_id

-- name: delete
delete from run_cards where run_card_id = %(run_card_id)s
