-- Which cells and zones are within which: it follows the boundaries.

-- every cell with its ancestors, every leaf cell with its zones: at the commit that publishes an edition
create or replace function access.refresh_scope() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    with recursive newest as materialized (
        select distinct on (grid_code) grid_code, parent_code from grid_cells order by grid_code, valid_from desc
    ),
    path as (
        select grid_code as ancestor_code, grid_code from newest
        union
        select n.parent_code, p.grid_code
        from path p join newest n on n.grid_code = p.ancestor_code
        where n.parent_code is not null
    ),
    gone as (
        delete from access.cell_scope s
        where not exists (select from path where (path.ancestor_code, path.grid_code) = (s.ancestor_code, s.grid_code))
    )
    insert into access.cell_scope select ancestor_code, grid_code from path on conflict do nothing;

    with leaf as materialized (
        select c.grid_code, c.geom, ST_PointOnSurface(c.geom) as inside
        from leaf_cells('infinity') c
    ),
    spot as (
        select z.zone_code, case z.zone_kind when 'area' then ST_PointOnSurface(z.geom) else p.geom end as inside
        from patrol_zones z
        left join lateral ST_DumpPoints(z.geom) p on z.zone_kind = 'segment'
        where z.valid_to is null
    ),
    pair as materialized (
        select l.grid_code, z.zone_code
        from leaf l join patrol_zones z on ST_Covers(z.geom, l.inside)
        where z.valid_to is null and z.zone_kind = 'area'
        union
        select c.grid_code, s.zone_code
        from spot s join grid_cells c on ST_Covers(c.geom, s.inside)
        where c.valid_to is null and c.grid_code in (select grid_code from leaf)
    ),
    gone as (
        delete from access.zone_scope s
        where not exists (select from pair where (pair.grid_code, pair.zone_code) = (s.grid_code, s.zone_code))
    )
    insert into access.zone_scope select grid_code, zone_code from pair on conflict do nothing;
    return null;
end $$;

create constraint trigger editions_scope after insert on editions
    deferrable initially deferred for each row execute function access.refresh_scope();
