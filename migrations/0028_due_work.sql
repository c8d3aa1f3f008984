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

-- Work is asked for in the transaction of what makes it due; whoever asks for the same at an earlier moment wins.
create function ask_for(wanted_kind text, wanted_subject text, wanted_at timestamptz) returns void
language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    insert into due_work as w (kind, subject, due_at) values (wanted_kind, wanted_subject, wanted_at)
    on conflict (kind, subject) do update set due_at = excluded.due_at where w.due_at > excluded.due_at;
end;

create function ask_for_publishing() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform ask_for('publish', new.draft_id::text, new.effective_at);
    return null;
end $$;
create trigger drafts_due after insert or update on drafts for each row
    when (new.approved_at is not null and new.published_edition_id is null and new.discarded_at is null)
    execute function ask_for_publishing();

-- At the commit, as all ask by one row: nobody waits for another's long transaction. An insert of many rows asks once.
create function ask_for_circles() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if current_setting('geo_grid.circles_asked_in', true) is distinct from pg_current_xact_id()::text then
        perform ask_for('circles', '', now());
        perform set_config('geo_grid.circles_asked_in', pg_current_xact_id()::text, true);
    end if;
    return null;
end $$;
create constraint trigger police_posts_drawn after insert or update or delete on police_posts
    deferrable initially deferred for each row execute function ask_for_circles();
create constraint trigger road_closures_drawn after insert or update or delete on road_closures
    deferrable initially deferred for each row execute function ask_for_circles();
create constraint trigger osm_extract_drawn after insert or update or delete on osm_extract
    deferrable initially deferred for each row execute function ask_for_circles();
create constraint trigger circle_rules_drawn after insert or update or delete on circle_rules
    deferrable initially deferred for each row execute function ask_for_circles();
revoke execute on function ask_for, ask_for_publishing, ask_for_circles from public;

select ask_for('publish', draft_id::text, effective_at) from drafts
where approved_at is not null and published_edition_id is null and discarded_at is null;
