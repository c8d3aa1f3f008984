-- name: add
select access.add_principal(%(kind)s, %(name)s, %(display_name)s, %(staff_number)s, %(role)s, %(city_wide)s,
    %(sees_secret)s, %(grid_codes)s, %(oidc_subject)s, %(is_demo)s) as principal_id

-- name: change
select access.change_principal(%(name)s, %(display_name)s, %(role)s, %(city_wide)s, %(sees_secret)s, %(grid_codes)s,
    %(disabled)s, %(oidc_subject)s) as principal_id

-- name: list
select * from access.list_principals()

-- name: reset_password
select access.reset_password(%(name)s, %(hash)s, %(kept)s) as found

-- name: issue
select access.issue_credential(%(name)s, %(kind)s, %(digest)s, %(label)s, %(rights)s, %(page)s, %(network)s::cidr,
    make_interval(days => %(days)s)) as credential_id

-- name: credentials
select * from access.list_credentials()

-- name: revoke
select access.revoke_credential(%(credential_id)s) as found

-- name: remove_factor
select access.remove_factor(%(name)s) as found

-- name: require_factor
select access.require_factor(%(role)s, %(required)s) as found

-- name: roles
select * from access.list_roles()

-- name: former_passwords
select access.former_passwords(%(principal_id)s) as hashes

-- name: set_password
select access.set_password(%(principal_id)s, %(hash)s, %(kept)s)

-- name: no_accounts
select not exists (select from access.list_principals() where principal_kind = 'user') as none

-- name: settle
select access.settle()

-- name: admit_server
select access.admit_server(%(digest)s, interval '7 days')

-- name: tidy
select access.tidy(make_interval(days => %(callers_days)s))

-- name: first_grid_manager
select grid_code, person_name, phone from duties
where duty_role = 'grid_manager' and is_demo and valid_to is null order by grid_code, duty_id limit 1

-- name: name_demo_worker
insert into field_workers (principal_id, login_name, person_name, phone)
select p.principal_id, p.login_name, %(person_name)s, %(phone)s from access.principals p where p.login_name = 'demo-grid_worker'

-- name: first_township
-- the second level's largest cell by households below it: the demo dispatcher's
select t.grid_code
from grid_cells t
join access.cell_scope s on s.ancestor_code = t.grid_code
join grid_cells c on c.grid_code = s.grid_code and c.valid_to is null
where t.grid_level = 2 and t.valid_to is null
group by t.grid_code
order by sum(c.household_count) desc nulls last, t.grid_code
limit 1
