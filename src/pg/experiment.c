/*-------------------------------------------------------------------------
 * experiment.c
 *	  The test behind wfml.experiments.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "utils/builtins.h"

#include "core/difference.h"

static WfGroup
group_argument(FunctionCallInfo fcinfo, int i)
{
	WfGroup		g = {.n = 0, .mean = NAN, .variance = NAN};

	if (!PG_ARGISNULL(i))
		g.n = (double) PG_GETARG_INT64(i);
	if (!PG_ARGISNULL(i + 1))
		g.mean = PG_GETARG_FLOAT8(i + 1);
	if (!PG_ARGISNULL(i + 2))
		g.variance = PG_GETARG_FLOAT8(i + 2);
	return g;
}

static WfDifference
test(const char *kind, const WfGroup *a, const WfGroup *b)
{
	if (strcmp(kind, "means") == 0)
		return wf_difference_means(a, b);
	if (strcmp(kind, "shares") == 0)
		return wf_difference_shares(a, b);
	if (strcmp(kind, "pairs") == 0)
		return wf_difference_pairs(a);
	if (strcmp(kind, "flips") == 0)
		return wf_difference_flips(a);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown kind of test \"%s\"", kind),
			 errhint("Kinds are means, shares, pairs and flips.")));
	return (WfDifference) {0};
}

PG_FUNCTION_INFO_V1(wfml_difference_test);

/* wfml.difference_test(kind, n_a, mean_a, variance_a, n_b, mean_b, variance_b) → (difference, lower, upper, p_value, factor) */
Datum
wfml_difference_test(PG_FUNCTION_ARGS)
{
	WfGroup		a = group_argument(fcinfo, 1);
	WfGroup		b = group_argument(fcinfo, 4);
	WfDifference d;
	TupleDesc	desc;
	double		numbers[5];
	Datum		values[5];
	bool		nulls[5];

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	d = test(text_to_cstring(PG_GETARG_TEXT_PP(0)), &a, &b);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 5)
		elog(ERROR, "function must return five columns");
	numbers[0] = d.difference;
	numbers[1] = d.lower;
	numbers[2] = d.upper;
	numbers[3] = d.p;
	numbers[4] = d.factor;
	for (int i = 0; i < 5; i++)
	{
		values[i] = Float8GetDatum(numbers[i]);
		nulls[i] = isnan(numbers[i]);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
