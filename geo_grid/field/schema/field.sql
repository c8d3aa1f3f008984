-- The work in the field: who somebody is on the roster, where they make their rounds, and whether they kept the norm.

-- The duties of whoever asks, as the person of the roster that their account is.
create or replace function my_duties() returns setof duties
language sql stable as $$
    select d.* from public.field_workers w
    join public.duties d on d.person_name = w.person_name and d.phone = w.phone
    where w.principal_id = (select access.me()) and public.in_force(d.valid_from, d.valid_to, statement_timestamp())
$$;
grant execute on function my_duties to geo_grid_app;

-- The compounds 小区 (or basic, or dedicated cells) that whoever asks visits: those of their duties, and of a duty for a village
-- or community those in it; each once, with the duty that is nearest.
create or replace function my_compounds() returns table (grid_code text, name text, household_count integer, geom geometry, duty_id bigint)
language sql stable as $$
    select distinct on (c.grid_code) c.grid_code, c.name, c.household_count, c.geom, d.duty_id
    from public.my_duties() d
    join public.grid_cells own on own.grid_code = d.grid_code and own.valid_to is null
    join public.grid_cells c on c.valid_to is null and c.cell_kind <> 'division'
        and (c.grid_code = own.grid_code or own.cell_kind = 'division' and c.parent_code = own.grid_code)
    order by c.grid_code, own.grid_level desc, d.duty_id
$$;
grant execute on function my_compounds to geo_grid_app;

-- the account of a person that may record visits; null: there is none
create or replace function access.field_account(named text) returns bigint
language sql stable security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    select p.principal_id
    from access.principals p
    where p.login_name = named and p.disabled_at is null and p.principal_kind in ('user', 'machine')
      and (access.is_owner() or access.may('duties.write'))
      and exists (select from access.role_rights r where r.role = p.role and r."right" = 'visits.write');
end;
grant execute on function access.field_account to geo_grid_app;

-- Whether grid managers 网格管理员 kept the norm in weeks that begin on Mondays of the city's time: one row for each person and
-- week. `needed`: days with a visit that the week asks for, at most `most`, and no more than its working days on which none of
-- their duties was away. A week counts when it is over, asks for any day, and they were on the roster from its begin to its
-- end. Of people and visits only those that whoever asks may see; within: only people with a duty in this cell, or below it.
create or replace function worker_weeks(first date, after date, zone text, most integer, within text)
returns table (person_name text, phone text, week date, visits bigint, visit_days bigint, needed bigint, is_counted boolean)
language sql stable as $$
    with posts as materialized (
        select d.duty_id, d.person_name, d.phone, d.valid_from, d.valid_to
        from duties d
        where d.duty_role = 'grid_manager' and d.valid_from < after::timestamp at time zone zone
          and (d.valid_to is null or d.valid_to > first::timestamp at time zone zone)
          and ((select access.city_wide('roster')) or d.grid_code in (select access.my_cells('roster')))
          and (within is null or d.grid_code in (select w from cells_within(within) w))
    ),
    workers as materialized (
        select p.person_name, p.phone, min(p.valid_from) as since, max(coalesce(p.valid_to, 'infinity')) as until
        from posts p group by p.person_name, p.phone
    ),
    days as materialized (
        select g.day::date as day, date_trunc('week', g.day)::date as week, g.day at time zone zone as begins_at,
               (g.day + interval '1 day') at time zone zone as ends_at
        from generate_series(first::timestamp, after::timestamp - interval '1 day', interval '1 day') g (day)
        left join working_days k on k.day = g.day::date
        where coalesce(k.is_working, extract(isodow from g.day) < 6)
    ),
    weeks as materialized (
        select w.week::date as week, w.week at time zone zone as begins_at,
               (w.week + interval '7 days') at time zone zone as ends_at,
               (select count(*) from days d where d.week = w.week::date) as working
        from generate_series(first::timestamp, after::timestamp - interval '7 days', interval '7 days') w (week)
    ),
    away as (
        select p.person_name, p.phone, d.week, count(distinct d.day) as days
        from posts p
        join duty_absences a on a.duty_id = p.duty_id
        join days d on a.valid_from < d.ends_at and (a.valid_to is null or a.valid_to > d.begins_at)
        group by p.person_name, p.phone, d.week
    ),
    visited as (
        select d.person_name, d.phone, date_trunc('week', v.visited_at at time zone zone)::date as week, count(*) as visits,
               count(distinct (v.visited_at at time zone zone)::date) as days
        from visits v
        join duties d on d.duty_id = v.duty_id
        join workers w on w.person_name = d.person_name and w.phone = d.phone
        where v.visited_at >= first::timestamp at time zone zone and v.visited_at < after::timestamp at time zone zone
        group by d.person_name, d.phone, 3
    )
    select w.person_name, w.phone, k.week, coalesce(v.visits, 0), coalesce(v.days, 0), n.needed,
           w.since <= k.begins_at and w.until >= k.ends_at and k.ends_at <= now() and n.needed > 0
    from workers w
    cross join weeks k
    left join away a on a.person_name = w.person_name and a.phone = w.phone and a.week = k.week
    left join visited v on v.person_name = w.person_name and v.phone = w.phone and v.week = k.week
    cross join lateral (select greatest(0, least(most, k.working - coalesce(a.days, 0))) as needed) n
$$;
grant execute on function worker_weeks to geo_grid_app;

-- Deletes what was said about visits that are old enough.
create or replace function access.tidy_visits(texts_kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    delete from visit_notes n using visits v where v.visit_id = n.visit_id and v.visited_at < now() - texts_kept;
end $$;
grant execute on function access.tidy_visits to geo_grid_service;

create trigger field_workers_audited_insert after insert on field_workers
    referencing new table as changed for each statement execute function access.audit_features('login_name');
create trigger field_workers_audited_update after update on field_workers
    referencing old table as former new table as changed for each statement execute function access.audit_features('login_name');
create trigger field_workers_audited_delete after delete on field_workers
    referencing old table as former for each statement execute function access.audit_features('login_name');
create trigger volunteer_teams_audited_insert after insert on volunteer_teams
    referencing new table as changed for each statement execute function access.audit_features('facility_id');
create trigger volunteer_teams_audited_update after update on volunteer_teams
    referencing old table as former new table as changed for each statement execute function access.audit_features('facility_id');
