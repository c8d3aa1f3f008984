-- Right answers: households that were shared out say so.

-- 1. Households of cells whose ground was divided are stored as the impact promised, and marked.
alter table grid_cells add column households_estimated boolean not null default false;
comment on column grid_cells.households_estimated is 'shared out by area when ground was divided; nobody counted it';
grant insert (households_estimated) on grid_cells to geo_grid_service;
alter table draft_cells add column households_estimated boolean not null default false;
