-- Right answers: households that were shared out say so.

-- 1. Households of cells whose ground was divided are stored as the impact promised, and marked.
alter table grid_cells add column households_estimated boolean not null default false;
comment on column grid_cells.households_estimated is 'shared out by area when ground was divided; nobody counted it';
grant insert (households_estimated) on grid_cells to geo_grid_service;
alter table draft_cells add column households_estimated boolean not null default false;

-- 2. Circles of a post that lies far from a road begin with a way on foot.
alter table response_circles add column on_foot_m double precision not null default 0 check (on_foot_m >= 0);
comment on column response_circles.on_foot_m is 'metres on foot between the post and the nearest road, in the time';
grant insert (on_foot_m) on response_circles to geo_grid_app;
