-- What every layer stands on: extensions, the lattice, code schemes, levels and editions.

create extension if not exists postgis;
create extension if not exists btree_gist;

-- The lattice step is 2^-26 degree (about 1.7 mm): exact in a double, so comparing with the
-- snapped copy is an exact test (docs: DESIGN, invariant 2).
create function on_lattice(geom geometry) returns boolean
language sql immutable strict parallel safe
return geom = ST_SnapToGrid(geom, 0, 0, 0.00000001490116119384765625, 0.00000001490116119384765625);

-- GB/T 2260 (6), GB/T 10114 and the statistical division codes (9, 12), DB11/T 2157-2023 (15),
-- CJ/T 349-2010 (20). 'local' is for codes no standard covers.
create function code_follows_scheme(code text, scheme text) returns boolean
language sql immutable strict parallel safe
return case scheme
    when 'division_code_6' then code ~ '^[1-9][0-9]{5}$'
    when 'division_code_9' then code ~ '^[1-9][0-9]{8}$'
    when 'division_code_12' then code ~ '^[1-9][0-9]{11}$'
    when 'unit_grid_15' then code ~ '^[1-9][0-9]{14}$'
    when 'unit_grid_20' then code ~ '^[1-9][0-9]{19}$'
    when 'local' then code ~ '^[0-9A-Za-z._-]{1,32}$'
    else false
end;

create table code_schemes (
    code_scheme text primary key,
    description text not null
);
insert into code_schemes values
    ('division_code_6', 'GB/T 2260: 6 digits, province 2 + prefecture 2 + county 2'),
    ('division_code_9', 'GB/T 10114: 9 digits, county 6 + street or town 3'),
    ('division_code_12', '12 digits: county 6 + street or town 3 + village or community 3'),
    ('unit_grid_15', 'DB11/T 2157-2023: 15 digits, county 6 + street 3 + community 3 + sequence 3'),
    ('unit_grid_20', 'CJ/T 349-2010: 20 digits'),
    ('local', 'no standard: 1 to 32 letters, digits, dots, underscores or hyphens');

create table grid_levels (
    grid_level smallint primary key check (grid_level between 1 and 9),
    name_zh text not null check (name_zh <> ''),
    name_en text not null check (name_en <> ''),
    code_scheme text not null references code_schemes,
    min_zoom smallint not null check (min_zoom between 0 and 22)
);
comment on column grid_levels.min_zoom is 'first zoom at which maps draw the level';

create table editions (
    edition_id bigint generated always as identity primary key,
    valid_from timestamptz not null unique,
    published_at timestamptz not null default now(),
    note text not null check (note <> ''),
    is_demo boolean not null default false,
    -- boundaries change only in the transaction that publishes their edition
    published_in xid8 not null default pg_current_xact_id()
);

create function edition_at(moment timestamptz) returns bigint
language sql stable strict parallel safe
return (select edition_id from editions where valid_from <= moment order by valid_from desc limit 1);
