-- Stores incidents together, each once for its idempotency key, with the rights of the principal.

-- `rows` is an array of objects with the names below; `row_number` counts them from 1, and every row is answered.
-- `is_new`: true: it was stored now; false: the key was used before, perhaps by a row above, with the same content; null: with
-- other content. A row that cannot be stored fails all of them.
create or replace function report_incidents(rows json)
returns table (row_number bigint, is_new boolean, card incident_cards)
language plpgsql set plan_cache_mode = force_generic_plan as $$  -- to plan takes longer than to store ten
declare
    keys text[];
    digests text[];
    stored bigint[];  -- row numbers of those that are stored now, in their order, and their incidents
    made bigint[];
    are_new boolean[];
begin
    select array_agg(r.value->>'key' order by r.ordinality), array_agg(r.value->>'digest' order by r.ordinality)
    into keys, digests from json_array_elements(rows) with ordinality r;
    -- in one order, so that two who store the same keys do not wait for each other
    perform pg_advisory_xact_lock(l.number)
    from (select distinct hashtextextended(k.key, 0) as number from unnest(keys) k (key) where k.key is not null order by 1) l;
    stored := array(
        select min(k.n) from unnest(keys) with ordinality k (key, n)
        where not exists (select from idempotency_keys b where b.idempotency_key = k.key)
        group by k.key, case when k.key is null then k.n end
        order by 1);
    with filed as (
        insert into incidents (category, subtype, description, address, caller_number, received_at, geom)
        select r.category, r.subtype, r.description, r.address, r.caller_number, coalesce(r.received_at, now()),
               ST_SetSRID(ST_MakePoint(r.lon, r.lat), 4490)
        from rows from (json_to_recordset(rows) as (
                 category text, subtype text, description text, address text, caller_number text, received_at timestamptz,
                 lon double precision, lat double precision)) with ordinality r
        where r.ordinality = any(stored)
        order by r.ordinality  -- numbers are given in this order
        returning incident_id
    )
    select array_agg(f.incident_id order by f.incident_id) into made from filed f;
    insert into idempotency_keys (idempotency_key, request_digest, incident_id, principal_id)
    select keys[s.n], decode(digests[s.n], 'hex'), s.incident_id, (select access.me())
    from unnest(stored, made) s (n, incident_id)
    where keys[s.n] is not null;
    select array_agg(case when s.n is not null then s.incident_id
                          when b.request_digest = decode(k.digest, 'hex') then b.incident_id end order by k.n),
           array_agg(case when s.n is not null then true when b.request_digest = decode(k.digest, 'hex') then false end order by k.n)
    into made, are_new
    from unnest(keys, digests) with ordinality k (key, digest, n)
    left join unnest(stored, made) s (n, incident_id) on s.n = k.n
    left join idempotency_keys b on b.idempotency_key = k.key and s.n is null;
    return query
        select m.n, m.is_new, c
        from unnest(made, are_new) with ordinality m (incident_id, is_new, n)
        left join incident_cards c on c.incident_id = m.incident_id  -- by a column, else all cards are made
        order by m.n;
end $$;
grant execute on function report_incidents to geo_grid_app;
