-- Registered places.

create trigger registered_places_owned before insert or update on registered_places
    for each row when (current_user = 'geo_grid_app') execute function access.own_by_place();
create trigger registered_places_once after insert on registered_places
    referencing new table as added for each statement execute function access.refuse_second('place_code');
create trigger registered_places_audited_insert after insert on registered_places
    referencing new table as changed for each statement execute function access.audit_features('place_code');
create trigger registered_places_audited_update after update on registered_places
    referencing old table as former new table as changed for each statement execute function access.audit_features('place_code');
create trigger registered_places_audited_delete after delete on registered_places
    referencing old table as former for each statement execute function access.audit_features('place_code');
create trigger registered_places_marked before insert or update of is_demo on registered_places
    for each row when (current_user = 'geo_grid_app') execute function access.mark_demo();
