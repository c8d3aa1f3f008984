-- name: who
select access.my_name() as login_name,
       (select w.person_name from field_workers w where w.principal_id = (select access.me())) as person_name

-- name: compounds
select c.grid_code, c.name, c.household_count, ST_X(p.inside) as lon, ST_Y(p.inside) as lat,
       (select count(*) from visits v
        where v.actor_id = (select access.me()) and v.grid_code = c.grid_code
          and v.visited_at >= %(first)s::timestamp at time zone %(zone)s
          and v.visited_at < %(after)s::timestamp at time zone %(zone)s) as visits_this_week,
       (select max(v.visited_at) from visits v
        where v.actor_id = (select access.me()) and v.grid_code = c.grid_code) as visited_at
from my_compounds() c
cross join lateral ST_PointOnSurface(c.geom) p (inside)
order by c.name, c.grid_code

-- name: week
-- days needed as worker_weeks has them, also for a lead, who is no grid manager
select (select count(distinct (v.visited_at at time zone %(zone)s)::date) from visits v
        where v.actor_id = (select access.me()) and v.visited_at >= %(first)s::timestamp at time zone %(zone)s
          and v.visited_at < %(after)s::timestamp at time zone %(zone)s) as days_visited,
       least(%(most)s, (select count(*) from generate_series(%(first)s::timestamp, %(after)s::timestamp - interval '1 day', interval '1 day') g (day)
                        left join working_days k on k.day = g.day::date
                        where coalesce(k.is_working, extract(isodow from g.day) < 6)
                          and not exists (select from my_duties() d join duty_absences a on a.duty_id = d.duty_id
                                          where a.valid_from < (g.day + interval '1 day') at time zone %(zone)s
                                            and (a.valid_to is null or a.valid_to > g.day at time zone %(zone)s)))) as days_needed
