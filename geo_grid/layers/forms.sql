-- Output formats of a layer; {items} is the layer's own statement, {geometry} its geometry as GeoJSON.

-- name: geojson
select id, {geometry} as geometry, properties::text as properties from ({items}) shown

-- name: tile
-- 64 of 4,096 units around the tile, so that lines and signs on its edge are whole; ST_AsMVT leaves out what has no shape
select coalesce(ST_AsMVT(drawn, {name}, 4096, 'geom'), '')
from (
    select ST_AsMVTGeom(ST_Transform(geom, 3857), ST_TileEnvelope(%(zoom)s, %(x)s, %(y)s), 4096, 64) as geom,
           properties || jsonb_strip_nulls(jsonb_build_object('id', id)) as properties
    from ({items}) shown
) drawn

-- name: drawn_tile
-- for a layer with a statement of its own for tiles
select coalesce(ST_AsMVT(drawn, {name}, 4096, 'geom'), '') from ({drawn}) drawn
