-- Editions of the boundaries.

create or replace function edition_at(moment timestamptz) returns bigint
language plpgsql stable strict parallel safe as $$  -- which keeps its plan
begin
    return (select edition_id from editions where valid_from <= moment order by valid_from desc limit 1);
end $$;
grant execute on function edition_at to public;

-- Whether this is the generated demo city, and nothing else: it begins with the demo's edition (which is loaded into empty
-- databases only), and nobody has brought posts or units of a city of their own.
create or replace function is_demo_city() returns boolean language plpgsql stable as $$
begin
    return coalesce((select e.is_demo from editions e order by e.edition_id limit 1), false)
       and not exists (select from police_posts p where not p.is_demo)
       and not exists (select from patrol_units u where not u.is_demo);
end $$;
