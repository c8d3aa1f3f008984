-- Web hooks: who is told what, letters on their way, and areas as they were told last.

create table hooks (
    hook_id bigint generated always as identity primary key,
    url text not null check (url ~ '^https?://' and length(url) <= 500),
    label text not null default '' check (length(label) <= 200),
    kinds text[] not null check (
        cardinality(kinds) >= 1
        and kinds <@ array['incident.changed', 'incidents.changed', 'boundaries.published', 'area.uncovered', 'area.covered']),
    grid_code text collate "C",
    secret text not null check (secret ~ '^whsec_[A-Za-z0-9+/]{32,88}=*$'),
    made_by_id bigint not null references access.principals,
    made_at timestamptz not null default now(),
    dead_in_row integer not null default 0 check (dead_in_row >= 0),
    disabled_at timestamptz,
    disabled_because text check (length(disabled_because) <= 2000)
);
comment on table hooks is 'addresses of other systems that are told of changes (Standard Webhooks)';
comment on column hooks.grid_code is 'only what happens in this cell and those in it; null: all that the account that made it is bound to';
comment on column hooks.secret is 'key of the signatures: as it is, since it must be used; read by the server''s own role alone, as the secrets of second factors';
comment on column hooks.dead_in_row is 'letters given up since one was taken';

create table hook_letters (
    letter_id bigint generated always as identity primary key,
    hook_id bigint not null references hooks on delete cascade,
    kind text not null,
    subject text collate "C" not null default '',
    payload jsonb not null default '{}',
    made_at timestamptz not null default clock_timestamp(),
    attempts integer not null default 0 check (attempts >= 0),
    next_at timestamptz not null default now(),
    last_error text check (length(last_error) <= 2000),
    dead_at timestamptz
);
comment on table hook_letters is 'what hooks are still to be told, in the order of letter_id for each subject; a letter that was taken is deleted';
comment on column hook_letters.dead_at is 'when it was given up; kept for 30 days, to be sent again';
create index hook_letters_waiting on hook_letters (hook_id, letter_id) where dead_at is null;
create index hook_letters_subject on hook_letters (hook_id, subject, letter_id) where dead_at is null;
create index hook_letters_dead on hook_letters (hook_id, letter_id) where dead_at is not null;

create table hook_areas (
    area_kind text not null check (area_kind in ('county', 'zone')),
    code text collate "C" not null,
    is_covered boolean not null,
    primary key (area_kind, code)
);
comment on table hook_areas is 'whether a free unit reached any of a county or zone when it was looked at last; empty while no hook asks';

grant select (hook_id, url, label, kinds, grid_code, made_by_id, made_at, dead_in_row, disabled_at, disabled_because),
    insert (url, label, kinds, grid_code, secret, made_by_id), update (dead_in_row, disabled_at, disabled_because), delete
    on hooks to geo_grid_app;
grant select, update (attempts, next_at, last_error, dead_at) on hook_letters to geo_grid_app;
grant select on hook_areas to geo_grid_app;

insert into access.role_rights values ('administrator', 'webhooks');
