-- name: versions
select table_name, version from table_versions
