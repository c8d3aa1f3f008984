-- name: report
select number, outcome from access.report_camera_states(%(reports)s)

-- name: not_online
select c.gb28181_id, s.state, s.since, ST_X(c.geom) as lon, ST_Y(c.geom) as lat
from camera_states s
join cameras c using (camera_id)
where s.state <> 'online' and c.geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
order by c.gb28181_id
limit %(most)s

-- name: now
-- by one of the keys below
select coalesce(t.key, '') as key, {name} as name, t.cameras, t.online, t.offline, t.fault,
       t.cameras - t.online - t.offline - t.fault as unknown
from (
    select {key} as key, count(*) as cameras, count(*) filter (where s.state = 'online') as online,
           count(*) filter (where s.state = 'offline') as offline, count(*) filter (where s.state = 'fault') as fault
    from cameras c
    left join camera_states s using (camera_id)
    {join}
    group by 1
) t
order by key

-- name: key_of_cell
-- innermost cells without a level; cells above the level count for nobody
case when %(level)s::integer is null then c.grid_code else l.above end

-- name: join_of_cell
left join cells_in_level(coalesce(%(level)s::integer, 1)) l on l.grid_code = c.grid_code

-- name: name_of_cell
(select g.name from grid_cells g
 where g.grid_code = t.key and in_force(g.valid_from, g.valid_to, statement_timestamp()))

-- name: key_of_zone
c.zone_code

-- name: name_of_zone
(select z.name from patrol_zones z
 where z.zone_code = t.key and in_force(z.valid_from, z.valid_to, statement_timestamp()))

-- name: key_of_owner
c.owner_name

-- name: name_of_owner
t.key

-- name: key_of_network
c.network_code

-- name: name_of_network
null::text

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
