-- Who has a matter, and where it is, the desk decides; a grid worker settles what is theirs, and cannot send units.
insert into access.role_rights values ('dispatcher', 'incidents.dispatch'), ('supervisor', 'incidents.dispatch');

-- credentials that were cut down to what a desk does do it still
update access.credentials set only_rights = only_rights || array['incidents.dispatch'] where 'incidents.write' = any(only_rights);
