/*-------------------------------------------------------------------------
 * live.c
 *	  What the views of monitoring need beyond SQL.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "pg/isotime.h"
#include "pg/tables.h"

PG_FUNCTION_INFO_V1(wfml_outcome_number);

/* wfml.outcome_number(text): the number, or seconds of the interval, it reads as, else NULL; a view must not fail on one odd row. */
Datum
wfml_outcome_number(PG_FUNCTION_ARGS)
{
	char	   *s = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *end;
	double		value = strtod(s, &end);

	while (end > s && isspace((unsigned char) *end))
		end++;
	if ((end == s || *end != '\0') && !wfml_interval_parse(s, strlen(s), &value))
		PG_RETURN_NULL();
	if (!isfinite(value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}

PG_FUNCTION_INFO_V1(wfml_counter_totals);

/* wfml.counter_totals() → SETOF (counter, value); counter_rows() itself is not for everybody */
Datum
wfml_counter_totals(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	WfmlWriter	writer;
	uint64		n;

	InitMaterializedSRF(fcinfo, 0);
	wfml_write_begin(&writer, NULL);
	n = wfml_execute("SELECT counter, pg_catalog.sum(value) FROM wfml.counter_rows() GROUP BY counter ORDER BY counter",
					 0, NULL, NULL, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		Datum		values[2];
		bool		nulls[2];

		values[0] = wfml_result(i, 1, &nulls[0]);
		values[1] = wfml_result(i, 2, &nulls[1]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	wfml_write_end(&writer);
	return (Datum) 0;
}
