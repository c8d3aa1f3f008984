-- name: analyze_cameras
analyze cameras

-- name: analyze_incidents
analyze incidents

-- name: analyze
analyze
