-- name: is_empty
select not exists (select from editions) and not exists (select from incidents)
   and not exists (select from cameras) and not exists (select from police_posts)
   and not exists (select from facilities) as empty
