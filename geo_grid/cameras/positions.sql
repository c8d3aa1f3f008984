-- name: report
select outcome, count(*) as count, array_agg(number) filter (where outcome = 'unknown') as numbers
from access.report_camera_positions(%(reports)s)
group by outcome

-- name: in_box
select c.gb28181_id, c.name, p.positioned_at, p.speed_kmh, p.heading_deg, s.state as camera_state, ST_AsBinary(p.geom) as geom
from camera_positions p
join cameras c using (camera_id)
left join camera_states s using (camera_id)
where p.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
  and is_position_now(p.positioned_at)
  and is_wanted(c.owner_name, %(only_owner_name)s::text[]) and is_wanted(c.network_code, %(only_network_code)s::text[])
  and is_wanted(c.type_code, %(only_type_code)s::text[]) and is_wanted(coalesce(s.state, 'unknown'), %(only_camera_state)s::text[])
order by c.gb28181_id
limit %(most)s

-- name: tidy
select access.tidy_camera_positions(interval '1 day')
