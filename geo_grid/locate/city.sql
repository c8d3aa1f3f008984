-- name: edition
select edition_id, published_at from editions where edition_id = %(edition)s

-- name: edition_in_force
select edition_at(coalesce(%(at)s::timestamptz, now())) as edition

-- name: compile
-- every cell and zone of an edition; polygons only where points end: cells without children, and area zones
with cells as materialized (
    select * from grid_cells
    where edition_id <= %(edition)s and (closed_by is null or closed_by > %(edition)s)
)
select 'cell' as thing, c.grid_code as code, c.name, c.is_demo, c.parent_code, c.grid_level, c.cell_kind,
       c.household_count, c.households_estimated, c.area_m2, null as zone_type, null as responsible_unit,
       case when not exists (select from cells k where k.parent_code = c.grid_code) then ST_AsBinary(c.geom) end as geom
from cells c
union all
select 'zone', z.zone_code, z.name, z.is_demo, null, null, null, null, null, null, z.zone_type, z.responsible_unit,
       ST_AsBinary(z.geom)
from patrol_zones z
where z.zone_kind = 'area' and z.edition_id <= %(edition)s and (z.closed_by is null or z.closed_by > %(edition)s)
