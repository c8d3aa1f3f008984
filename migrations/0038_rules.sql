-- Rules that the city edits itself: loops, which were changed with SQL alone, and what levels of cells are called.

alter table loops add column retired_at timestamptz;
comment on column loops.retired_at is 'since when no category takes it; its open matters go on in it; null: it is in use';

-- who may: the policies of workflow/schema and layers/schema
grant insert, update on loops to geo_grid_app;
grant insert, delete on loop_stages to geo_grid_app;
grant update (name_zh, name_en, min_zoom, settles) on grid_levels to geo_grid_app;
