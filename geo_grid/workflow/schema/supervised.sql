-- The supervised list: who may end a listing, and what is emptied in time.

-- Whoever listed a matter changes and delists it; when that account is disabled, whoever could list it at that level.
-- Anybody else only adds to what was done (step_count).
create or replace function access.guard_listing() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if access.is_owner() or to_jsonb(new) - 'step_count' = to_jsonb(old) - 'step_count' then
        return new;
    end if;
    perform access.require('supervised.list');
    if old.listed_by is distinct from access.me()
       and exists (select from access.principals p where p.principal_id = old.listed_by and p.disabled_at is null) then
        raise exception '% listed this: whoever lists a matter changes and delists it', old.listed_by_name
            using errcode = 'insufficient_privilege';
    end if;
    if old.listed_level = 'city' and not access.city_wide('supervised.list') then
        raise exception 'this is listed by the city: whoever answers for the whole city delists it'
            using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;

-- Empties the texts about matters that were delisted long enough ago.
create or replace function access.tidy_listings(texts_kept interval) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    perform access.require_service();
    update listing_steps s set note = '', measures = null
    from supervised_listings l
    where l.listing_id = s.listing_id and (s.note <> '' or s.measures is not null) and l.delisted_at < now() - texts_kept;
end $$;
grant execute on function access.tidy_listings to geo_grid_service;

create trigger supervised_listings_guarded before update on supervised_listings
    for each row execute function access.guard_listing();
create trigger listing_steps_kept before update on listing_steps
    for each row execute function keep_past();
