-- Who may know how the server is, and how much of everything it holds.
insert into access.role_rights values ('supervisor', 'metrics'), ('administrator', 'metrics'), ('auditor', 'metrics');
