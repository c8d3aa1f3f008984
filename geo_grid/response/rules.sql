-- name: rules
select circle_basis, tier_minutes, direction, dispatch_s, turnout_s, travel_s from circle_rules
order by circle_basis, tier_minutes

-- name: change
update circle_rules
set dispatch_s = coalesce(%(dispatch_s)s, dispatch_s), turnout_s = coalesce(%(turnout_s)s, turnout_s)
where circle_basis = %(circle_basis)s and tier_minutes = %(tier_minutes)s
returning travel_s

-- name: turn
-- all tiers of a basis go one way
update circle_rules set direction = coalesce(%(direction)s, direction) where circle_basis = %(circle_basis)s
