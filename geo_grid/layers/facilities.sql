-- name: items
-- from afar a count per kind and 112-pixel square, near by each facility
with seen as (
    select * from facilities
    where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
),
squares as (
    select facility_kind, count(*) as point_count, avg(ST_X(geom)) as lon, avg(ST_Y(geom)) as lat, bool_or(is_demo) as is_demo
    from seen
    where %(zoom)s < 12
    group by facility_kind, floor(ST_X(geom) / (%(pixel)s * 112)), floor(ST_Y(geom) / (%(pixel)s * 89))
)
select null as id,
       ST_SetSRID(ST_MakePoint(lon, lat), 4490) as geom,
       jsonb_build_object('facility_kind', facility_kind, 'point_count', point_count, 'is_demo', is_demo) as properties
from squares
union all
(select facility_code, geom,
        jsonb_build_object(
            'facility_code', facility_code, 'facility_kind', facility_kind, 'name', name,
            'division_level', division_level, 'is_demo', is_demo)
 from seen where %(zoom)s >= 12
 order by array_position(array['city', 'county', 'township', 'village'], division_level), facility_code
 limit %(limit)s)

-- name: stored
select facility_id, facility_code, facility_kind, name, division_level, member_count, phone, source, is_demo, geom from facilities

-- name: taken
select facility_code as key from facilities where facility_code = any(%(keys)s)

-- name: of_code
select facility_id, facility_kind, division_level from facilities where facility_code = %(facility_code)s
