-- name: is_demo_city
select is_demo_city() as yes

-- name: people
select p.login_name from access.principals p where p.login_name = any(%(names)s)

-- name: revoke_keys
update access.credentials c set revoked_at = now() from access.principals p
where p.principal_id = c.principal_id and p.login_name = any(%(names)s) and c.credential_kind = 'key' and c.revoked_at is null

-- name: forget_keys
-- that were revoked long ago: each start makes new ones
delete from access.credentials c using access.principals p
where p.principal_id = c.principal_id and p.login_name = any(%(names)s) and c.credential_kind = 'key'
  and c.revoked_at < now() - interval '7 days'

-- name: numbers
select p.login_name, p.principal_id from access.principals p where p.login_name = any(%(names)s)

-- name: nodes
-- both ends of every road, each place once, in the order of the roads
select distinct ST_X(p.geom) as lon, ST_Y(p.geom) as lat
from roads r cross join lateral (values (ST_StartPoint(r.geom)), (ST_EndPoint(r.geom))) p (geom)
where r.is_demo
order by 1, 2

-- name: roads
select ST_X(ST_StartPoint(geom)) as lon, ST_Y(ST_StartPoint(geom)) as lat,
       ST_X(ST_EndPoint(geom)) as to_lon, ST_Y(ST_EndPoint(geom)) as to_lat, coalesce(speed_kmh, 30) as speed_kmh
from roads where is_demo order by road_id

-- name: units
select unit_code, unit_kind, unit_status, ST_X(geom) as lon, ST_Y(geom) as lat from patrol_units
where is_demo order by unit_code

-- name: calls_a_day
-- of the four newest weeks that were loaded: those before may still be on their way
with loaded as (select received_at from incidents where is_demo and left(incident_number, 4) = 'DEMO')
select count(*) / 28.0 as number from loaded where received_at > (select max(received_at) from loaded) - interval '28 days'

-- name: places
-- of calls that the demo was loaded with, with the names of where they were: more of them where more people live
select ST_X(i.geom) as lon, ST_Y(i.geom) as lat, i.category, i.subtype,
       coalesce(nullif(concat(township.name, regexp_replace(regexp_replace(village.name, '居民委员会$', ''), '村?村民委员会$', '村')),
                       ''), own.name, '') as address
from (select * from incidents where is_demo and incident_number like 'DEMO%%' and grid_code is not null
      order by incident_id limit %(most)s) i
left join grid_cells village on village.grid_code = left(i.grid_code, 12) and village.grid_level = 3 and village.valid_to is null
left join grid_cells township on township.grid_code = left(i.grid_code, 9) and township.grid_level = 2
                              and township.valid_to is null
left join grid_cells own on own.grid_code = i.grid_code and own.valid_to is null
order by i.incident_id

-- name: cameras
select gb28181_id from cameras where is_demo and not is_secret order by camera_id limit %(most)s

-- name: put_host
insert into stream_hosts (name, host, port, note) values ('demo', '127.0.0.1', %(port)s, '演示画面 / test pictures of the demo')
on conflict (name) do update set host = excluded.host, port = excluded.port

-- name: put_addresses
-- of the demo's cameras that have none; secret ones too, for who may see them
insert into camera_streams (camera_id, stream_host_id, path)
select c.camera_id, h.stream_host_id, '/' || c.gb28181_id
from cameras c cross join stream_hosts h
where c.is_demo and h.name = 'demo' and c.gb28181_id is not null
on conflict (camera_id) do nothing
