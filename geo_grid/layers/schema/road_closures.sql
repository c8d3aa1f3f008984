-- Road closures.

create trigger road_closures_audited_insert after insert on road_closures referencing new table as changed
    for each statement execute function access.audit_features('closure_code');
create trigger road_closures_audited_update after update on road_closures referencing old table as former new table as changed
    for each statement execute function access.audit_features('closure_code');
create trigger road_closures_audited_delete after delete on road_closures referencing old table as former
    for each statement execute function access.audit_features('closure_code');
create trigger road_closures_marked before insert or update of is_demo on road_closures
    for each row when (current_user = 'geo_grid_app') execute function access.mark_demo();
