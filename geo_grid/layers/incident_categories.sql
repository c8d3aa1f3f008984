-- name: all
select category_code, name_zh, name_en, loop_code, urgency, answered_by, icon, rises, check_in_minutes from incident_categories order by category_code

-- name: unlisted
-- category names of incidents that are not in the list of categories, the most frequent first
select i.category, count(*) as count
from incidents i
where not exists (select from incident_categories c where c.category_code = i.category)
group by i.category order by count(*) desc, i.category

-- name: put
insert into incident_categories (category_code, name_zh, name_en, loop_code, urgency, answered_by, icon, rises, check_in_minutes)
values (%(category_code)s, %(name_zh)s, %(name_en)s, %(loop_code)s, %(urgency)s, %(answered_by)s, %(icon)s, %(rises)s, %(check_in_minutes)s)
on conflict (category_code) do update
set name_zh = excluded.name_zh, name_en = excluded.name_en, loop_code = excluded.loop_code, urgency = excluded.urgency,
    answered_by = excluded.answered_by, icon = excluded.icon, rises = excluded.rises, check_in_minutes = excluded.check_in_minutes

-- name: loops
select loop_code from loops where retired_at is null order by loop_code

-- name: known
select from incident_categories where category_code = %(category_code)s

-- name: decide
select access.decide_category(%(name)s, %(category_code)s) as renamed
