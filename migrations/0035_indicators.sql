-- Groups of categories that are counted together, such as 两抢一盗 "two robberies, one theft": data, to be changed with SQL.

create table category_groups (
    group_code text collate "C" primary key check (group_code ~ '^[a-z][a-z0-9_]{0,31}$'),
    name_zh text not null unique check (name_zh <> ''),
    name_en text not null check (name_en <> ''),
    is_confirmed boolean not null default false
);
comment on column category_groups.is_confirmed is 'whether the city said that it counts so';

create table category_group_members (
    group_code text collate "C" not null references category_groups on delete cascade,
    category text not null check (category <> '' and length(category) <= 100),
    subtype text not null default '' check (length(subtype) <= 100),
    primary key (group_code, category, subtype)
);
comment on column category_group_members.category is 'as incidents.category has it: a code, or a name that is not listed';
comment on column category_group_members.subtype is 'empty: every subtype of the category';
grant select on category_groups, category_group_members to geo_grid_app;

insert into category_groups (group_code, name_zh, name_en) values
    ('robbery_and_theft', '两抢一盗', 'Two robberies, one theft');
insert into category_group_members values
    ('robbery_and_theft', 'public_order', '抢劫'), ('robbery_and_theft', 'public_order', '抢夺'),
    ('robbery_and_theft', 'public_order', '盗窃');
