-- name: stops
-- of one zone or of all, that whoever asks sees
select s.mandatory_stop_id as stop_id, s.zone_code, coalesce(z.name, s.zone_code) as zone_name, s.name,
       s.window_from, s.window_to, ST_X(s.geom) as lon, ST_Y(s.geom) as lat
from mandatory_stops s
left join patrol_zones z on z.zone_code = s.zone_code and z.valid_to is null
where %(zone_code)s::text is null or s.zone_code = %(zone_code)s
order by s.zone_code, s.name, s.mandatory_stop_id

-- name: stop
select zone_code, name, window_from, window_to, ST_X(geom) as lon, ST_Y(geom) as lat,
       ST_Distance(geom::geography, ST_SetSRID(ST_MakePoint(%(lon)s, %(lat)s), 4490)::geography) as distance_m
from mandatory_stops where mandatory_stop_id = %(stop_id)s

-- name: unit
select unit_code from patrol_units where unit_code = %(unit_code)s

-- name: check_in
insert into stop_check_ins (zone_code, stop_name, unit_code, checked_at, distance_m)
values (%(zone_code)s, %(name)s, %(unit_code)s, %(checked_at)s, %(distance_m)s)
on conflict do nothing

-- name: check_ins
select zone_code, stop_name, unit_code, checked_at from stop_check_ins
where checked_at >= %(since)s and checked_at <= %(until)s
  and (%(zone_code)s::text is null or zone_code = %(zone_code)s)
order by checked_at

-- name: units
-- those of a zone, or those named
select unit_code, name, unit_kind as kind, unit_status as status, shift, reported_at, ST_X(geom) as lon, ST_Y(geom) as lat
from patrol_units
where case when %(unit_codes)s::text[] is null then zone_code = %(zone_code)s else unit_code = any(%(unit_codes)s) end
order by unit_code
