-- name: me
select true as found where access.me() is not null

-- name: account
select access.field_account(%(login_name)s) as principal_id

-- name: person
select true as found from duties
where person_name = %(person_name)s and phone = %(phone)s and in_force(valid_from, valid_to, now()) limit 1

-- name: set
insert into field_workers (principal_id, login_name, person_name, phone)
values (%(principal_id)s, %(login_name)s, %(person_name)s, %(phone)s)
on conflict (principal_id) do update set person_name = excluded.person_name, phone = excluded.phone

-- name: workers
select w.login_name, w.person_name, w.phone,
       array(select distinct d.grid_code from duties d
             where d.person_name = w.person_name and d.phone = w.phone and in_force(d.valid_from, d.valid_to, now())
             order by d.grid_code) as grid_codes
from field_workers w

-- name: by_name
order by w.login_name

-- name: of_account
where w.principal_id = %(principal_id)s
