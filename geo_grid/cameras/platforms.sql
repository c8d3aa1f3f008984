-- name: list
select p.platform_code, p.name, p.source_crs, p.imported_at, p.datum_note,
       (select count(*) from cameras c where c.platform_code = p.platform_code) as cameras
from camera_platforms p
where %(code)s::text is null or p.platform_code = %(code)s
order by p.platform_code

-- name: describe
insert into camera_platforms (platform_code, name, source_crs) values (%(code)s, %(name)s, %(source_crs)s)
on conflict (platform_code) do update set name = excluded.name, source_crs = excluded.source_crs

-- name: crs
select source_crs from camera_platforms where platform_code = %(code)s

-- name: note
update camera_platforms set imported_at = now(), datum_note = %(note)s where platform_code = %(code)s
