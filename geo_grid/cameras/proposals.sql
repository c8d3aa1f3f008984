-- name: open
select p.proposal_id, p.proposal_kind, c.gb28181_id, c.name, o.gb28181_id as other_id, p.national_id,
       ST_X(c.geom) as lon, ST_Y(c.geom) as lat, ST_X(p.geom) as new_lon, ST_Y(p.geom) as new_lat,
       p.distance_m, p.source, p.proposed_at
from camera_proposals p
join cameras c on c.camera_id = p.camera_id
left join cameras o on o.camera_id = p.other_id
where p.decided_at is null and (%(proposal_id)s::bigint is null or p.proposal_id = %(proposal_id)s)
  and p.proposal_id > %(after)s and (%(kind)s::text is null or p.proposal_kind = %(kind)s)
  and (%(source)s::text is null or p.source = %(source)s)
order by p.proposal_id
limit %(most)s

-- name: waiting
-- how many wait, by kind and source
select p.proposal_kind, p.source, count(*) as count
from camera_proposals p
where p.decided_at is null and exists (select from cameras c where c.camera_id = p.camera_id)
group by p.proposal_kind, p.source
order by min(p.proposal_id)

-- name: decide
update camera_proposals set decided_at = now(), is_accepted = %(is_accepted)s, decided_by = %(who)s
where proposal_id = %(proposal_id)s and decided_at is null

-- name: moved
update cameras c set geom = p.geom from camera_proposals p where p.proposal_id = %(proposal_id)s and c.camera_id = p.camera_id

-- name: national_id
update cameras c set gb28181_id = p.national_id
from camera_proposals p where p.proposal_id = %(proposal_id)s and c.camera_id = p.camera_id

-- name: withdraw_ids
-- a camera has one national ID: others that were proposed for it are cameras of their own
update camera_proposals p set decided_at = now(), is_accepted = false, decided_by = %(who)s
from camera_proposals a
where a.proposal_id = %(proposal_id)s and p.camera_id = a.camera_id and p.proposal_kind = 'national_id' and p.decided_at is null

-- name: note_double
insert into removed_doubles (gb28181_id, other_id)
select c.gb28181_id, o.gb28181_id
from camera_proposals p
join cameras c on c.camera_id = p.camera_id
join cameras o on o.camera_id = p.other_id
where p.proposal_id = %(proposal_id)s
on conflict (gb28181_id) do update set other_id = excluded.other_id

-- name: removed_doubles
select gb28181_id, other_id from removed_doubles where gb28181_id = any(%(keys)s)

-- name: duplicate
delete from cameras c using camera_proposals p where p.proposal_id = %(proposal_id)s and c.camera_id = p.camera_id

-- name: taken
select camera_id from cameras where gb28181_id = %(key)s

-- name: withdraw_moves
-- which a register proposes no more: it has the camera elsewhere again, or where it is stored
update camera_proposals p set decided_at = now(), is_accepted = false, is_withdrawn = true, decided_by = %(source)s
from (select u.key, ST_SetSRID(ST_GeomFromWKB(u.wkb), 4490) as geom from unnest(%(keys)s::text[], %(wkb)s::bytea[]) u (key, wkb)) g
join cameras c on c.gb28181_id = g.key
where p.camera_id = c.camera_id and p.proposal_kind = 'moved' and p.decided_at is null
  and not ST_Equals(p.geom, g.geom)

-- name: propose_moved
-- not where a secret camera is: who sees the one that is stored may not know it; nor where somebody refused to move it to
insert into camera_proposals (proposal_kind, camera_id, geom, distance_m, source)
select 'moved', c.camera_id, g.geom, ST_Distance(c.geom::geography, g.geom::geography), %(source)s
from (select u.key, u.is_secret, ST_SetSRID(ST_GeomFromWKB(u.wkb), 4490) as geom
      from unnest(%(keys)s::text[], %(secret)s::boolean[], %(wkb)s::bytea[]) u (key, is_secret, wkb)) g
join cameras c on c.gb28181_id = g.key
where ST_Distance(c.geom::geography, g.geom::geography) > %(metres)s and (c.is_secret or not g.is_secret)
  and not exists (select from camera_proposals r
                  where r.camera_id = c.camera_id and r.proposal_kind = 'moved' and not r.is_accepted and not r.is_withdrawn
                    and ST_DWithin(r.geom::geography, g.geom::geography, %(metres)s))
on conflict do nothing

-- name: claim
-- what a platform has where it is stored is its own, and of its own it says what is secret
update cameras c
set platform_code = %(code)s, is_secret = c.is_secret or g.is_secret
from (select u.key, u.is_secret, ST_SetSRID(ST_GeomFromWKB(u.wkb), 4490) as geom
      from unnest(%(keys)s::text[], %(secret)s::boolean[], %(wkb)s::bytea[]) u (key, is_secret, wkb)) g
where c.gb28181_id = g.key
  and ((c.platform_code is null and ST_Distance(c.geom::geography, g.geom::geography) <= %(metres)s)
       or (c.platform_code = %(code)s and g.is_secret and not c.is_secret))

-- name: of_others
select gb28181_id, platform_code from cameras where gb28181_id = any(%(keys)s) and platform_code <> %(code)s

-- name: local_twins
select g.number, min(c.gb28181_id) as key
from (select u.number, u.name, ST_SetSRID(ST_GeomFromWKB(u.wkb), 4490) as geom
      from unnest(%(names)s::text[], %(wkb)s::bytea[]) with ordinality u (name, wkb, number)) g
join cameras c on c.name = g.name and c.gb28181_id like 'LOCAL-%%' and ST_DWithin(c.geom::geography, g.geom::geography, %(metres)s)
group by g.number

-- name: propose_ids
insert into camera_proposals (proposal_kind, camera_id, national_id, geom, distance_m, source)
select 'national_id', c.camera_id, g.national_id, g.geom, ST_Distance(c.geom::geography, g.geom::geography), %(source)s
from (select u.key, u.national_id, ST_SetSRID(ST_GeomFromWKB(u.wkb), 4490) as geom
      from unnest(%(keys)s::text[], %(national)s::text[], %(wkb)s::bytea[]) u (key, national_id, wkb)) g
join cameras c on c.gb28181_id = g.key
on conflict do nothing

-- name: refused_ids
select distinct national_id from camera_proposals
where proposal_kind = 'national_id' and not is_accepted and national_id = any(%(national)s)

-- name: propose_doubles
-- of two that came together, the later one
insert into camera_proposals (proposal_kind, camera_id, other_id, distance_m, source)
select distinct on (c.camera_id) 'duplicate', c.camera_id, o.camera_id, ST_Distance(c.geom::geography, o.geom::geography), %(source)s
from cameras c
join cameras o on o.name = c.name and o.camera_id < c.camera_id and ST_DWithin(o.geom::geography, c.geom::geography, %(metres)s)
where c.camera_id = any(%(camera_ids)s) and c.name <> c.gb28181_id
order by c.camera_id, 4
on conflict do nothing
