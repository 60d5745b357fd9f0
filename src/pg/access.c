/*-------------------------------------------------------------------------
 * access.c
 *	  Who may use a model and who may change it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "pg/access.h"
#include "pg/registry.h"
#include "pg/tables.h"

/* Names that a HINT lists. */
#define MAX_SUGGESTIONS 3

typedef struct Suggestion
{
	char	   *name;
	int			distance;
} Suggestion;

bool
wfml_is_owner(Oid owner, Oid user)
{
	return has_privs_of_role(user, owner);
}

/* A grant that the user has: to a role he is a member of, or to PUBLIC (0). */
static bool
has_grant(const char *name, Oid user)
{
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;
	bool		found = false;

	wfml_scan_text(&scan, t->model_grant, t->model_grant_pkey, Anum_model_grant_model, name);
	while (HeapTupleIsValid(scan.tuple) && !found)
	{
		bool		isnull;
		Oid			grantee = DatumGetObjectId(heap_getattr(scan.tuple, Anum_model_grant_grantee,
															RelationGetDescr(scan.table), &isnull));

		found = grantee == InvalidOid || has_privs_of_role(user, grantee);
		wfml_scan_next(&scan);
	}
	wfml_scan_done(&scan);
	return found;
}

bool
wfml_may_use(const char *name, Oid owner, Oid user)
{
	if (wfml_is_owner(owner, user))
		return true;
	return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(owner)) && has_grant(name, user);
}

bool
wfml_find_owner(const char *name, Oid *owner)
{
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;
	bool		found;
	bool		isnull;

	wfml_scan_text(&scan, t->registry, t->registry_pkey, Anum_registry_name, name);
	found = HeapTupleIsValid(scan.tuple);
	if (found)
		*owner = DatumGetObjectId(heap_getattr(scan.tuple, Anum_registry_owner, RelationGetDescr(scan.table), &isnull));
	wfml_scan_done(&scan);
	return found;
}

Oid
wfml_role_or_number(Name role, const char *hint)
{
	Oid			found = get_role_oid(NameStr(*role), true);
	const char *digits = NameStr(*role);

	if (!OidIsValid(found) && *digits && strspn(digits, "0123456789") == strlen(digits) && strlen(digits) <= 10)
		found = DatumGetObjectId(DirectFunctionCall1(oidin, CStringGetDatum(digits)));
	if (!OidIsValid(found))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist", NameStr(*role)),
				 errhint("%s", hint)));
	return found;
}

void
wfml_check_owner(const char *name)
{
	Oid			owner;

	if (!wfml_find_owner(name, &owner))
		wfml_unknown_model(name, GetUserId());
	if (!wfml_is_owner(owner, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of model \"%s\"", name)));
}

/* ---- names that were perhaps meant ---- */

/* Keep the closest ones, nearest first; ties by name. */
static int
suggest(Suggestion *best, int n, char *name, int distance)
{
	int			at = n;

	while (at > 0 && (best[at - 1].distance > distance ||
					  (best[at - 1].distance == distance && strcmp(best[at - 1].name, name) > 0)))
		at--;
	if (at == MAX_SUGGESTIONS)
		return n;
	n = Min(n + 1, MAX_SUGGESTIONS);
	memmove(&best[at + 1], &best[at], sizeof(Suggestion) * (n - 1 - at));
	best[at].name = name;
	best[at].distance = distance;
	return n;
}

/* Names within an edit distance of about a third of the longer name. */
static int
closest_models(const char *wanted, Oid user, Suggestion *best, bool *any)
{
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;
	int			length = pg_mbcliplen(wanted, strlen(wanted), NAMEDATALEN - 1);
	int			n = 0;

	*any = false;
	wfml_scan_all(&scan, t->registry);
	while (HeapTupleIsValid(scan.tuple))
	{
		TupleDesc	desc = RelationGetDescr(scan.table);
		bool		isnull;
		char	   *name = TextDatumGetCString(heap_getattr(scan.tuple, Anum_registry_name, desc, &isnull));
		Oid			owner = DatumGetObjectId(heap_getattr(scan.tuple, Anum_registry_owner, desc, &isnull));
		int			limit = Max(2, Max(length, (int) strlen(name)) / 3);

		if (wfml_may_use(name, owner, user))
		{
			int			distance = varstr_levenshtein_less_equal(wanted, length, name, strlen(name),
																 1, 1, 1, limit, true);

			*any = true;
			if (distance <= limit)
				n = suggest(best, n, name, distance);
		}
		wfml_scan_next(&scan);
	}
	wfml_scan_done(&scan);
	return n;
}

/* Longer than any name, and still no burden for the log. */
#define SHOWN_BYTES 200

void
wfml_unknown_model(const char *reference, Oid user)
{
	Suggestion	best[MAX_SUGGESTIONS];
	StringInfoData names;
	bool		any;
	int			n = closest_models(reference, user, best, &any);
	int			length = (int) strlen(reference);
	int			shown = pg_mbcliplen(reference, length, SHOWN_BYTES);

	initStringInfo(&names);
	for (int i = 0; i < n; i++)
		appendStringInfo(&names, "%s\"%s\"", i == 0 ? "" : i == n - 1 ? " or " : ", ", best[i].name);
	ereport(ERROR,
			(errcode(ERRCODE_WFML_UNKNOWN_MODEL),
			 errmsg("model \"%.*s%s\" does not exist", shown, reference, shown < length ? "..." : ""),
			 n > 0 ? errhint("Perhaps you meant %s.", names.data) :
			 any ? errhint("The view wfml.models lists the models that you may use.") :
			 errhint("There is no model that you may use yet; wfml.train() makes one.")));
}
