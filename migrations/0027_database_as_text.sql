-- Functions, views, triggers and policies stand in .sql and .toml files beside the rooms that own them, and are applied
-- as they are there (geo_grid/db/as_text.py). From here on migrations change tables and data only, and call no function
-- of ours but those that tables check (geo_grid/db/schema/lattice.sql, moments.sql): which others there are depends on the text.

create table schema_text (
    one boolean primary key default true check (one),
    digest text not null,
    applied_at timestamptz not null default now()
);
comment on column schema_text.digest is 'SHA-256 of the text that was applied last';

create table schema_objects (
    kind text check (kind in ('function', 'view', 'trigger', 'policy')),
    name text,
    digest text not null,
    primary key (kind, name)
);
comment on table schema_objects is 'what the text made: it goes when the text names it no more';
comment on column schema_objects.name is 'as DROP takes it';
comment on column schema_objects.digest is 'of what the catalogue showed right after; empty: made by a migration before the text';

-- what migrations made until now is the text's from now on; functions of somebody else in the schema public are not.
-- Names are written as `described` in geo_grid/db/as_text.sql writes them.
set local search_path = pg_catalog;
insert into public.schema_objects
select 'function', p.oid::regprocedure::text, ''
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'access'
   or n.nspname = 'public' and p.proname in (
        'announce_change', 'assign_again', 'boundaries_changed_after', 'categorise', 'category_code',
        'check_circles_nest', 'check_edition', 'code_follows_scheme', 'edition_at', 'event_horizon', 'event_number',
        'hold_editions', 'is_stored_moment', 'keep_submitted', 'newest_time', 'on_lattice', 'refuse_delete',
        'require_open_edition', 'tell_edition', 'tell_incidents', 'tell_layer');
insert into public.schema_objects values
    ('view', 'access.asking', ''), ('view', 'access.asking_rights', ''), ('view', 'public.incident_cards', '');
insert into public.schema_objects
select 'trigger', format('%I on %s', t.tgname, format('%I.%I', n.nspname, c.relname)), ''
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'access') and not c.relispartition and not t.tgisinternal
  and exists (select from public.schema_objects o where o.kind = 'function'
              and o.name like (select format('%I.%I(', f.pronamespace::regnamespace::text, f.proname)
                               from pg_proc f where f.oid = t.tgfoid) || '%');
insert into public.schema_objects
select 'policy', format('%I on %I.%I', p.polname, n.nspname, c.relname), ''
from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('public', 'access');
set local search_path = public;
