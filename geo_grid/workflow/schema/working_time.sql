-- Working time: two index look-ups for each question, in the spans that are made from working_days and working_hours.
-- In PL/pgSQL, which keeps plans. Seconds are added as an interval of seconds alone, which no time zone of a session changes.

-- Seconds of a schedule's working time before a moment; null: there are no spans of it.
create or replace function worked_before(schedule text, moment timestamptz) returns double precision
language plpgsql stable strict parallel safe as $$
begin
    return (select s.before_s + date_part('epoch', least(moment, s.ends_at) - s.starts_at)
            from working_spans s where s.schedule_code = schedule and s.starts_at <= moment
            order by s.starts_at desc limit 1);
end $$;
grant execute on function worked_before to geo_grid_app;

-- Seconds between two moments, of a schedule's working time; without a schedule, or without spans of it, all seconds.
create or replace function working_between(schedule text, from_at timestamptz, to_at timestamptz) returns double precision
language plpgsql stable parallel safe as $$
begin
    return coalesce(worked_before(schedule, to_at) - worked_before(schedule, from_at),
                    date_part('epoch', to_at - from_at));
end $$;
grant execute on function working_between to geo_grid_app;

-- The earliest moment before which so many seconds of a schedule's working time are.
create or replace function moment_worked(schedule text, worked double precision) returns timestamptz
language plpgsql stable strict parallel safe as $$
begin
    return (select s.starts_at + make_interval(secs => worked - s.before_s)
            from working_spans s where s.schedule_code = schedule and s.before_s < worked
            order by s.before_s desc limit 1);
end $$;
grant execute on function moment_worked to geo_grid_app;

-- The earliest moment, not before from_at, until which so many seconds were worked since from_at; without a schedule, or
-- without spans of it, until which so many passed.
create or replace function add_working(schedule text, from_at timestamptz, seconds double precision) returns timestamptz
language plpgsql stable parallel safe as $$
begin
    return greatest(from_at, coalesce(moment_worked(schedule, worked_before(schedule, from_at) + seconds),
                                      from_at + make_interval(secs => seconds)));
end $$;
grant execute on function add_working to geo_grid_app;

-- Makes the spans again, in a time zone of the city. Between the first and the last day of working_days a day that is not
-- named is a working day from Monday to Friday; before and after them every second counts.
create or replace function access.make_working_spans(zone text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    delete from working_spans;
    with named as (
        select min(d.day) as first, max(d.day) + 1 as after from working_days d
    ),
    days as (
        select g.day::date as day, extract(isodow from g.day)::int as weekday,
               coalesce(d.is_working, extract(isodow from g.day) < 6) as is_working
        from named n
        cross join lateral generate_series(n.first::timestamp, n.after - interval '1 day', interval '1 day') g (day)
        left join working_days d on d.day = g.day::date
    ),
    shifts as (
        select s.schedule_code, (d.day + h.begins_at) at time zone zone as starts_at,
               (d.day + h.ends_at + case when h.ends_at <= h.begins_at then interval '1 day' else interval '0' end)
               at time zone zone as ends_at
        from working_schedules s
        join days d on d.is_working or s.every_day
        join working_hours h on h.schedule_code = s.schedule_code
            and h.weekday = case when d.weekday > 5 and not s.every_day
                                      and not exists (select from working_hours o where o.schedule_code = s.schedule_code
                                                                                    and o.weekday = d.weekday)
                                 then 1 else d.weekday end
        union all
        select s.schedule_code, '1600-01-01 00:00+00', coalesce(n.first::timestamp at time zone zone, '2400-01-01 00:00+00')
        from working_schedules s cross join named n
        union all
        select s.schedule_code, n.after::timestamp at time zone zone, '2400-01-01 00:00+00'
        from working_schedules s cross join named n where n.after is not null
    ),
    -- clocks that are put forward may leave nothing of a shift
    joined as (
        select w.schedule_code, unnest(range_agg(tstzrange(w.starts_at, w.ends_at))) as span
        from shifts w where w.starts_at < w.ends_at group by w.schedule_code
    )
    insert into working_spans
    select j.schedule_code, lower(j.span), upper(j.span),
           coalesce(sum(date_part('epoch', upper(j.span) - lower(j.span)))
                    over (partition by j.schedule_code order by j.span rows between unbounded preceding and 1 preceding), 0)
    from joined j;
    update working_clock set timezone = zone, version = version + 1, reckoned_at = clock_timestamp();
end $$;

-- Deadlines of open incidents are reckoned again when the spans were made in another time zone, or never.
create or replace function access.keep_timezone(zone text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    if exists (select from working_clock w where w.timezone <> zone) then
        perform ask_for('reckon', '', now());
    end if;
end $$;
grant execute on function access.keep_timezone to geo_grid_service;

-- ... and when what they are made from was changed
create constraint trigger working_days_reckoned after insert or update or delete on working_days
    deferrable initially deferred for each row execute function ask_once('reckon');
create constraint trigger working_schedules_reckoned after insert or update or delete on working_schedules
    deferrable initially deferred for each row execute function ask_once('reckon');
create constraint trigger working_hours_reckoned after insert or update or delete on working_hours
    deferrable initially deferred for each row execute function ask_once('reckon');
create constraint trigger sla_policies_reckoned after insert or update or delete on sla_policies
    deferrable initially deferred for each row execute function ask_once('reckon');
create constraint trigger incident_categories_reckoned after update of urgency on incident_categories
    deferrable initially deferred for each row execute function ask_once('reckon');
create trigger working_days_audited_insert after insert on working_days
    referencing new table as changed for each statement execute function access.audit_features('day');
create trigger working_days_audited_update after update on working_days
    referencing old table as former new table as changed for each statement execute function access.audit_features('day');
create trigger working_schedules_audited_insert after insert on working_schedules
    referencing new table as changed for each statement execute function access.audit_features('schedule_code');
create trigger working_schedules_audited_update after update on working_schedules
    referencing old table as former new table as changed for each statement execute function access.audit_features('schedule_code');
create trigger sla_policies_audited_insert after insert on sla_policies
    referencing new table as changed for each statement execute function access.audit_features('policy_code');
create trigger sla_policies_audited_update after update on sla_policies
    referencing old table as former new table as changed for each statement execute function access.audit_features('policy_code');
create trigger sla_policies_audited_delete after delete on sla_policies
    referencing old table as former for each statement execute function access.audit_features('policy_code');
