-- name: applied
select (select digest from schema_text) as digest

-- name: plainly
-- settings so that the catalogue shows definitions in one form: all names qualified but those of pg_catalog
select set_config('search_path', 'pg_catalog', true), set_config('timezone', 'UTC', true),
       set_config('datestyle', 'ISO', true), set_config('intervalstyle', 'iso_8601', true),
       set_config('extra_float_digits', '1', true), set_config('quote_all_identifiers', 'off', true)

-- name: described
-- all objects of the kinds that the text makes in the schemas public and access: name as for DROP, and definition. Without
-- those of extensions and triggers of partitions; is_new: created or changed in this transaction
with owner as (
    select relowner as id from pg_class where oid = 'public.schema_text'::regclass
),
of_extensions as (
    select classid, objid from pg_depend where deptype = 'e'
),
relation as (
    select c.*, format('%I.%I', n.nspname, c.relname) as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('public', 'access') and not c.relispartition
      and not exists (select from of_extensions e where e.classid = 'pg_class'::regclass and e.objid = c.oid)
),
found as (
    select 'function' as kind, p.oid, p.oid::regprocedure::text as name, p.xmin = pg_current_xact_id()::xid as is_new,
           pg_get_functiondef(p.oid) as shown,
           (select id from owner) = p.proowner as is_owned,
           coalesce(p.proacl, acldefault('f', p.proowner)) as granted, p.proowner as owner
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'access') and p.prokind in ('f', 'p')
      and not exists (select from of_extensions e where e.classid = 'pg_proc'::regclass and e.objid = p.oid)
    union all
    select 'view', v.oid, v.name, r.xmin = pg_current_xact_id()::xid,
           concat_ws(' ', v.reloptions, pg_get_viewdef(v.oid)),
           (select id from owner) = v.relowner, coalesce(v.relacl, acldefault('r', v.relowner)), v.relowner
    from relation v join pg_rewrite r on r.ev_class = v.oid
    where v.relkind = 'v'
    union all
    select 'trigger', t.oid, format('%I on %s', t.tgname, r.name), t.xmin = pg_current_xact_id()::xid,
           concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled), true, null::aclitem[], 0
    from pg_trigger t join relation r on r.oid = t.tgrelid
    where not t.tgisinternal and t.tgparentid = 0
    union all
    select 'policy', p.oid, format('%I on %s', p.polname, r.name), p.xmin = pg_current_xact_id()::xid,
           concat_ws(' ', p.polcmd, p.polpermissive,
                     array(select case o when 0 then 'public' else o::regrole::text end from unnest(p.polroles) o),
                     'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid),
                     r.relrowsecurity),
           true, null::aclitem[], 0
    from pg_policy p join relation r on r.oid = p.polrelid
)
select f.kind, f.name, f.is_new,
       encode(sha256(convert_to(concat_ws(E'\n', f.shown, f.is_owned,
           array(select case g.grantee when 0 then 'public' else g.grantee::regrole::text end || '=' || g.privilege_type
                        || case when g.is_grantable then '*' else '' end
                 from aclexplode(f.granted) g where g.grantee <> f.owner order by 1)), 'UTF8')), 'hex') as digest
from found f
order by f.oid

-- name: known
select kind, name, digest from schema_objects

-- name: unsettle
delete from public.schema_text

-- name: forget
delete from schema_objects

-- name: keep
insert into schema_objects values (%(kind)s, %(name)s, %(digest)s)

-- name: note
insert into schema_text (digest) values (%(digest)s)
on conflict (one) do update set digest = excluded.digest, applied_at = now()
