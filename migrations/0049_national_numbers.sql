-- A national number is one camera's in the whole city. Until now two townships might each have registered one; of several with a
-- number that of a platform keeps it, else a secret one, else the first that was stored. The others get local ones, and nothing
-- is proposed of them any more.

create temporary table of_others on commit drop as
select camera_id
from (select camera_id, row_number() over (
          partition by gb28181_id order by platform_code is null, not is_secret, camera_id) as place
      from cameras where gb28181_id not like 'LOCAL-%') o
where place > 1;

delete from camera_proposals p using of_others o where p.camera_id = o.camera_id and p.decided_at is null;
alter table cameras disable trigger user;
update cameras c set gb28181_id = 'LOCAL-' || c.camera_id || '-' || right(c.gb28181_id, 8) from of_others o where o.camera_id = c.camera_id;
alter table cameras enable trigger user;

drop index cameras_of_platforms;
create unique index cameras_national_numbers on cameras (gb28181_id) where gb28181_id not like 'LOCAL-%';
