-- Which incidents indicators count, and by which columns: the one place that says so.

-- Rows under the rights of whoever asks, without second reports of the same. `due_at`: by when a matter was to be settled,
-- without the time in which its clock stood; null: it has no limit, or its clock stood before that and stands still. `is_on_time`: of a closed one, whether it was.
create or replace view counted_incidents with (security_invoker = true) as
select i.incident_id, i.category, i.subtype, i.received_at, i.accepted_at, i.dispatched_at, i.departed_at, i.arrived_at,
       i.closed_at, i.outcome,
       case when i.closed_at is not null or i.stood_since is null or i.settle_due_at <= i.stood_since then i.settle_due_at end as due_at,
       i.is_on_time, i.geom, i.grid_code, i.zone_code, i.edition_id
from incidents i
where i.merged_into is null;
grant select on counted_incidents to geo_grid_app;
