-- Why a circle is an estimate, where that is known.
alter table response_circles add column estimated_because text
    check (estimated_because in ('no_roads', 'no_road_near', 'no_answer', 'too_large'));
comment on column response_circles.estimated_because is 'why it is an estimate; null: it is none, or it is not known';
grant insert (estimated_because) on response_circles to geo_grid_app;
