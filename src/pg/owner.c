/*-------------------------------------------------------------------------
 * owner.c
 *	  Running what a model's owner stored as that owner.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "miscadmin.h"
#include "parser/parse_expr.h"
#include "parser/parser.h"
#include "utils/syscache.h"

#include "pg/owner.h"

static void
set_for_now(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
wfml_as_owner_begin(WfmlAsOwner *as, Oid owner, const char *search_path, const char *timezone)
{
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(owner)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the role that owns the model does not exist any more"),
				 errhint("A superuser can give the model to another role with wfml.reassign_models().")));
	GetUserIdAndSecContext(&as->user, &as->security);
	SetUserIdAndSecContext(owner, as->security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	as->nest = NewGUCNestLevel();
	/* Temporary relations of the session must not be taken for the owner's. */
	if (search_path)
		set_for_now("search_path", search_path[0] ? psprintf("%s, pg_temp", search_path) : "pg_temp");
	else
		RestrictSearchPath();
	if (timezone)
		set_for_now("TimeZone", timezone);
	set_for_now("row_security", "on");
	/* What the session says must not give the stored text another meaning. */
	if (!standard_conforming_strings)
		set_for_now("standard_conforming_strings", "on");
	if (Transform_null_equals)
		set_for_now("transform_null_equals", "off");
}

void
wfml_as_owner_end(const WfmlAsOwner *as)
{
	AtEOXact_GUC(false, as->nest);
	SetUserIdAndSecContext(as->user, as->security);
}
