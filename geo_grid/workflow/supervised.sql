-- name: incident
select incident_id from incidents where incident_id = %(incident_id)s

-- name: place
select registered_place_id from registered_places where place_code = %(place_code)s

-- name: list
insert into supervised_listings (incident_id, registered_place_id, listed_level, responsible_unit, due_on, listed_by, listed_by_name)
values (%(incident_id)s, %(registered_place_id)s, %(level)s, %(responsible_unit)s, %(due_on)s, access.me(), access.my_name())
returning listing_id

-- name: note
insert into listing_steps (listing_id, number, action, measures, note, details, actor_id, actor_name, done_at)
values (%(listing_id)s, %(number)s, %(action)s, %(measures)s, %(note)s, %(details)s, access.me(), access.my_name(), clock_timestamp())

-- name: hold
select listing_id from supervised_listings where listing_id = %(listing_id)s for update

-- name: store
update supervised_listings
set responsible_unit = %(responsible_unit)s, due_on = %(due_on)s, result = %(result)s, step_count = %(number)s,
    delisted_at = case when %(result)s::text is null then delisted_at else clock_timestamp() end,
    delisted_by_name = case when %(result)s::text is null then delisted_by_name else access.my_name() end
where listing_id = %(listing_id)s

-- name: listings
select l.listing_id, l.incident_id, p.place_code, p.name as place_name, coalesce(i.grid_code, p.grid_code) as grid_code,
       l.listed_level, l.responsible_unit, l.due_on, l.listed_at, l.listed_by_name, l.delisted_at, l.delisted_by_name, l.result,
       l.step_count, l.delisted_at is null and l.due_on < %(today)s as is_overdue,
       ST_X(coalesce(i.geom, p.geom)) as lon, ST_Y(coalesce(i.geom, p.geom)) as lat,
       (select s.measures from listing_steps s
        where s.listing_id = l.listing_id and s.measures is not null order by s.number desc limit 1) as measures
from supervised_listings l
left join incidents i on i.incident_id = l.incident_id
left join registered_places p on p.registered_place_id = l.registered_place_id

-- name: of_listing
where l.listing_id = %(listing_id)s

-- name: newest
where (not %(open_only)s or l.delisted_at is null)
  and (not %(overdue)s or (l.delisted_at is null and l.due_on < %(today)s))
  and (%(level)s::text is null or l.listed_level = %(level)s)
  and (%(before_at)s::timestamptz is null or (l.listed_at, l.listing_id) < (%(before_at)s, %(before_id)s))
order by l.listed_at desc, l.listing_id desc
limit %(limit)s

-- name: steps
select number, action, measures, note, details, actor_name, done_at from listing_steps
where listing_id = %(listing_id)s order by number

-- name: figures
-- listed in a period, and what became of it so far
select listed_level, count(*) as listed, count(*) filter (where result = 'done') as done,
       count(*) filter (where result = 'dropped') as dropped, count(*) filter (where delisted_at is null) as open,
       count(*) filter (where delisted_at is null and due_on < %(today)s) as overdue
from supervised_listings
where (%(since)s::timestamptz is null or listed_at >= %(since)s) and (%(until)s::timestamptz is null or listed_at < %(until)s)
group by rollup (listed_level)
order by array_position(array['township', 'county', 'city'], listed_level)

-- name: tidy
select access.tidy_listings(make_interval(days => %(texts_days)s))
