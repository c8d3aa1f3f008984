-- name: clear_roads
-- roads of a file of the city's own have no osm_id, and stay
delete from roads where osm_id is not null

-- name: clear_base_features
delete from base_features where osm_id is not null

-- name: put_extract
insert into osm_extract (file_name, sha256, data_from, road_count, base_feature_count, is_demo, graph_key)
values (%(file_name)s, %(sha256)s, %(data_from)s, %(roads)s, %(base_features)s, %(is_demo)s, %(graph_key)s)
on conflict (one) do update set file_name = excluded.file_name, sha256 = excluded.sha256, data_from = excluded.data_from,
    imported_at = now(), road_count = excluded.road_count, base_feature_count = excluded.base_feature_count,
    is_demo = excluded.is_demo, graph_key = excluded.graph_key
