-- Deadlines: limits as data, working time, and what of it an incident keeps.

-- 1. Working time: which days, and which hours of them. The days come from the package chinesecalendar, the server keeps them.
create table working_days (
    day date primary key check (day between '1700-01-01' and '2199-12-31'),
    is_working boolean not null,
    is_provisional boolean not null default false,
    is_edited boolean not null default false,
    name_zh text not null default '' check (length(name_zh) <= 100),
    name_en text not null default '' check (length(name_en) <= 100)
);
comment on column working_days.is_provisional is 'the year is not announced: Monday to Friday are taken as working days';
comment on column working_days.is_edited is 'somebody set it: no later version of the package changes it';

create table working_schedules (
    schedule_code text collate "C" primary key check (schedule_code ~ '^[a-z][a-z0-9_]{0,31}$'),
    name_zh text not null check (name_zh <> '' and length(name_zh) <= 100),
    name_en text not null check (name_en <> '' and length(name_en) <= 100),
    every_day boolean not null default false,
    is_confirmed boolean not null default false
);
comment on column working_schedules.every_day is 'its hours count on days off too';

create table working_hours (
    schedule_code text collate "C" not null references working_schedules on delete cascade,
    weekday smallint not null check (weekday between 1 and 7),
    begins_at time not null,
    ends_at time not null,
    primary key (schedule_code, weekday, begins_at)
);
comment on column working_hours.weekday is '1: Monday; a make-up day on a weekday without hours has those of Monday';
comment on column working_hours.ends_at is 'not later than begins_at: on the next day';

-- derived from the three above, and made again when they change
create table working_spans (
    schedule_code text collate "C" not null references working_schedules on delete cascade,
    starts_at timestamptz not null,
    ends_at timestamptz not null check (ends_at > starts_at),
    before_s double precision not null,
    primary key (schedule_code, starts_at)
);
comment on column working_spans.before_s is 'seconds of all spans of the schedule before this one';
create index working_spans_before on working_spans (schedule_code, before_s);

create table working_clock (
    is_one boolean primary key default true check (is_one),
    timezone text not null,
    version bigint not null,
    reckoned_at timestamptz
);
comment on table working_clock is 'the time zone that the spans were made in, and how often: a deadline of an earlier version is reckoned again';
insert into working_clock (timezone, version) values ('', 0);

insert into working_schedules (schedule_code, name_zh, name_en, every_day) values
    ('office', '机关工作时间', 'Office hours', false), ('desk', '值班窗口', 'Desk on duty', true);
insert into working_hours
select 'office', weekday, begins_at::time, ends_at::time
from generate_series(1, 5) weekday, (values ('08:30', '12:00'), ('14:00', '17:30')) spans (begins_at, ends_at)
union all
select 'desk', weekday, '08:00', '20:00' from generate_series(1, 7) weekday;

-- 2. Limits.
create table sla_policies (
    policy_code text collate "C" primary key check (policy_code ~ '^[a-z][a-z0-9_]{0,31}$'),
    name_zh text not null check (name_zh <> '' and length(name_zh) <= 100),
    name_en text not null check (name_en <> '' and length(name_en) <= 100),
    category text references incident_categories,
    urgency text check (urgency in ('red', 'yellow', 'blue', 'normal')),
    grid_level smallint check (grid_level between 0 and 9),
    area_type text check (area_type in ('division', 'basic', 'dedicated')),
    precedence smallint generated always as (
        (case when category is null then 0 else 24 end + case when urgency is null then 0 else 20 end
         + case when grid_level is null then 0 else 18 end + case when area_type is null then 0 else 17 end)::smallint) stored,
    schedule_code text collate "C" references working_schedules,
    accept_s integer check (accept_s between 1 and 34560000),
    arrive_s integer check (arrive_s between 1 and 34560000),
    settle_s integer check (settle_s between 1 and 34560000),
    warn_percent smallint check (warn_percent between 1 and 99),
    is_confirmed boolean not null default false,
    constraint sla_policies_once unique nulls not distinct (category, urgency, grid_level, area_type)
);
comment on table sla_policies is 'limits of incidents; null in category, urgency, grid_level, area_type: any';
comment on column sla_policies.grid_level is 'that has the incident: of the cell that owns it, or the level it rose to; 0: the city';
comment on column sla_policies.area_type is 'cell_kind of that cell';
comment on column sla_policies.precedence is 'the highest that fits wins: who names more things; of as many, category before urgency before level before area type';
comment on column sla_policies.schedule_code is 'the limits are seconds of its working time; null: the clock runs day and night';
comment on column sla_policies.settle_s is 'until it is handled, or closed without';
comment on column sla_policies.warn_percent is 'a warning is given when so much of a limit has passed; null: none';

insert into sla_policies (policy_code, name_zh, name_en, category, urgency, schedule_code, accept_s, arrive_s, settle_s, warn_percent)
values
    ('red', '红色', 'Red', null, 'red', null, 180, 600, 2 * 3600, 80),
    ('yellow', '黄色', 'Yellow', null, 'yellow', null, 600, 1800, 24 * 3600, 80),
    ('blue', '蓝色', 'Blue', null, 'blue', null, 1800, null, 72 * 3600, 80),
    ('usual', '一般事项（7 个工作日）', 'Any other (7 working days)', null, null, 'office', 7 * 3600, null, 7 * 7 * 3600, 80),
    ('city_matter', '城市管理事件（3 个工作日）', 'City matter (3 working days)', 'city_matter', null, 'office', 2 * 3600, null, 3 * 7 * 3600, 80),
    ('help', '求助（当日）', 'Help (same day)', 'help', null, null, 1800, null, 24 * 3600, 80);

-- 3. What an incident keeps of it: set by a trigger (geo_grid/workflow/schema/deadlines.sql), by nobody else.
alter table incidents
    add column stepped_at timestamptz,
    add column policy_code text collate "C",
    add column accept_due_at timestamptz,
    add column accept_warn_at timestamptz,
    add column arrive_due_at timestamptz,
    add column arrive_warn_at timestamptz,
    add column settle_due_at timestamptz,
    add column settle_warn_at timestamptz,
    add column due_at timestamptz,
    add column due_for text check (due_for in ('accept', 'arrive', 'settle')),
    add column mark_at timestamptz,
    add column stood tstzmultirange not null default '{}',
    add column stood_since timestamptz,
    add column is_on_time boolean,
    add column reckoned_in bigint not null default 0;
comment on column incidents.stepped_at is 'when its last step was taken';
comment on column incidents.policy_code is 'the policy that its limits come from; it may have been changed or removed since';
comment on column incidents.due_at is 'the first deadline that is not met; null: none, or its clock stands';
comment on column incidents.mark_at is 'when the next warning or breach is to be noted; null: none, or its clock stands';
comment on column incidents.stood is 'when its clock stood: while it was suspended, handled and then rejected, closed and then reopened';
comment on column incidents.stood_since is 'since when its clock stands; null: it runs';
comment on column incidents.is_on_time is 'of a closed one: whether it was settled within its limit; null: it is open, or has no limit';
comment on column incidents.reckoned_in is 'version of working_clock that its deadlines were reckoned with';
create index incidents_due on incidents (due_at, incident_id) where due_at is not null;
create index incidents_to_mark on incidents (mark_at) where mark_at is not null;
create index incidents_reckoned on incidents (reckoned_in) where closed_at is null;

create table deadline_marks (
    mark_id bigint generated always as identity primary key,
    incident_id bigint not null references incidents on delete cascade,
    target text not null check (target in ('accept', 'arrive', 'settle')),
    mark text not null check (mark in ('warning', 'breach')),
    due_at timestamptz not null,
    policy_code text collate "C",
    noted_at timestamptz not null,
    unique (incident_id, target, mark, due_at)
);
comment on table deadline_marks is 'warnings before deadlines and breaches of them, append-only, once for each deadline';

-- 4. Who may do what.
grant select on working_days, working_schedules, working_hours, working_spans, sla_policies, deadline_marks to geo_grid_app;
grant insert (day, is_working, is_provisional, is_edited, name_zh, name_en),
      update (is_working, is_provisional, is_edited, name_zh, name_en) on working_days to geo_grid_app;
grant insert, update (name_zh, name_en, every_day, is_confirmed) on working_schedules to geo_grid_app;
grant insert, delete on working_hours to geo_grid_app;
grant insert (policy_code, name_zh, name_en, category, urgency, grid_level, area_type, schedule_code, accept_s, arrive_s,
              settle_s, warn_percent, is_confirmed),
      update (name_zh, name_en, category, urgency, grid_level, area_type, schedule_code, accept_s, arrive_s, settle_s,
              warn_percent, is_confirmed), delete on sla_policies to geo_grid_app;
grant update (stepped_at) on incidents to geo_grid_app;
grant select (stepped_at, policy_code, accept_due_at, accept_warn_at, arrive_due_at, arrive_warn_at, settle_due_at,
              settle_warn_at, due_at, due_for, stood_since, is_on_time) on incidents to geo_grid_app;

insert into access.role_rights values ('service', 'workflow.rules');
