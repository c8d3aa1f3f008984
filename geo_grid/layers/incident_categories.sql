-- name: all
select category_code, name_zh, name_en from incident_categories order by category_code

-- name: unlisted
-- category names of incidents that are not in the list of categories, the most frequent first
select i.category, count(*) as count
from incidents i
where not exists (select from incident_categories c where c.category_code = i.category)
group by i.category order by count(*) desc, i.category
