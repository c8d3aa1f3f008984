-- name: figures
-- Cases taken in a period, and how they ended, by any of its keys. The share that was settled is cut off after two decimals,
-- as the city's own report does: 11,854 of 23,022 is 51.4899 %%, which it gives as 51.48.
with picked as materialized (
    select m.mediation_kind, m.division_level, m.facility_id, m.outcome, m.taken_at, i.grid_code
    from mediation_cases m
    join incidents i on i.incident_id = m.incident_id
    where (%(since)s::timestamptz is null or m.taken_at >= %(since)s)
      and (%(until)s::timestamptz is null or m.taken_at < %(until)s)
),
keyed as (
    select case when 'kind' = any(%(by)s::text[]) then p.mediation_kind end as mediation_kind,
           case when 'level' = any(%(by)s::text[]) then p.division_level end as division_level,
           case when 'organisation' = any(%(by)s::text[]) then p.facility_id end as facility_id,
           case when 'cell' = any(%(by)s::text[]) then c.above end as grid_code,
           case when 'month' = any(%(by)s::text[]) then to_char(p.taken_at at time zone %(timezone)s, 'YYYY-MM') end as month,
           p.outcome
    from picked p
    left join cells_in_level(%(grid_level)s) c on 'cell' = any(%(by)s::text[]) and c.grid_code = p.grid_code
    where %(within)s::text is null or p.grid_code in (select w from cells_within(%(within)s) w)
),
counted as (
    select mediation_kind, division_level, facility_id, grid_code, month, count(*) as taken,
           count(*) filter (where outcome = 'settled') as settled,
           count(*) filter (where outcome = 'not_settled') as not_settled,
           count(*) filter (where outcome = 'withdrawn') as withdrawn,
           count(*) filter (where outcome is null) as open
    from keyed
    group by mediation_kind, division_level, facility_id, grid_code, month
)
select n.mediation_kind, n.division_level, o.facility_code, o.name as organisation, n.grid_code, n.month, n.taken, n.settled,
       n.not_settled, n.withdrawn, n.open, trunc(100.0 * n.settled / n.taken, 2)::float8 as settled_percent
from counted n
left join mediation_places o on o.facility_id = n.facility_id
order by n.month, n.grid_code, array_position(array['village', 'township', 'county', 'city'], n.division_level),
         n.mediation_kind, o.facility_code
