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
