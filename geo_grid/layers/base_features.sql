-- name: items
select base_feature_id::text as id,
       ST_SnapToGrid(geom, %(pixel)s / 2) as geom,
       jsonb_build_object('feature_kind', feature_kind, 'feature_class', feature_class, 'name', name, 'is_demo', is_demo) as properties
from base_features
where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490) and min_zoom <= %(zoom)s
order by base_feature_id
limit %(limit)s

-- name: drawn
-- large things first: small ones are drawn over them
select ST_AsMVTGeom(ST_Simplify(ST_Transform(geom, 3857), %(pixel)s * 55660, true),
                    ST_TileEnvelope(%(zoom)s, %(x)s, %(y)s), 4096, 64) as geom,
       feature_kind, feature_class, nullif(name, '') as name
from (
    select geom, feature_kind, feature_class, name from base_features
    where geom && ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4490) and min_zoom <= %(zoom)s
    order by min_zoom, base_feature_id
    limit %(limit)s
) shown

-- name: stored
select base_feature_id, feature_kind, feature_class, name, min_zoom, osm_id, is_demo, geom from base_features

-- name: taken
select base_feature_id::text as key from base_features where base_feature_id::text = any(%(keys)s)
