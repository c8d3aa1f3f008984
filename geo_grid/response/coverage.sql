-- name: cells
-- the cells in force; only the innermost with their shape
select c.grid_code, c.parent_code, c.grid_level, c.name, coalesce(c.household_count, 0) as households, c.area_m2,
       case when c.grid_code in (select l.grid_code from leaf_cells('infinity') l) then ST_AsBinary(c.geom) end as geom
from grid_cells c
where c.valid_to is null
order by c.grid_level, c.grid_code

-- name: zones
select zone_code, name, ST_AsBinary(geom) as geom from patrol_zones
where zone_kind = 'area' and valid_to is null
order by zone_code

-- name: posts
-- with the patrol zone that they are in
select p.post_code, p.key_periods,
       coalesce((select z.zone_code from patrol_zones z
                 where z.zone_kind = 'area' and z.valid_to is null and ST_Covers(z.geom, p.geom)
                 order by z.zone_code limit 1), '') as zone_code
from police_posts p
order by p.post_code

-- name: circles
-- those of files are the same in any traffic
select post_code, tier_minutes, ST_AsBinary(geom) as geom, method <> all(%(drawn)s) as is_of_file
from response_circles
where direction = 'outbound'
order by post_code, tier_minutes

-- name: incidents
select coalesce(zone_code, '') as zone_code, ST_X(geom) as lon, ST_Y(geom) as lat from incidents
where received_at >= now() - make_interval(months => %(months)s)

-- name: places
select ST_X(geom) as lon, ST_Y(geom) as lat from facilities
where facility_kind in ('key_place', 'school', 'hospital', 'town_hall')

-- name: times
-- what the clocks of incidents say, by what they are grouped by; each stage by itself, and what is left out and why
-- county and township: the ancestor at the first and second level, whatever their codes are
with recent as (
    select grid_code, zone_code, received_at, dispatched_at, departed_at, arrived_at from incidents
    where received_at >= now() - make_interval(months => %(months)s)
),
above as materialized (
    select leaf.grid_code, cell.grid_code as code
    from (select distinct grid_code from recent) leaf
    cross join lateral cell_chain(leaf.grid_code, now()) cell
    where cell.grid_level = case %(by)s when 'county' then 1 when 'township' then 2 end
),
taken as (
    select case %(by)s when 'city' then '' when 'zone' then i.zone_code
                       when 'county' then a.code when 'township' then a.code
                       else extract(hour from i.received_at at time zone %(timezone)s)::int::text end as code,
           extract(epoch from i.dispatched_at - i.received_at) as dispatch_s,
           extract(epoch from i.departed_at - i.dispatched_at) as turnout_s,
           extract(epoch from i.arrived_at - i.departed_at) as travel_s,
           extract(epoch from i.arrived_at - i.received_at) as whole_s
    from recent i
    left join above a using (grid_code)
),
judged as (
    select *, case when whole_s is null or dispatch_s is null or turnout_s is null then 'no_clock'
                   when least(dispatch_s, turnout_s, travel_s) < 0 then 'out_of_order'
                   when whole_s > 86400 then 'over_a_day' end as excluded
    from taken
)
select coalesce(code, '') as code,
       count(*) filter (where excluded is null) as n,
       count(*) filter (where excluded = 'no_clock') as no_clock,
       count(*) filter (where excluded = 'out_of_order') as out_of_order,
       count(*) filter (where excluded = 'over_a_day') as over_a_day,
       percentile_cont(0.5) within group (order by dispatch_s) filter (where excluded is null) as dispatch_p50_s,
       percentile_cont(0.9) within group (order by dispatch_s) filter (where excluded is null) as dispatch_p90_s,
       percentile_cont(0.5) within group (order by turnout_s) filter (where excluded is null) as turnout_p50_s,
       percentile_cont(0.9) within group (order by turnout_s) filter (where excluded is null) as turnout_p90_s,
       percentile_cont(0.5) within group (order by travel_s) filter (where excluded is null) as travel_p50_s,
       percentile_cont(0.9) within group (order by travel_s) filter (where excluded is null) as travel_p90_s,
       percentile_cont(0.5) within group (order by whole_s) filter (where excluded is null) as whole_p50_s,
       percentile_cont(0.9) within group (order by whole_s) filter (where excluded is null) as whole_p90_s,
       avg((travel_s <= 60)::int) filter (where excluded is null) as within_1,
       avg((travel_s <= 180)::int) filter (where excluded is null) as within_3,
       avg((travel_s <= 300)::int) filter (where excluded is null) as within_5
from judged
group by 1
order by 1
