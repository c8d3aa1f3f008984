-- A national number is one camera's in the whole city, or a secret one's and that of somebody who could not know of it. Until now
-- two townships might each have registered one; of several with a number that of a platform keeps it, else the first that was
-- stored, and the others get local ones.

alter table cameras disable trigger user;
update cameras c set gb28181_id = 'LOCAL-' || c.camera_id || '-' || right(c.gb28181_id, 8)
from (select camera_id, row_number() over (partition by gb28181_id, is_secret order by platform_code is null, camera_id) as place
      from cameras where gb28181_id not like 'LOCAL-%') o
where o.camera_id = c.camera_id and o.place > 1;
alter table cameras enable trigger user;

drop index cameras_of_platforms;
create unique index cameras_national_numbers on cameras (gb28181_id, is_secret) where gb28181_id not like 'LOCAL-%';
