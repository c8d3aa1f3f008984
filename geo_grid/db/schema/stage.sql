-- Staging tables for bulk inserts with the rights of the principal.

-- The application's role may not create tables, views or functions, not even temporary ones: they could shadow ours in a
-- pooled connection that others use afterwards. So the owner creates the staging table, empty and like one of ours.
create or replace function access.stage(like_table text, columns text[]) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
    listed text := (select string_agg(quote_ident(c.name), ', ' order by c.number)
                    from unnest(columns) with ordinality c (name, number));
begin
    if to_regclass('pg_temp.staged') is not null then
        drop table pg_temp.staged;
    end if;
    execute format('create temporary table staged on commit drop as select 0 as row_number, %s from public.%I with no data',
                   listed, like_table);
    grant select, insert on pg_temp.staged to public;
end $$;
grant execute on function access.stage to geo_grid_app;
