-- name: first_grid_manager
select grid_code, person_name, phone from duties
where duty_role = 'grid_manager' and is_demo and valid_to is null order by grid_code, duty_id limit 1

-- name: first_township
-- the second level's largest cell by households below it: the demo dispatcher's
select t.grid_code
from grid_cells t
join access.cell_scope s on s.ancestor_code = t.grid_code
join grid_cells c on c.grid_code = s.grid_code and c.valid_to is null
where t.grid_level = 2 and t.valid_to is null
group by t.grid_code
order by sum(c.household_count) desc nulls last, t.grid_code
limit 1
