-- name: all
select grid_level, name_zh, name_en, code_scheme, min_zoom, settles from grid_levels order by grid_level

-- name: rules
select l.grid_level, l.name_zh, l.name_en, l.min_zoom, l.settles, l.code_scheme,
       (select count(*) from grid_cells c where c.grid_level = l.grid_level and c.valid_to is null) as cells
from grid_levels l order by l.grid_level

-- name: change
update grid_levels set name_zh = %(name_zh)s, name_en = %(name_en)s, min_zoom = %(min_zoom)s, settles = %(settles)s
where grid_level = %(grid_level)s

-- name: schemes
select code_scheme from code_schemes order by code_scheme

-- name: deepest_in_use
select max(grid_level) as grid_level from grid_cells

-- name: put
insert into grid_levels (grid_level, name_zh, name_en, code_scheme, min_zoom, settles)
values (%(grid_level)s, %(name_zh)s, %(name_en)s, %(code_scheme)s, %(min_zoom)s, coalesce(%(settles)s, true))
on conflict (grid_level) do update
set name_zh = excluded.name_zh, name_en = excluded.name_en,
    code_scheme = excluded.code_scheme, min_zoom = excluded.min_zoom,
    settles = coalesce(%(settles)s, grid_levels.settles)

-- name: trim
delete from grid_levels where grid_level > %(deepest)s
