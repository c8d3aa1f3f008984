-- name: dispute
select i.incident_id, i.category, i.step, i.closed_at, i.grid_code, c.answered_by, m.case_id
from incidents i
left join incident_categories c on c.category_code = i.category
left join mediation_cases m on m.incident_id = i.incident_id
where i.incident_id = %(incident_id)s

-- name: hold
-- before it is read: who waited for somebody else's transaction sees what that one wrote
select incident_id from incidents where incident_id = %(incident_id)s for update

-- name: take
insert into mediation_cases (incident_id, facility_id, mediation_kind, division_level, chosen_by, taken_at)
values (%(incident_id)s, %(facility_id)s, %(mediation_kind)s, %(division_level)s, %(chosen_by)s, clock_timestamp())
returning case_id

-- name: note
insert into mediation_steps (case_id, number, action, facility_id, distance_m, note, actor_id, actor_name, done_at)
values (%(case_id)s, %(number)s, %(action)s, %(facility_id)s, %(distance_m)s, %(note)s, access.me(), access.my_name(),
        clock_timestamp())

-- name: name_parties
insert into mediation_parties (case_id, number, party_role, initials)
select %(case_id)s, p.number, p.party_role, p.initials
from unnest(%(roles)s::text[], %(initials)s::text[]) with ordinality p (party_role, initials, number)

-- name: hand_on
update mediation_cases
set facility_id = %(facility_id)s, mediation_kind = %(mediation_kind)s, division_level = %(division_level)s,
    chosen_by = %(chosen_by)s, step_count = %(number)s
where case_id = %(case_id)s

-- name: end
update mediation_cases
set ended_at = case when %(outcome)s::text is null then null else clock_timestamp() end, outcome = %(outcome)s,
    step_count = %(number)s
where case_id = %(case_id)s

-- name: cases
select m.case_id, m.incident_id, m.mediation_kind, m.division_level, m.chosen_by, m.taken_at, m.ended_at, m.outcome,
       m.step_count, m.facility_id, i.grid_code, i.step as incident_step, p.facility_code, p.name as organisation,
       p.centre_name, p.room_name, p.studio_of, i.is_demo
from mediation_cases m
join incidents i on i.incident_id = m.incident_id
left join mediation_places p on p.facility_id = m.facility_id

-- name: of_case
where m.case_id = %(case_id)s

-- name: newest
where (not %(open_only)s or m.ended_at is null)
  and (%(kind)s::text is null or m.mediation_kind = %(kind)s)
  and (%(incident_id)s::bigint is null or m.incident_id = %(incident_id)s)
  and (%(before_at)s::timestamptz is null or (m.taken_at, m.case_id) < (%(before_at)s, %(before_id)s))
order by m.taken_at desc, m.case_id desc
limit %(limit)s

-- name: parties
select case_id, party_role as role, initials from mediation_parties where case_id = any(%(case_ids)s) order by case_id, number

-- name: steps
select s.number, s.action, p.facility_code, p.name as organisation, s.distance_m, s.note, s.actor_name, s.done_at
from mediation_steps s
left join mediation_places p on p.facility_id = s.facility_id
where s.case_id = %(case_id)s
order by s.number

-- name: tidy
select access.tidy_disputes(make_interval(days => %(parties_days)s), make_interval(days => %(texts_days)s))
