-- name: all
select l.loop_code, l.name_zh, l.name_en, l.is_confirmed, extract(epoch from l.return_within)::bigint as return_within_s,
       l.most_returns, l.retired_at, case when access.city_wide('workflow.rules') then coalesce(o.open, 0) end as open,
       array(select c.category_code from incident_categories c where c.loop_code = l.loop_code order by c.category_code) as categories,
       (select jsonb_agg(jsonb_build_object('stage', s.stage, 'name_zh', s.name_zh, 'name_en', s.name_en) order by s.ordinal)
        from loop_stages s where s.loop_code = l.loop_code) as stages
from loops l
left join access.open_in_loops() o on o.loop_code = l.loop_code
where %(loop_code)s::text is null or l.loop_code = %(loop_code)s
order by l.retired_at is not null, l.loop_code

-- name: hold
-- no incident begins this loop meanwhile: one that does refers to it
select loop_code from loops where loop_code = %(loop_code)s for update

-- name: going_on
select stage, matters from access.going_on_in(%(loop_code)s)

-- name: put
insert into loops (loop_code, name_zh, name_en, is_confirmed, return_within, most_returns)
values (%(loop_code)s, %(name_zh)s, %(name_en)s, %(is_confirmed)s, make_interval(secs => %(return_within_s)s), %(most_returns)s)
on conflict (loop_code) do update
set name_zh = excluded.name_zh, name_en = excluded.name_en, is_confirmed = excluded.is_confirmed,
    return_within = excluded.return_within, most_returns = excluded.most_returns, retired_at = null

-- name: clear_stages
delete from loop_stages where loop_code = %(loop_code)s

-- name: put_stages
insert into loop_stages (loop_code, ordinal, stage, name_zh, name_en)
select %(loop_code)s, s.ordinal, s.stage, s.name_zh, s.name_en
from unnest(%(stages)s::text[], %(names_zh)s::text[], %(names_en)s::text[]) with ordinality s (stage, name_zh, name_en, ordinal)

-- name: retire
update loops set retired_at = now() where loop_code = %(loop_code)s and retired_at is null
