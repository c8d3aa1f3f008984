-- name: report
select outcome, count(*) as count, array_agg(number) filter (where outcome = 'unknown') as numbers
from access.report_positions(%(reports)s)
group by outcome

-- name: unit
select unit_code from patrol_units where unit_code = %(unit_code)s

-- name: track
select reported_at, ST_X(geom) as lon, ST_Y(geom) as lat from unit_positions
where unit_code = %(unit_code)s and reported_at >= %(since)s and reported_at < %(until)s
order by reported_at
limit 20000

-- name: tidy
select access.tidy_positions(make_interval(secs => %(kept_s)s))
