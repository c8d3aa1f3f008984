-- The lattice of coordinates and the schemes of codes: what tables check.

-- The lattice step is 2^-26 degree (about 1.7 mm): exact in a double, so comparing with the
-- snapped copy is an exact test (docs: DESIGN, invariant 2).
create or replace function on_lattice(geom geometry) returns boolean
language sql immutable strict parallel safe
return geom = ST_SnapToGrid(geom, 0, 0, 0.00000001490116119384765625, 0.00000001490116119384765625);
grant execute on function on_lattice to public;

-- GB/T 2260 (6), GB/T 10114 and the statistical division codes (9, 12), DB11/T 2157-2023 (15),
-- CJ/T 349-2010 (20). 'local' is for codes no standard covers.
create or replace function code_follows_scheme(code text, scheme text) returns boolean
language sql immutable strict parallel safe
return case scheme
    when 'division_code_6' then code ~ '^[1-9][0-9]{5}$'
    when 'division_code_9' then code ~ '^[1-9][0-9]{8}$'
    when 'division_code_12' then code ~ '^[1-9][0-9]{11}$'
    when 'unit_grid_15' then code ~ '^[1-9][0-9]{14}$'
    when 'unit_grid_20' then code ~ '^[1-9][0-9]{19}$'
    when 'local' then code ~ '^[0-9A-Za-z._-]{1,32}$'
    else false
end;
grant execute on function code_follows_scheme to public;
