-- Grid cells at a moment: the innermost, those of a level, and those above a cell. Each is put into the statement that
-- asks, so that its conditions and indexes serve it and policies hold for whoever asks: in plain SQL that is bound anew
-- each time, since grid_cells may get another column.

-- The leaf rule: cells in force of which none in force is a part. At 'infinity': of the newest boundaries.
create or replace function leaf_cells(moment timestamptz) returns setof grid_cells
language sql stable parallel safe as $$
    select c.* from public.grid_cells c
    where public.in_force(c.valid_from, c.valid_to, moment)
      and not exists (select from public.grid_cells k
                      where k.parent_code = c.grid_code and public.in_force(k.valid_from, k.valid_to, moment))
$$;
grant execute on function leaf_cells to public;

-- the cells of a level; where an area is not divided so far, its innermost ones: the leaf rule again, because few cells
-- of a small area are asked for, which one scan finds and a union of two does not
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

-- a cell and its ancestors, by parent, as they were at a moment; of a cell that was retired before: as it last was
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
