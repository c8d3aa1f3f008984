-- Facilities.

create trigger facilities_audited_insert after insert on facilities
    referencing new table as changed for each statement execute function access.audit_features('facility_code');
create trigger facilities_audited_update after update on facilities
    referencing old table as former new table as changed for each statement execute function access.audit_features('facility_code');
create trigger facilities_audited_delete after delete on facilities
    referencing old table as former for each statement execute function access.audit_features('facility_code');
create trigger facilities_once after insert on facilities
    referencing new table as added for each statement execute function access.refuse_second('facility_code');
create trigger facilities_marked before insert or update of is_demo on facilities
    for each row when (current_user = 'geo_grid_app') execute function access.mark_demo();
