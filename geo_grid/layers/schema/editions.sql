-- Editions of the boundaries.

create or replace function edition_at(moment timestamptz) returns bigint
language plpgsql stable strict parallel safe as $$  -- which keeps its plan
begin
    return (select edition_id from editions where valid_from <= moment order by valid_from desc limit 1);
end $$;
grant execute on function edition_at to public;
