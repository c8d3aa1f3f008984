-- Who answers: police posts, the circles around them, patrol units.

create table police_posts (
    police_post_id bigint generated always as identity primary key,
    post_code text collate "C" not null unique check (code_follows_scheme(post_code, 'local')),
    name text not null check (name <> '' and length(name) <= 200),
    post_kind text not null default 'police_post'
        check (post_kind in ('police_station', 'police_post', 'standby_post')),
    responsible_unit text not null default '',
    phone text not null default '',
    geom geometry(Point, 4490) not null
        constraint police_posts_geom_on_lattice check (on_lattice(geom)),
    is_demo boolean not null default false
);
create index police_posts_geom on police_posts using gist (geom);
create index police_posts_geog on police_posts using gist ((geom::geography));  -- nearest, in metres

create table response_circles (
    response_circle_id bigint generated always as identity primary key,
    post_code text collate "C" not null references police_posts (post_code) on delete cascade,
    tier_minutes smallint not null check (tier_minutes in (1, 3, 5)),
    circle_basis text not null default 'force_tier'
        check (circle_basis in ('place_tier', 'force_tier', 'phase')),
    method text not null,
    speed_kmh double precision not null check (speed_kmh > 0),
    detour_factor double precision not null check (detour_factor >= 1),
    responsible_unit text not null default '',
    built_at timestamptz not null default now(),
    geom geometry(MultiPolygon, 4490) not null
        constraint response_circles_geom_valid check (ST_IsValid(geom) and not ST_IsEmpty(geom))
        constraint response_circles_geom_on_lattice check (on_lattice(geom)),
    is_demo boolean not null default false,
    unique (post_code, circle_basis, tier_minutes)
);
create index response_circles_geom on response_circles using gist (geom);

create function check_circles_nest() returns trigger language plpgsql as $$
declare
    found record;
begin
    select inner_circle.post_code, inner_circle.tier_minutes, outer_circle.tier_minutes as outer_tier
    into found
    from response_circles inner_circle
    join response_circles outer_circle using (post_code, circle_basis)
    where inner_circle.tier_minutes < outer_circle.tier_minutes
      and post_code = new.post_code
      and not ST_Covers(outer_circle.geom, inner_circle.geom)
    limit 1;
    if found.post_code is not null then
        raise exception 'post %: the %-minute circle reaches outside the %-minute circle',
            found.post_code, found.tier_minutes, found.outer_tier
            using errcode = 'check_violation';
    end if;
    return null;
end $$;

create constraint trigger response_circles_nest after insert or update on response_circles
    deferrable initially deferred for each row execute function check_circles_nest();

create table patrol_units (
    patrol_unit_id bigint generated always as identity primary key,
    unit_code text collate "C" not null unique check (code_follows_scheme(unit_code, 'local')),
    name text not null check (name <> '' and length(name) <= 200),
    unit_kind text not null check (unit_kind in ('car', 'motorcycle', 'foot', 'volunteers')),
    post_code text collate "C" references police_posts (post_code),
    zone_code text collate "C",
    unit_status text not null default 'on_patrol'
        check (unit_status in ('on_patrol', 'dispatched', 'on_scene', 'off_duty')),
    reported_at timestamptz not null default now(),
    geom geometry(Point, 4490) not null
        constraint patrol_units_geom_on_lattice check (on_lattice(geom)),
    is_demo boolean not null default false
);
create index patrol_units_geom on patrol_units using gist (geom);
create index patrol_units_geog on patrol_units using gist ((geom::geography));  -- nearest, in metres
