/*-------------------------------------------------------------------------
 * detail.c
 *	  One prediction with all that is known of it.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/anomaly.h"
#include "pg/detail.h"

/* (value, lower, upper, label, confidence, model_version, source) */
#define N_DETAIL 7

static void
fill_classes(const WfmlCached *cached, WfmlDetail *detail)
{
	const double *p = cached->values;
	int			best = wf_output_label(&cached->model->output, p);

	if (cached->model->header->n_classes == 2)
		detail->value = p[1];
	detail->label = cached->labels[best];
	detail->confidence = p[best];
}

static void
fill_number(const WfmlCached *cached, WfmlDetail *detail)
{
	const WfModelHeader *header = cached->model->header;

	detail->value = cached->values[0];
	detail->lower = detail->value + header->lower;
	detail->upper = detail->value + header->upper;
	if (header->task == WF_ANOMALY)
	{
		detail->label = CStringGetTextDatum(wfml_anomaly_word(cached->model, detail->value));
		detail->confidence = wfml_anomaly_confidence(cached->model, detail->value);
	}
}

void
wfml_detail_fill(const WfmlCached *cached, int32 version, const char *source, WfmlDetail *detail)
{
	*detail = (WfmlDetail) {
		.value = NAN, .lower = NAN, .upper = NAN, .confidence = NAN,
		.version = version,
		.source = source
	};
	if (cached->model->header->n_classes > 0)
		fill_classes(cached, detail);
	else
		fill_number(cached, detail);
}

TupleDesc
wfml_detail_desc(FunctionCallInfo fcinfo, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != N_DETAIL)
		elog(ERROR, "function must return type wfml.prediction_detail");
	desc = BlessTupleDesc(desc);
	MemoryContextSwitchTo(caller);
	return desc;
}

Datum
wfml_detail_row(TupleDesc desc, const WfmlDetail *detail)
{
	Datum		values[N_DETAIL];
	bool		nulls[N_DETAIL];
	const double numbers[] = {detail->value, detail->lower, detail->upper};

	for (int i = 0; i < 3; i++)
	{
		values[i] = Float8GetDatum(numbers[i]);
		nulls[i] = isnan(numbers[i]);
	}
	values[3] = detail->label;
	nulls[3] = detail->label == (Datum) 0;
	values[4] = Float8GetDatum(detail->confidence);
	nulls[4] = isnan(detail->confidence);
	values[5] = Int32GetDatum(detail->version);
	nulls[5] = detail->version == 0;
	values[6] = CStringGetTextDatum(detail->source);
	nulls[6] = false;
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}
