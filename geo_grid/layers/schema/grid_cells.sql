-- Grid cells at a moment: the leaf cells, those of a level, and the ancestors of a cell. PostgreSQL inlines these functions
-- into the calling statement, so that its conditions and indexes apply, and the policies of the calling role. They are SQL
-- in string form, which is parsed at each use, since grid_cells may get another column.

-- The leaf rule: the cells in force without a child in force. At 'infinity': those of the newest edition.
create or replace function leaf_cells(moment timestamptz) returns setof grid_cells
language sql stable parallel safe as $$
    select c.* from public.grid_cells c
    where public.in_force(c.valid_from, c.valid_to, moment)
      and not exists (select from public.grid_cells k
                      where k.parent_code = c.grid_code and public.in_force(k.valid_from, k.valid_to, moment))
$$;
grant execute on function leaf_cells to public;

-- The cells of a level; where an area is not divided so far, its leaf cells. It repeats the leaf rule, since one index scan
-- finds the few cells of a small area faster than a union with leaf_cells.
create or replace function cells_of_level(level integer, moment timestamptz) returns setof grid_cells
language sql stable parallel safe as $$
    select c.* from public.grid_cells c
    where public.in_force(c.valid_from, c.valid_to, moment)
      and (c.grid_level = level
           or c.grid_level < level
              and not exists (select from public.grid_cells k
                              where k.parent_code = c.grid_code and public.in_force(k.valid_from, k.valid_to, moment)))
$$;
grant execute on function cells_of_level to public;

-- A cell and its ancestors, by parent, in force at a moment; a cell that was retired before, in its last state.
create or replace function cell_chain(code text, moment timestamptz) returns setof grid_cells
language sql stable parallel safe as $$
    with recursive chain as (
        (select c.* from public.grid_cells c
         where c.grid_code = code and c.valid_from <= moment
         order by c.valid_from desc limit 1)
        union all
        select p.* from chain
        cross join lateral (select p.* from public.grid_cells p
                            where p.grid_code = chain.parent_code and p.valid_from <= moment
                            order by p.valid_from desc limit 1) p
    )
    select * from chain
$$;
grant execute on function cell_chain to public;

-- Every cell with the cell of a level that it is, or lies in; as of the newest edition, cells that were retired before in
-- their last state. Those above the level have none. In PL/pgSQL, which tells the planner how many rows there may be: it
-- takes a recursive query for a few rows, and joins thousands of rows to it in a nested loop.
create or replace function cells_in_level(level integer) returns table (grid_code text, above text)
language plpgsql stable rows 20000 as $$
begin
    return query
    with recursive newest as materialized (
        select distinct on (c.grid_code) c.grid_code as code, c.parent_code as parent, c.grid_level
        from public.grid_cells c order by c.grid_code, c.valid_from desc
    ),
    below as (
        select n.code, n.code as top from newest n where n.grid_level = level
        union all
        select n.code, b.top from below b join newest n on n.parent = b.code
    )
    select b.code, b.top from below b;
end $$;
grant execute on function cells_in_level to public;

-- A cell, and all cells within it, as cells_in_level has them.
create or replace function cells_within(code text) returns setof text
language plpgsql stable rows 2000 as $$
begin
    return query
    with recursive below as (
        select code collate "C" as grid_code
        union
        select c.grid_code from below b join public.grid_cells c on c.parent_code = b.grid_code
    )
    select b.grid_code from below b;
end $$;
grant execute on function cells_within to public;
