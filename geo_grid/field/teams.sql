-- name: teams
-- metres from a place, or null where none is given
select f.facility_code, f.name, f.phone, f.member_count, coalesce(t.skills, '{}') as skills, ST_X(f.geom) as lon, ST_Y(f.geom) as lat,
       ST_Distance(f.geom::geography, p.place) as distance_m, f.is_demo
from facilities f
left join volunteer_teams t on t.facility_id = f.facility_id
cross join (select ST_SetSRID(ST_MakePoint(%(lon)s::float8, %(lat)s::float8), 4490)::geography as place) p

-- name: nearest
where f.facility_kind = 'volunteer_team' and coalesce(t.skills, '{}') @> %(skills)s::text[]
order by distance_m, f.facility_code
limit %(limit)s

-- name: of_facility
where f.facility_id = %(facility_id)s

-- name: describe
insert into volunteer_teams (facility_id, skills) values (%(facility_id)s, %(skills)s)
on conflict (facility_id) do update set skills = excluded.skills
