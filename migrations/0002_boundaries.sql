-- Grid cells and patrol zones: polygons with editions in time, and who is on duty in them.

create table grid_cells (
    grid_cell_id bigint generated always as identity primary key,
    grid_code text collate "C" not null,
    code_scheme text not null references code_schemes,
    grid_level smallint not null references grid_levels,
    parent_code text collate "C",
    name text not null check (name <> '' and length(name) <= 200),
    cell_kind text not null default 'basic' check (cell_kind in ('division', 'basic', 'dedicated')),
    household_count integer check (household_count >= 0),
    geom geometry(MultiPolygon, 4490) not null,
    area_m2 double precision generated always as (ST_Area(geom::geography)) stored,
    valid_from timestamptz not null,
    valid_to timestamptz,
    edition_id bigint not null references editions,
    closed_by bigint references editions,
    is_demo boolean not null default false,
    check (code_follows_scheme(grid_code, code_scheme)),
    check ((grid_level = 1) = (parent_code is null)),
    check (valid_to > valid_from),
    check ((valid_to is null) = (closed_by is null)),
    constraint grid_cells_geom_valid check (ST_IsValid(geom) and not ST_IsEmpty(geom)),
    constraint grid_cells_geom_on_lattice check (on_lattice(geom)),
    constraint grid_cells_one_code_at_a_time
        exclude using gist (grid_code with =, tstzrange(valid_from, valid_to) with &&)
);
create index grid_cells_geom on grid_cells using gist (geom);
create index grid_cells_parent on grid_cells (parent_code, valid_from);
create index grid_cells_code on grid_cells (grid_code, valid_from);
create index grid_cells_edition on grid_cells (edition_id);
create index grid_cells_level on grid_cells (grid_level, grid_code);

create table patrol_zones (
    patrol_zone_id bigint generated always as identity primary key,
    zone_code text collate "C" not null check (code_follows_scheme(zone_code, 'local')),
    name text not null check (name <> '' and length(name) <= 200),
    zone_kind text not null check (zone_kind in ('area', 'segment')),
    zone_type text not null default 'regular' check (zone_type in ('regular', 'temporary')),
    responsible_unit text not null default '',
    geom geometry(Geometry, 4490) not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    edition_id bigint not null references editions,
    closed_by bigint references editions,
    is_demo boolean not null default false,
    check (valid_to > valid_from),
    check ((valid_to is null) = (closed_by is null)),
    constraint patrol_zones_geom_type check (
        (zone_kind = 'area' and GeometryType(geom) = 'MULTIPOLYGON')
        or (zone_kind = 'segment' and GeometryType(geom) = 'MULTILINESTRING')),
    constraint patrol_zones_geom_valid check (ST_IsValid(geom) and not ST_IsEmpty(geom)),
    constraint patrol_zones_geom_on_lattice check (on_lattice(geom)),
    constraint patrol_zones_one_code_at_a_time
        exclude using gist (zone_code with =, tstzrange(valid_from, valid_to) with &&)
);
create index patrol_zones_geom on patrol_zones using gist (geom);
create index patrol_zones_edition on patrol_zones (edition_id);

create table mandatory_stops (
    mandatory_stop_id bigint generated always as identity primary key,
    zone_code text collate "C" not null,
    name text not null check (name <> ''),
    window_from time,
    window_to time,
    geom geometry(Point, 4490) not null check (on_lattice(geom)),
    is_demo boolean not null default false
);
create index mandatory_stops_zone on mandatory_stops (zone_code);

-- Duties hang on the code, not on a row, so they outlive a redrawn boundary.
create table duties (
    duty_id bigint generated always as identity primary key,
    grid_code text collate "C" not null,
    duty_role text not null check (duty_role in ('grid_lead', 'grid_manager', 'grid_assistant')),
    person_name text not null check (person_name <> ''),
    phone text not null default '',
    valid_from timestamptz not null default now(),
    valid_to timestamptz check (valid_to > valid_from),
    is_demo boolean not null default false
);
create index duties_grid_code on duties (grid_code);
create index duties_valid_from on duties (valid_from);  -- when the next change comes, asked every second
create index duties_valid_to on duties (valid_to);

create function require_open_edition() returns trigger language plpgsql as $$
begin
    if exists (
        select from changed c join editions e on e.edition_id = coalesce(c.closed_by, c.edition_id)
        where e.published_in <> pg_current_xact_id()
    ) then
        raise exception 'boundaries change only in the transaction that publishes their edition'
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end $$;

create trigger grid_cells_in_edition_insert after insert on grid_cells
    referencing new table as changed for each statement execute function require_open_edition();
create trigger grid_cells_in_edition_update after update on grid_cells
    referencing new table as changed for each statement execute function require_open_edition();
create trigger patrol_zones_in_edition_insert after insert on patrol_zones
    referencing new table as changed for each statement execute function require_open_edition();
create trigger patrol_zones_in_edition_update after update on patrol_zones
    referencing new table as changed for each statement execute function require_open_edition();

create function refuse_delete() returns trigger language plpgsql as $$
begin
    raise exception '% keeps its history: close the row with an edition instead of deleting it', tg_table_name
        using errcode = 'integrity_constraint_violation';
end $$;

create trigger grid_cells_no_delete before delete on grid_cells
    for each statement execute function refuse_delete();
create trigger patrol_zones_no_delete before delete on patrol_zones
    for each statement execute function refuse_delete();

-- Once per published edition, at commit: every cell in force has a parent in force one level up
-- that covers it. Only cells opened by this edition, and children of cells it opened or closed,
-- can have become wrong.
create function check_edition() returns trigger language plpgsql as $$
declare
    found record;
begin
    select c.grid_code, c.grid_level, c.parent_code, p.grid_level as parent_level
    into found
    from grid_cells c
    left join grid_cells p on p.grid_code = c.parent_code and p.valid_to is null
    where c.valid_to is null and c.parent_code is not null
      and (c.edition_id = new.edition_id
           or c.parent_code in (select grid_code from grid_cells
                                where edition_id = new.edition_id or closed_by = new.edition_id))
      and (p.grid_code is null
           or p.grid_level <> c.grid_level - 1
           or not ST_Covers(p.geom, c.geom))
    order by c.grid_code
    limit 1;
    if found.grid_code is null then
        return null;
    elsif found.parent_level is null then
        raise exception 'grid cell % has no parent % in force', found.grid_code, found.parent_code
            using errcode = 'foreign_key_violation';
    elsif found.parent_level <> found.grid_level - 1 then
        raise exception 'grid cell % is at level % but its parent % is at level %',
            found.grid_code, found.grid_level, found.parent_code, found.parent_level
            using errcode = 'check_violation';
    else
        raise exception 'grid cell % reaches outside its parent %', found.grid_code, found.parent_code
            using errcode = 'check_violation';
    end if;
end $$;

create constraint trigger editions_check after insert on editions
    deferrable initially deferred for each row execute function check_edition();
