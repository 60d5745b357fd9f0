/*-------------------------------------------------------------------------
 * explain.c
 *	  Why a prediction is what it is: explain(), explain_text().
 *
 * Contributions are TreeSHAP's (linear models: coefficient times distance
 * from the mean), in the unit of the raw output: probability for forests,
 * log-odds for boosting and linear models, the target's unit for regression,
 * the score for anomaly models.
 * They sum to that output exactly; class weights and calibration, which bend
 * the final probability but not its order, come after it.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "core/isolation.h"
#include "pg/callsite.h"
#include "pg/explain.h"
#include "pg/input.h"
#include "pg/kind.h"
#include "pg/pghost.h"
#include "pg/registry.h"

/* One line of an explanation. */
typedef struct Reason
{
	char	   *name;
	char	   *value;
	double		contribution;
} Reason;

typedef struct Explanation
{
	double		base;
	int			n;
	Reason	   *reasons;		/* strongest first */
	int			label;			/* class explained; -1: regression */
	double		probability;	/* final, of that class; regression: the value */
	bool		in_probability; /* contributions are probabilities, else margins */
} Explanation;

/* Which class the caller asks about: by label, or the positive one, or the one predicted. */
static int
explained_class(const WfmlCached *cached, const char *name, const char *label, const double *values)
{
	const WfModel *model = cached->model;
	int			k = (int) model->header->n_classes;

	if (k == 0)
	{
		if (label)
			ereport(ERROR,
					(errcode(ERRCODE_WFML_WRONG_KIND),
					 errmsg("model \"%s\" predicts a number, so there is no class to explain", name)));
		return -1;
	}
	if (label == NULL)
		return k == 2 ? 1 : wf_output_label(&model->output, values);
	for (int c = 0; c < k; c++)
		if (strcmp(wf_model_string(model, model->labels[c]), label) == 0)
			return c;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" has no class \"%s\"", name, label),
			 errhint("Its labels stand in wfml.model_info('%s').", name)));
	return -1;
}

/* "started hour", "tags: urgent", "v[2]", or the column's name. */
static char *
feature_name(const WfModel *model, uint32 f)
{
	const WfFeatureRecord *feature = &model->features[f];
	const WfColumnRecord *column = &model->columns[feature->column];
	const char *name = wf_model_string(model, column->name);

	switch (feature->part)
	{
		case WF_PART_VALUE:
			return pstrdup(name);
		case WF_PART_TAG:
			return psprintf("%s: %s", name,
							wf_model_string(model, model->dict[column->first_string + feature->element]));
		case WF_PART_ELEMENT:
			return psprintf("%s[%u]", name, feature->element + 1);
		default:
			return psprintf("%s %s", name, wf_part_name((WfPart) feature->part));
	}
}

/*
 * A column that became several features is shown by the one that mattered
 * most: "hour 17".
 */
static char *
column_value(const WfModel *model, const WfColumnRecord *column, const float *x, const double *phi)
{
	uint32		top = column->first_feature;
	char	   *text;
	const char *name = wf_model_string(model, column->name);

	if (column->n_features == 0)
		return pstrdup("(missing)");
	for (uint32 f = top; f < column->first_feature + column->n_features; f++)
		if (fabs(phi[f]) > fabs(phi[top]))
			top = f;
	text = wfml_feature_text(model, top, x);
	if (column->n_features == 1 && model->features[top].part == WF_PART_VALUE)
		return text;
	return psprintf("%s = %s", feature_name(model, top) + strlen(name) +
					(model->features[top].part == WF_PART_ELEMENT ? 0 :
					 model->features[top].part == WF_PART_TAG ? 2 : 1), text);
}

static int
by_strength(const void *a, const void *b)
{
	double		x = fabs(((const Reason *) a)->contribution);
	double		y = fabs(((const Reason *) b)->contribution);

	if (x != y)
		return x > y ? -1 : 1;
	return strcmp(((const Reason *) a)->name, ((const Reason *) b)->name);
}

static Explanation
explain_row(const WfmlCached *cached, const char *name, const float *x, const char *label, bool expanded)
{
	const WfModel *model = cached->model;
	uint32		d = model->shape.n_features;
	double	   *phi = palloc((Size) (d + 1) * sizeof(double));
	double	   *values = palloc(sizeof(double) * (Size) wf_model_n_values(model));
	WfHost	   *host = wfml_host_create(CurrentMemoryContext);
	Explanation e = {0};
	int			output;

	wf_model_predict(model, x, values);
	e.label = explained_class(cached, name, label, values);
	e.probability = values[e.label < 0 ? 0 : e.label];
	e.in_probability = model->header->link == WF_LINK_PROBABILITY;
	output = model->header->n_outputs > 1 ? e.label : 0;
	if (model->header->task == WF_ANOMALY)
		wf_isolation_explain_score(host, model->opened, x, phi);
	else
		model->algorithm->explain(host, model->opened, x, output, phi);
	/* Of two classes the raw output is class 1's; class 0's is its mirror image. */
	if (e.label == 0 && model->header->n_outputs == 1)
	{
		for (uint32 f = 0; f <= d; f++)
			phi[f] = -phi[f];
		if (e.in_probability)
			phi[d] += 1;
	}
	e.base = phi[d];
	e.reasons = palloc(sizeof(Reason) * (Size) (expanded ? d : model->header->n_columns));
	if (expanded)
		for (uint32 f = 0; f < d; f++)
			e.reasons[e.n++] = (Reason) {feature_name(model, f), wfml_feature_text(model, f, x), phi[f]};
	else
		for (uint32 c = 0; c < model->header->n_columns; c++)
		{
			const WfColumnRecord *column = &model->columns[c];
			double		sum = 0;

			for (uint32 f = column->first_feature; f < column->first_feature + column->n_features; f++)
				sum += phi[f];
			e.reasons[e.n++] = (Reason) {
				pstrdup(wf_model_string(model, column->name)), column_value(model, column, x, phi), sum
			};
		}
	qsort(e.reasons, (size_t) e.n, sizeof(Reason), by_strength);
	return e;
}

/* The model and the features of a call (model or id, input, …). */
static const float *
site_input(FunctionCallInfo fcinfo, WfmlSite *site, WfmlInput kind, bool by_id)
{
	if (by_id)
		wfml_site_use_id(site, PG_GETARG_INT64(0));
	else
		wfml_site_use_name(site, PG_GETARG_TEXT_PP(0));
	return wfml_site_features(site, kind, PG_GETARG_DATUM(1));
}

Datum
wfml_explain_rows(FunctionCallInfo fcinfo, WfmlInput kind, bool by_id, unsigned tasks)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	WfmlSite   *site;
	const float *x;
	Explanation e;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	site = wfml_site(fcinfo);
	site->tasks = tasks;
	x = site_input(fcinfo, site, kind, by_id);
	e = explain_row(site->cached, site->resolved.name, x,
					PG_NARGS() <= 2 || PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)),
					PG_NARGS() > 3 && !PG_ARGISNULL(3) && PG_GETARG_BOOL(3));
	for (int i = -1; i < e.n; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = CStringGetTextDatum(i < 0 ? "(base)" : e.reasons[i].name);
		nulls[1] = i < 0;
		values[1] = i < 0 ? (Datum) 0 : CStringGetTextDatum(e.reasons[i].value);
		values[2] = Float8GetDatum(i < 0 ? e.base : e.reasons[i].contribution);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- in words ---- */

#define WORDS_REASONS 3
/* A reason weaker than this share of the strongest is not told. */
#define WORDS_SHARE 0.05

static int
append_reasons(StringInfo out, const Explanation *e, bool up, const char *lead)
{
	int			told = 0;
	double		least = e->n ? fabs(e->reasons[0].contribution) * WORDS_SHARE : 0;

	for (int i = 0; i < e->n && told < WORDS_REASONS; i++)
	{
		const Reason *r = &e->reasons[i];

		if ((r->contribution > 0) != up || r->contribution == 0 || fabs(r->contribution) < least)
			continue;
		appendStringInfo(out, "%s%s = %s (%+.3g)", told == 0 ? lead : ", ", r->name, r->value, r->contribution);
		told++;
	}
	return told;
}

static Datum
explain_text(FunctionCallInfo fcinfo, WfmlInput kind)
{
	WfmlSite   *site = wfml_site(fcinfo);
	const float *x = site_input(fcinfo, site, kind, false);
	Explanation e = explain_row(site->cached, site->resolved.name, x, NULL, false);
	StringInfoData out;
	int			raised;

	initStringInfo(&out);
	if (e.label < 0)
		appendStringInfo(&out, "%s %.4g (average %.4g)",
						 site->cached->model->header->task == WF_ANOMALY ? "score" : "value", e.probability, e.base);
	else
		appendStringInfo(&out, "P(%s) = %.3f",
						 wf_model_string(site->cached->model, site->cached->model->labels[e.label]), e.probability);
	raised = append_reasons(&out, &e, true, "; raised by ");
	if (append_reasons(&out, &e, false, "; lowered by ") == 0 && raised == 0)
		appendStringInfoString(&out, "; no column moved it");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

#define EXPLAIN_FUNCTIONS(SUFFIX, KIND) \
PG_FUNCTION_INFO_V1(wfml_explain_##SUFFIX); \
Datum \
wfml_explain_##SUFFIX(PG_FUNCTION_ARGS) \
{ \
	return wfml_explain_rows(fcinfo, KIND, false, WFML_TABLE_TASKS); \
} \
PG_FUNCTION_INFO_V1(wfml_explain_version_##SUFFIX); \
Datum \
wfml_explain_version_##SUFFIX(PG_FUNCTION_ARGS) \
{ \
	return wfml_explain_rows(fcinfo, KIND, true, WFML_TABLE_TASKS); \
} \
PG_FUNCTION_INFO_V1(wfml_explain_text_##SUFFIX); \
Datum \
wfml_explain_text_##SUFFIX(PG_FUNCTION_ARGS) \
{ \
	return explain_text(fcinfo, KIND); \
}

/* wfml.explain, wfml.explain_version and wfml.explain_text for each form of input; json serves text too. */
EXPLAIN_FUNCTIONS(record, WFML_INPUT_RECORD)
EXPLAIN_FUNCTIONS(jsonb, WFML_INPUT_JSONB)
EXPLAIN_FUNCTIONS(json, WFML_INPUT_JSON)
