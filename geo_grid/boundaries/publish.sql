-- name: lock
select hold_editions()

-- name: open_edition
insert into editions (valid_from, note, is_demo) values (%(valid_from)s, %(note)s, %(is_demo)s) returning edition_id

-- name: newest_edition
select edition_id, valid_from from editions order by valid_from desc limit 1

-- name: clock
select clock_timestamp() as now

-- name: cells_in_force
select grid_code, grid_level, parent_code, ST_AsBinary(geom) as geom
from grid_cells where valid_to is null and grid_level = %(level)s order by grid_code

-- name: levels
select grid_level, code_scheme from grid_levels

-- name: misfit_codes
select given.number::int as number, given.code, given.scheme as code_scheme, coalesce(s.description, 'unknown') as rule
from unnest(%(codes)s::text[], %(schemes)s::text[]) with ordinality given (code, scheme, number)
left join code_schemes s on s.code_scheme = given.scheme
where not code_follows_scheme(given.code, given.scheme)
order by 1

-- name: close_cells
update grid_cells set valid_to = %(valid_from)s, closed_by = %(edition)s
where valid_to is null and grid_code = any(%(codes)s)

-- name: close_zones
update patrol_zones set valid_to = %(valid_from)s, closed_by = %(edition)s
where valid_to is null and zone_code = any(%(codes)s)

-- name: reopen_cell
insert into grid_cells (grid_code, code_scheme, grid_level, parent_code, name, cell_kind, household_count,
                        households_estimated, geom,
                        valid_from, edition_id, is_demo)
select grid_code, code_scheme, grid_level, parent_code, name, cell_kind, household_count, households_estimated,
       ST_GeomFromEWKB(decode(%(geom)s, 'hex')), %(valid_from)s, %(edition)s, is_demo
from grid_cells
where grid_code = %(code)s and closed_by = %(edition)s

-- name: reshape_cell
-- one that this edition opened
update grid_cells set geom = ST_GeomFromEWKB(decode(%(geom)s, 'hex'))
where grid_code = %(code)s and valid_to is null and edition_id = %(edition)s

-- name: analyze
analyze grid_cells, patrol_zones
