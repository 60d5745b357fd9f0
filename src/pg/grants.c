/*-------------------------------------------------------------------------
 * grants.c
 *	  grant_model, revoke_model, reassign_models.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "pg/access.h"
#include "pg/compat.h"
#include "pg/publish.h"
#include "pg/registry.h"
#include "pg/tables.h"

PG_FUNCTION_INFO_V1(wfml_grant_model);
PG_FUNCTION_INFO_V1(wfml_revoke_model);
PG_FUNCTION_INFO_V1(wfml_reassign_models);

/* "public" is everybody, as in GRANT; no role can have that name. */
static Oid
grantee_oid(Name role)
{
	return strcmp(NameStr(*role), "public") == 0 ? InvalidOid : get_role_oid(NameStr(*role), false);
}

static void
change_grant(PG_FUNCTION_ARGS, const char *command, const char *sql)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			types[] = {TEXTOID, OIDOID};
	Datum		values[2];
	WfmlWriter	writer;
	WfmlLocked	locked;

	values[0] = PG_GETARG_DATUM(0);
	values[1] = ObjectIdGetDatum(grantee_oid(PG_GETARG_NAME(1)));
	wfml_check_owner(name);
	wfml_write_begin(&writer, command);
	if (!wfml_lock_model(name, writer.user, &locked))
		wfml_unknown_model(name, writer.user);
	wfml_execute(sql, 2, types, values, NULL);
	wfml_write_end(&writer);
}

/* grant_model(model, role) */
Datum
wfml_grant_model(PG_FUNCTION_ARGS)
{
	change_grant(fcinfo, "wfml.grant_model()",
				 "INSERT INTO wfml.model_grant (model, grantee) VALUES ($1, $2::regrole) ON CONFLICT DO NOTHING");
	PG_RETURN_VOID();
}

/* revoke_model(model, role) */
Datum
wfml_revoke_model(PG_FUNCTION_ARGS)
{
	change_grant(fcinfo, "wfml.revoke_model()",
				 "DELETE FROM wfml.model_grant WHERE model = $1 AND grantee::oid = $2");
	PG_RETURN_VOID();
}

/* reassign_models(old_owner, new_owner) → number of models */
Datum
wfml_reassign_models(PG_FUNCTION_ARGS)
{
	Name		from = PG_GETARG_NAME(0);
	Oid			old_owner = wfml_role_or_number(from, "For models of a role that was dropped give the number that wfml.models shows as owner.");
	Oid			new_owner = get_role_oid(NameStr(*PG_GETARG_NAME(1)), false);
	Oid			types[] = {OIDOID, OIDOID};
	Datum		values[] = {ObjectIdGetDatum(old_owner), ObjectIdGetDatum(new_owner)};
	WfmlWriter	writer;
	uint64		n;

	if (!has_privs_of_role(GetUserId(), old_owner) || !has_privs_of_role(GetUserId(), new_owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to reassign models"),
				 errdetail("It needs the rights of both roles; only superusers have those of a role that is gone.")));
	wfml_write_begin(&writer, "wfml.reassign_models()");
	n = wfml_execute("UPDATE wfml.registry SET owner = $2::regrole WHERE owner::oid = $1", 2, types, values, NULL);
	wfml_write_end(&writer);
	PG_RETURN_INT64((int64) n);
}
