-- name: analyze_cameras
analyze cameras

-- name: analyze_incidents
analyze incidents

-- name: analyze
analyze

-- name: stage_mediation
create temporary table given_organisations (
    facility_code text collate "C", mediation_kind text, grid_code text, centre_code text collate "C",
    room_code text collate "C", studio_of text) on commit drop;
create temporary table given_mediators (facility_code text collate "C", person_name text, valid_from timestamptz) on commit drop

-- name: mediation_organisations
insert into mediation_organisations (facility_id, mediation_kind, grid_code, centre_id, room_id, studio_of, is_demo)
select f.facility_id, g.mediation_kind, g.grid_code, centre.facility_id, room.facility_id, g.studio_of, true
from given_organisations g
join facilities f on f.facility_code = g.facility_code
left join facilities centre on centre.facility_code = g.centre_code
left join facilities room on room.facility_code = g.room_code

-- name: mediators
insert into mediators (facility_id, person_name, valid_from, is_demo)
select f.facility_id, g.person_name, g.valid_from, true
from given_mediators g
join facilities f on f.facility_code = g.facility_code
