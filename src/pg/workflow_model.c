/*-------------------------------------------------------------------------
 * workflow_model.c
 *	  Is there a model to ask?  Otherwise the workflow floor answers by rule.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "pg/access.h"
#include "pg/registry.h"
#include "pg/tables.h"

/*
 * has_model(name): there is an active version that the caller may use.  No
 * right to use it counts as none: the rule needs no right.
 */
PG_FUNCTION_INFO_V1(wfml_has_model);
Datum
wfml_has_model(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;
	bool		found;
	Oid			owner = InvalidOid;

	wfml_scan_text(&scan, t->registry, t->registry_pkey, Anum_registry_name, name);
	found = HeapTupleIsValid(scan.tuple);
	if (found)
	{
		TupleDesc	desc = RelationGetDescr(scan.table);
		bool		isnull;

		owner = DatumGetObjectId(heap_getattr(scan.tuple, Anum_registry_owner, desc, &isnull));
		(void) heap_getattr(scan.tuple, Anum_registry_active_id, desc, &isnull);
		found = !isnull;
	}
	wfml_scan_done(&scan);
	PG_RETURN_BOOL(found && wfml_may_use(name, owner, GetUserId()));
}
