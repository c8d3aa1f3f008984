-- name: items
select incident_id::text as id,
       ST_AsGeoJSON(geom, 6) as geometry,
       jsonb_build_object(
           'incident_id', incident_id, 'category', category, 'subtype', subtype, 'step', step,
           'received_at', received_at, 'grid_code', grid_code, 'zone_code', zone_code,
           'unassigned', unassigned, 'is_demo', is_demo) as properties
from incidents
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
  and closed_at is null
order by received_at desc, incident_id desc
limit %(limit)s

-- name: rows
select incident_number, category, subtype, description, address, caller_number, received_at, recorded_zone,
       is_demo, step, grid_code, zone_code, edition_id, unassigned, ST_AsBinary(geom) as geom
from incidents order by incident_id

-- name: taken
select incident_number as key from incidents where incident_number = any(%(keys)s)

-- name: insert
insert into incidents (category, subtype, description, address, caller_number, received_at, is_demo, geom)
values (%(category)s, %(subtype)s, %(description)s, %(address)s, %(caller_number)s,
        coalesce(%(received_at)s, now()), %(is_demo)s,
        ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490))
returning incident_id

-- name: one
select i.incident_id, i.incident_number, i.category, i.subtype, i.description, i.address,
       i.caller_number, i.step, i.received_at, i.dispatched_at, i.departed_at, i.arrived_at, i.handled_at,
       i.feedback_at, i.verified_at, i.closed_at, i.grid_code, i.zone_code, i.edition_id, i.unassigned, i.is_demo,
       ST_X(i.geom) as lon, ST_Y(i.geom) as lat, c.name as grid_name, z.name as zone_name
from incidents i
left join grid_cells c on c.grid_code = i.grid_code
    and c.edition_id <= i.edition_id and (c.closed_by is null or c.closed_by > i.edition_id)
left join patrol_zones z on z.zone_code = i.zone_code
    and z.edition_id <= i.edition_id and (z.closed_by is null or z.closed_by > i.edition_id)
where i.incident_id = %(incident_id)s

-- name: newest
select i.incident_id, i.incident_number, i.category, i.subtype, i.description, i.address,
       i.caller_number, i.step, i.received_at, i.dispatched_at, i.departed_at, i.arrived_at, i.handled_at,
       i.feedback_at, i.verified_at, i.closed_at, i.grid_code, i.zone_code, i.edition_id, i.unassigned, i.is_demo,
       ST_X(i.geom) as lon, ST_Y(i.geom) as lat, c.name as grid_name, z.name as zone_name
from incidents i
left join grid_cells c on c.grid_code = i.grid_code
    and c.edition_id <= i.edition_id and (c.closed_by is null or c.closed_by > i.edition_id)
left join patrol_zones z on z.zone_code = i.zone_code
    and z.edition_id <= i.edition_id and (z.closed_by is null or z.closed_by > i.edition_id)
where (not %(open_only)s or i.closed_at is null)
  and (i.unassigned = %(unassigned)s or %(unassigned)s::boolean is null)
  and (%(before_at)s::timestamptz is null
       or (i.received_at, i.incident_id) < (%(before_at)s, %(before_id)s))
order by i.received_at desc, i.incident_id desc
limit %(limit)s

-- name: lock_key
select pg_advisory_xact_lock(hashtextextended(%(key)s, 0))

-- name: claim_key
insert into idempotency_keys (idempotency_key, request_digest, incident_id)
values (%(key)s, %(digest)s, %(incident_id)s)

-- name: find_key
select request_digest, incident_id from idempotency_keys where idempotency_key = %(key)s
