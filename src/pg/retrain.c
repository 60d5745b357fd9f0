/*-------------------------------------------------------------------------
 * retrain.c
 *	  wfml.retrain(): a stored training done again, as its owner.
 *
 * The source is the owner's SQL, so it runs with the owner's rights, restricted
 * and read-only, whoever asked (owner.h).  All else runs as the caller.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/challenge.h"
#include "pg/access.h"
#include "pg/arguments.h"
#include "pg/cache.h"
#include "pg/kind.h"
#include "pg/owner.h"
#include "pg/pghost.h"
#include "pg/registry.h"
#include "pg/retrain.h"
#include "pg/stored_training.h"
#include "pg/tables.h"
#include "pg/traincall.h"

struct WfmlRetraining
{
	WfmlTraining training;		/* everything lives in its context, this too */
	WfmlStoredTraining *stored;
	WfmlRetrainOptions options;
	/* what was read: of the stored training's family */
	WfmlSource *rows;
	WfmlEventSource *events;
	const WfmlCached *champion; /* pinned by the context */
	WfChallenge challenge;
	WfmlRetrainResult result;
};

/* ---- load ---- */

/* What failed is a stored training, and mostly because what it reads has changed. */
static void
explain_error(void *arg)
{
	const WfmlStoredTraining *stored = arg;

	if (geterrcode() == ERRCODE_UNDEFINED_TABLE || geterrcode() == ERRCODE_UNDEFINED_SCHEMA)
		errhint("Name what the model is to be trained on with wfml.set_source(), or train it anew.");
	errcontext("retraining of model \"%s\"", stored->name);
}

/* As the owner; the champion tells which columns. */
static void
read_source(WfmlRetraining *r)
{
	WfmlStoredTraining *stored = r->stored;
	WfmlAsOwner as;

	wfml_as_owner_begin(&as, stored->owner, stored->search_path, stored->timezone);
	switch (stored->family)
	{
		case WF_FAMILY_TABLE:
			r->rows = wfml_train_read(&r->training, &stored->call.rows);
			break;
		case WF_FAMILY_INTERACTIONS:
			wfml_recommender_read(&r->training, &stored->call.recommender);
			break;
		case WF_FAMILY_EVENTS:
			r->events = wfml_sequence_read(&r->training, &stored->call.sequence);
			break;
	}
	wfml_as_owner_end(&as);
}

/* Which rows are fresh, and what the champion loses on half of them. */
static void
challenge_rows(WfmlRetraining *r, const WfModel *champion)
{
	if (r->stored->call.rows.key && r->rows->key == NULL)
	{
		/* all rows would look fresh, and the champion knows them */
		r->challenge.state = WF_CHALLENGE_NO_FILTER;
		return;
	}
	wf_challenge_prepare(r->training.host, champion, r->rows->schema, r->rows->frame,
						 r->rows->class_of_code, r->training.spec.validation, &r->challenge);
	if (r->challenge.state == WF_CHALLENGE_JUDGED)
		wf_frame_set_marks(r->rows->frame, r->challenge.mark);
}

static void
challenge_champion(WfmlRetraining *r)
{
	const WfmlCached *champion = r->champion = wfml_cache_get(r->stored->id, r->training.context);

	/* Bytes that were exchanged by hand; what opened them decides what they can be asked. */
	if (champion->model->algorithm->family != r->stored->family)
		wfml_bad_artifact(r->stored->id, "Its bytes are a model of another kind.");
	switch (r->stored->family)
	{
		case WF_FAMILY_TABLE:
			challenge_rows(r, champion->model);
			break;
		case WF_FAMILY_INTERACTIONS:
			/* while the challenger is trained: its pairs are not sorted yet */
			return;
		case WF_FAMILY_EVENTS:
			wf_challenge_prepare_cases(r->training.host, champion->model, r->events->log,
									   r->training.spec.validation, &r->challenge);
			r->events->log->mark = r->challenge.mark;
			break;
	}
	if (r->challenge.state == WF_CHALLENGE_JUDGED)
		r->training.spec.validation = WF_VALIDATE_FRESH;
}

static void
limit_seconds(WfSpec *spec, double seconds)
{
	if (seconds > 0 && (spec->max_seconds <= 0 || seconds < spec->max_seconds))
		spec->max_seconds = seconds;
}

WfmlRetraining *
wfml_retrain_load(const char *model, const WfmlRetrainOptions *options, MemoryContext parent)
{
	MemoryContext old = MemoryContextSwitchTo(parent);
	WfmlStoredTraining *stored = wfml_stored_training(model, parent);
	ErrorContextCallback context = {.previous = error_context_stack, .callback = explain_error, .arg = stored};
	WfmlTraining training;
	WfmlRetraining *r;

	error_context_stack = &context;
	wfml_training_begin(&training, "wfml.retrain()", stored->name, stored->algorithm, stored->params);
	MemoryContextSetParent(stored->context, training.context);
	MemoryContextSwitchTo(training.context);
	r = palloc0(sizeof(WfmlRetraining));
	r->training = training;
	r->stored = stored;
	r->options = *options;
	r->result.champion_version = stored->version;
	r->result.champion = r->result.challenger = r->result.bound = NAN;
	wfml_host_keep_files(r->training.host);
	limit_seconds(&r->training.spec, options->max_seconds);
	read_source(r);
	challenge_champion(r);
	error_context_stack = context.previous;
	MemoryContextSwitchTo(old);
	return r;
}

/* ---- fit ---- */

void
wfml_retrain_fit(WfmlRetraining *r)
{
	MemoryContext old = MemoryContextSwitchTo(r->training.context);
	ErrorContextCallback context = {.previous = error_context_stack, .callback = explain_error, .arg = r->stored};
	WfJudges   *judges = r->challenge.state == WF_CHALLENGE_JUDGED ? &r->challenge.judges : NULL;

	error_context_stack = &context;
	switch (r->stored->family)
	{
		case WF_FAMILY_TABLE:
			wfml_train_fit(&r->training, r->rows, judges);
			break;
		case WF_FAMILY_INTERACTIONS:
			wfml_recommender_fit(&r->training, &r->stored->call.recommender, r->champion->model, &r->challenge);
			break;
		case WF_FAMILY_EVENTS:
			wfml_sequence_fit(&r->training, r->events, judges);
			break;
	}
	error_context_stack = context.previous;
	MemoryContextSwitchTo(old);
}

/* ---- verdict ---- */

/* "1,234" */
static char *
grouped(int64 n)
{
	char		digits[32];
	int			length = snprintf(digits, sizeof(digits), INT64_FORMAT, n);
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < length; i++)
	{
		if (i > 0 && (length - i) % 3 == 0)
			appendStringInfoChar(&s, ',');
		appendStringInfoChar(&s, digits[i]);
	}
	return s.data;
}

/* "at most 0.4 % worse", "at least 2.1 % better": with 95 % certainty. */
static const char *
bound_text(double bound)
{
	if (isnan(bound))
		return "not worse";		/* there is nothing to be relative to: a champion without loss, or without gain */
	if (bound < 0)
		return psprintf("at least %.2g %% better", -100 * bound);
	return psprintf("at most %.2g %% worse", 100 * bound);
}

static bool
judge(WfmlRetraining *r)
{
	WfmlRetrainResult *result = &r->result;
	const WfJudges *judges = &r->challenge.judges;
	WfJudgeScale scale = r->training.spec.task == WF_REGRESSION ? WF_JUDGE_ROOT :
		r->training.spec.task == WF_RECOMMENDATION ? WF_JUDGE_GAIN : WF_JUDGE_LOSS;
	char	   *count = grouped((int64) judges->n);
	const char *whose = scale == WF_JUDGE_GAIN ? psprintf("%s users with fresh rows", count)
		: psprintf("%s fresh %s", count, r->stored->family == WF_FAMILY_EVENTS ? "cases" : "rows");
	WfVerdict	verdict;

	wf_challenge_judge(r->training.host, judges, scale, r->options.tolerance, &verdict);
	result->metric = scale == WF_JUDGE_ROOT ? "rmse" : scale == WF_JUDGE_GAIN ? "ndcg@10" : "log_loss";
	result->champion = verdict.paired.a;
	result->challenger = verdict.paired.b;
	result->bound = verdict.bound;
	if (verdict.wins)
		result->reason = psprintf("%s on %s", bound_text(result->bound), whose);
	else if (isnan(result->bound))
		result->reason = psprintf("worse on %s", whose);
	else
		result->reason = psprintf("could be up to %.2g %% worse on %s, tolerated is %.2g %%",
								  100 * result->bound, whose, 100 * r->options.tolerance);
	return verdict.wins;
}

/* Does the challenger deserve to be activated?  Sets the reason. */
static bool
deserves(WfmlRetraining *r)
{
	WfmlRetrainResult *result = &r->result;
	const WfChallenge *c = &r->challenge;
	/* whatever is known of its rows */
	WfChallengeState state = r->training.spec.task == WF_ANOMALY ? WF_CHALLENGE_NO_LOSS : c->state;

	switch (state)
	{
		case WF_CHALLENGE_JUDGED:
			return judge(r);
		case WF_CHALLENGE_NO_FILTER:
			result->reason = r->rows && r->stored->call.rows.key && r->rows->key == NULL
				? psprintf("the column \"%s\" that told rows apart is gone", r->stored->call.rows.key)
				: psprintf("version %d does not tell which rows it was trained on", result->champion_version);
			return false;
		case WF_CHALLENGE_FEW_ROWS:
			result->reason = r->stored->family == WF_FAMILY_EVENTS
				? psprintf("%s fresh cases, %d are needed to judge", grouped((int64) c->n_fresh), WF_CHALLENGE_CASES)
				: psprintf("%s fresh rows, %d are needed to judge", grouped((int64) c->n_fresh), WF_CHALLENGE_ROWS);
			return false;
		case WF_CHALLENGE_FEW_OF_CLASS:
			result->reason = psprintf("%s fresh rows outside the largest class, %d are needed to judge",
									  grouped((int64) c->n_rarer), WF_CHALLENGE_RARER);
			return false;
		case WF_CHALLENGE_FEW_USERS:
			result->reason = psprintf("%s users with fresh rows and a history, %d are needed to judge",
									  grouped((int64) c->n_rarer), WF_CHALLENGE_USERS);
			return false;
		case WF_CHALLENGE_FEW_GROUPS:
			result->reason = psprintf("%s groups of fresh rows to judge, %d are needed",
									  grouped((int64) c->n_rarer), WF_CHALLENGE_GROUPS);
			return false;
		case WF_CHALLENGE_NO_LOSS:
			break;
	}
	result->reason = psprintf("models of this kind (%s) are not judged by fresh rows", wfml_task_name(r->training.spec.task));
	return true;
}

/* ---- publication ---- */

/*
 * The model's name and active version as they are now, its row locked until
 * the end of the transaction.
 */
static int64
lock_model(WfmlRetraining *r)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(r->stored->number)};
	WfmlWriter	writer;
	int64		active;
	bool		isnull;
	MemoryContext old;

	wfml_write_begin(&writer, "wfml.retrain()");
	if (wfml_execute("SELECT name, active_id FROM wfml.registry WHERE number = $1 FOR UPDATE", 1, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_UNKNOWN_MODEL),
				 errmsg("model \"%s\" was dropped while it was retrained", r->stored->name)));
	old = MemoryContextSwitchTo(r->training.context);
	r->result.model = TextDatumGetCString(wfml_result(0, 1, &isnull));
	MemoryContextSwitchTo(old);
	active = DatumGetInt64(wfml_result(0, 2, &isnull));
	wfml_write_end(&writer);
	return isnull ? 0 : active;
}

static void
describe(WfmlRetraining *r)
{
	switch (r->stored->family)
	{
		case WF_FAMILY_TABLE:
			wfml_train_describe(&r->training, &r->stored->call.rows, r->rows);
			break;
		case WF_FAMILY_INTERACTIONS:
			wfml_recommender_describe(&r->training, &r->stored->call.recommender);
			break;
		case WF_FAMILY_EVENTS:
			wfml_sequence_describe(&r->training, &r->stored->call.sequence, r->events);
			break;
	}
}

const WfmlRetrainResult *
wfml_retrain_publish(WfmlRetraining *r)
{
	MemoryContext old = MemoryContextSwitchTo(r->training.context);
	WfmlPublication *p = &r->training.publication;
	WfmlRetrainResult *result = &r->result;
	bool		activate = deserves(r);

	result->fresh_rows = r->challenge.state == WF_CHALLENGE_NO_FILTER ? -1 : (int64) r->challenge.n_fresh;
	if (lock_model(r) != r->stored->id)
	{
		activate = false;
		result->reason = psprintf("another version than %d was activated meanwhile", result->champion_version);
	}
	if (!activate && r->options.force)
	{
		activate = true;
		result->reason = psprintf("by force: %s", result->reason);
	}
	describe(r);
	p->name = result->model;
	p->search_path = r->stored->search_path;
	p->timezone = r->stored->timezone;
	p->activate = activate;
	wfml_training_publish(&r->training);
	result->version = p->version;
	result->activated = activate;
	result->rows = p->training_rows;
	result->seconds = rint(p->training_seconds * 1000) / 1000;
	MemoryContextSwitchTo(old);
	return result;
}

void
wfml_retrain_notice(const WfmlRetrainResult *result)
{
	char	   *what = result->activated
		? psprintf("%s@%d replaces %s@%d", result->model, result->version, result->model, result->champion_version)
		: psprintf("%s@%d is stored, %s@%d stays active", result->model, result->version, result->model, result->champion_version);

	if (result->metric)
	{
		const char *metric = strcmp(result->metric, "log_loss") == 0 ? "log loss" : result->metric;

		ereport(NOTICE,
				(errmsg("%s: %s %.4g, %s %.4g, %s", what, metric, result->challenger,
						result->activated ? "was" : "against", result->champion, result->reason)));
	}
	else
		ereport(NOTICE, (errmsg("%s: %s", what, result->reason)));
}

void
wfml_retrain_free(WfmlRetraining *r)
{
	MemoryContextDelete(r->training.context);
}

/* ---- SQL ---- */

static Datum
summary(FunctionCallInfo fcinfo, const WfmlRetrainResult *result)
{
	TupleDesc	desc;
	Datum		values[12];
	bool		nulls[12] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(result->model);
	values[1] = Int32GetDatum(result->version);
	values[2] = BoolGetDatum(result->activated);
	values[3] = CStringGetTextDatum(result->reason);
	nulls[4] = result->metric == NULL;
	values[4] = result->metric ? CStringGetTextDatum(result->metric) : (Datum) 0;
	values[5] = Float8GetDatum(result->champion);
	values[6] = Float8GetDatum(result->challenger);
	values[7] = Float8GetDatum(result->bound);
	nulls[5] = isnan(result->champion);
	nulls[6] = isnan(result->challenger);
	nulls[7] = isnan(result->bound);
	values[8] = Int64GetDatum(result->fresh_rows);
	nulls[8] = result->fresh_rows < 0;
	values[9] = Int64GetDatum(result->rows);
	values[10] = Float8GetDatum(result->seconds);
	values[11] = Int32GetDatum(result->champion_version);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

PG_FUNCTION_INFO_V1(wfml_retrain);

/* wfml.retrain(model, force, tolerance) → retrain_summary */
Datum
wfml_retrain(PG_FUNCTION_ARGS)
{
	char	   *model = wfml_argument_text(fcinfo, 0, "model");
	WfmlRetrainOptions options = {
		.force = PG_ARGISNULL(1) ? false : PG_GETARG_BOOL(1),
		.tolerance = PG_ARGISNULL(2) ? WFML_RETRAIN_TOLERANCE : PG_GETARG_FLOAT8(2),
	};
	WfmlRetraining *r;
	const WfmlRetrainResult *result;
	Datum		row;

	if (!(options.tolerance >= 0 && options.tolerance <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tolerance must be between 0 and 1"),
				 errhint("0.01 lets a version take over that may be 1 %% worse.")));
	PreventCommandIfReadOnly("wfml.retrain()");
	r = wfml_retrain_load(model, &options, CurrentMemoryContext);
	wfml_retrain_fit(r);
	result = wfml_retrain_publish(r);
	wfml_retrain_notice(result);
	row = summary(fcinfo, result);
	wfml_retrain_free(r);
	return row;
}
