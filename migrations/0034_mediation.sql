-- Mediation 调解: organisations, mediators, cases; the supervised list 挂账督办 and the registers of places that it is about.

-- 1. Organisations 调解组织 are facilities; here is what only they have.
create table mediation_organisations (
    facility_id bigint primary key references facilities on delete cascade,
    mediation_kind text not null check (mediation_kind in (
        'people', 'administrative', 'judicial', 'arbitration', 'reconsideration', 'pre_litigation')),
    grid_code text collate "C",
    centre_id bigint references facilities on delete set null,
    room_id bigint references facilities on delete set null,
    studio_of text not null default '' check (length(studio_of) <= 100),
    takes_cases boolean not null default true,
    is_demo boolean not null default false
);
create index mediation_organisations_grid_code on mediation_organisations (grid_code);
comment on column mediation_organisations.grid_code is 'cell that it serves, with all below; null: the whole city';
comment on column mediation_organisations.centre_id is 'governance centre 综治中心 that it belongs to';
comment on column mediation_organisations.room_id is 'mediation room 调解室 where it receives people';
comment on column mediation_organisations.studio_of is 'mediator that its studio 个人调解工作室 is named after; empty: it is none';

create table mediators (
    mediator_id bigint generated always as identity primary key,
    facility_id bigint not null references mediation_organisations on delete cascade,
    person_name text not null check (person_name <> '' and length(person_name) <= 100),
    valid_from timestamptz not null default now(),
    valid_to timestamptz check (valid_to > valid_from),
    is_demo boolean not null default false
);
create index mediators_of on mediators (facility_id);
comment on table mediators is 'names of officials only: the duty roster of an organisation';

-- 2. Cases: one for each incident.
create table mediation_cases (
    case_id bigint generated always as identity primary key,
    incident_id bigint not null unique references incidents on delete cascade,
    facility_id bigint not null references mediation_organisations,
    mediation_kind text not null,
    division_level text not null check (division_level in ('city', 'county', 'township', 'village')),
    chosen_by text not null check (chosen_by in ('nearest', 'named')),
    taken_at timestamptz not null default now(),
    ended_at timestamptz check (ended_at >= taken_at),
    outcome text check (outcome in ('settled', 'not_settled', 'withdrawn')),
    step_count integer not null default 1 check (step_count >= 1),
    check ((ended_at is null) = (outcome is null))
);
create index mediation_cases_facility on mediation_cases (facility_id);
create index mediation_cases_newest on mediation_cases (taken_at desc, case_id desc);
comment on column mediation_cases.mediation_kind is 'of the organisation that has it, when it got it; so is division_level';

create table mediation_steps (
    case_id bigint not null references mediation_cases on delete cascade,
    number integer not null check (number >= 1),
    action text not null,
    facility_id bigint not null references mediation_organisations,
    distance_m double precision check (distance_m >= 0),
    note text not null default '' check (length(note) <= 4000),
    actor_id bigint references access.principals,
    actor_name text not null,
    done_at timestamptz not null,
    primary key (case_id, number)
);
comment on table mediation_steps is 'what was done in a case, append-only; facility_id: who had it afterwards';

create table mediation_parties (
    case_id bigint not null references mediation_cases on delete cascade,
    number smallint not null check (number between 1 and 20),
    party_role text not null check (party_role in ('applicant', 'respondent', 'third_party', 'representative')),
    initials text collate "C" not null check (initials ~ '^([A-Z]\.?){1,3}$'
        or initials ~ '^([一-鿿]|欧阳|上官|司马|诸葛|司徒|夏侯|皇甫|尉迟|公孙|慕容|令狐|长孙|宇文|东方)某{1,2}$'),
    primary key (case_id, number)
);
comment on table mediation_parties is 'role and initials, nothing else; deleted after closing (access.tidy_disputes)';

-- 3. Registers of places: major projects with their stability-risk assessments, hidden dangers.
create table registered_places (
    registered_place_id bigint generated always as identity primary key,
    place_code text collate "C" not null check (code_follows_scheme(place_code, 'local')),
    place_kind text not null check (place_kind in ('major_project', 'hidden_danger')),
    name text not null check (name <> '' and length(name) <= 200),
    responsible_unit text not null default '' check (length(responsible_unit) <= 200),
    needs_assessment boolean not null default true,
    geom geometry(Point, 4490) not null
        constraint registered_places_geom_on_lattice check (on_lattice(geom)),
    grid_code text collate "C",
    zone_code text collate "C",
    edition_id bigint references editions,
    unassigned boolean generated always as (grid_code is null) stored,
    is_demo boolean not null default false
);
create index registered_places_place_code on registered_places (place_code);
create index registered_places_geom on registered_places using gist (geom);
create index registered_places_grid_code on registered_places (grid_code);

create table risk_assessments (
    assessment_id bigint generated always as identity primary key,
    registered_place_id bigint not null references registered_places on delete cascade,
    assessed_on date not null,
    valid_until date not null check (valid_until >= assessed_on),
    risk_level text not null check (risk_level in ('low', 'medium', 'high')),
    decision text not null check (decision in ('proceed', 'proceed_partly', 'postpone', 'refuse')),
    actor_id bigint references access.principals,
    actor_name text not null,
    recorded_at timestamptz not null default now()
);
create index risk_assessments_newest on risk_assessments (registered_place_id, assessed_on desc, assessment_id desc);
comment on table risk_assessments is 'append-only; the newest of a place counts';

-- 4. The supervised list: an incident, or a place of a register.
create table supervised_listings (
    listing_id bigint generated always as identity primary key,
    incident_id bigint references incidents on delete cascade,
    registered_place_id bigint references registered_places,
    listed_level text not null check (listed_level in ('township', 'county', 'city')),
    responsible_unit text not null check (responsible_unit <> '' and length(responsible_unit) <= 200),
    due_on date not null,
    listed_at timestamptz not null default now(),
    listed_by bigint references access.principals,
    listed_by_name text not null,
    delisted_at timestamptz check (delisted_at >= listed_at),
    delisted_by_name text,
    result text check (result in ('done', 'dropped')),
    step_count integer not null default 1 check (step_count >= 1),
    check (num_nonnulls(incident_id, registered_place_id) = 1),
    check ((delisted_at is null) = (result is null) and (delisted_at is null) = (delisted_by_name is null))
);
create unique index supervised_listings_incident on supervised_listings (incident_id) where delisted_at is null;
create unique index supervised_listings_place on supervised_listings (registered_place_id) where delisted_at is null;
create index supervised_listings_newest on supervised_listings (listed_at desc, listing_id desc);

create table listing_steps (
    listing_id bigint not null references supervised_listings on delete cascade,
    number integer not null check (number >= 1),
    action text not null,
    measures text check (length(measures) <= 4000),
    note text not null default '' check (length(note) <= 4000),
    details jsonb not null default '{}',
    actor_id bigint references access.principals,
    actor_name text not null,
    done_at timestamptz not null,
    primary key (listing_id, number)
);
comment on table listing_steps is 'what was done about a listing, append-only; the newest measures count';

-- 5. Who works with it.
grant select on mediation_organisations, mediators, mediation_cases, mediation_steps, mediation_parties,
    registered_places, risk_assessments, supervised_listings, listing_steps to geo_grid_app;
grant insert (facility_id, mediation_kind, grid_code, centre_id, room_id, studio_of, takes_cases),
    update (mediation_kind, grid_code, centre_id, room_id, studio_of, takes_cases) on mediation_organisations to geo_grid_app;
grant insert (facility_id, person_name), update (valid_to) on mediators to geo_grid_app;
grant insert (incident_id, facility_id, mediation_kind, division_level, chosen_by, taken_at),
    update (facility_id, mediation_kind, division_level, chosen_by, ended_at, outcome, step_count) on mediation_cases to geo_grid_app;
grant insert on mediation_steps, mediation_parties, listing_steps to geo_grid_app;
grant insert (place_code, place_kind, name, responsible_unit, needs_assessment, geom, is_demo),
    update (place_kind, name, responsible_unit, needs_assessment, geom, is_demo), delete on registered_places to geo_grid_app;
grant insert (registered_place_id, assessed_on, valid_until, risk_level, decision, actor_id, actor_name) on risk_assessments to geo_grid_app;
grant insert (incident_id, registered_place_id, listed_level, responsible_unit, due_on, listed_by, listed_by_name),
    update (responsible_unit, due_on, delisted_at, delisted_by_name, result, step_count) on supervised_listings to geo_grid_app;

insert into access.role_rights values ('supervisor', 'supervised.list');
