-- Work in the field: who a grid worker is, their visits, volunteer teams by skill, joint meetings and their resolutions.

-- 1. Grid workers have a role of their own: they see their cells, take steps in their matters, and record visits.
insert into access.roles values ('grid_worker');
insert into access.role_rights
select 'grid_worker', unnest(array['map', 'roster', 'incidents.read', 'incidents.text', 'incidents.write', 'visits.write', 'account']);
insert into access.role_rights values ('dispatcher', 'visits.write');

create table field_workers (
    principal_id bigint primary key references access.principals,
    login_name text collate "C" not null,
    person_name text not null check (person_name <> '' and length(person_name) <= 200),
    phone text not null default '' check (length(phone) <= 40),
    unique (person_name, phone)
);
comment on table field_workers is 'which person of the duty roster an account is: by name and duty telephone, which stay when cells are cut anew';
create index duties_person on duties (person_name, phone);

-- 2. Visits. A phone's position decides the cell, and is not kept.
create table visits (
    visit_id bigint generated always as identity primary key,
    grid_code text collate "C" not null,
    duty_id bigint not null references duties,
    visited_at timestamptz not null check (is_stored_moment(visited_at)),
    recorded_at timestamptz not null default clock_timestamp(),
    place_from text not null check (place_from in ('position', 'cell')),
    actor_id bigint references access.principals,
    sent_key text check (length(sent_key) <= 200),
    request_digest bytea,
    is_demo boolean not null default false,
    unique (actor_id, sent_key)
);
create index visits_visited_at on visits (visited_at, duty_id);
create index visits_duty on visits (duty_id, visited_at);
create index visits_grid_code on visits (grid_code, visited_at);
comment on column visits.grid_code is 'compound or basic cell that was visited';
comment on column visits.duty_id is 'duty of the person who visited it';
comment on column visits.place_from is 'whether the phone''s position said which cell it was, or the person';
comment on column visits.sent_key is 'Idempotency-Key, made on the phone';

create table visit_notes (
    visit_id bigint primary key references visits on delete cascade,
    note text not null check (note <> '' and length(note) <= 1000)
);
comment on table visit_notes is 'what was said about a visit: read with the right incidents.text, deleted in time';

-- 3. Volunteer teams 群防群治队伍 are facilities; here is what only they have.
create table volunteer_teams (
    facility_id bigint primary key references facilities on delete cascade,
    skills text[] not null default '{}' check (
        skills <@ array['patrol', 'first_aid', 'fire', 'flood', 'search', 'mediation', 'traffic']),
    is_demo boolean not null default false
);

-- 4. Joint meetings 联席会: each resolution is a matter.
create table joint_meetings (
    meeting_id bigint generated always as identity primary key,
    grid_code text collate "C",
    title text not null check (title <> '' and length(title) <= 200),
    held_at timestamptz not null check (is_stored_moment(held_at)),
    units text[] not null check (cardinality(units) between 1 and 50),
    actor_id bigint references access.principals,
    actor_name text not null,
    recorded_at timestamptz not null default now()
);
create index joint_meetings_newest on joint_meetings (held_at desc, meeting_id desc);
comment on column joint_meetings.grid_code is 'cell whose meeting it was; null: the city''s';

create table meeting_resolutions (
    meeting_id bigint not null references joint_meetings on delete cascade,
    number smallint not null check (number >= 1),
    responsible_unit text not null check (responsible_unit <> '' and length(responsible_unit) <= 200),
    incident_id bigint not null unique references incidents on delete cascade,
    primary key (meeting_id, number)
);
comment on table meeting_resolutions is 'what a meeting resolved: its words are the description of the matter';

-- 5. One's open matters.
create index incidents_open_of_duty on incidents (assigned_duty) where closed_at is null and assigned_duty is not null;
create index incidents_open_of_handler on incidents (handler_id) where closed_at is null and handler_id is not null;

-- 6. Who works with it.
grant select on field_workers, visits, visit_notes, volunteer_teams, joint_meetings, meeting_resolutions to geo_grid_app;
grant insert, update (person_name, phone), delete on field_workers to geo_grid_app;
grant insert (grid_code, duty_id, visited_at, place_from, actor_id, sent_key, request_digest) on visits to geo_grid_app;
grant insert on visit_notes, meeting_resolutions to geo_grid_app;
grant insert (facility_id, skills), update (skills) on volunteer_teams to geo_grid_app;
grant insert (grid_code, title, held_at, units, actor_id, actor_name) on joint_meetings to geo_grid_app;
