-- What indicators are made of. `figures` is composed of the other parts by statement.py.

-- name: figures
-- A record for each incident, as measuring.py reads it, by what is grouped by other than cells: these are so many that
-- sorting or hashing a million incidents by them here takes longer than there. Records are made where incidents are read, which
-- two connections do; only what cell of a level an incident belongs to is found afterwards.
with recursive {ways}
found as (
    select {columns}{record} as record
    from counted_incidents i
    {joins}
    where i.received_at >= %(begins)s and i.received_at < %(ends)s
      {conditions}
    limit %(most)s
)
select {keys}coalesce(string_agg({cell}found.record, ''), '') as records
from found
{at_level}
group by {groups}
limit %(most_rows)s

-- name: above
-- each cell, and those above it, with the editions in which they are above it: from first on, before until
above (grid_code, first, until, grid_level, ancestor, ancestor_level, next) as (
    select c.grid_code, c.edition_id, coalesce(c.closed_by, 9223372036854775807), c.grid_level, c.grid_code, c.grid_level,
           c.parent_code
    from grid_cells c
    union all
    select a.grid_code, greatest(a.first, p.edition_id), least(a.until, coalesce(p.closed_by, 9223372036854775807)),
           a.grid_level, p.grid_code, p.grid_level, p.parent_code
    from above a
    join grid_cells p on p.grid_code = a.next and p.edition_id < a.until
                     and coalesce(p.closed_by, 9223372036854775807) > a.first
)

-- name: of_level
-- the cell of a level that a cell belongs to; where an area is not divided so far, its leaf cell
of_level as materialized (
    select a.grid_code, a.first, a.until, a.ancestor from above a
    where a.ancestor_level = %(level)s or a.grid_level < %(level)s and a.ancestor = a.grid_code
)

-- name: inside
-- the cells of one cell
inside as materialized (select grid_code, first, until from above where ancestor = %(within)s)

-- name: moved
-- Who owns now what was assigned before. A cell whose row was in force, and a leaf, at the moment asked about and at both
-- ends of the editions of these incidents has not changed: what it owned, and no changed cell covers, it owns still. All
-- others are located again. The same of zones.
lived as materialized (
    select min(e.valid_from) as first, max(e.valid_from) as last
    from editions e
    where e.edition_id in (select i.edition_id from counted_incidents i
                           where i.received_at >= %(begins)s and i.received_at < %(ends)s)
),
leaves as materialized (
    select c.grid_code, c.geom,
           c.grid_cell_id in (select l.grid_cell_id from lived cross join lateral leaf_cells(lived.first) l)
           and c.grid_cell_id in (select l.grid_cell_id from lived cross join lateral leaf_cells(lived.last) l) as is_kept
    from leaf_cells(%(at)s::timestamptz) c
),
zones as materialized (
    select z.zone_code, z.geom,
           in_force(z.valid_from, z.valid_to, lived.first) and in_force(z.valid_from, z.valid_to, lived.last) as is_kept
    from lived cross join patrol_zones z
    where z.zone_kind = 'area' and in_force(z.valid_from, z.valid_to, %(at)s::timestamptz)
),
covered as materialized (
    select i.incident_id from leaves l join counted_incidents i on i.geom && l.geom and ST_Covers(l.geom, i.geom)
    where not l.is_kept and i.received_at >= %(begins)s and i.received_at < %(ends)s
    union
    select i.incident_id from zones z join counted_incidents i on i.geom && z.geom and ST_Covers(z.geom, i.geom)
    where not z.is_kept and i.received_at >= %(begins)s and i.received_at < %(ends)s
),
moved as materialized (
    select i.incident_id, access.owning_cell(i.geom, %(at)s::timestamptz) as grid_code,
           access.owning_zone(i.geom, %(at)s::timestamptz) as zone_code
    from counted_incidents i
    where i.received_at >= %(begins)s and i.received_at < %(ends)s
      and i.edition_id is distinct from %(edition)s
      and (i.edition_id is null
           or i.grid_code not in (select l.grid_code from leaves l where l.is_kept)
           or i.zone_code not in (select z.zone_code from zones z where z.is_kept)
           or i.incident_id in (select c.incident_id from covered c))
)

-- name: now
left join moved m on m.incident_id = i.incident_id

-- name: at_level
left join of_level k on k.grid_code = found.cell and found.edition_id >= k.first and found.edition_id < k.until

-- name: is_inside
and exists (select from inside n where n.grid_code = {owner} and {edition} >= n.first and {edition} < n.until)

-- name: period
-- the first day of a period of the city
date_trunc({period}, i.received_at at time zone %(timezone)s + make_interval(years => {years}))::date

-- name: of_categories
and i.category = any(%(categories)s)

-- name: members
-- what belongs to which group of categories
members as materialized (
    select m.group_code, m.category, m.subtype from category_group_members m
)

-- name: in_groups
cross join lateral (select distinct m.group_code from members m
                    where m.category = i.category and m.subtype in ('', i.subtype)) g

-- name: of_groups
and exists (select from members m
            where m.group_code = any(%(groups)s) and m.category = i.category and m.subtype in ('', i.subtype))

-- name: sent
-- an incident counts once for each unit that was sent; one that was sent to it twice, as it was sent first
join lateral (select distinct on (s.unit_code) s.unit_code, s.assigned_at, s.departed_at, s.arrived_at
              from incident_units s where s.incident_id = i.incident_id
              order by s.unit_code, s.assigned_at) u on true

-- name: cell
-- the number of a cell, of fixed size; 0: none
int8send(coalesce(hashtextextended({code}, 0), 0))

-- name: cell_of_level
int8send(coalesce(hashtextextended(k.ancestor, 0), 0)) ||

-- name: no_cell
int8send(0)

-- name: flags
-- bits as `FLAGS` has them; what is not known is not so
int2send((case when i.closed_at <= %(as_of)s
               then 1 + 2 * ((i.outcome = 'not_solved') is true)::int + 4 * (i.due_at is not null)::int
                    + 8 * (i.is_on_time is true)::int
               else 4 * ((i.due_at < %(as_of)s) is true)::int end)::int2)

-- name: no_flags
int2send(0::int2)

-- name: clock
timestamptz_send(coalesce({clock}, '-infinity'))

-- name: cells
-- the last state of each cell until a moment
select distinct on (c.grid_code) c.grid_code, c.name, c.grid_level, c.parent_code, c.household_count,
       hashtextextended(c.grid_code, 0) as number,  -- as `cell` has it; of 30,000, two are alike in one city of 10^10
       in_force(c.valid_from, c.valid_to, %(moment)s::timestamptz) as is_in_force
from grid_cells c
where c.valid_from <= %(moment)s::timestamptz
order by c.grid_code, c.valid_from desc

-- name: shapes
-- the shapes of cells as they were last until a moment
select distinct on (c.grid_code) c.grid_code, ST_AsBinary(c.geom) as geom
from grid_cells c
where c.valid_from <= %(moment)s::timestamptz and c.grid_code = any(%(codes)s)
order by c.grid_code, c.valid_from desc

-- name: zones
select distinct on (z.zone_code) z.zone_code as code, z.name,
       in_force(z.valid_from, z.valid_to, %(moment)s::timestamptz) as is_in_force
from patrol_zones z
where z.valid_from <= %(moment)s::timestamptz
order by z.zone_code, z.valid_from desc

-- name: units
select unit_code as code, name from patrol_units order by unit_code

-- name: groups
select g.group_code, g.name_zh, g.name_en, g.is_confirmed,
       (select jsonb_agg(jsonb_build_object('category', m.category, 'subtype', m.subtype) order by m.category, m.subtype)
        from category_group_members m where m.group_code = g.group_code) as members
from category_groups g
order by g.group_code

-- name: moment
select edition_at(%(at)s::timestamptz) as edition_id

-- name: unlisted
select exists (select from counted_incidents i where i.category = %(category)s) as is_there
