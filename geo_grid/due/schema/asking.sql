-- How jobs get into due_work.

-- A job is added in the transaction that makes it due. If it is there already, the earlier of both moments stays.
create or replace function ask_for(wanted_kind text, wanted_subject text, wanted_at timestamptz) returns void
language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
    insert into due_work as w (kind, subject, due_at) values (wanted_kind, wanted_subject, wanted_at)
    on conflict (kind, subject) do update set due_at = excluded.due_at where w.due_at > excluded.due_at;
end;

create or replace function ask_for_publishing() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform ask_for('publish', new.draft_id::text, new.effective_at);
    return null;
end $$;
create trigger drafts_due after insert or update on drafts for each row
    when (new.approved_at is not null and new.published_edition_id is null and new.discarded_at is null)
    execute function ask_for_publishing();

-- Asks for a kind of work without a subject, the trigger's argument. Deferred to the commit, since all transactions update
-- the same row: its lock is then held shortly, and none waits for another's long transaction. The setting makes a transaction
-- of many rows ask once.
create or replace function ask_once() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    asked_in text := 'geo_grid.' || tg_argv[0] || '_asked_in';
begin
    if current_setting(asked_in, true) is distinct from pg_current_xact_id()::text then
        perform ask_for(tg_argv[0], '', now());
        perform set_config(asked_in, pg_current_xact_id()::text, true);
    end if;
    return null;
end $$;
create constraint trigger police_posts_drawn after insert or update or delete on police_posts
    deferrable initially deferred for each row execute function ask_once('circles');
create constraint trigger road_closures_drawn after insert or update or delete on road_closures
    deferrable initially deferred for each row execute function ask_once('circles');
create constraint trigger osm_extract_drawn after insert or update or delete on osm_extract
    deferrable initially deferred for each row execute function ask_once('circles');
create constraint trigger circle_rules_drawn after insert or update or delete on circle_rules
    deferrable initially deferred for each row execute function ask_once('circles');
