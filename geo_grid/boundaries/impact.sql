-- Points of the objects whose owner may change, for COPY in binary with rows of fixed length; {owner} is grid_code or
-- zone_code. Objects without an owner are selected by the bounding box of the cells.

-- name: open_incidents
copy (select ST_X(geom), ST_Y(geom) from incidents
      where ({owner} = any(%(codes)s)
             or ({owner} is null and geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)))
        and closed_at is null) to stdout (format binary)

-- name: incidents_of_year
copy (select ST_X(geom), ST_Y(geom) from incidents
      where ({owner} = any(%(codes)s)
             or ({owner} is null and geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)))
        and received_at > now() - interval '12 months') to stdout (format binary)

-- name: cameras
copy (select ST_X(geom), ST_Y(geom) from cameras
      where {owner} = any(%(codes)s)
         or ({owner} is null and geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)))
to stdout (format binary)

-- name: posts
copy (select ST_X(geom), ST_Y(geom) from police_posts
      where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)) to stdout (format binary)

-- name: facilities
copy (select ST_X(geom), ST_Y(geom) from facilities
      where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)) to stdout (format binary)

-- name: duties
select grid_code, duty_role, person_name from duties
where grid_code = any(%(codes)s) and duty_role <> 'grid_assistant' and (valid_to is null or valid_to > now())
order by grid_code, duty_role, person_name
