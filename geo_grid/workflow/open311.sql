-- name: services
select category_code, name_zh, name_en, answered_by from incident_categories
where answered_by <> 'police' and (category_code = %(code)s or %(code)s::text is null)
order by category_code

-- name: requests
-- the page is found first: private texts are read by a function call for each row
with found as materialized (
    select i.incident_id, k.name_zh as service_name, l.name_zh as stage_zh
    from incidents i
    join incident_categories k on k.category_code = i.category and k.answered_by <> 'police'
    left join loop_stages l on l.loop_code = i.loop_code and l.stage = i.step
    where (i.incident_id = any(%(ids)s) or %(ids)s::bigint[] is null)
      and (i.category = any(%(codes)s) or %(codes)s::text[] is null)
      and (i.received_at >= %(since)s or %(since)s::timestamptz is null)
      and (i.received_at <= %(until)s or %(until)s::timestamptz is null)
      and ((i.closed_at is not null) = %(is_closed)s or %(is_closed)s::boolean is null)
    order by i.received_at desc, i.incident_id desc
    limit %(limit)s offset %(offset)s)
select c.incident_id, c.category, f.service_name, f.stage_zh, c.description, c.address, c.lon, c.lat,
       coalesce(has.name, c.grid_name) as has_it, case when c.closed_at is null then c.settle_due_at end as expected_at,
       c.received_at, c.closed_at, c.outcome, c.merged_into,
       greatest(c.received_at, c.accepted_at, c.dispatched_at, c.departed_at, c.arrived_at, c.handled_at, c.feedback_at,
                c.verified_at, c.suspended_at, c.closed_at) as updated_at
from found f
join incident_cards c using (incident_id)
left join lateral (select g.name from grid_cells g where g.grid_code = c.assigned_cell
                   order by g.valid_from desc limit 1) has on true
order by c.received_at desc, c.incident_id desc

-- name: named
-- places that are called exactly so: facilities, and cells in force that have no cells within
select ST_X(p.geom) as lon, ST_Y(p.geom) as lat
from (select f.geom from facilities f where f.name = %(name)s
      union all
      select ST_PointOnSurface(c.geom) from grid_cells c
      where c.name = %(name)s and c.valid_to is null
        and not exists (select from grid_cells w where w.parent_code = c.grid_code and w.valid_to is null)) p
limit 2
