-- name: report
select number, outcome from access.report_camera_states(%(ids)s::text[], %(states)s::text[], %(moments)s::timestamptz[])

-- name: not_online
select c.gb28181_id, s.state, s.since, ST_X(c.geom) as lon, ST_Y(c.geom) as lat
from camera_states s
join cameras c using (camera_id)
where s.state <> 'online' and c.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
order by c.gb28181_id
limit %(most)s

-- name: now_by_cell
-- innermost cells without a level; cells above the level count for nobody
select coalesce(t.key, '') as key, g.name, t.cameras, t.online, t.offline, t.fault, t.cameras - t.online - t.offline - t.fault as unknown
from (
    select case when %(level)s::integer is null then c.grid_code else l.above end as key, count(*) as cameras,
           count(*) filter (where s.state = 'online') as online, count(*) filter (where s.state = 'offline') as offline,
           count(*) filter (where s.state = 'fault') as fault
    from cameras c
    left join camera_states s using (camera_id)
    left join cells_in_level(coalesce(%(level)s::integer, 1)) l on l.grid_code = c.grid_code
    group by 1
) t
left join grid_cells g on g.grid_code = t.key and in_force(g.valid_from, g.valid_to, statement_timestamp())
order by key

-- name: now_by_zone
select coalesce(t.key, '') as key, z.name, t.cameras, t.online, t.offline, t.fault, t.cameras - t.online - t.offline - t.fault as unknown
from (
    select c.zone_code as key, count(*) as cameras, count(*) filter (where s.state = 'online') as online,
           count(*) filter (where s.state = 'offline') as offline, count(*) filter (where s.state = 'fault') as fault
    from cameras c
    left join camera_states s using (camera_id)
    group by 1
) t
left join patrol_zones z on z.zone_code = t.key and in_force(z.valid_from, z.valid_to, statement_timestamp())
order by key

-- name: now_by_owner
select t.*, t.key as name, t.cameras - t.online - t.offline - t.fault as unknown
from (
    select c.owner_name as key, count(*) as cameras, count(*) filter (where s.state = 'online') as online,
           count(*) filter (where s.state = 'offline') as offline, count(*) filter (where s.state = 'fault') as fault
    from cameras c
    left join camera_states s using (camera_id)
    group by 1
) t
order by key

-- name: now_by_network
select t.*, null as name, t.cameras - t.online - t.offline - t.fault as unknown
from (
    select c.network_code as key, count(*) as cameras, count(*) filter (where s.state = 'online') as online,
           count(*) filter (where s.state = 'offline') as offline, count(*) filter (where s.state = 'fault') as fault
    from cameras c
    left join camera_states s using (camera_id)
    group by 1
) t
order by key

-- name: by_hour
-- each state lasts until the next one; of each hour the share that each took, as cameras
with seen as materialized (
    select l.camera_id, l.state, l.since as began,
           lead(l.since, 1, 'infinity') over (partition by l.camera_id order by l.since) as ended
    from camera_state_log l
    where l.camera_id in (select camera_id from cameras)
),
hours as (
    select h as began, least(h + interval '1 hour', %(until)s::timestamptz) as ended
    from generate_series(%(since)s::timestamptz, %(until)s::timestamptz, interval '1 hour') h
    where h < %(until)s::timestamptz
),
shares as (
    select h.began, s.state, s.camera_id,
           extract(epoch from least(h.ended, s.ended) - greatest(h.began, s.began))
           / extract(epoch from h.ended - h.began) as share
    from hours h
    join seen s on s.began < h.ended and s.ended > h.began
)
select to_char(h.began at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as key, null as name,
       n.cameras, round(coalesce(t.online, 0)::numeric, 3) as online, round(coalesce(t.offline, 0)::numeric, 3) as offline,
       round(coalesce(t.fault, 0)::numeric, 3) as fault, round((n.cameras - coalesce(t.known, 0))::numeric, 3) as unknown
from hours h
cross join (select count(*) as cameras from cameras) n
left join (
    select began, sum(share) as known, sum(share) filter (where state = 'online') as online,
           sum(share) filter (where state = 'offline') as offline, sum(share) filter (where state = 'fault') as fault
    from shares group by began
) t on t.began = h.began
order by h.began

-- name: tidy
select access.tidy_camera_states(make_interval(days => %(kept_days)s))
