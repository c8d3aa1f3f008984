-- name: assign
-- owners of any number of rows in one statement; {table} and {key} name the layer
-- statement_timestamp(), not now(): an edition published earlier in the same transaction counts
with owner as (
    select r.{key} as id, min(c.grid_code) as grid_code
    from {table} r
    join leaf_cells(statement_timestamp()) c on ST_Covers(c.geom, r.geom)
    where %(ids)s::bigint[] is null or r.{key} = any(%(ids)s)
    group by r.{key}
),
zone as (
    select r.{key} as id, min(z.zone_code) as zone_code
    from {table} r
    join patrol_zones z on ST_Covers(z.geom, r.geom)
    where in_force(z.valid_from, z.valid_to, statement_timestamp())
      and z.zone_kind = 'area'
      and (%(ids)s::bigint[] is null or r.{key} = any(%(ids)s))
    group by r.{key}
)
update {table} r
set grid_code = owner.grid_code, zone_code = zone.zone_code, edition_id = edition_at(statement_timestamp())
from {table} w
left join owner on owner.id = w.{key}
left join zone on zone.id = w.{key}
where r.{key} = w.{key} and (%(ids)s::bigint[] is null or w.{key} = any(%(ids)s))

-- name: count
select count(*) as rows, count(*) filter (where unassigned) as unassigned from {table}

-- name: never_assigned
select {key} as id from {table} where edition_id is null

-- name: hold_edition
-- locks publishing until this transaction ends; readers do not wait
lock table editions in share mode

-- name: points
copy (select {key}, ST_X(geom), ST_Y(geom) from {table}) to stdout (format binary)

-- name: begin_assigning
create temporary table assigned (id bigint, cell integer, zone integer) on commit drop;
create temporary table codes (thing text, number integer, code text collate "C", primary key (thing, number)) on commit drop

-- name: owners
copy assigned (id, cell, zone) from stdin (format binary)

-- name: assign_all
-- rows that keep owner and edition are left alone, so a second run writes nothing
update {table} r
set grid_code = cell.code, zone_code = zone.code, edition_id = %(edition)s
from assigned a
left join codes cell on cell.thing = 'cell' and cell.number = a.cell
left join codes zone on zone.thing = 'zone' and zone.number = a.zone
where r.{key} = a.id
  and (r.grid_code is distinct from cell.code or r.zone_code is distinct from zone.code
       or r.edition_id is distinct from %(edition)s)

-- name: analyze_assigned
analyze assigned, codes

-- name: end_assigning
drop table assigned, codes
