-- Partitions by time: each has the rows of one month or day (UTC), has it in its name, and is dropped whole.

-- The partition of a table for the month or day of a moment, as a statement names it, whether it is there or not.
create or replace function access.partition_of(parent regclass, span text, moment timestamptz) returns text
language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC'
return (select format('%I.%I', c.relnamespace::regnamespace,
                      c.relname || to_char(moment, case span when 'day' then '_YYYY_MM_DD' else '_YYYY_MM' end))
        from pg_class c where c.oid = parent);

-- Makes the partition for a moment, unless it is there; returns whether it was missing. Of those who write at the same time the
-- first makes it, and the others wait for its commit. Tables that the parent refers to are not written meanwhile.
create or replace function access.make_partition(parent regclass, span text, moment timestamptz) returns boolean
language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC' as $$
declare
    begins timestamptz := date_trunc(span, moment);
    named text := access.partition_of(parent, span, moment);
begin
    if to_regclass(named) is not null then
        return false;
    end if;
    execute format('lock table %s in share update exclusive mode', parent);  -- to make it takes this lock anyway
    if to_regclass(named) is not null then
        return false;
    end if;
    execute format('create table %s partition of %s for values from (%L) to (%L)',
                   named, parent, begins, begins + ('1 ' || span)::interval);
    return true;
end $$;

-- Drops all partitions that end at `kept_from` or before. They are named by their time, so that their names are in its order.
create or replace function access.drop_partitions(parent regclass, span text, kept_from timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    gone text;
begin
    for gone in
        select n.named
        from pg_inherits i join pg_class c on c.oid = i.inhrelid,
             lateral (select format('%I.%I', c.relnamespace::regnamespace, c.relname) collate "C" as named) n
        where i.inhparent = parent and n.named < access.partition_of(parent, span, kept_from) order by 1
    loop
        execute format('drop table %s', gone);
    end loop;
end $$;
