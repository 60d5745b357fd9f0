/*-------------------------------------------------------------------------
 * live.c
 *	  What the views of monitoring need beyond SQL.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(wfml_outcome_number);

/* wfml.outcome_number(text): the number it reads as, else NULL; a view must not fail on one odd row. */
Datum
wfml_outcome_number(PG_FUNCTION_ARGS)
{
	char	   *s = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *end;
	double		value = strtod(s, &end);

	if (end == s)
		PG_RETURN_NULL();
	while (isspace((unsigned char) *end))
		end++;
	if (*end != '\0' || !isfinite(value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}
