-- name: report
select outcome, count(*) as count, array_agg(number) filter (where outcome = 'unknown') as numbers
from access.report_camera_states(%(reports)s)
group by outcome

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
-- of each hour the share that each state took, as cameras: those that were in it when the hour began, and what changes added and took
-- away, each for the rest of its hour. The log is read from the first hour on, and once for each camera before it
with known as (
    select c.camera_id, l.state, %(since)s::timestamptz as since
    from cameras c
    cross join lateral (select l.state from camera_state_log l
                        where l.camera_id = c.camera_id and l.since <= %(since)s order by l.since desc limit 1) l
    union all
    select l.camera_id, l.state, l.since from camera_state_log l where l.since > %(since)s and l.since < %(until)s
),
turned as (
    select k.state, k.since, 1 as cameras from known k
    union all
    select lag(k.state) over (partition by k.camera_id order by k.since), k.since, -1 from known k
),
hours as (
    select h as began, extract(epoch from least(h + interval '1 hour', %(until)s::timestamptz) - h) as lasts_s
    from generate_series(%(since)s::timestamptz, %(until)s::timestamptz, interval '1 hour') h
    where h < %(until)s::timestamptz
),
summed as (
    select t.state, date_bin('1 hour', t.since, %(since)s) as began, sum(t.cameras) as cameras,
           sum(t.cameras * extract(epoch from t.since - date_bin('1 hour', t.since, %(since)s))) as before_s
    from turned t group by 1, 2
),
shares as (
    select h.began, k.state,
           sum(coalesce(s.cameras, 0)) over (partition by k.state order by h.began) - coalesce(s.before_s, 0) / h.lasts_s as share
    from hours h
    cross join (values ('online'), ('offline'), ('fault')) k (state)
    left join summed s on s.began = h.began and s.state = k.state
)
select to_char(t.began at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as key, null as name,
       n.cameras, round(t.online, 3) as online, round(t.offline, 3) as offline, round(t.fault, 3) as fault,
       round(n.cameras - t.online - t.offline - t.fault, 3) as unknown
from (select count(*) as cameras from cameras) n
cross join (
    select began, sum(share) filter (where state = 'online') as online,
           sum(share) filter (where state = 'offline') as offline, sum(share) filter (where state = 'fault') as fault
    from shares group by began
) t
order by t.began

-- name: tidy
select access.tidy_camera_states(make_interval(days => %(kept_days)s))
