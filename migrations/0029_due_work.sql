-- What is to be done later, by the server itself: one list, whoever asked for it (docs/architecture.md).

create table due_work (
    due_id bigint generated always as identity primary key,
    kind text not null check (kind ~ '^[a-z][a-z_]{0,39}$'),
    subject text not null default '' check (length(subject) <= 200),
    due_at timestamptz not null,
    attempts integer not null default 0 check (attempts >= 0),
    last_error text check (length(last_error) <= 2000),
    claimed_until timestamptz,
    claimed_in xid8,
    added timestamptz not null default now(),
    unique (kind, subject),
    check ((claimed_until is null) = (claimed_in is null))
);
comment on column due_work.kind is 'declared in geo_grid/own_work.py; a server leaves alone what it does not know';
comment on column due_work.subject is 'key of what it is about; empty: the city';
comment on column due_work.due_at is 'while a server has it in hand as claimed_until, unless it was asked for again meanwhile';
comment on column due_work.attempts is 'since it was last done';
comment on column due_work.claimed_until is 'a server has it in hand, which says so again before this moment, if it lives';
comment on column due_work.claimed_in is 'the transaction that claimed it: a claim that was lost ends nothing';
create index due_work_due_at on due_work (kind, due_at);
create index due_work_failing on due_work (kind) where last_error is not null;
grant select, insert, update, delete on due_work to geo_grid_service;

insert into due_work (kind, subject, due_at)
select 'publish', draft_id::text, effective_at from drafts
where approved_at is not null and published_edition_id is null and discarded_at is null;
