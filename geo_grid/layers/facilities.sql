-- name: items
select facility_code as id,
       geom,
       jsonb_build_object(
           'facility_code', facility_code, 'facility_kind', facility_kind, 'name', name,
           'division_level', division_level, 'is_demo', is_demo) as properties
from facilities
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490)
order by array_position(array['city', 'county', 'township', 'village'], division_level), facility_code
limit %(limit)s

-- name: stored
select facility_id, facility_code, facility_kind, name, division_level, member_count, phone, source, is_demo, geom from facilities

-- name: taken
select facility_code as key from facilities where facility_code = any(%(keys)s)
