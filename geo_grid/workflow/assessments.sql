-- name: projects
-- all that should be assessed, with the newest assessment of each
select p.place_code, p.name, p.responsible_unit, p.grid_code, ST_X(p.geom) as lon, ST_Y(p.geom) as lat,
       a.assessed_on, a.valid_until, a.risk_level, a.decision,
       case when a.assessed_on is null then 'missing' when a.valid_until < %(today)s then 'out_of_date' else 'valid' end as state
from registered_places p
left join lateral (select r.assessed_on, r.valid_until, r.risk_level, r.decision from risk_assessments r
                   where r.registered_place_id = p.registered_place_id
                   order by r.assessed_on desc, r.assessment_id desc limit 1) a on true
where p.place_kind = 'major_project'
  and (%(only)s::text is null and p.needs_assessment or p.place_code = %(only)s)
  and (%(after)s::text is null or p.place_code > %(after)s)
  and (not %(due_only)s or a.assessed_on is null or a.valid_until < %(today)s)
order by p.place_code
limit %(limit)s

-- name: project
select registered_place_id, place_kind from registered_places where place_code = %(place_code)s

-- name: record
insert into risk_assessments (registered_place_id, assessed_on, valid_until, risk_level, decision, actor_id, actor_name)
values (%(registered_place_id)s, %(assessed_on)s, %(valid_until)s, %(risk_level)s, %(decision)s, access.me(), access.my_name())
