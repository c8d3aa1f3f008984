-- name: incidents
select grid_code, count(*) as count from incidents
where grid_code = any(%(codes)s) and received_at > now() - interval '12 months' group by grid_code

-- name: roads
-- those that people take for a border
select ST_AsBinary(geom) as geom from roads
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
  and road_class in ('motorway', 'trunk', 'primary', 'secondary', 'tertiary')
