/*-------------------------------------------------------------------------
 * inspect_lines.c
 *	  Lines and words of the functions that look before training.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/tuplestore.h"

#include "pg/inspect_lines.h"

#define N_FIELDS 6

void
wfml_inspect_put(ReturnSetInfo *result, const char *name, const char *type, const char *role,
				 const char *distinct, const char *nulls, const char *note)
{
	const char *fields[N_FIELDS] = {name, type, role, distinct, nulls, note};
	Datum		values[N_FIELDS];
	bool		isnull[N_FIELDS];

	for (int i = 0; i < N_FIELDS; i++)
	{
		isnull[i] = fields[i] == NULL || *fields[i] == '\0';
		values[i] = isnull[i] ? (Datum) 0 : CStringGetTextDatum(fields[i]);
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
}

void
wfml_inspect_note(ReturnSetInfo *result, const char *name, const char *note)
{
	wfml_inspect_put(result, name, NULL, NULL, NULL, NULL, note);
}

const char *
wfml_inspect_type(Oid type)
{
	switch (type)
	{
		case TIMESTAMPOID:
			return "timestamp";
		case TIMESTAMPTZOID:
			return "timestamptz";
		case TIMEOID:
			return "time";
		case TIMETZOID:
			return "timetz";
		case VARCHAROID:
			return "varchar";
		default:
			return format_type_be(type);
	}
}

const char *
wfml_inspect_share(uint64 part, uint64 all)
{
	double		share = all ? 100.0 * (double) part / (double) all : 0;

	if (part == 0)
		return "";
	return share < 0.1 ? "< 0.1 %" : psprintf("%.1f %%", share);
}

const char *
wfml_inspect_size(size_t bytes)
{
	return psprintf("about %s", TextDatumGetCString(DirectFunctionCall1(pg_size_pretty, Int64GetDatum((int64) bytes))));
}

const char *
wfml_inspect_seconds(double seconds)
{
	/* NaN: too few rows to tell */
	return !(seconds >= 1) ? "below 1" : psprintf("about %.0f", ceil(seconds));
}

void
wfml_inspect_lengths(const uint32 *n_of, uint64 longest, uint64 n, uint64 *shortest, uint64 *median)
{
	uint64		below = 0;		/* things of the lengths passed */

	*shortest = longest;
	*median = longest;
	for (uint64 length = 0; length <= longest; length++)
	{
		if (below == 0 && n_of[length] > 0)
			*shortest = length;
		below += n_of[length];
		if (below > (n - 1) / 2)
		{
			*median = length;
			return;
		}
		if (length % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
}
