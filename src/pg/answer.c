/*-------------------------------------------------------------------------
 * answer.c
 *	  An answer that is logged: by the model, its other version, or its rule.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <limits.h>

#include "access/htup_details.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/access.h"
#include "pg/answer.h"
#include "pg/answer_input.h"
#include "pg/attempt.h"
#include "pg/counters.h"
#include "pg/fallback.h"
#include "pg/predcache.h"
#include "pg/registry.h"
#include "pg/settings.h"
#include "pg/tables.h"
#include "pg/traffic.h"

/* A version that may answer. */
typedef struct Side
{
	WfmlResolved resolved;
	bool		known;			/* resolved is of this statement */
	WfmlSite   *site;
} Side;

struct WfmlAnswerer
{
	MemoryContext context;
	MemoryContext scratch;		/* of one answer */
	/* the registry row */
	WfmlMoment	moment;
	char		reference[WFML_REFERENCE_SIZE];
	char		name[NAMEDATALEN];
	int32		version;		/* that was asked for by name@version; 0: none */
	int64		number;
	Oid			owner;
	bool		log_input;
	bool		divided;
	WfmlTraffic traffic;
	char	   *rule;			/* the fallback, in rule_context */
	WfmlFallback *prepared;
	MemoryContext rule_context;
	/* the version asked for or active, or that of the split; its other one */
	Side		a;
	Side		b;
	const WfmlCached *cached;	/* of the one that answered; NULL: none */
	WfmlAnswer	answer;
};

WfmlAnswerer *
wfml_answerer(MemoryContext context)
{
	WfmlAnswerer *answerer = MemoryContextAllocZero(context, sizeof(WfmlAnswerer));

	answerer->context = context;
	answerer->scratch = AllocSetContextCreate(context, "wfml answer", ALLOCSET_SMALL_SIZES);
	answerer->rule_context = AllocSetContextCreate(context, "wfml fallback", ALLOCSET_SMALL_SIZES);
	answerer->a.site = wfml_site_create(context);
	answerer->b.site = wfml_site_create(context);
	return answerer;
}

/* ---- the registry row, once a statement ---- */

static void
keep_rule(WfmlAnswerer *answerer, const char *rule, Oid owner)
{
	bool		same = answerer->rule ? rule && strcmp(rule, answerer->rule) == 0 : rule == NULL;

	if (same && owner == answerer->owner)
		return;
	answerer->rule = NULL;
	answerer->prepared = NULL;
	MemoryContextReset(answerer->rule_context);
	if (rule)
		answerer->rule = MemoryContextStrdup(answerer->rule_context, rule);
	answerer->owner = owner;
}

static void
read_row(WfmlAnswerer *answerer, HeapTuple tuple, TupleDesc desc, Oid user)
{
	bool		isnull;
	bool		undivided;
	Oid			owner = DatumGetObjectId(heap_getattr(tuple, Anum_registry_owner, desc, &isnull));
	Datum		datum;

	if (desc->natts < Anum_registry_number)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table wfml.registry has no column \"number\""),
				 errhint("Update the extension with ALTER EXTENSION wfml UPDATE.")));
	wfml_check_may_use(answerer->name, owner, user);
	answerer->number = DatumGetInt64(heap_getattr(tuple, Anum_registry_number, desc, &isnull));
	answerer->log_input = DatumGetBool(heap_getattr(tuple, Anum_registry_log_input, desc, &isnull));
	datum = heap_getattr(tuple, Anum_registry_fallback, desc, &isnull);
	keep_rule(answerer, isnull ? NULL : TextDatumGetCString(datum), owner);
	datum = heap_getattr(tuple, Anum_registry_traffic, desc, &undivided);
	answerer->divided = answerer->version == 0 && !undivided &&
		wfml_traffic_parse(DatumGetJsonbP(datum), &answerer->traffic);
	datum = heap_getattr(tuple, Anum_registry_active_id, desc, &isnull);
	answerer->a.known = !isnull && !answerer->divided && answerer->version == 0;
	if (answerer->a.known)
	{
		WfmlResolved *active = &answerer->a.resolved;

		active->id = DatumGetInt64(datum);
		active->version = DatumGetInt32(heap_getattr(tuple, Anum_registry_active_version, desc, &isnull));
		strlcpy(active->name, answerer->name, sizeof(active->name));
	}
	answerer->b.known = false;
}

static void
read_registry(WfmlAnswerer *answerer, const char *reference, Oid user)
{
	const WfmlTables *t = wfml_tables();
	WfmlScan	scan;

	if (!wfml_split_reference(reference, answerer->name, &answerer->version))
		wfml_unknown_model(reference, user);
	wfml_scan_text(&scan, t->registry, t->registry_pkey, Anum_registry_name, answerer->name);
	if (!HeapTupleIsValid(scan.tuple))
	{
		wfml_scan_done(&scan);
		wfml_unknown_model(reference, user);
	}
	read_row(answerer, scan.tuple, RelationGetDescr(scan.table), user);
	wfml_scan_done(&scan);
}

static void
use_model(WfmlAnswerer *answerer, text *model, Oid user)
{
	const char *bytes = VARDATA_ANY(model);
	size_t		length = VARSIZE_ANY_EXHDR(model);

	if (length < WFML_REFERENCE_SIZE && strncmp(answerer->reference, bytes, length) == 0 &&
		answerer->reference[length] == '\0' && wfml_moment_holds(&answerer->moment, user))
		return;
	wfml_moment_begin(&answerer->moment, user);
	read_registry(answerer, text_to_cstring(model), user);
	/* It is a valid reference, and so fits. */
	memcpy(answerer->reference, bytes, length);
	answerer->reference[length] = '\0';
	wfml_moment_end(&answerer->moment);
}

/* ---- predicting; may fail ---- */

/* version 0: the active one, of which there is none when it must be resolved here. */
static void
use_side(WfmlAnswerer *answerer, Side *side, int32 version)
{
	Oid			user = answerer->moment.user;

	if (!side->known)
	{
		char		reference[WFML_REFERENCE_SIZE];

		if (version == 0)
			strlcpy(reference, answerer->name, sizeof(reference));
		else
			snprintf(reference, sizeof(reference), "%s@%d", answerer->name, version);
		wfml_resolve(reference, user, &side->resolved);
		side->known = true;
	}
	wfml_site_use_resolved(side->site, &side->resolved, user);
}

typedef struct Question
{
	WfmlAnswerer *answerer;
	WfmlInput	kind;
	Datum		input;
	Datum		entity;
	/* results */
	Side	   *side;			/* that answered, or failed */
	bool		chose_b;
	bool		known;			/* from the prediction cache */
} Question;

static void
ask(Question *q, Side *side, int32 version)
{
	q->side = side;
	use_side(q->answerer, side, version);
	(void) wfml_site_features(side->site, q->kind, q->input);
	q->known = wfml_predcache_predict_if_faster(side->site->cached);
}

/* Without an entity the features decide, as the first version sees them. */
static bool
choose_b(Question *q)
{
	WfmlAnswerer *answerer = q->answerer;
	const void *bytes;
	size_t		length;

	if (q->entity)
	{
		text	   *entity = DatumGetTextPP(q->entity);

		bytes = VARDATA_ANY(entity);
		length = VARSIZE_ANY_EXHDR(entity);
	}
	else
	{
		q->side = &answerer->a;
		use_side(answerer, &answerer->a, answerer->traffic.version_a);
		bytes = wfml_site_features(answerer->a.site, q->kind, q->input);
		length = sizeof(float) * answerer->a.site->cached->model->header->n_features;
	}
	return wfml_traffic_chooses_b(&answerer->traffic, wfml_traffic_hash(bytes, length));
}

static void
ask_model(void *arg)
{
	Question   *q = arg;
	WfmlAnswerer *answerer = q->answerer;

	if (answerer->divided)
	{
		q->chose_b = choose_b(q);
		if (q->chose_b && !answerer->traffic.shadow)
			ask(q, &answerer->b, answerer->traffic.version_b);
		else
			ask(q, &answerer->a, answerer->traffic.version_a);
	}
	else
		ask(q, &answerer->a, answerer->version);
}

static void
ask_shadow(void *arg)
{
	Question   *q = arg;

	ask(q, &q->answerer->b, q->answerer->traffic.version_b);
}

static int32
microseconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return (int32) Min(INSTR_TIME_GET_MICROSEC(now), INT_MAX);
}

/* ---- the rule ---- */

/* The version that failed is counted for, so that errors and fallbacks meet. */
static int64
failed_id(const Question *q)
{
	return q->side && q->side->known ? q->side->resolved.id : 0;
}

static void
answer_by_rule(Question *q)
{
	WfmlAnswerer *answerer = q->answerer;
	WfmlAnswer *answer = &answerer->answer;
	const char *error;

	if (answerer->rule == NULL)
		return;
	if (answerer->prepared == NULL)
		answerer->prepared = wfml_fallback_prepare(answerer->rule_context, answerer->rule, answerer->owner);
	answer->answered = wfml_fallback_evaluate(answerer->prepared, q->kind, q->input, &answer->detail, &error);
	if (answer->answered)
		wfml_count(failed_id(q), WFML_COUNT_FALLBACKS, 1);
	else
		answer->error = psprintf("%s; %s", answer->error, error);
}

/* ---- answering ---- */

static void
answered(Question *q)
{
	WfmlAnswer *answer = &q->answerer->answer;

	answer->answered = true;
	q->answerer->cached = q->side->site->cached;
	wfml_detail_fill(q->side->site->cached, q->side->resolved.version,
					 q->known ? "cache" : "function", &answer->detail);
	answer->model_id = q->side->resolved.id;
	wfml_count(answer->model_id, WFML_COUNT_PREDICTIONS, 1);
}

static void
failed(Question *q, ErrorData *failure)
{
	WfmlAnswer *answer = &q->answerer->answer;

	answer->failure = failure;
	answer->error = failure->message;
	wfml_count(failed_id(q), WFML_COUNT_ERRORS, 1);
	answer_by_rule(q);
}

/* The other version beside; that it fails is counted, and no concern of who asked. */
static void
answer_shadow(Question *q)
{
	WfmlAnswer *answer = &q->answerer->answer;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	if (wfml_attempt(ask_shadow, q) != NULL)
	{
		wfml_count(failed_id(q), WFML_COUNT_ERRORS, 1);
		return;
	}
	answer->shadow_latency_us = microseconds_since(start);
	answer->has_shadow = true;
	wfml_detail_fill(q->side->site->cached, q->side->resolved.version, "function", &answer->shadow);
	answer->shadow_id = q->side->resolved.id;
	wfml_count(answer->shadow_id, WFML_COUNT_PREDICTIONS, 1);
}

const WfmlAnswer *
wfml_answer(WfmlAnswerer *answerer, text *model, Oid user, WfmlInput kind, Datum input, Datum entity)
{
	Question	q = {.answerer = answerer,.kind = kind,.input = input,.entity = entity};
	WfmlAnswer *answer = &answerer->answer;
	ErrorData  *failure = NULL;
	MemoryContext caller;
	instr_time	start;

	MemoryContextReset(answerer->scratch);
	caller = MemoryContextSwitchTo(answerer->scratch);
	INSTR_TIME_SET_CURRENT(start);
	use_model(answerer, model, user);
	memset(answer, 0, sizeof(WfmlAnswer));
	answerer->cached = NULL;
	answer->model_number = answerer->number;
	answer->model = answerer->name;
	answer->log_input = answerer->log_input;
	if (wfml_on_error == WFML_ON_ERROR_FALLBACK)
		failure = wfml_attempt(ask_model, &q);
	else
		ask_model(&q);
	if (failure == NULL)
		answered(&q);
	else
		failed(&q, failure);
	answer->latency_us = microseconds_since(start);
	if (failure == NULL && answerer->divided && answerer->traffic.shadow && q.chose_b)
		answer_shadow(&q);
	MemoryContextSwitchTo(caller);
	return answer;
}

/* ---- logging ---- */

WfmlLogged
wfml_answer_log(WfmlAnswerer *answerer, const WfmlAnswer *answer, const char *source,
				WfmlInput kind, Datum input, Datum entity)
{
	MemoryContext caller = MemoryContextSwitchTo(answerer->scratch);
	bool		by_model = answer->answered && answer->error == NULL;
	WfmlLogEntry entry = {
		.model_number = answer->model_number,
		.model_id = answer->model_id,
		.model = answer->model,
		.detail = answer->answered ? &answer->detail : NULL,
		.source = !by_model ? "fallback" : strcmp(answer->detail.source, "function") == 0 ? source : NULL,
		.made_by = GetUserId(),
		.made_for = answerer->moment.user,
		.entity = entity,
		.latency_us = answer->latency_us,
		.error = answer->error,
		.input = answer->log_input ? wfml_answer_input(answerer->cached, kind, input) : NULL
	};
	WfmlLogged	logged = wfml_log_prediction(&entry);

	if (answer->has_shadow)
	{
		entry.model_id = answer->shadow_id;
		entry.detail = &answer->shadow;
		entry.source = source;
		entry.shadow = true;
		entry.latency_us = answer->shadow_latency_us;
		(void) wfml_log_prediction(&entry);
	}
	MemoryContextSwitchTo(caller);
	return logged;
}
