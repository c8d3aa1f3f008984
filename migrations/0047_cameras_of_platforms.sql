-- A platform is called by the number of a camera: of the cameras that name a platform each number is one camera's. And nothing
-- is seen beyond 5 km.

-- of two with a number the first stays its platform's
update cameras c set platform_code = null
where c.platform_code is not null
  and exists (select from cameras o where o.gb28181_id = c.gb28181_id and o.platform_code is not null and o.camera_id < c.camera_id);
create unique index cameras_of_platforms on cameras (gb28181_id) where platform_code is not null;

update cameras set range_m = 5000 where range_m > 5000;
alter table cameras add constraint cameras_range_m_most check (range_m <= 5000);
