-- name: items
select incident_id::text as id,
       geom,
       jsonb_build_object(
           'incident_id', incident_id, 'category', category, 'subtype', subtype, 'step', step,
           'received_at', received_at, 'grid_code', grid_code, 'zone_code', zone_code,
           'unassigned', unassigned, 'is_demo', is_demo) as properties
from incidents
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
  and closed_at is null
order by received_at desc, incident_id desc
limit %(limit)s

-- name: stored
-- private texts are masked by a function call for each row, only for rows of the output
select incident_id, incident_number, category, subtype,
       coalesce((access.incident_private(incident_id)).description, '') as description,
       coalesce((access.incident_private(incident_id)).address, '') as address,
       received_at, recorded_zone, is_demo, step, grid_code, zone_code, edition_id, unassigned, geom
from incidents

-- name: taken
select incident_number as key from incidents where incident_number = any(%(keys)s)

-- name: one
select * from incident_cards where incident_id = %(incident_id)s

-- name: counts
-- of open incidents: a matter waits while nobody was sent, also outside of every cell
select count(*) as open,
       count(*) filter (where step in ('reported', 'accepted') or unassigned) as unassigned,
       count(*) filter (where step = 'assigned' and not unassigned) as under_way,
       count(*) filter (where due_at < statement_timestamp()) as overdue
from incidents
where closed_at is null

-- name: newest
select * from incident_cards
where (not %(open_only)s or closed_at is null)
  and (not %(mine)s or handler_id = (select access.me()))
  and (unassigned = %(unassigned)s or %(unassigned)s::boolean is null)
  and (%(before_at)s::timestamptz is null
       or (received_at, incident_id) < (%(before_at)s, %(before_id)s))
order by received_at desc, incident_id desc
limit %(limit)s
