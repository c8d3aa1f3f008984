-- name: cells
select grid_code, ST_AsBinary(geom) as geom from leaf_cells('infinity') order by grid_code

-- name: views
-- of cameras that the server sees, which are not secret, in whatever state: a camera that is off is mended
select ST_AsBinary(v.geom) as geom
from camera_views v
join cameras c using (camera_id)
where v.geom is not null and not c.is_secret
order by v.camera_id

-- name: clear
delete from camera_coverage

-- name: store
insert into camera_coverage (grid_code, cell_m2, seen_m2, twice_m2, cameras, blind)
select u.grid_code, u.cell_m2, u.seen_m2, u.twice_m2, u.cameras, ST_Multi(ST_SetSRID(ST_GeomFromWKB(u.blind), 4490))
from unnest(%(codes)s::text[], %(cell_m2)s::float8[], %(seen_m2)s::float8[], %(twice_m2)s::float8[], %(cameras)s::integer[],
            %(blind)s::bytea[]) u (grid_code, cell_m2, seen_m2, twice_m2, cameras, blind)

-- name: by_cell
select coalesce(t.code, '') as grid_code, g.name, t.cell_m2, t.seen_m2, t.twice_m2, t.seen_m2 / t.cell_m2 as share, t.cameras, t.computed_at
from (
    select case when %(level)s::integer is null then c.grid_code else l.above end as code, sum(c.cell_m2) as cell_m2,
           sum(c.seen_m2) as seen_m2, sum(c.twice_m2) as twice_m2, sum(c.cameras)::integer as cameras,
           max(c.computed_at) as computed_at
    from camera_coverage c
    left join cells_in_level(coalesce(%(level)s::integer, 1)) l on l.grid_code = c.grid_code
    where %(within)s::text is null or c.grid_code in (select w from cells_within(%(within)s::text) w)
    group by 1
) t
join grid_cells g on g.grid_code = t.code and in_force(g.valid_from, g.valid_to, statement_timestamp())
order by share, grid_code
limit %(most)s

-- name: places
select f.facility_code, f.name, f.facility_kind as kind, ST_X(f.geom) as lon, ST_Y(f.geom) as lat, n.cameras
from facilities f
cross join lateral (select count(*) as cameras from camera_views v where v.geom && f.geom and ST_Covers(v.geom, f.geom)) n
where f.facility_kind in ('key_place', 'school', 'hospital', 'town_hall')
  and (%(within)s::text is null
       or exists (select from grid_cells g
                  where g.grid_code = %(within)s::text and in_force(g.valid_from, g.valid_to, statement_timestamp())
                    and ST_Covers(g.geom, f.geom)))
order by n.cameras, f.facility_code
limit %(most)s

-- name: blind
select ST_AsBinary(blind) as geom from camera_coverage where grid_code = %(grid_code)s

-- name: ask
-- once in a while: views of a register that is imported come in parts
select access.ask_for_coverage()

-- name: cell
select from grid_cells g where g.grid_code = %(within)s and in_force(g.valid_from, g.valid_to, statement_timestamp())
