/*-------------------------------------------------------------------------
 * metrics.c
 *	  Metric aggregates whose state is a few sums: accuracy, log_loss, brier,
 *	  ece, mae, rmse, r2.  And what all metric aggregates share.
 *-------------------------------------------------------------------------
 */
#include "pg/metrics.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "core/metric.h"

/* ---- states ---- */

void *
wfml_state_create(uint32 kind, Size size)
{
	WfmlState  *state = palloc0(size);

	SET_VARSIZE(state, size);
	state->kind = kind;
	return state;
}

void
wfml_state_damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("state of a metric aggregate is damaged")));
}

void *
wfml_state_get(FunctionCallInfo fcinfo, int argno, uint32 kind, Size size)
{
	bytea	   *value;
	WfmlState  *state;

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("function called in non-aggregate context")));
	if (PG_ARGISNULL(argno))
		return NULL;
	value = PG_GETARG_BYTEA_P(argno);
	/* Inside a tuple a bytea is aligned to 4 bytes only. */
	if (VARSIZE(value) >= sizeof(WfmlState) && (uintptr_t) value % 8 != 0)
	{
		bytea	   *copy = palloc(VARSIZE(value));

		memcpy(copy, value, VARSIZE(value));
		value = copy;
	}
	state = (WfmlState *) value;
	if (VARSIZE(value) < size || state->kind != kind)
		wfml_state_damaged();
	return state;
}

/* ---- labels ---- */

typedef enum LabelForm
{
	LABEL_TEXT,
	LABEL_PADDED,				/* char(n) */
	LABEL_CSTRING,				/* a literal of unknown type */
	LABEL_BOOLEAN,
	LABEL_INT2,
	LABEL_INT4,
	LABEL_INT8,
	LABEL_NUMERIC,
	LABEL_OUTPUT				/* any other type, by its output function */
} LabelForm;

typedef struct LabelReader
{
	bool		known;
	LabelForm	form;
	FmgrInfo	out;
} LabelReader;

/* No function here has more arguments than that before its labels end. */
#define MAX_LABEL_ARGUMENTS 3

static LabelReader *
label_reader(FunctionCallInfo fcinfo, int argno)
{
	LabelReader *readers = fcinfo->flinfo->fn_extra;
	LabelReader *r;
	Oid			type;

	if (readers == NULL)
	{
		readers = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, MAX_LABEL_ARGUMENTS * sizeof(LabelReader));
		fcinfo->flinfo->fn_extra = readers;
	}
	r = &readers[argno];
	if (r->known)
		return r;
	type = get_fn_expr_argtype(fcinfo->flinfo, argno);
	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_INDETERMINATE_DATATYPE),
				 errmsg("could not determine the type of a label")));
	switch (getBaseType(type))
	{
		case TEXTOID:
		case VARCHAROID:
			r->form = LABEL_TEXT;
			break;
		case BPCHAROID:
			r->form = LABEL_PADDED;
			break;
		case UNKNOWNOID:
			r->form = LABEL_CSTRING;
			break;
		case BOOLOID:
			r->form = LABEL_BOOLEAN;
			break;
		case INT2OID:
			r->form = LABEL_INT2;
			break;
		case INT4OID:
			r->form = LABEL_INT4;
			break;
		case INT8OID:
			r->form = LABEL_INT8;
			break;
		case NUMERICOID:
			r->form = LABEL_NUMERIC;
			break;
		default:
			{
				Oid			out;
				bool		is_varlena;

				getTypeOutputInfo(type, &out, &is_varlena);
				fmgr_info_cxt(out, &r->out, fcinfo->flinfo->fn_mcxt);
				r->form = LABEL_OUTPUT;
			}
	}
	r->known = true;
	return r;
}

static void
label_of_integer(WfmlLabel *label, int64 value)
{
	label->length = pg_lltoa(value, label->buffer);
	label->bytes = label->buffer;
}

static void
label_of_cstring(WfmlLabel *label, const char *value)
{
	label->bytes = value;
	label->length = strlen(value);
}

void
wfml_label_get(FunctionCallInfo fcinfo, int argno, WfmlLabel *label)
{
	LabelReader *r = label_reader(fcinfo, argno);
	Datum		value = PG_GETARG_DATUM(argno);

	switch (r->form)
	{
		case LABEL_TEXT:
		case LABEL_PADDED:
			{
				struct varlena *v = PG_DETOAST_DATUM_PACKED(value);

				label->bytes = VARDATA_ANY(v);
				label->length = VARSIZE_ANY_EXHDR(v);
				if (r->form == LABEL_PADDED)
					label->length = bpchartruelen(VARDATA_ANY(v), (int) label->length);
				break;
			}
		case LABEL_CSTRING:
			label_of_cstring(label, DatumGetCString(value));
			break;
		case LABEL_BOOLEAN:
			label_of_cstring(label, DatumGetBool(value) ? "true" : "false");
			break;
		case LABEL_INT2:
			label_of_integer(label, DatumGetInt16(value));
			break;
		case LABEL_INT4:
			label_of_integer(label, DatumGetInt32(value));
			break;
		case LABEL_INT8:
			label_of_integer(label, DatumGetInt64(value));
			break;
		case LABEL_NUMERIC:
			/* 1.0 and 1 are the same label */
			label_of_cstring(label, numeric_normalize(DatumGetNumeric(value)));
			break;
		case LABEL_OUTPUT:
			label_of_cstring(label, OutputFunctionCall(&r->out, value));
			break;
	}
}

bool
wfml_labels_equal(const WfmlLabel *a, const WfmlLabel *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static inline bool
label_is(const WfmlLabel *label, const char *text)
{
	return label->length == strlen(text) && memcmp(label->bytes, text, label->length) == 0;
}

bool
wfml_positive_get(FunctionCallInfo fcinfo, int argno)
{
	LabelForm	form = label_reader(fcinfo, argno)->form;
	WfmlLabel	label;
	bool		positive;

	if (form == LABEL_BOOLEAN)
		return PG_GETARG_BOOL(argno);
	wfml_label_get(fcinfo, argno, &label);
	if (label_is(&label, "1"))
		return true;
	/* -1 is how some tools write the negative class */
	if (label_is(&label, "0") || label_is(&label, "-1"))
		return false;
	if (form <= LABEL_CSTRING &&
		parse_bool_with_len(label.bytes, label.length, &positive))
		return positive;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("cannot tell whether label \"%s\" is the positive one",
					pnstrdup(label.bytes, label.length)),
			 errhint("Compare it with the positive label, as in auc(actual = 'yes', score).")));
}

double
wfml_probability_get(FunctionCallInfo fcinfo, int argno)
{
	double		p = PG_GETARG_FLOAT8(argno);

	/* rounding may carry a sum of probabilities a little past 1 */
	if (!(p >= -1e-9 && p <= 1 + 1e-9))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("probability %g is not between 0 and 1", p)));
	return p < 0 ? 0 : p > 1 ? 1 : p;
}

/* ---- means: accuracy, log_loss, brier, mae, rmse ---- */

#define MEAN_KIND 0x6e61656d

typedef struct MeanState
{
	WfmlState	state;
	uint64		n;
	WfTwofold	sum;
} MeanState;

static MeanState *
mean_state(FunctionCallInfo fcinfo)
{
	MeanState  *s = wfml_state_get(fcinfo, 0, MEAN_KIND, sizeof(MeanState));

	return s ? s : wfml_state_create(MEAN_KIND, sizeof(MeanState));
}

/* Rows with a NULL argument are left out; a state that is NULL stays so. */
#define SKIP_NULLS(fcinfo) \
	do { \
		if (PG_ARGISNULL(1) || PG_ARGISNULL(2)) \
		{ \
			if (PG_ARGISNULL(0)) \
				PG_RETURN_NULL(); \
			PG_RETURN_DATUM(PG_GETARG_DATUM(0)); \
		} \
	} while (0)

PG_FUNCTION_INFO_V1(wfml_accuracy_accum);
Datum
wfml_accuracy_accum(PG_FUNCTION_ARGS)
{
	MeanState  *s;
	WfmlLabel	actual;
	WfmlLabel	predicted;

	SKIP_NULLS(fcinfo);
	s = mean_state(fcinfo);
	wfml_label_get(fcinfo, 1, &actual);
	wfml_label_get(fcinfo, 2, &predicted);
	s->n++;
	wf_twofold_add(&s->sum, wfml_labels_equal(&actual, &predicted));
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(wfml_log_loss_accum);
Datum
wfml_log_loss_accum(PG_FUNCTION_ARGS)
{
	MeanState  *s;

	SKIP_NULLS(fcinfo);
	s = mean_state(fcinfo);
	wf_twofold_add(&s->sum, wf_surprise(wfml_positive_get(fcinfo, 1), wfml_probability_get(fcinfo, 2)));
	s->n++;
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(wfml_brier_accum);
Datum
wfml_brier_accum(PG_FUNCTION_ARGS)
{
	MeanState  *s;
	double		e;

	SKIP_NULLS(fcinfo);
	s = mean_state(fcinfo);
	e = wfml_probability_get(fcinfo, 2) - wfml_positive_get(fcinfo, 1);
	wf_twofold_add_product(&s->sum, e, e);
	s->n++;
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(wfml_mae_accum);
Datum
wfml_mae_accum(PG_FUNCTION_ARGS)
{
	MeanState  *s;

	SKIP_NULLS(fcinfo);
	s = mean_state(fcinfo);
	wf_twofold_add(&s->sum, fabs(PG_GETARG_FLOAT8(1) - PG_GETARG_FLOAT8(2)));
	s->n++;
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(wfml_rmse_accum);
Datum
wfml_rmse_accum(PG_FUNCTION_ARGS)
{
	MeanState  *s;
	double		e;

	SKIP_NULLS(fcinfo);
	s = mean_state(fcinfo);
	e = PG_GETARG_FLOAT8(1) - PG_GETARG_FLOAT8(2);
	wf_twofold_add_product(&s->sum, e, e);
	s->n++;
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(wfml_mean_combine);
Datum
wfml_mean_combine(PG_FUNCTION_ARGS)
{
	MeanState  *a = wfml_state_get(fcinfo, 0, MEAN_KIND, sizeof(MeanState));
	MeanState  *b = wfml_state_get(fcinfo, 1, MEAN_KIND, sizeof(MeanState));

	if (a == NULL && b == NULL)
		PG_RETURN_NULL();
	if (a == NULL || b == NULL)
		PG_RETURN_POINTER(a ? a : b);
	a->n += b->n;
	wf_twofold_merge(&a->sum, &b->sum);
	PG_RETURN_POINTER(a);
}

PG_FUNCTION_INFO_V1(wfml_mean_final);
Datum
wfml_mean_final(PG_FUNCTION_ARGS)
{
	MeanState  *s = wfml_state_get(fcinfo, 0, MEAN_KIND, sizeof(MeanState));

	if (s == NULL || s->n == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(wf_twofold_value(&s->sum) / (double) s->n);
}

PG_FUNCTION_INFO_V1(wfml_rmse_final);
Datum
wfml_rmse_final(PG_FUNCTION_ARGS)
{
	MeanState  *s = wfml_state_get(fcinfo, 0, MEAN_KIND, sizeof(MeanState));

	if (s == NULL || s->n == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sqrt(wf_twofold_value(&s->sum) / (double) s->n));
}

/* ---- r2 ---- */

#define R2_KIND 0x20203272

typedef struct R2State
{
	WfmlState	state;
	uint64		n;
	WfTwofold	y;
	WfTwofold	yy;
	WfTwofold	ee;
} R2State;

PG_FUNCTION_INFO_V1(wfml_r2_accum);
Datum
wfml_r2_accum(PG_FUNCTION_ARGS)
{
	R2State    *s;
	double		y;
	double		e;

	SKIP_NULLS(fcinfo);
	s = wfml_state_get(fcinfo, 0, R2_KIND, sizeof(R2State));
	if (s == NULL)
		s = wfml_state_create(R2_KIND, sizeof(R2State));
	y = PG_GETARG_FLOAT8(1);
	e = y - PG_GETARG_FLOAT8(2);
	s->n++;
	wf_twofold_add(&s->y, y);
	wf_twofold_add_product(&s->yy, y, y);
	wf_twofold_add_product(&s->ee, e, e);
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(wfml_r2_combine);
Datum
wfml_r2_combine(PG_FUNCTION_ARGS)
{
	R2State    *a = wfml_state_get(fcinfo, 0, R2_KIND, sizeof(R2State));
	R2State    *b = wfml_state_get(fcinfo, 1, R2_KIND, sizeof(R2State));

	if (a == NULL && b == NULL)
		PG_RETURN_NULL();
	if (a == NULL || b == NULL)
		PG_RETURN_POINTER(a ? a : b);
	a->n += b->n;
	wf_twofold_merge(&a->y, &b->y);
	wf_twofold_merge(&a->yy, &b->yy);
	wf_twofold_merge(&a->ee, &b->ee);
	PG_RETURN_POINTER(a);
}

PG_FUNCTION_INFO_V1(wfml_r2_final);
Datum
wfml_r2_final(PG_FUNCTION_ARGS)
{
	R2State    *s = wfml_state_get(fcinfo, 0, R2_KIND, sizeof(R2State));

	if (s == NULL || s->n == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(wf_r2_of_sums(s->n, &s->y, &s->yy, &s->ee));
}

/* ---- ece ---- */

#define ECE_KIND 0x20656365
#define ECE_BINS 10
#define MAX_ECE_BINS 1000

typedef struct EceState
{
	WfmlState	state;
	uint64		n;
	uint64		bins;
	WfTwofold	gap[FLEXIBLE_ARRAY_MEMBER]; /* by bin: Σ (p - happened) */
} EceState;

static EceState *
ece_state(FunctionCallInfo fcinfo, int argno)
{
	EceState   *s = wfml_state_get(fcinfo, argno, ECE_KIND, offsetof(EceState, gap));

	if (s && (s->bins < 1 || s->bins > MAX_ECE_BINS ||
			  VARSIZE(s) != offsetof(EceState, gap) + s->bins * sizeof(WfTwofold)))
		wfml_state_damaged();
	return s;
}

PG_FUNCTION_INFO_V1(wfml_ece_accum);
Datum
wfml_ece_accum(PG_FUNCTION_ARGS)
{
	EceState   *s;
	int32		bins = ECE_BINS;
	double		p;
	uint64		bin;

	SKIP_NULLS(fcinfo);
	if (PG_NARGS() > 3)
	{
		if (PG_ARGISNULL(3))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("number of bins must not be null")));
		bins = PG_GETARG_INT32(3);
	}
	if (bins < 1 || bins > MAX_ECE_BINS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of bins must be between 1 and %d", MAX_ECE_BINS)));
	s = ece_state(fcinfo, 0);
	if (s == NULL)
	{
		s = wfml_state_create(ECE_KIND, offsetof(EceState, gap) + bins * sizeof(WfTwofold));
		s->bins = bins;
	}
	if (s->bins != (uint64) bins)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of bins must be the same in every row")));
	p = wfml_probability_get(fcinfo, 2);
	bin = (uint64) (p * bins);
	if (bin >= s->bins)
		bin = s->bins - 1;
	wf_twofold_add(&s->gap[bin], p - wfml_positive_get(fcinfo, 1));
	s->n++;
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(wfml_ece_combine);
Datum
wfml_ece_combine(PG_FUNCTION_ARGS)
{
	EceState   *a = ece_state(fcinfo, 0);
	EceState   *b = ece_state(fcinfo, 1);

	if (a == NULL && b == NULL)
		PG_RETURN_NULL();
	if (a == NULL || b == NULL)
		PG_RETURN_POINTER(a ? a : b);
	if (a->bins != b->bins)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of bins must be the same in every row")));
	a->n += b->n;
	for (uint64 i = 0; i < a->bins; i++)
		wf_twofold_merge(&a->gap[i], &b->gap[i]);
	PG_RETURN_POINTER(a);
}

PG_FUNCTION_INFO_V1(wfml_ece_final);
Datum
wfml_ece_final(PG_FUNCTION_ARGS)
{
	EceState   *s = ece_state(fcinfo, 0);
	double		sum = 0;

	if (s == NULL || s->n == 0)
		PG_RETURN_NULL();
	for (uint64 i = 0; i < s->bins; i++)
		sum += fabs(wf_twofold_value(&s->gap[i]));
	PG_RETURN_FLOAT8(sum / (double) s->n);
}
