-- name: stored
select incident_number from incidents where incident_number = any(%(numbers)s) and is_demo
