-- Triggers of drafts: authors are the principal of the transaction, and a submitted draft cannot be changed.

-- writes the principal of the transaction as the author, whatever the request says
create or replace function access.own_draft() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    who record;
begin
    if access.is_owner() then
        return new;
    end if;
    select a.principal_id, a.login_name into who from access.asking a;
    if tg_table_name = 'draft_steps' then
        new.author := who.login_name;
        new.author_id := who.principal_id;
        return new;
    end if;
    if tg_op = 'INSERT' then
        new.made_by := who.login_name;
        new.made_by_id := who.principal_id;
        return new;
    end if;
    if new.published_edition_id is distinct from old.published_edition_id then
        perform access.require('boundaries.publish');
    end if;
    new.submitted_by := old.submitted_by;
    new.submitted_by_id := old.submitted_by_id;
    new.approved_by := old.approved_by;
    new.approved_by_id := old.approved_by_id;
    if old.submitted_at is null and new.submitted_at is not null then
        new.submitted_by := who.login_name;
        new.submitted_by_id := who.principal_id;
    elsif new.submitted_at is null then
        new.submitted_by := null;
        new.submitted_by_id := null;
    end if;
    if old.approved_at is null and new.approved_at is not null then
        perform access.require('boundaries.approve');
        -- a former edition was approved already, so one person alone may restore it
        if exists (select from draft_steps s where s.draft_id = new.draft_id and s.undone_at is null and s.operation <> 'restore')
           and (new.submitted_by_id = who.principal_id
                or exists (select from draft_steps s
                           where s.draft_id = new.draft_id and s.undone_at is null and s.author_id = who.principal_id)) then
            raise exception 'a second person approves: you drew or submitted draft % yourself', new.draft_id
                using errcode = 'insufficient_privilege';
        end if;
        new.approved_by := who.login_name;
        new.approved_by_id := who.principal_id;
        perform access.record('boundaries.approve', 'draft', new.draft_id::text, 'done',
                              jsonb_build_object('title', new.title, 'note', new.note, 'effective_at', new.effective_at));
    elsif new.approved_at is null then
        new.approved_by := null;
        new.approved_by_id := null;
    elsif new.note is distinct from old.note or new.effective_at is distinct from old.effective_at then
        raise exception 'draft % is approved as it is', new.draft_id using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;

-- refuses changes to a submitted draft, so that its approver approves what was reviewed
create or replace function keep_submitted() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if exists (select from drafts d where d.draft_id = coalesce(new.draft_id, old.draft_id) and d.submitted_at is not null) then
        raise exception 'draft % is submitted: withdraw it before changing it', coalesce(new.draft_id, old.draft_id)
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    return coalesce(new, old);
end $$;

create trigger draft_cells_submitted before insert or delete on draft_cells
    for each row execute function keep_submitted();
create trigger draft_steps_owned before insert on draft_steps for each row execute function access.own_draft();
create trigger draft_steps_submitted before insert or update or delete on draft_steps
    for each row execute function keep_submitted();
create trigger drafts_owned before insert or update on drafts for each row execute function access.own_draft();
