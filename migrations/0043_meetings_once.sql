-- A joint meeting is recorded once for each Idempotency-Key, with or without resolutions.
alter table joint_meetings
    add column sent_key text check (length(sent_key) <= 200),
    add column request_digest bytea,
    add constraint joint_meetings_sent_once unique (actor_id, sent_key);
comment on column joint_meetings.sent_key is 'Idempotency-Key of whoever recorded it';
grant insert (sent_key, request_digest) on joint_meetings to geo_grid_app;
