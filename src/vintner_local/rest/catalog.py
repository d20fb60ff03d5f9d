"""Has PostgreSQL describe its exposed schemas as the JSON of a schema cache."""

from __future__ import annotations

from typing import Any

import psycopg
from pydantic import TypeAdapter

from vintner_local.rest.schema import Schema

_TABLES = """
select c.relname, json_build_object(
  'name', json_build_array(n.nspname, c.relname),
  'is_view', c.relkind in ('v', 'm'),
  'columns', (
    select json_object_agg(a.attname, json_build_object(
      'name', a.attname,
      'type', format_type(a.atttypid, a.atttypmod),
      'default', case
        when a.attidentity = 'd' then (select format('nextval(%L)', q.objid::regclass)
          from pg_depend q where (q.refobjid, q.refobjsubid, q.deptype) = (c.oid, a.attnum, 'i')
            and (q.refclassid, q.classid) = ('pg_class'::regclass, 'pg_class'::regclass))
        when a.attgenerated = '' then coalesce(pg_get_expr(d.adbin, d.adrelid), t.typdefault)
      end))
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on (d.adrelid, d.adnum) = (c.oid, a.attnum)
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
  'key', array(
    select a.attname::text from pg_constraint k, unnest(k.conkey) with ordinality u(number, place)
    join pg_attribute a on a.attnum = number
    where (k.conrelid, k.contype) = (c.oid, 'p') and a.attrelid = c.oid order by place)
) as object
from pg_class c
where c.relnamespace = n.oid and c.relkind in ('r', 'v', 'm', 'f', 'p')
  and exists (select from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped)
"""

_FUNCTIONS = """
select p.proname, json_agg(json_build_object(
  'name', json_build_array(n.nspname, p.proname),
  'parameters', array(
    select json_build_object('name', coalesce(p.proargnames[place], ''),
      'type', format_type(type, -1),
      'required', row_number() over (order by place) <= p.pronargs - p.pronargdefaults)
    from unnest(coalesce(p.proallargtypes, p.proargtypes)) with ordinality u(type, place)
    where coalesce(p.proargmodes[place], 'i') in ('i', 'b', 'v')),
  'variadic', p.provariadic <> 0,
  'takes_row', p.pronargs = 1 and exists (
    select from pg_type where oid = p.proargtypes[0] and typrelid <> 0),
  'result', case
    when t.typname = 'void' then 'void'
    when t.typtype = 'c' or b.typtype = 'c' or t.typname = 'record'
      or p.proargmodes && '{t,b,o}' then 'row'
    else 'scalar' end,
  'returns_set', p.proretset,
  'table', (select json_build_array(o.nspname, c.relname)
    from pg_class c join pg_namespace o on o.oid = c.relnamespace
    where c.oid = coalesce(nullif(b.typrelid, 0), t.typrelid) and c.relkind <> 'c'),
  'volatile', p.provolatile = 'v',
  'statement_timeout', (select split_part(setting, '=', 2) from unnest(p.proconfig) setting
    where setting like 'statement_timeout=%')
) order by p.oid) as object
from pg_proc p
join pg_type t on t.oid = p.prorettype
left join pg_type b on b.oid = t.typbasetype
where p.prokind = 'f' and p.pronamespace = n.oid
group by p.proname
"""

_RELATIONSHIPS = """
with keys as (
  select k.conname, k.conkey, k.conrelid as child, k.confrelid as parent,
    array_agg(json_build_array(a.attname, b.attname) order by place) as pairs,
    array_agg(json_build_array(b.attname, a.attname) order by place) as back,
    case when exists (select from pg_constraint q
      where q.conrelid = k.conrelid and q.contype in ('p', 'u')
        and q.conkey @> k.conkey and k.conkey @> q.conkey) then 'one' else 'many' end as many
  from pg_constraint k, unnest(k.conkey, k.confkey) with ordinality u(here, there, place)
  join pg_attribute a on a.attnum = here
  join pg_attribute b on b.attnum = there
  where k.contype = 'f' and k.conparentid = 0
    and a.attrelid = k.conrelid and b.attrelid = k.confrelid
  group by k.oid
), found as (
  select child as origin, parent as target, many || '-to-one' as kind, conname, pairs,
    null::json as junction from keys
  union all
  select parent, child, 'one-to-' || many, conname, back, null from keys
  union all
  select one.parent, other.parent, 'many-to-many', j.relname, '{}', json_build_object(
    'table', json_build_array(n.nspname, j.relname),
    'in_view', exists (
      select from pg_depend d
      join pg_rewrite r on r.oid = d.objid
      join pg_class v on v.oid = r.ev_class and v.relkind in ('v', 'm')
      join exposed e on e.oid = v.relnamespace
      where (d.classid, d.refobjid) = ('pg_rewrite'::regclass, j.oid)
      group by v.oid
      having array_agg(d.refobjsubid::int2) @> (one.conkey || other.conkey)),
    'origin', one.back, 'target', other.back)
  from keys one
  join keys other on other.child = one.child and other.conname <> one.conname
  join pg_constraint k on (k.conrelid, k.contype) = (one.child, 'p')
    and k.conkey @> (one.conkey || other.conkey)
  join pg_class j on j.oid = one.child
  join pg_namespace n on n.oid = j.relnamespace and n.nspname = any($1)
)
select json_agg(json_build_object(
  'origin', json_build_array(n.nspname, o.relname),
  'target', json_build_array(n.nspname, t.relname),
  'kind', kind, 'name', conname, 'columns', pairs, 'junction', junction
) order by t.relname, conname)
from found
join pg_class o on o.oid = origin
join pg_class t on t.oid = target and t.relnamespace = o.relnamespace
join pg_namespace n on n.oid = o.relnamespace and n.nspname = any($1)
"""

_ROLE_SETTINGS = """
select r.rolname, json_object_agg(p.name, substr(entry, length(p.name) + 2)
  order by d.setdatabase) as object
from pg_db_role_setting d
join pg_roles r on r.oid = d.setrole
cross join unnest(d.setconfig) entry
join pg_settings p on p.name = split_part(entry, '=', 1) and p.context = 'user'
where pg_has_role(current_user, r.oid, 'member') and r.rolname <> current_user
  and d.setdatabase in (0, (select oid from pg_database where datname = current_database()))
group by r.rolname
"""

_EXPOSED = "(select json_object_agg(n.nspname, coalesce({}, '{{}}')) from exposed n)"
_NAMED = "(select json_object_agg({}, object) from ({}) found)"
_SCHEMA = f"""
with exposed as (
  select oid, nspname from unnest($1::text[]) wanted
  join pg_namespace on oid = quote_ident(wanted)::regnamespace)
select json_build_object(
  'tables', {_EXPOSED.format(_NAMED.format("relname", _TABLES))},
  'functions', {_EXPOSED.format(_NAMED.format("proname", _FUNCTIONS))},
  'relationships', coalesce(({_RELATIONSHIPS}), '[]'),
  'role_settings', coalesce({_NAMED.format("rolname", _ROLE_SETTINGS)}, '{{}}')
)::text
"""  # noqa: S608 - all of it stands above
_READER = TypeAdapter(Schema)


async def load_schema(connection: psycopg.AsyncConnection[Any], schemas: tuple[str, ...]) -> Schema:
    """Reads everything that requests are planned against.

    Args:
        connection: an autocommit connection as the role that serves requests.
        schemas: the exposed schemas.

    Raises:
        psycopg.Error: an exposed schema is missing, or the database is not to be reached.
    """
    cursor = psycopg.AsyncRawCursor(connection)
    async with connection.transaction():
        await cursor.execute("select set_config('search_path', '', true)")
        await cursor.execute(_SCHEMA.encode(), [list(schemas)])
        row = await cursor.fetchone()
    assert row is not None
    return _READER.validate_json(row[0])
