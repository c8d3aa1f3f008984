-- name: facts
select * from access.login_facts(%(name)s, %(device)s)

-- name: knows_device
select access.knows_device(%(name)s, %(device)s) as is_known

-- name: note
select access.note_login(%(name)s, %(device)s, %(outcome)s, %(why)s)

-- name: know_device
select access.know_device(%(principal_id)s, %(brought)s, %(made)s, make_interval(days => %(days)s))

-- name: note_screen
select access.note_screen(%(digest)s)

-- name: use_step
select access.use_factor_step(%(principal_id)s, %(step)s) as taken

-- name: open
select access.open_session(%(principal_id)s, %(digest)s, make_interval(secs => %(idle_s)s),
    make_interval(secs => %(longest_s)s), %(rights)s, %(reason)s)

-- name: close
select access.close_session()

-- name: identify
select * from access.identify()

-- name: touch
select access.touch()

-- name: offer_factor
select access.offer_factor(%(principal_id)s, %(secret)s)

-- name: offered_factor
select access.offered_factor(%(principal_id)s) as secret, extract(epoch from clock_timestamp())::float8 as clock

-- name: confirm_factor
select access.confirm_factor(%(principal_id)s)

-- name: begin_oidc
select access.begin_oidc(%(state)s, %(nonce)s, %(verifier)s, %(next_page)s)

-- name: end_oidc
select * from access.end_oidc(%(state)s)

-- name: find_oidc
select * from access.find_oidc(%(subject)s)

-- name: demo_people
select principal_id, login_name, display_name, role from access.demo_people()
