/*-------------------------------------------------------------------------
 * usage.c
 *	  Indexes, constraints and functions that use a model.
 *
 * Bodies of functions written as strings are opaque to PostgreSQL and so to
 * us; wfml.create_function() makes BEGIN ATOMIC ones.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "pg/tables.h"
#include "pg/usage.h"

/*
 * Objects beside wfml's own whose definition matches the pattern $1 and whose
 * owner may use the model $2: for others it fails anyway, and a stranger's
 * function must not keep the owner from dropping his model.
 */
static const char users_query[] =
"WITH used AS ("
"  SELECT DISTINCT d.classid, d.objid FROM pg_catalog.pg_depend d"
"  JOIN pg_catalog.pg_proc f ON f.oid = d.refobjid AND f.pronamespace = 'wfml'::regnamespace"
"  WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'n'"
"), defined AS ("
"  SELECT used.*, t.relowner AS owner, pg_get_indexdef(i.indexrelid) AS definition FROM used"
"  JOIN pg_catalog.pg_index i ON i.indexrelid = used.objid"
"  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid WHERE classid = 'pg_catalog.pg_class'::regclass"
"  UNION ALL"
"  SELECT used.*, p.proowner, pg_get_functiondef(p.oid) FROM used"
"  JOIN pg_catalog.pg_proc p ON p.oid = used.objid AND p.prokind IN ('f', 'p') AND p.pronamespace <> 'wfml'::regnamespace"
"  WHERE classid = 'pg_catalog.pg_proc'::regclass"
"  UNION ALL"
"  SELECT used.*, coalesce(t.relowner, d.typowner), pg_get_constraintdef(c.oid) FROM used"
"  JOIN pg_catalog.pg_constraint c ON c.oid = used.objid"
"  LEFT JOIN pg_catalog.pg_class t ON t.oid = c.conrelid"
"  LEFT JOIN pg_catalog.pg_type d ON d.oid = c.contypid WHERE classid = 'pg_catalog.pg_constraint'::regclass"
"  UNION ALL"
"  SELECT used.*, t.relowner, pg_get_expr(a.adbin, a.adrelid) FROM used"
"  JOIN pg_catalog.pg_attrdef a ON a.oid = used.objid"
"  JOIN pg_catalog.pg_class t ON t.oid = a.adrelid WHERE classid = 'pg_catalog.pg_attrdef'::regclass"
") "
"SELECT pg_describe_object(u.classid, u.objid, 0) AS object FROM defined u, wfml.registry r"
" WHERE u.definition ~ $1 AND r.name = $2"
" AND (pg_has_role(u.owner, r.owner::oid, 'USAGE')"
"      OR EXISTS (SELECT FROM wfml.model_grant g WHERE g.model = r.name"
"                 AND CASE WHEN g.grantee::oid = 0::oid THEN true ELSE pg_has_role(u.owner, g.grantee::oid, 'USAGE') END))"
" ORDER BY object";

/* At most this many are named. */
#define MAX_NAMED 5

static void
refuse(const char *action, const char *what, const char *name, const char *pattern)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[] = {CStringGetTextDatum(pattern), CStringGetTextDatum(name)};
	uint64		n = wfml_execute(users_query, 2, types, values, NULL);
	StringInfoData names;

	if (n == 0)
		return;
	initStringInfo(&names);
	for (uint64 i = 0; i < Min(n, MAX_NAMED); i++)
	{
		bool		isnull;

		appendStringInfo(&names, "%s%s", i ? ", " : "", TextDatumGetCString(wfml_result(i, 1, &isnull)));
	}
	if (n > MAX_NAMED)
		appendStringInfo(&names, " and " UINT64_FORMAT " more", n - MAX_NAMED);
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot %s %s because other objects use it", action, what),
			 errdetail("It is used by %s.", names.data),
			 errhint("Drop those first.")));
}

/* Of the characters a model name may have only the dot means something in a pattern. */
static char *
quote_pattern(const char *name)
{
	StringInfoData pattern;

	initStringInfo(&pattern);
	for (; *name; name++)
	{
		if (*name == '.')
			appendStringInfoChar(&pattern, '\\');
		appendStringInfoChar(&pattern, *name);
	}
	return pattern.data;
}

void
wfml_refuse_used_version(const char *action, const char *name, int32 version, int64 id)
{
	char	   *what = psprintf("version %d of model \"%s\"", version, name);

	refuse(action, what, name,
		   psprintf("\\mwfml\\.\\w+_version\\((model_id => )?\\(*'?" INT64_FORMAT "\\M"
					"|(\\mwfml\\.\\w+\\(|model => )'%s@%d'::text",
					id, quote_pattern(name), version));
}

void
wfml_refuse_used_name(const char *action, const char *name)
{
	refuse(action, psprintf("model \"%s\"", name), name,
		   psprintf("(\\mwfml\\.\\w+\\(|model => )'%s(@\\d+)?'::text", quote_pattern(name)));
}
