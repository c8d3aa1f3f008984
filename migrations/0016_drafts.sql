-- Drafts of boundaries: named steps on an edition, each with who, when and why; undone and done again.

create table drafts (
    draft_id bigint generated always as identity primary key,
    title text not null check (title <> '' and length(title) <= 200),
    base_edition_id bigint not null references editions,
    made_by text not null,
    made_at timestamptz not null default now(),
    published_edition_id bigint references editions,
    discarded_at timestamptz
);

create table draft_steps (
    draft_id bigint references drafts,
    step_number integer,
    operation text not null,
    arguments jsonb not null,
    author text not null,
    reason text not null default '' check (length(reason) <= 2000),
    done_at timestamptz not null default now(),
    undone_at timestamptz,
    primary key (draft_id, step_number)
);

-- cells as a step leaves them
create table draft_cells (
    draft_id bigint,
    step_number integer,
    grid_code text collate "C",
    is_retired boolean not null,
    grid_level smallint not null,
    parent_code text collate "C",
    name text not null,
    code_scheme text not null references code_schemes,
    cell_kind text not null,
    household_count integer,
    is_demo boolean not null,
    geom geometry(MultiPolygon, 4490) check (on_lattice(geom)),
    primary key (draft_id, step_number, grid_code),
    foreign key (draft_id, step_number) references draft_steps on delete cascade,
    check (is_retired = (geom is null))
);
