-- name: by_worker
with served as materialized (
    select d.person_name, d.phone, array_agg(distinct d.grid_code order by d.grid_code) as grid_codes,
           sum(c.household_count) as household_count, count(c.grid_code) filter (where c.cell_kind = 'basic') as compound_count
    from (select distinct d.person_name, d.phone, d.grid_code from duties d
          where d.duty_role = 'grid_manager' and d.valid_from < %(after)s::timestamp at time zone %(zone)s
            and (d.valid_to is null or d.valid_to > %(first)s::timestamp at time zone %(zone)s)) d
    left join grid_cells c on c.grid_code = d.grid_code and c.valid_to is null
    group by d.person_name, d.phone
)
select w.person_name, s.grid_codes, case when %(weekly)s then w.week end as week, 1 as worker_count,
       count(*) filter (where w.is_counted and w.visit_days >= w.needed) as kept,
       count(*) filter (where w.is_counted and w.visit_days < w.needed) as missed,
       count(*) filter (where not w.is_counted) as not_counted,
       sum(w.visits) as visits, sum(w.visit_days) as visit_days, s.household_count, s.compound_count
from worker_weeks(%(first)s, %(after)s, %(zone)s, %(most)s, %(within)s) w
join served s on s.person_name = w.person_name and s.phone = w.phone
group by w.person_name, w.phone, 3, s.grid_codes, s.household_count, s.compound_count
order by s.grid_codes, w.person_name, w.phone, 3

-- name: by_cell
-- without a level, the cells of the duties
with placed as materialized (
    select distinct d.person_name, d.phone, d.grid_code as own_code,
           case when %(level)s::integer is null then d.grid_code else l.above end as grid_code
    from duties d
    left join cells_in_level(%(level)s) l on l.grid_code = d.grid_code
    where d.duty_role = 'grid_manager' and d.valid_from < %(after)s::timestamp at time zone %(zone)s
      and (d.valid_to is null or d.valid_to > %(first)s::timestamp at time zone %(zone)s)
      and ((select access.city_wide('roster')) or d.grid_code in (select access.my_cells('roster')))
      and (%(within)s::text is null or d.grid_code in (select w from cells_within(%(within)s) w))
),
served as materialized (
    select p.grid_code, sum(c.household_count) as household_count, count(c.grid_code) filter (where c.cell_kind = 'basic') as compound_count
    from (select distinct p.grid_code, p.own_code from placed p) p
    left join grid_cells c on c.grid_code = p.own_code and c.valid_to is null
    group by p.grid_code
)
select p.grid_code, n.name as grid_name, case when %(weekly)s then w.week end as week,
       count(distinct (w.person_name, w.phone)) as worker_count,
       count(*) filter (where w.is_counted and w.visit_days >= w.needed) as kept,
       count(*) filter (where w.is_counted and w.visit_days < w.needed) as missed,
       count(*) filter (where not w.is_counted) as not_counted,
       sum(w.visits) as visits, sum(w.visit_days) as visit_days, s.household_count, s.compound_count
from worker_weeks(%(first)s, %(after)s, %(zone)s, %(most)s, %(within)s) w
join (select distinct p.person_name, p.phone, p.grid_code from placed p) p on p.person_name = w.person_name and p.phone = w.phone
join served s on s.grid_code = p.grid_code
left join lateral (select c.name from grid_cells c where c.grid_code = p.grid_code order by c.valid_from desc limit 1) n on true
group by p.grid_code, n.name, 3, s.household_count, s.compound_count
order by p.grid_code, 3
