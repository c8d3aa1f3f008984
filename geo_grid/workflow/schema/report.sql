-- Stores an incident, once for each idempotency key, with the rights of the principal.

-- `is_new`: true: it was stored now; false: the key was used before with the same content; null: with other content.
create or replace function report_incident(
    key text, digest bytea, category text, subtype text, description text, address text, caller_number text,
    received_at timestamptz, lon double precision, lat double precision, out is_new boolean, out card incident_cards)
language plpgsql as $$
declare
    made bigint;
    before idempotency_keys;
begin
    if key is not null then
        perform pg_advisory_xact_lock(hashtextextended(key, 0));
        select k.* into before from idempotency_keys k where k.idempotency_key = key;
    end if;
    if before.idempotency_key is null then
        insert into incidents (category, subtype, description, address, caller_number, received_at, geom)
        values (category, subtype, description, address, caller_number, coalesce(received_at, now()),
                ST_SetSRID(ST_MakePoint(lon, lat), 4490))
        returning incident_id into made;
        if key is not null then
            insert into idempotency_keys (idempotency_key, request_digest, incident_id, principal_id)
            values (key, digest, made, access.me());
        end if;
        is_new := true;
    elsif before.request_digest = digest then
        made := before.incident_id;
        is_new := false;
    else
        return;
    end if;
    select c.* into card from incident_cards c where c.incident_id = made;
end $$;
grant execute on function report_incident to geo_grid_app;
