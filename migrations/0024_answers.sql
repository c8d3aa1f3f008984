-- Right answers: households that were shared out say so, circles that begin on foot, categories that have a code.

-- 1. Households of cells whose ground was divided are stored as the impact promised, and marked.
alter table grid_cells add column households_estimated boolean not null default false;
comment on column grid_cells.households_estimated is 'shared out by area when ground was divided; nobody counted it';
grant insert (households_estimated) on grid_cells to geo_grid_service;
alter table draft_cells add column households_estimated boolean not null default false;

-- 2. Circles of a post that lies far from a road begin with a way on foot.
alter table response_circles add column on_foot_m double precision not null default 0 check (on_foot_m >= 0);
comment on column response_circles.on_foot_m is 'metres on foot between the post and the nearest road, in the time';
grant insert (on_foot_m) on response_circles to geo_grid_app;

-- 3. Categories of incidents 警情类别: a code, whatever the language they were named in. Names that are not listed are
--    kept as they came, and told by doctor; urgency and icon come with the workflow.
create table incident_categories (
    category_code text collate "C" primary key check (category_code ~ '^[a-z][a-z0-9_]{0,31}$'),
    name_zh text not null unique check (name_zh <> ''),
    name_en text not null check (name_en <> '')
);
create unique index incident_categories_name_en on incident_categories (lower(name_en));
insert into incident_categories values
    ('public_order', '治安', 'Public order'), ('traffic', '交通', 'Traffic'), ('dispute', '纠纷', 'Dispute'),
    ('help', '求助', 'Help'), ('fire', '消防', 'Fire'), ('fraud', '诈骗', 'Fraud'), ('city_matter', '事件', 'City matter');
grant select on incident_categories to geo_grid_app;

create function category_code(named text) returns text
language sql stable strict parallel safe
begin atomic
    select coalesce((select c.category_code from incident_categories c
                     where c.category_code = lower(named) or c.name_zh = named or lower(c.name_en) = lower(named)
                     limit 1), named);
end;

-- whoever writes: one way in for the desk, files and the demo
create function categorise() returns trigger language plpgsql as $$
begin
    new.category := category_code(new.category);
    return new;
end $$;
revoke execute on function categorise() from public;
create trigger incidents_categorised before insert or update of category on incidents
    for each row execute function categorise();

alter table incidents disable trigger user;
update incidents set category = category_code(category) where category <> category_code(category);
alter table incidents enable trigger user;
comment on column incidents.category is 'code of incident_categories, or a name that is not listed there';
