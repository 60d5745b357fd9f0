/*-------------------------------------------------------------------------
 * evaluate.c
 *	  A model against what really happened: evaluate(), confusion_matrix(),
 *	  roc_curve(), calibration().
 *
 * All four collect (actual, prediction) over a source first; the arithmetic
 * is the core's.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "core/metric.h"
#include "pg/access.h"
#include "pg/anomaly.h"
#include "pg/arguments.h"
#include "pg/cache.h"
#include "pg/evaluate.h"
#include "pg/kind.h"
#include "pg/pghost.h"
#include "pg/registry.h"
#include "pg/scoring.h"
#include "pg/tables.h"

/*
 * The labels that an anomaly model is measured against, in order of
 * appearance: it knows none itself.
 */
typedef struct TwoLabels
{
	int			n;
	char	   *label[2];
	uint64		count[2];
} TwoLabels;

typedef struct Outcomes
{
	WfHost	   *host;
	WfmlResolved resolved;
	const WfmlCached *cached;
	int			n_classes;		/* 2 for anomaly models: normal, anomaly */
	bool		anomaly;
	TwoLabels	seen;			/* anomaly models */
	const Datum *labels;		/* text, by class */
	const char *target;
	size_t		n;
	WfBytes		label;			/* uint16[n] */
	WfBytes		answer;			/* uint16[n] */
	WfBytes		p;				/* double[n × K], or the values */
	WfBytes		y;				/* double[n], regression */
	uint64		unlabelled;		/* rows without an outcome, or with a label the model does not know */
} Outcomes;

int
wfml_class_of(const WfModel *model, const char *label)
{
	size_t		length = strlen(label);

	for (uint32 c = 0; c < model->header->n_classes; c++)
		if (model->labels[c].length == length &&
			memcmp(wf_model_string(model, model->labels[c]), label, length) == 0)
			return (int) c;
	return -1;
}

/* Which of the two labels it is. */
static int
find_label(Outcomes *o, const char *label)
{
	TwoLabels  *seen = &o->seen;
	int			i = 0;

	while (i < seen->n && strcmp(seen->label[i], label) != 0)
		i++;
	if (i == 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" has more than two labels: \"%s\", \"%s\" and \"%s\"",
						o->target, seen->label[0], seen->label[1], label),
				 errhint("Anomalies are measured against a boolean, 0 and 1, or two labels; make such a column in the source query.")));
	if (i == seen->n)
	{
		seen->label[seen->n++] = wf_strndup(o->host, label, strlen(label));
		seen->count[i] = 0;
	}
	seen->count[i]++;
	return i;
}

static void
collect_anomaly(Outcomes *o, const WfModel *model, const WfmlScoredRow *row)
{
	double		p[2] = {1 - row->values[0], row->values[0]};
	uint16		answer = wfml_is_anomalous(model, p[1]);
	uint16		label;

	if (row->extra == NULL)
	{
		o->unlabelled++;
		return;
	}
	label = (uint16) find_label(o, row->extra);
	wf_bytes_append(&o->label, &label, sizeof(label));
	wf_bytes_append(&o->answer, &answer, sizeof(answer));
	wf_bytes_append(&o->p, p, sizeof(p));
	o->n++;
}

/* Which label means an anomaly: as in training, true, else 1, else the rarer one; -1: none of them. */
static int
anomalous_label(const TwoLabels *seen)
{
	static const char *const yes[] = {"true", "1"};
	static const char *const no[] = {"false", "0"};

	for (int word = 0; word < 2; word++)
		for (int i = 0; i < seen->n; i++)
		{
			if (strcmp(seen->label[i], yes[word]) == 0)
				return i;
			if (strcmp(seen->label[i], no[word]) == 0)
				return seen->n == 2 ? 1 - i : -1;
		}
	if (seen->n < 2)
		return -1;
	if (seen->count[0] != seen->count[1])
		return seen->count[0] < seen->count[1] ? 0 : 1;
	return strcmp(seen->label[0], seen->label[1]) > 0 ? 0 : 1;
}

/* Labels in order of appearance become classes. */
static void
settle_labels(Outcomes *o)
{
	int			positive = anomalous_label(&o->seen);
	uint16	   *label = (uint16 *) o->label.data;
	Datum	   *labels = palloc(sizeof(Datum) * 2);

	for (size_t i = 0; i < o->n; i++)
		label[i] = label[i] == positive;
	for (int c = 0; c < 2; c++)
	{
		int			i = c == 1 ? positive : positive == 0 ? 1 : 0;

		labels[c] = CStringGetTextDatum(i >= 0 && i < o->seen.n ? o->seen.label[i] : c ? "anomaly" : "normal");
	}
	o->labels = labels;
}

static void
collect_row(WfmlScorer *s, const WfmlScoredRow *row)
{
	Outcomes   *o = s->arg;
	const WfModel *model = s->cached->model;

	if (o->anomaly)
	{
		collect_anomaly(o, model, row);
		return;
	}
	if (o->n_classes)
	{
		int			actual = row->extra ? wfml_class_of(model, row->extra) : -1;
		uint16		label = (uint16) actual;
		uint16		answer = (uint16) wf_output_label(&model->output, row->values);

		if (actual < 0)
		{
			o->unlabelled++;
			return;
		}
		wf_bytes_append(&o->label, &label, sizeof(label));
		wf_bytes_append(&o->answer, &answer, sizeof(answer));
		wf_bytes_append(&o->p, row->values, sizeof(double) * (size_t) o->n_classes);
	}
	else
	{
		if (row->extra == NULL || !isfinite(row->number))
		{
			o->unlabelled++;
			return;
		}
		wf_bytes_append(&o->y, &row->number, sizeof(double));
		wf_bytes_append(&o->p, row->values, sizeof(double));
	}
	o->n++;
}

/* The target that the version was trained with. */
static char *
stored_target(int64 id)
{
	MemoryContext context = CurrentMemoryContext;
	WfmlWriter	writer;
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(id);
	bool		isnull = true;
	char	   *target = NULL;

	wfml_write_begin(&writer, NULL);
	if (wfml_execute("SELECT target FROM wfml.ml_model WHERE id = $1", 1, &type, &value, NULL) > 0)
	{
		Datum		d = wfml_result(0, 1, &isnull);

		if (!isnull)
			target = MemoryContextStrdup(context, TextDatumGetCString(d));
	}
	wfml_write_end(&writer);
	return target;
}

const char *
wfml_evaluation_target(char *asked, int64 model_id, const char *name)
{
	char	   *target = asked ? asked : stored_target(model_id);

	if (target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no stored target", name),
				 errhint("Name the column with what really happened in the argument \"target\".")));
	return target;
}

static Outcomes *
collect(const char *name, const char *source, char *target)
{
	Outcomes   *o = palloc0(sizeof(Outcomes));
	WfmlScorer	scorer;

	o->host = wfml_host_create(CurrentMemoryContext);
	wf_bytes_init(&o->label, o->host);
	wf_bytes_init(&o->answer, o->host);
	wf_bytes_init(&o->p, o->host);
	wf_bytes_init(&o->y, o->host);
	wfml_resolve(name, GetUserId(), &o->resolved);
	o->cached = wfml_cache_get(o->resolved.id, CurrentMemoryContext);
	wfml_check_task(o->cached->model, o->resolved.name, WFML_TABLE_TASKS);
	o->anomaly = o->cached->model->header->task == WF_ANOMALY;
	o->n_classes = o->anomaly ? 2 : (int) o->cached->model->header->n_classes;
	o->labels = o->cached->labels;
	o->target = wfml_evaluation_target(target, o->resolved.id, name);
	memset(&scorer, 0, sizeof(scorer));
	scorer.model_name = name;
	scorer.cached = o->cached;
	scorer.extra_column = o->target;
	scorer.extra_role = "target";
	scorer.emit = collect_row;
	scorer.arg = o;
	wfml_score(&scorer, source);
	if (o->unlabelled > 0)
		ereport(NOTICE,
				(errmsg(UINT64_FORMAT " rows whose \"%s\" is null or unknown to model \"%s\" were left out",
						o->unlabelled, o->target, name)));
	if (o->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there are no rows to evaluate model \"%s\" on", name)));
	if (o->anomaly)
		settle_labels(o);
	return o;
}

static void
need_two_classes(const Outcomes *o, const char *function, const char *name)
{
	if (o->n_classes != 2)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_WRONG_KIND),
				 errmsg("%s needs a model with two classes, but model \"%s\" has %d", function, name, o->n_classes)));
}

/* Score of class 1 and whether it happened. */
static void
positives(const Outcomes *o, uint8_t **positive, double **score)
{
	const uint16 *label = (const uint16 *) o->label.data;
	const double *p = (const double *) o->p.data;

	*positive = wf_alloc(o->host, o->n, 1);
	*score = wf_alloc(o->host, o->n, sizeof(double));
	for (size_t i = 0; i < o->n; i++)
	{
		(*positive)[i] = label[i] == 1;
		(*score)[i] = p[2 * i + 1];
	}
}

/* ---- evaluate() ---- */

typedef struct Metric
{
	const char *name;
	double		value;
} Metric;

/* Scores that are no probabilities: how they rank, and what the threshold makes of them. */
static int
measure_anomalies(const Outcomes *o, Metric *m)
{
	const uint16 *label = (const uint16 *) o->label.data;
	const uint16 *answer = (const uint16 *) o->answer.data;
	WfClassCount count = {0};
	size_t		right = 0;
	uint8_t    *positive;
	double	   *score;
	int			n = 0;

	for (size_t i = 0; i < o->n; i++)
	{
		right += label[i] == answer[i];
		count.hit += label[i] & answer[i];
		count.predicted += answer[i];
		count.actual += label[i];
	}
	positives(o, &positive, &score);
	m[n++] = (Metric) {"auc", wf_auc(o->host, positive, score, NULL, o->n)};
	m[n++] = (Metric) {"average_precision", wf_average_precision(o->host, positive, score, NULL, o->n)};
	m[n++] = (Metric) {"precision", wf_class_score(&count, WF_PRECISION)};
	m[n++] = (Metric) {"recall", wf_class_score(&count, WF_RECALL)};
	m[n++] = (Metric) {"f1", wf_class_score(&count, WF_F1)};
	m[n++] = (Metric) {"accuracy", (double) right / (double) o->n};
	return n;
}

static int
measure(const Outcomes *o, Metric *m)
{
	const uint16 *label = (const uint16 *) o->label.data;
	const uint16 *answer = (const uint16 *) o->answer.data;
	const double *p = (const double *) o->p.data;
	const double *y = (const double *) o->y.data;
	size_t		right = 0;
	int			k = o->n_classes;
	int			n = 0;

	if (o->anomaly)
		return measure_anomalies(o, m);
	if (k == 0)
	{
		m[n++] = (Metric) {"r2", wf_r2(y, p, NULL, o->n)};
		m[n++] = (Metric) {"rmse", wf_rmse(y, p, NULL, o->n)};
		m[n++] = (Metric) {"mae", wf_mae(y, p, NULL, o->n)};
		return n;
	}
	for (size_t i = 0; i < o->n; i++)
		right += label[i] == answer[i];
	m[n++] = (Metric) {"accuracy", (double) right / (double) o->n};
	m[n++] = (Metric) {"log_loss", wf_log_loss(label, p, NULL, o->n, k)};
	if (k == 2)
	{
		uint8_t    *positive;
		double	   *score;

		positives(o, &positive, &score);
		m[n++] = (Metric) {"auc", wf_auc(o->host, positive, score, NULL, o->n)};
		m[n++] = (Metric) {"average_precision", wf_average_precision(o->host, positive, score, NULL, o->n)};
	}
	m[n++] = (Metric) {"macro_f1", wf_macro_f1(o->host, label, p, NULL, o->n, k)};
	m[n++] = (Metric) {"brier", wf_brier(label, p, NULL, o->n, k)};
	m[n++] = (Metric) {"ece", wf_ece(label, p, NULL, o->n, k, 10)};
	return n;
}

/*
 * Keep the result where the caller owns the model and this transaction may
 * write; of a version that another session drops just now there is none.
 */
static void
store_evaluation(const Outcomes *o, const char *source, const Metric *m, int n)
{
	Oid			types[] = {INT8OID, TEXTOID, INT4OID, TEXTOID, FLOAT8OID, TEXTOID, INT8OID, NAMEOID};
	Oid			owner;
	Oid			user = GetUserId();
	WfmlWriter	writer;

	if (XactReadOnly || RecoveryInProgress() || IsInParallelMode() ||
		!wfml_find_owner(o->resolved.name, &owner) || !wfml_is_owner(owner, user))
		return;
	wfml_write_begin(&writer, "wfml.evaluate()");
	for (int i = 0; i < n; i++)
	{
		Datum		values[8];

		values[0] = Int64GetDatum(o->resolved.id);
		values[1] = CStringGetTextDatum(o->resolved.name);
		values[2] = Int32GetDatum(o->resolved.version);
		values[3] = CStringGetTextDatum(m[i].name);
		values[4] = Float8GetDatum(m[i].value);
		values[5] = CStringGetTextDatum(source);
		values[6] = Int64GetDatum((int64) o->n);
		values[7] = DirectFunctionCall1(namein, CStringGetDatum(GetUserNameFromId(user, false)));
		wfml_execute("INSERT INTO wfml.evaluation (model_id, model, version, metric, value, source, rows, by)"
					 " SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM wfml.ml_model WHERE id = $1 FOR KEY SHARE", 8, types, values, NULL);
	}
	wfml_write_end(&writer);
}

PG_FUNCTION_INFO_V1(wfml_evaluate);

/* wfml.evaluate(model, source, target) → SETOF (metric, value) */
Datum
wfml_evaluate(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *source = wfml_argument_text(fcinfo, 1, "source");
	Metric		metrics[16];
	Outcomes   *o;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	o = collect(wfml_argument_text(fcinfo, 0, "model"), source, wfml_argument_text_or_null(fcinfo, 2));
	n = measure(o, metrics);
	store_evaluation(o, source, metrics, n);
	for (int i = 0; i <= n; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false};

		values[0] = CStringGetTextDatum(i < n ? metrics[i].name : "rows");
		values[1] = Float8GetDatum(i < n ? metrics[i].value : (double) o->n);
		nulls[1] = i < n && isnan(metrics[i].value);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	wfml_cache_unpin(o->cached, CurrentMemoryContext);
	return (Datum) 0;
}

/* ---- confusion_matrix() ---- */

PG_FUNCTION_INFO_V1(wfml_confusion_matrix);

/* wfml.confusion_matrix(model, source, target) → SETOF (actual, predicted, count), every pair */
Datum
wfml_confusion_matrix(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = wfml_argument_text(fcinfo, 0, "model");
	Outcomes   *o;
	uint64	   *count;
	size_t		k;

	InitMaterializedSRF(fcinfo, 0);
	o = collect(name, wfml_argument_text(fcinfo, 1, "source"), wfml_argument_text_or_null(fcinfo, 2));
	if (o->n_classes == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_WRONG_KIND),
				 errmsg("model \"%s\" predicts a number, not a class", name)));
	k = (size_t) o->n_classes;
	count = wf_alloc_zero(o->host, k * k, sizeof(uint64));
	for (size_t i = 0; i < o->n; i++)
		count[((uint16 *) o->label.data)[i] * k + ((uint16 *) o->answer.data)[i]]++;
	for (size_t i = 0; i < k * k; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = o->labels[i / k];
		values[1] = o->labels[i % k];
		values[2] = Int64GetDatum((int64) count[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	wfml_cache_unpin(o->cached, CurrentMemoryContext);
	return (Datum) 0;
}

/* ---- roc_curve() and calibration() ---- */

typedef struct ScoredOutcome
{
	double		score;
	bool		positive;
} ScoredOutcome;

static int
by_falling_score(const void *a, const void *b)
{
	double		x = ((const ScoredOutcome *) a)->score;
	double		y = ((const ScoredOutcome *) b)->score;

	return x > y ? -1 : x < y;
}

/* Scores and outcomes of class 1, highest score first. */
static ScoredOutcome *
ranked(const Outcomes *o)
{
	ScoredOutcome *r = wf_alloc(o->host, o->n, sizeof(ScoredOutcome));
	const double *p = (const double *) o->p.data;

	for (size_t i = 0; i < o->n; i++)
	{
		r[i].score = p[2 * i + 1];
		r[i].positive = ((uint16 *) o->label.data)[i] == 1;
	}
	qsort(r, o->n, sizeof(ScoredOutcome), by_falling_score);
	return r;
}

/* More points than this tell nothing more; those in between are dropped. */
#define ROC_POINTS 200

PG_FUNCTION_INFO_V1(wfml_roc_curve);

/* wfml.roc_curve(model, source, target) → SETOF (threshold, false_positive_rate, true_positive_rate) */
Datum
wfml_roc_curve(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = wfml_argument_text(fcinfo, 0, "model");
	Outcomes   *o;
	ScoredOutcome *r;
	double		ones = 0;
	double		zeros;
	double		tp = 0;
	double		fp = 0;
	double		shown = 0;

	InitMaterializedSRF(fcinfo, 0);
	o = collect(name, wfml_argument_text(fcinfo, 1, "source"), wfml_argument_text_or_null(fcinfo, 2));
	need_two_classes(o, "a ROC curve", name);
	r = ranked(o);
	for (size_t i = 0; i < o->n; i++)
		ones += r[i].positive;
	zeros = (double) o->n - ones;
	for (size_t i = 0; i <= o->n; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};
		bool		edge = i == 0 || i == o->n;

		/* A point stands where the threshold changes, after all rows of one score. */
		if (edge || (r[i].score != r[i - 1].score && (tp + fp - shown) * ROC_POINTS >= (double) o->n))
		{
			shown = tp + fp;
			values[0] = Float8GetDatum(i == 0 ? 1.0 : r[i - 1].score);
			values[1] = Float8GetDatum(fp / zeros);
			values[2] = Float8GetDatum(tp / ones);
			nulls[1] = zeros == 0;
			nulls[2] = ones == 0;
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
		if (i < o->n)
		{
			tp += r[i].positive;
			fp += !r[i].positive;
		}
	}
	wfml_cache_unpin(o->cached, CurrentMemoryContext);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(wfml_calibration);

/* wfml.calibration(model, source, bins, target) → SETOF (lower, upper, rows, predicted, observed) */
Datum
wfml_calibration(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = wfml_argument_text(fcinfo, 0, "model");
	int			bins = PG_ARGISNULL(2) ? 10 : PG_GETARG_INT32(2);
	Outcomes   *o;
	ScoredOutcome *r;
	size_t		next;

	InitMaterializedSRF(fcinfo, 0);
	if (bins < 1 || bins > 1000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of bins %d is out of range", bins),
				 errhint("It goes from 1 to 1000.")));
	o = collect(name, wfml_argument_text(fcinfo, 1, "source"), wfml_argument_text_or_null(fcinfo, 3));
	if (o->anomaly)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_WRONG_KIND),
				 errmsg("scores of model \"%s\" are no probabilities", name),
				 errhint("See how well they rank with wfml.evaluate() or wfml.roc_curve().")));
	need_two_classes(o, "calibration", name);
	r = ranked(o);
	next = o->n;
	for (int b = 0; b < bins; b++)
	{
		double		upper = (double) (b + 1) / bins;
		double		n = 0;
		double		predicted = 0;
		double		observed = 0;
		Datum		values[5];
		bool		nulls[5] = {false};

		for (; next > 0 && (r[next - 1].score < upper || b == bins - 1); next--)
		{
			n++;
			predicted += r[next - 1].score;
			observed += r[next - 1].positive;
		}
		if (n == 0)
			continue;
		values[0] = Float8GetDatum((double) b / bins);
		values[1] = Float8GetDatum(upper);
		values[2] = Int64GetDatum((int64) n);
		values[3] = Float8GetDatum(predicted / n);
		values[4] = Float8GetDatum(observed / n);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	wfml_cache_unpin(o->cached, CurrentMemoryContext);
	return (Datum) 0;
}
