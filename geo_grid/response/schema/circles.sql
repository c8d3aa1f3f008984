-- Constraint: the circles of a post nest, each inside the one of the next longer tier.

-- A deferred trigger checks each new circle against the post's others, so a pair of new circles is checked twice.
create or replace function check_circles_nest() returns trigger language plpgsql as $$
declare
    other record;
begin
    for other in
        select o.tier_minutes, o.geom
        from response_circles c
        join response_circles o using (post_code, circle_basis)
        where c.response_circle_id = new.response_circle_id and o.tier_minutes <> c.tier_minutes
    loop
        if not (case when other.tier_minutes > new.tier_minutes then ST_Covers(other.geom, new.geom)
                     else ST_Covers(new.geom, other.geom) end) then
            raise exception 'post %: the %-minute circle reaches outside the %-minute circle', new.post_code,
                least(other.tier_minutes, new.tier_minutes), greatest(other.tier_minutes, new.tier_minutes)
                using errcode = 'check_violation';
        end if;
    end loop;
    return null;
end $$;

create constraint trigger response_circles_nest after insert or update on response_circles
    deferrable initially deferred for each row execute function check_circles_nest();
