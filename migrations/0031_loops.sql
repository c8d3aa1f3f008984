-- Incidents that move: loops as data, what is done to an incident step by step, and who is on it.

-- 1. Loops 闭环: which stages a matter goes through, in which order. The stages are ours, their names are the city's.
create table loops (
    loop_code text collate "C" primary key check (loop_code ~ '^[a-z][a-z0-9_]{0,31}$'),
    name_zh text not null unique check (name_zh <> ''),
    name_en text not null check (name_en <> ''),
    is_confirmed boolean not null default false,
    return_within interval not null default '24 hours' check (return_within > interval '0'),
    most_returns smallint not null default 2 check (most_returns between 0 and 20)
);
comment on column loops.is_confirmed is 'whether the city said that it works so; the three that come with the program are unconfirmed';
comment on column loops.return_within is 'how long after it was assigned a matter may be sent back 退单';
comment on column loops.most_returns is 'how often, until the level above decides';

create table loop_stages (
    loop_code text collate "C" not null references loops,
    ordinal smallint not null check (ordinal >= 1),
    stage text not null check (stage in ('reported', 'accepted', 'assigned', 'handled', 'fed_back', 'verified', 'evaluated')),
    name_zh text not null check (name_zh <> ''),
    name_en text not null check (name_en <> ''),
    primary key (loop_code, ordinal),
    unique (loop_code, stage)
);
grant select on loops, loop_stages to geo_grid_app;

insert into loops (loop_code, name_zh, name_en) values
    ('six_steps', '六步闭环', 'Six steps'), ('reported_up', '发现上报闭环', 'Found and reported up'),
    ('city_management', '城市管理七步', 'City management, seven stages');
insert into loop_stages values
    ('six_steps', 1, 'reported', '发现', 'Reported'), ('six_steps', 2, 'accepted', '受理', 'Accepted'),
    ('six_steps', 3, 'assigned', '分派', 'Assigned'), ('six_steps', 4, 'handled', '处置', 'Handled'),
    ('six_steps', 5, 'verified', '核查', 'Verified'), ('six_steps', 6, 'evaluated', '评价', 'Evaluated'),
    ('reported_up', 1, 'reported', '发现', 'Found'), ('reported_up', 2, 'accepted', '上报', 'Reported up'),
    ('reported_up', 3, 'assigned', '分派', 'Assigned'), ('reported_up', 4, 'handled', '处置', 'Handled'),
    ('reported_up', 5, 'fed_back', '反馈', 'Fed back'), ('reported_up', 6, 'evaluated', '考核', 'Assessed'),
    ('city_management', 1, 'reported', '信息收集', 'Information collected'),
    ('city_management', 2, 'accepted', '案卷建立', 'Case opened'), ('city_management', 3, 'assigned', '任务派遣', 'Task dispatched'),
    ('city_management', 4, 'handled', '任务处理', 'Task handled'), ('city_management', 5, 'fed_back', '处理反馈', 'Fed back'),
    ('city_management', 6, 'verified', '核查结案', 'Verified and closed'),
    ('city_management', 7, 'evaluated', '综合评价', 'Evaluated');

-- 2. Categories say which loop, how urgent, and who answers.
alter table incident_categories
    add column loop_code text collate "C" not null default 'six_steps' references loops,
    add column urgency text not null default 'normal' check (urgency in ('red', 'yellow', 'blue', 'normal')),
    add column answered_by text not null default 'police' check (answered_by in ('police', 'grid', 'mediation')),
    add column icon text not null default '' check (length(icon) <= 40);
update incident_categories set urgency = 'red' where category_code in ('fire', 'public_order');
update incident_categories set answered_by = 'grid', loop_code = 'city_management' where category_code = 'city_matter';
update incident_categories set answered_by = 'mediation' where category_code = 'dispute';

-- 3. What an incident is in the middle of.
alter table incidents
    drop constraint incidents_step_check,
    add constraint incidents_step_check check (step in ('reported', 'accepted', 'assigned', 'handled', 'fed_back', 'verified', 'evaluated')) not valid,
    add column loop_code text collate "C" not null default 'six_steps' references loops,
    add column accepted_at timestamptz,
    add column handled_by bigint references access.principals,
    add column assigned_cell text collate "C",
    add column assigned_role text check (assigned_role in ('grid_lead', 'grid_manager', 'grid_assistant')),
    add column assigned_rule text check (assigned_rule in ('leaf', 'ancestor', 'units', 'none')),
    add column return_count smallint not null default 0 check (return_count >= 0),
    add column is_final boolean not null default false,
    add column suspended_at timestamptz,
    add column suspended_s double precision not null default 0 check (suspended_s >= 0),
    add column outcome text check (outcome in ('solved', 'not_solved')),
    add column evaluation smallint check (evaluation between 1 and 5),
    add column step_count integer not null default 0 check (step_count >= 0);
comment on column incidents.assigned_rule is 'what decided who has it: the manager of the leaf cell, of the nearest cell above with one, units by name, nobody';
comment on column incidents.is_final is 'the level above decided who has it: it is not sent back again';
comment on column incidents.suspended_at is 'since when its clock stands; null: it runs';
comment on column incidents.suspended_s is 'how long its clock stood before, in seconds';

create table incident_steps (
    incident_id bigint not null references incidents on delete cascade,
    number integer not null check (number >= 1),
    action text not null,
    stage_before text not null,
    stage_after text not null,
    actor_id bigint references access.principals,
    actor_name text not null,
    done_at timestamptz not null,
    lon double precision not null,
    lat double precision not null,
    note text not null default '' check (length(note) <= 4000),
    details jsonb not null default '{}',
    primary key (incident_id, number)
);
comment on table incident_steps is 'what was done to an incident, append-only';

create table incident_units (
    incident_id bigint not null references incidents on delete cascade,
    unit_code text collate "C" not null,
    assigned_at timestamptz not null,
    departed_at timestamptz,
    arrived_at timestamptz,
    released_at timestamptz,
    primary key (incident_id, unit_code, assigned_at)
);
create index incident_units_open on incident_units (unit_code) where released_at is null;
grant select, insert on incident_steps to geo_grid_app;
grant select, insert, update (departed_at, arrived_at, released_at) on incident_units to geo_grid_app;
grant update (step, handler_id, accepted_at, dispatched_at, departed_at, arrived_at, handled_at, feedback_at, verified_at,
              closed_at, handled_by, assigned_cell, assigned_role, assigned_rule, return_count, is_final, suspended_at,
              suspended_s, outcome, evaluation, step_count, geom) on incidents to geo_grid_app;

grant select (loop_code, accepted_at, handled_by, assigned_cell, assigned_role, assigned_rule, return_count, is_final,
              suspended_at, suspended_s, outcome, evaluation, step_count) on incidents to geo_grid_app;

insert into access.role_rights values ('dispatcher', 'incidents.verify'), ('supervisor', 'incidents.verify');
