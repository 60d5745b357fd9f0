-- docs/reference.md from the comments in the catalog; needs the extension in
-- the database.  "make reference" runs it in the demo's server.
\pset format unaligned
\pset tuples_only on
\pset fieldsep ''
SELECT '# Reference

Made by `make reference` from the comments of wfml ' || extversion || '; `\df+ wfml.*` and `\dv+ wfml.*` show the same in psql.
An input is a row, `jsonb`, `json` or JSON text; the row form stands for all four. Ids of users and items are `text`,
`bigint` or `uuid`; the text form stands for all three.
' FROM pg_extension WHERE extname = 'wfml';

SELECT '## Algorithms
';
SELECT '### ' || algorithm || '

' || description || '

| parameter | type | default | allowed | meaning |
| --- | --- | --- | --- | --- |
' || (SELECT string_agg(format('| `%s` | %s | %s | %s | %s |', p.parameter, p.type, coalesce(p."default", ''), coalesce(p.range, ''), p.description), E'\n' ORDER BY p.parameter)
      FROM wfml.parameters p WHERE p.algorithm = a.algorithm) || E'\n'
FROM wfml.algorithms a;

SELECT '## Functions
';
SELECT format(E'`wfml.%s(%s)`%s\n: %s\n', p.proname,
              replace(regexp_replace(pg_get_function_arguments(p.oid), ', OUT .*$|^OUT .*$', ''), ' DEFAULT ', ' = '),
              ' → `' || replace(pg_get_function_result(p.oid), 'double precision', 'float8') || '`',
              d.description)
FROM pg_proc p
JOIN pg_depend e ON e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e'
JOIN pg_extension x ON x.oid = e.refobjid AND x.extname = 'wfml'
JOIN pg_description d ON d.classoid = 'pg_proc'::regclass AND d.objoid = p.oid
WHERE p.prokind IN ('f', 'p') AND p.prorettype <> 'trigger'::regtype
  AND NOT EXISTS (SELECT 1 FROM pg_aggregate a WHERE p.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn))
  AND NOT (p.proargtypes::oid[] && ARRAY['jsonb'::regtype::oid, 'json'::regtype::oid]
           AND EXISTS (SELECT 1 FROM pg_proc o WHERE o.pronamespace = p.pronamespace AND o.proname = p.proname
                       AND o.proargtypes::oid[] && ARRAY['record'::regtype::oid]))
  AND NOT EXISTS (SELECT 1 FROM pg_proc o WHERE o.pronamespace = p.pronamespace AND o.proname = p.proname
                  AND o.proargtypes::oid[] && ARRAY['record'::regtype::oid] AND p.proargtypes::oid[] @> ARRAY['text'::regtype::oid]
                  AND NOT p.proargtypes::oid[] && ARRAY['record'::regtype::oid])
  -- ids: the same with text instead
  AND NOT EXISTS (SELECT 1 FROM pg_proc o WHERE o.oid <> p.oid AND o.pronamespace = p.pronamespace AND o.proname = p.proname
                  AND ARRAY(SELECT unnest(o.proargtypes::oid[])) = ARRAY(SELECT CASE WHEN t IN ('bigint'::regtype, 'uuid'::regtype) THEN 'text'::regtype::oid ELSE t END
                                                   FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a(t, k) ORDER BY k))
ORDER BY p.proname, p.oid;

SELECT '## Aggregates
';
SELECT format(E'`wfml.%s(%s)` → `%s`\n: %s\n', p.proname, pg_get_function_arguments(p.oid),
              replace(pg_get_function_result(p.oid), 'double precision', 'float8'), d.description)
FROM pg_proc p
JOIN pg_depend e ON e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e'
JOIN pg_extension x ON x.oid = e.refobjid AND x.extname = 'wfml'
JOIN pg_description d ON d.classoid = 'pg_proc'::regclass AND d.objoid = p.oid
WHERE p.prokind = 'a'
ORDER BY p.proname, p.oid;

SELECT '## Views
';
SELECT format(E'`wfml.%s` (%s)\n: %s\n', c.relname,
              (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0),
              d.description)
FROM pg_class c
JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = 0
WHERE c.relnamespace = 'wfml'::regnamespace AND c.relkind = 'v' AND has_table_privilege('public', c.oid, 'SELECT')
ORDER BY c.relname;

LOAD 'wfml';
SELECT '## Settings
';
SELECT format(E'`%s` (%s%s)\n: %s%s\n', name, setting, CASE WHEN unit IS NOT NULL THEN ' ' || unit ELSE '' END, short_desc,
              coalesce(' ' || extra_desc, ''))
FROM pg_settings WHERE name LIKE 'wfml.%' ORDER BY name;
