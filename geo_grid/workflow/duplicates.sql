-- name: near
-- open incidents around a place and a moment
select i.incident_id, i.category, i.step, i.received_at, coalesce(p.description, '') as description,
       coalesce(p.address, '') as address, ST_X(i.geom) as lon, ST_Y(i.geom) as lat,
       ST_Distance(i.geom::geography, here.geog) as distance_m,
       abs(extract(epoch from i.received_at - %(received_at)s::timestamptz))::double precision as apart_s
from (select geog, ST_Buffer(geog, %(far_m)s)::geometry as around
      from (select ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)::geography as geog) place) here
join incidents i on i.geom && here.around and ST_DWithin(i.geom::geography, here.geog, %(far_m)s)
    and i.closed_at is null and i.incident_id <> %(incident_id)s
    and i.received_at between %(received_at)s::timestamptz - make_interval(secs => %(apart_s)s)
                          and %(received_at)s::timestamptz + make_interval(secs => %(apart_s)s)
left join lateral access.incident_private(i.incident_id) p on true
order by distance_m limit 50
