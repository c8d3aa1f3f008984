-- Grid cells as maps draw them at each zoom: simplified together, so that their borders stay shared
-- (PostGIS 3.3 cannot; geo_grid/boundaries/drawn.py does), and in the coordinates of tiles. Derived; can be made again.

create table draw_steps (
    from_zoom smallint not null,
    to_zoom smallint primary key,
    grid_level smallint not null,
    check (from_zoom <= to_zoom)
);
comment on table draw_steps is 'cells of this level, or above it where there is none, are drawn alike at these zooms';

create table drawn_cells (
    to_zoom smallint not null,
    grid_code text collate "C" not null,
    grid_level smallint not null,
    name text not null,
    parent_code text collate "C",
    cell_kind text not null,
    household_count integer,
    is_demo boolean not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    is_plain boolean not null,
    geom geometry(Geometry, 3857) not null
);
comment on column drawn_cells.is_plain is 'stays valid on the grid of tiles at all its zooms: it need not be mended there';
create index drawn_cells_geom on drawn_cells using gist (to_zoom, geom);
create index drawn_cells_code on drawn_cells (grid_code, to_zoom) where valid_to is null;

alter table drawn_cells enable row level security;
create policy drawn_cells_seen on drawn_cells for select using (
    (select access.city_wide('map')) or grid_code in (select access.my_chain('map')));
grant select on draw_steps, drawn_cells to geo_grid_app;
