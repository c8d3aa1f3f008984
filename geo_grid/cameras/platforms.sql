-- name: list
-- Who is at no door is not online, whatever was noted last. What is said of a whole catalogue is for who sees the whole city;
-- its counts and notes count and name devices, secret ones too (`platforms`).
select p.platform_code, p.name, p.source_crs, p.is_crs_certain, p.imported_at,
       case when (select access.city_wide('map')) then p.datum_note else '' end as datum_note, p.gb28181_id, p.is_enabled,
       (select count(*) from cameras c where c.platform_code = p.platform_code) as cameras,
       case when l.platform_code is not null and (select access.city_wide('map')) then to_jsonb(l) || jsonb_build_object(
           'sees_all', (select access.may('cameras.secret')),
           'is_online', l.is_online and p.is_enabled
               and exists (select from platform_door d where d.seen_at > statement_timestamp() - interval '1 minute')) end as link
from camera_platforms p
left join platform_links l using (platform_code)
where %(code)s::text is null or p.platform_code = %(code)s
order by p.platform_code

-- name: describe
-- A catalogue that came in another datum is asked for again.
insert into camera_platforms as p (platform_code, name, source_crs, is_crs_certain, gb28181_id, is_enabled)
values (%(code)s, %(name)s, %(source_crs)s, %(is_crs_certain)s, %(gb28181_id)s, %(is_enabled)s)
on conflict (platform_code) do update
set name = excluded.name, source_crs = excluded.source_crs, is_crs_certain = excluded.is_crs_certain,
    gb28181_id = excluded.gb28181_id, is_enabled = excluded.is_enabled,
    asked_at = case when excluded.is_enabled
        and (excluded.source_crs, excluded.is_crs_certain) is distinct from (p.source_crs, p.is_crs_certain)
        then now() else p.asked_at end

-- name: door
select from platform_door where seen_at > statement_timestamp() - interval '1 minute'

-- name: ask_again
update camera_platforms set asked_at = now() where platform_code = %(code)s and is_enabled

-- name: crs
select source_crs, is_crs_certain from camera_platforms where platform_code = %(code)s

-- name: note
update camera_platforms set imported_at = now(), datum_note = %(note)s where platform_code = %(code)s

-- name: note_doubt
update camera_platforms set datum_note = %(note)s where platform_code = %(code)s

-- name: may_register
select access.may_name_platforms() as with_platform, access.may('cameras.secret') as secret_ones

-- name: noted
select imported_at, datum_note from camera_platforms where platform_code = %(code)s

-- name: note_again
update camera_platforms set imported_at = %(imported_at)s, datum_note = %(datum_note)s where platform_code = %(code)s
