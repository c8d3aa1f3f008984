-- Who has a matter: levels that settle matters, people who are away, the desk of each day, escalation and duplicates.

-- 1. 小事不出村: which levels of the grid settle matters; a compound or a building block hands on to its community.
alter table grid_levels add column settles boolean not null default true;
comment on column grid_levels.settles is 'whether a matter can be held at this level; from the lowest such level it rises one at a time, at last to the city';
update grid_levels set settles = false where grid_level > 3;

-- 2. Duties: who is away and who stands in for them, and who is at the one-stop desk of a community on a day.
create table duty_absences (
    absence_id bigint generated always as identity primary key,
    duty_id bigint not null references duties,
    substitute_id bigint references duties check (substitute_id <> duty_id),
    valid_from timestamptz not null default now(),
    valid_to timestamptz check (valid_to > valid_from)
);
create index duty_absences_duty on duty_absences (duty_id);
comment on table duty_absences is 'while somebody is away their substitute has what would be theirs; without one, whoever comes next';

create table desk_turns (
    duty_id bigint not null references duties,
    valid_from timestamptz not null,
    valid_to timestamptz not null check (valid_to > valid_from),
    primary key (duty_id, valid_from)
);
comment on table desk_turns is 'who is at the one-stop desk of their community, mostly for a day; the others are in the field';
grant select, insert, delete on duty_absences, desk_turns to geo_grid_app;
grant update (valid_to) on duty_absences to geo_grid_app;

-- 3. What an incident remembers of it.
alter table incidents
    drop constraint incidents_assigned_rule_check,
    add constraint incidents_assigned_rule_check check (assigned_rule in
        ('leaf', 'ancestor', 'level', 'substitute', 'zone', 'units', 'city', 'none')) not valid,
    drop constraint incidents_outcome_check,
    add constraint incidents_outcome_check check (outcome in ('solved', 'not_solved', 'merged')) not valid,
    add column assigned_duty bigint references duties,
    add column held_level smallint check (held_level between 0 and 9),
    add column merged_into bigint references incidents check (merged_into <> incident_id);
alter table incident_steps
    drop constraint incident_steps_note_check,
    add constraint incident_steps_note_check check (length(note) <= 8001) not valid;
comment on column incident_steps.note is 'the reason, and what else was said; emptied in time';
create index incidents_merged on incidents (merged_into) where merged_into is not null;
comment on column incidents.assigned_rule is 'what decided who has it: the manager of the leaf cell, of the nearest cell above with one, of the level it rose to, a substitute, the unit of the patrol zone, units by name, the city''s centre';
comment on column incidents.assigned_duty is 'the person who has it, as of the day it was given to them';
comment on column incidents.held_level is 'grid level that has it, 0: the city; null: it never rose';
comment on column incidents.merged_into is 'the incident that this one is a second report of';
grant update (assigned_duty, held_level, merged_into) on incidents to geo_grid_app;
grant select (assigned_duty, held_level, merged_into) on incidents to geo_grid_app;

insert into access.role_rights values
    ('supervisor', 'duties.write'), ('dispatcher', 'duties.write'), ('administrator', 'workflow.rules'), ('supervisor', 'workflow.rules');

-- 4. Categories are edited; a name that came in and is none is kept until somebody says which category it means.
create table incident_category_names (
    name text primary key check (name <> '' and length(name) <= 100),
    category_code text collate "C" not null references incident_categories
);
comment on table incident_category_names is 'other names that were decided to mean a category, in lower case';
grant select, insert, update on incident_category_names to geo_grid_app;
grant insert, update on incident_categories to geo_grid_app;

-- 5. For the dispatcher: which units a kind of matter needs, units on scene that must be heard of, notes for the next shift.
create table run_cards (
    run_card_id bigint generated always as identity primary key,
    category_code text collate "C" references incident_categories,
    grid_code text collate "C",
    hour_from time,
    hour_to time,
    needs jsonb not null check (jsonb_typeof(needs) = 'object'),
    note text not null default '' check (length(note) <= 1000),
    check ((hour_from is null) = (hour_to is null)),
    unique nulls not distinct (category_code, grid_code, hour_from, hour_to)
);
comment on table run_cards is 'which units are sent to what: the card that says most about category, cell and hour holds';
comment on column run_cards.grid_code is 'for matters in this cell and those in it; null: everywhere';
comment on column run_cards.hour_to is 'exclusive, in the city''s time; before hour_from: until the next day';
comment on column run_cards.needs is 'how many of each unit_kind';

alter table incident_categories add column rises boolean not null default false;
comment on column incident_categories.rises is 'whether its matters rise a level by themselves when they are settled too late';
update incident_categories set rises = answered_by <> 'police';

alter table incident_categories add column check_in_minutes smallint check (check_in_minutes between 1 and 1440);
comment on column incident_categories.check_in_minutes is 'how often a unit on scene must be heard of; null: it need not';
alter table incident_units add column checked_in_at timestamptz;

create table shift_notes (
    shift_note_id bigint generated always as identity primary key,
    grid_code text collate "C",
    written_id bigint not null references access.principals,
    written_by text not null,
    written_at timestamptz not null default now(),
    note text not null check (note <> '' and length(note) <= 4000),
    acknowledged_id bigint references access.principals check (acknowledged_id <> written_id),
    acknowledged_by text,
    acknowledged_at timestamptz
);
create index shift_notes_open on shift_notes (written_at) where acknowledged_at is null;
comment on table shift_notes is 'what a shift leaves to the next, which acknowledges it 交接班';
comment on column shift_notes.grid_code is 'cell whose desk it is for; null: the city''s';

grant select, insert, update, delete on run_cards to geo_grid_app;
grant update (checked_in_at) on incident_units to geo_grid_app;
grant select, insert on shift_notes to geo_grid_app;
grant update (acknowledged_id, acknowledged_by, acknowledged_at) on shift_notes to geo_grid_app;

-- 6. The view of incidents gets columns in its middle, and what returns its rows is made again with it: both are in the text.
drop view if exists incident_cards cascade;
