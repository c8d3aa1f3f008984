-- Validity of moments, and of rows at a moment.

-- Whether a moment may be stored: every export format can write it, also as nanoseconds in 64 bits (years 1677 to 2262).
create or replace function is_stored_moment(moment timestamptz) returns boolean
language sql immutable parallel safe
return moment is null or moment >= '1699-12-30 00:00:00+00' and moment < '2200-01-02 00:00:00+00';
grant execute on function is_stored_moment to public;

-- Whether a row is in force at a moment: from valid_from (inclusive) until valid_to (exclusive; null: no end so far). At
-- 'infinity': the rows without an end. Without STRICT and a search path of its own PostgreSQL inlines it, so that indexes
-- are used.
create or replace function in_force(valid_from timestamptz, valid_to timestamptz, moment timestamptz) returns boolean
language sql immutable parallel safe
return valid_from <= moment and (valid_to is null or moment < valid_to);
grant execute on function in_force to public;
