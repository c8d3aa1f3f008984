-- Moments: which are stored, and what is in force at one.

-- Which moments the database takes: those that every format can write, in nanoseconds too (they end with the years 1677
-- and 2262).
create or replace function is_stored_moment(moment timestamptz) returns boolean
language sql immutable parallel safe
return moment is null or moment >= '1699-12-30 00:00:00+00' and moment < '2200-01-02 00:00:00+00';
grant execute on function is_stored_moment to public;

-- Whether a row with these ends is in force at a moment: from its beginning, until just before its end. At 'infinity' it
-- is what has no end so far. It is put into the statement that asks, where indexes serve it: with neither STRICT nor a
-- search path of its own.
create or replace function in_force(valid_from timestamptz, valid_to timestamptz, moment timestamptz) returns boolean
language sql immutable parallel safe
return valid_from <= moment and (valid_to is null or moment < valid_to);
grant execute on function in_force to public;
