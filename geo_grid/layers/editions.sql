-- name: in_force
select valid_from from editions where edition_id = edition_at(now())
