-- name: ready
select (select max(number) from migrations) as migration,
       edition_at(now()) as edition,
       coalesce((select bool_or(is_demo) from editions), false) as is_demo,
       now() as now,
       newest_time() as newest
