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
