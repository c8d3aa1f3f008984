-- Deadlines of incidents: kept by a trigger, whoever writes, and swept by the server.

-- When a limit that began at from_at is used up, without the time in which the clock stood; null: there is none. A stand that
-- begins after that does not move it: what was missed stays missed. `worked` is worked_before(schedule, from_at).
create or replace function deadline_of(
    schedule text, from_at timestamptz, worked double precision, limit_s double precision, stood tstzmultirange)
returns timestamptz
language plpgsql stable parallel safe as $$
declare
    deadline timestamptz;
    stand tstzrange;
begin
    if limit_s is null then
        return null;
    end if;
    deadline := greatest(from_at, coalesce(moment_worked(schedule, worked + limit_s), from_at + make_interval(secs => limit_s)));
    if not isempty(stood) then
        for stand in select s from unnest(stood) s order by s loop
            exit when lower(stand) >= deadline;
            deadline := add_working(schedule, deadline,
                                    working_between(schedule, greatest(from_at, lower(stand)), greatest(from_at, upper(stand))));
        end loop;
    end if;
    return deadline;
end $$;

-- When somebody took an incident in hand: what was dispatched or handled elsewhere may come in without its acceptance.
create or replace function taken_at(i incidents) returns timestamptz
language sql immutable parallel safe as $$
    select coalesce(i.accepted_at, i.dispatched_at, i.departed_at, i.arrived_at, i.handled_at)
$$;

-- Warnings and breaches that come to an incident as it is, noted or not: those before the target is met, while its clock runs.
create or replace function marks_of(i incidents)
returns table (target text, mark text, due_at timestamptz, marked_at timestamptz)
language sql stable parallel safe as $$
    select t.target, m.mark, t.due_at, m.marked_at
    from (values ('accept', i.accept_due_at, i.accept_warn_at, coalesce(taken_at(i), i.closed_at)),
                 ('arrive', i.arrive_due_at, i.arrive_warn_at, coalesce(i.arrived_at, i.handled_at, i.closed_at)),
                 ('settle', i.settle_due_at, i.settle_warn_at, coalesce(i.handled_at, i.closed_at))
         ) t (target, due_at, warn_at, met_at)
    cross join lateral (values ('warning', t.warn_at), ('breach', t.due_at)) m (mark, marked_at)
    where m.marked_at < coalesce(t.met_at, 'infinity') and m.marked_at <= coalesce(i.stood_since, 'infinity')
$$;

-- Sets the deadlines of an incident from its policy, and moves them by the time in which its clock stood. A closed incident
-- keeps those it had.
create or replace function access.set_deadlines() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    stops timestamptz := least(new.suspended_at, new.handled_at, new.closed_at);
    stepped timestamptz := clock_timestamp();
    policy record;
    worked double precision;
    accepting timestamptz;
    arriving timestamptz;
    settling timestamptz;
begin
    if tg_op = 'UPDATE' and old.closed_at is not null and new.closed_at is not null then
        return new;
    end if;
    if tg_op = 'INSERT' or old.stood_since is null then
        new.stood_since := stops;
    elsif stops is null then
        if new.stepped_at is distinct from old.stepped_at then
            stepped := new.stepped_at;
        end if;
        new.stood := old.stood + tstzmultirange(tstzrange(old.stood_since, greatest(stepped, old.stood_since)));
        new.stood_since := null;
    end if;

    if tg_op = 'INSERT'
       or (new.category, new.received_at, new.grid_code, new.held_level, new.stood, new.reckoned_in)
          is distinct from (old.category, old.received_at, old.grid_code, old.held_level, old.stood, old.reckoned_in) then
        select w.version, p.policy_code, p.schedule_code, p.accept_s, p.arrive_s, p.settle_s, p.warn_percent / 100.0::float8 as warns
        into policy
        from working_clock w
        left join incident_categories c on c.category_code = new.category
        left join lateral (select g.grid_level, g.cell_kind from grid_cells g
                           where g.grid_code = new.grid_code order by g.valid_from desc limit 1) g on true
        left join lateral (select p.* from sla_policies p
                           where (p.category is null or p.category = new.category)
                             and (p.urgency is null or p.urgency = coalesce(c.urgency, 'normal'))
                             and (p.grid_level is null or p.grid_level = coalesce(new.held_level, g.grid_level))
                             and (p.area_type is null or p.area_type = g.cell_kind)
                           order by p.precedence desc limit 1) p on true;
        worked := worked_before(policy.schedule_code, new.received_at);
        new.policy_code := policy.policy_code;
        new.reckoned_in := policy.version;
        new.accept_due_at := deadline_of(policy.schedule_code, new.received_at, worked, policy.accept_s, new.stood);
        new.arrive_due_at := deadline_of(policy.schedule_code, new.received_at, worked, policy.arrive_s, new.stood);
        new.settle_due_at := deadline_of(policy.schedule_code, new.received_at, worked, policy.settle_s, new.stood);
        if new.closed_at is null then  -- nobody is warned of what is closed; opened again, its deadlines are set again
            new.accept_warn_at := deadline_of(policy.schedule_code, new.received_at, worked, policy.accept_s * policy.warns, new.stood);
            new.arrive_warn_at := deadline_of(policy.schedule_code, new.received_at, worked, policy.arrive_s * policy.warns, new.stood);
            new.settle_warn_at := deadline_of(policy.schedule_code, new.received_at, worked, policy.settle_s * policy.warns, new.stood);
        end if;
    end if;

    new.is_on_time := case when new.closed_at is not null then coalesce(new.handled_at, new.closed_at) <= new.settle_due_at end;
    if new.closed_at is null then
        accepting := case when taken_at(new) is null then new.accept_due_at end;
        arriving := case when coalesce(new.arrived_at, new.handled_at) is null then new.arrive_due_at end;
        settling := case when new.handled_at is null then new.settle_due_at end;
    end if;
    new.due_at := least(accepting, arriving, settling);
    if new.due_at > new.stood_since then  -- it is not due while the clock stands; what passed before stays
        new.due_at := null;
    end if;
    new.due_for := case new.due_at when accepting then 'accept' when arriving then 'arrive' when settling then 'settle' end;
    -- what came in as closed is history: nobody is told of its breaches
    new.mark_at := case when tg_op = 'UPDATE' or new.closed_at is null
                        then (select min(m.marked_at) from marks_of(new) m) end;
    return new;
end $$;

-- Notes warnings and breaches until a moment, each once for its deadline, of at most so many incidents; returns how many it
-- looked at, and when the next is to be noted (null: none). Deadlines that were reckoned while the working time was changed
-- are reckoned again. A warning that nobody noted before its deadline passed is left out.
create or replace function access.sweep_deadlines(moment timestamptz, most integer, out swept integer, out next_at timestamptz)
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    update incidents i set reckoned_in = w.version
    from working_clock w
    where i.incident_id = any(array(select o.incident_id from incidents o
                                    where o.closed_at is null and o.reckoned_in < (select v.version from working_clock v)
                                    limit most for update skip locked));
    with due as materialized (
        select i from incidents i where i.mark_at <= moment order by i.mark_at limit most for update skip locked
    ),
    noted as (
        insert into deadline_marks (incident_id, target, mark, due_at, policy_code, noted_at)
        select (d.i).incident_id, m.target, m.mark, m.due_at, (d.i).policy_code, moment
        from due d cross join lateral marks_of(d.i) m
        where m.marked_at <= moment and (m.mark = 'breach' or m.due_at > moment)
        order by m.marked_at
        on conflict do nothing
    ),
    done as (
        update incidents i set mark_at = d.next_at
        from (select (d.i).incident_id, (select min(m.marked_at) from marks_of(d.i) m where m.marked_at > moment) as next_at
              from due d) d
        where i.incident_id = d.incident_id
        returning 1
    )
    select count(*) into swept from done;
    select min(i.mark_at) into next_at from incidents i where i.mark_at is not null;
end $$;
grant execute on function access.sweep_deadlines to geo_grid_service;

-- Makes the working time again, and all deadlines of open incidents with it; returns how many incidents are open.
create or replace function access.reckon_deadlines(zone text) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    reckoned bigint;
begin
    if not access.is_owner() then
        perform access.require_service();
    end if;
    perform access.make_working_spans(zone);
    update incidents i set reckoned_in = w.version from working_clock w where i.closed_at is null and i.reckoned_in < w.version;
    get diagnostics reckoned = row_count;
    return reckoned;
end $$;
grant execute on function access.reckon_deadlines to geo_grid_service;

-- after the triggers that set category, owner and clocks: they come in the order of their names
create trigger incidents_timed before insert or update of
    category, received_at, grid_code, held_level, geom, accepted_at, arrived_at, handled_at, closed_at, suspended_at, reckoned_in on incidents
    for each row execute function access.set_deadlines();
create trigger deadline_marks_kept before update on deadline_marks
    for each row execute function keep_past();
