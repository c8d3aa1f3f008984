-- Which incidents indicators count, and by which columns: the one place that says so.

-- Rows under the rights of whoever asks. `due_at`: by when a matter was to be closed; null while incidents have no such
-- column, and then no share of matters on time is told.
create or replace view counted_incidents with (security_invoker = true) as
select i.incident_id, i.category, i.subtype, i.received_at, i.accepted_at, i.dispatched_at, i.departed_at, i.arrived_at,
       i.closed_at, i.outcome, null::timestamptz as due_at, i.geom, i.grid_code, i.zone_code, i.edition_id
from incidents i;
grant select on counted_incidents to geo_grid_app;
