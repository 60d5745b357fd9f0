/*-------------------------------------------------------------------------
 * arguments.c
 *	  Arguments of SQL functions that are not STRICT.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "utils/builtins.h"

#include "pg/arguments.h"

char *
wfml_argument_text_or_null(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

char *
wfml_argument_text(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(i));
}
