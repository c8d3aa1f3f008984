-- name: outside
select u.number
from unnest(%(wkb)s::bytea[]) with ordinality u (wkb, number)
where not (select access.city_wide('layers.write'))
  and not coalesce(ST_Covers((select access.my_area('layers.write')), ST_SetSRID(ST_GeomFromWKB(u.wkb), 4490)), false)

-- name: not_theirs
select key from unnest(%(keys)s::text[]) key where not access.may_name(key)

-- name: datum_by_road
-- how far each point is from the nearest road
select ST_Distance(u.point::geography, nearest.geom::geography) as metres
from (select ST_SetSRID(ST_GeomFromWKB(w), 4490) as point from unnest(%(wkb)s::bytea[]) w) u
cross join lateral (select geom from roads order by roads.geom <-> u.point limit 1) nearest

-- name: datum_by_name
-- how far each point is from the stored thing of its name
select min(ST_Distance(u.point::geography, t.geom::geography)) as metres
from (select n.number, n.name, ST_SetSRID(ST_GeomFromWKB(n.wkb), 4490) as point
      from unnest(%(wkb)s::bytea[], %(names)s::text[]) with ordinality n (wkb, name, number)) u
join {table} t on t.name = u.name and ST_DWithin(t.geom::geography, u.point::geography, 3000)
group by u.number

-- name: datum_by_key
-- how far each point is from the stored thing of its key, by number
select n.number, ST_Distance(n.point::geography, t.geom::geography) as metres
from (select k.number, k.key, ST_SetSRID(ST_GeomFromWKB(k.wkb), 4490) as point
      from unnest(%(wkb)s::bytea[], %(keys)s::text[]) with ordinality k (wkb, key, number)) n
join {table} t on t.{key} = n.key
order by n.number

-- name: rule
select regexp_replace(pg_get_constraintdef(c.oid), '^CHECK \((.*)\)( NOT VALID)?$', '\1') as rule
from pg_constraint c where c.conname = %(name)s and c.conrelid = to_regclass(%(table)s)
