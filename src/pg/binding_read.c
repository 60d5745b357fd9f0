/*-------------------------------------------------------------------------
 * binding_read.c
 *	  Running a query over a binding as its owner, its plan kept.
 *
 * Plans are kept for the session by (table, binding, shape).  A binding that
 * is bound anew gets a new id, so that its old plans are found no more and
 * leave as the least recently used.  The table's OID is in the key since ids
 * start again when the extension is made again.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "parser/analyze.h"
#include "parser/parse_relation.h"
#include "utils/acl.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/binding_read.h"
#include "pg/owner.h"
#include "pg/tables.h"

/* Plans kept at most; those in use are never put out. */
#define MAX_PLANS 256
/* Rows between two resets of the context that callbacks leave garbage in. */
#define SCRATCH_ROWS 64

typedef struct PlanKey
{
	int64		id;
	uint64		hash;			/* of the shape */
	Oid			tables;			/* schema of the extension */
} PlanKey;

typedef struct KeptPlan
{
	PlanKey		key;
	SPIPlanPtr	plan;			/* NULL while there is none */
	char	   *shape;
	size_t		shape_size;
	uint64		last_used;
	int			in_use;
} KeptPlan;

static HTAB *plans;
static uint64 uses;

/* Queries over bindings that run, one within another. */
static int	reading;
static post_parse_analyze_hook_type analyze_before;

/* ---- temporary tables ---- */

/*
 * Where the owner's table is gone, its name may find a temporary table or view
 * of the session, and a view would run the reader's functions as the owner.
 * A plan is analysed anew whenever something has changed, so this looks at
 * each analysis, also at that of a function in the query.
 */
static void
refuse_temporary(ParseState *state, Query *query, JumbleState *jumble)
{
	if (analyze_before)
		analyze_before(state, query, jumble);
	if (reading > 0 && isQueryUsingTempRelation(query))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("a bound source cannot read a temporary table")));
}

static void
watch_analysis(void)
{
	static bool watching = false;

	if (watching)
		return;
	analyze_before = post_parse_analyze_hook;
	post_parse_analyze_hook = refuse_temporary;
	watching = true;
}

/* ---- kept plans ---- */

static void
make_table(void)
{
	HASHCTL		control = {
		.keysize = sizeof(PlanKey),
		.entrysize = sizeof(KeptPlan),
		.hcxt = TopMemoryContext
	};

	plans = hash_create("wfml plans over bindings", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
forget(KeptPlan *kept)
{
	if (kept->plan)
		SPI_freeplan(kept->plan);
	kept->plan = NULL;
	if (kept->shape)
		pfree(kept->shape);
	kept->shape = NULL;
}

static void
make_room(void)
{
	while (hash_get_num_entries(plans) >= MAX_PLANS)
	{
		KeptPlan   *oldest = NULL;
		KeptPlan   *kept;
		HASH_SEQ_STATUS seq;

		hash_seq_init(&seq, plans);
		while ((kept = hash_seq_search(&seq)) != NULL)
		{
			if (kept->in_use == 0 && (oldest == NULL || kept->last_used < oldest->last_used))
				oldest = kept;
		}
		if (oldest == NULL)
			return;
		forget(oldest);
		(void) hash_search(plans, &oldest->key, HASH_REMOVE, NULL);
	}
}

/* The place of a plan; an entry of another shape and the same hash is put out unless it runs. */
static KeptPlan *
find_kept(const WfmlBinding *binding, const WfmlBoundQuery *query)
{
	PlanKey		key;
	KeptPlan   *kept;
	bool		found;

	if (plans == NULL)
		make_table();
	memset(&key, 0, sizeof(key));
	key.id = binding->id;
	key.hash = hash_bytes_extended((const unsigned char *) query->shape, (int) query->shape_size, 0);
	key.tables = wfml_tables()->schema;
	kept = hash_search(plans, &key, HASH_FIND, NULL);
	if (kept == NULL)
	{
		make_room();
		kept = hash_search(plans, &key, HASH_ENTER, &found);
		kept->plan = NULL;
		kept->shape = NULL;
		kept->in_use = 0;
	}
	else if (kept->shape && (kept->shape_size != query->shape_size ||
							 memcmp(kept->shape, query->shape, query->shape_size) != 0))
	{
		if (kept->in_use > 0)
			elog(ERROR, "two queries over a binding have the same hash");
		forget(kept);
	}
	if (kept->in_use > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_RECURSION),
				 errmsg("the source bound for \"%s\" reads itself", binding->kind),
				 errhint("Bind a query over tables instead of wfml.bound_rows('%s').", binding->kind)));
	kept->last_used = ++uses;
	return kept;
}

/* Needs SPI and the owner's rights. */
static void
prepare(KeptPlan *kept, const WfmlBinding *binding, const WfmlBoundQuery *query)
{
	char	   *sql = query->build(query->arg, binding);
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, query->n, unconstify(Oid *, query->types), CURSOR_OPT_PARALLEL_OK);

	if (plan == NULL)
		elog(ERROR, "could not prepare a query over a binding: %s", SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep a plan");
	kept->plan = plan;
	kept->shape = MemoryContextAlloc(TopMemoryContext, query->shape_size + 1);
	memcpy(kept->shape, query->shape, query->shape_size);
	kept->shape_size = query->shape_size;
}

char *
wfml_binding_embed(const WfmlBinding *binding, const char *sql)
{
	const char *place = strstr(sql, "%s");
	StringInfoData text;

	if (place == NULL)
		elog(ERROR, "a query over a binding has no place for it");
	initStringInfo(&text);
	appendBinaryStringInfo(&text, sql, (int) (place - sql));
	/* The line break ends a comment at the end of the query. */
	appendStringInfo(&text, "%s\n%s", binding->query, place + 2);
	return text.data;
}

/* ---- running ---- */

static ParamListInfo
make_params(const WfmlBoundQuery *query)
{
	ParamListInfo params;

	if (query->n == 0)
		return NULL;
	params = makeParamList(query->n);
	for (int i = 0; i < query->n; i++)
	{
		params->params[i].value = query->values[i];
		params->params[i].isnull = query->nulls && query->nulls[i] == 'n';
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = query->types[i];
	}
	return params;
}

/*
 * The error at hand, with what to do about it.  Who was only granted the rows
 * must not learn the query from an error's context.
 */
static void
explain_failure(const char *kind, bool is_owner, MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION && error->hint == NULL)
		error->hint = psprintf(is_owner ? "If the tables have changed since \"%s\" was bound, bind it again with wfml.bind('%s', …)."
							   : "If the tables have changed since \"%s\" was bound, its owner has to bind it again with wfml.bind('%s', …).",
							   kind, kind);
	if (!is_owner)
	{
		error->internalquery = NULL;
		error->internalpos = 0;
		error->context = NULL;
	}
	error->context = error->context ? psprintf("%s\nsource bound for \"%s\"", error->context, kind)
		: psprintf("source bound for \"%s\"", kind);
	ReThrowError(error);
}

static void
run_as_owner(const WfmlBinding *binding, const WfmlBoundQuery *query, KeptPlan *kept, DestReceiver *dest)
{
	SPIExecuteOptions options = {
		.params = make_params(query),
		.read_only = true,
		.must_return_tuples = true,
		.dest = dest
	};
	int			rc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (kept->plan == NULL)
		prepare(kept, binding, query);
	rc = SPI_execute_plan_extended(kept->plan, &options);
	if (rc < 0)
		elog(ERROR, "could not run a query over a binding: %s", SPI_result_code_string(rc));
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not leave SPI");
}

/* Not inlined: what is alive across setjmp() is its arguments. */
static pg_noinline void
run_guarded(const WfmlBinding *binding, const WfmlBoundQuery *query, KeptPlan *kept, DestReceiver *dest, bool is_owner)
{
	MemoryContext context = CurrentMemoryContext;

	kept->in_use++;
	reading++;
	PG_TRY();
	{
		run_as_owner(binding, query, kept, dest);
	}
	PG_CATCH();
	{
		kept->in_use--;
		reading--;
		explain_failure(binding->kind, is_owner, context);
	}
	PG_END_TRY();
	kept->in_use--;
	reading--;
}

void
wfml_binding_run(const WfmlBinding *binding, const WfmlBoundQuery *query, DestReceiver *dest)
{
	bool		is_owner = has_privs_of_role(GetUserId(), binding->owner);
	bool		read_only = XactReadOnly;
	KeptPlan   *kept = find_kept(binding, query);
	WfmlAsOwner as;

	watch_analysis();
	wfml_as_owner_begin(&as, binding->owner, binding->search_path, binding->timezone);
	/* Notices have the query in their context, and debug_print_plan shows all of it. */
	if (!is_owner)
		(void) set_config_option("client_min_messages", "error", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	/* SPI's read_only lets functions write. */
	XactReadOnly = true;
	run_guarded(binding, query, kept, dest, is_owner);
	XactReadOnly = read_only;
	wfml_as_owner_end(&as);
}

/* ---- tuple by tuple ---- */

typedef struct RowReceiver
{
	DestReceiver pub;
	TupleDesc	desc;
	WfmlBoundRow row;
	void	   *arg;
	uint64		n_rows;
	MemoryContext scratch;
} RowReceiver;

static void
receive_start(DestReceiver *self, int operation, TupleDesc desc)
{
	((RowReceiver *) self)->desc = desc;
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *r = (RowReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(r->scratch);
	bool		free_it;
	HeapTuple	tuple = ExecFetchSlotHeapTuple(slot, false, &free_it);
	bool		more = r->row(r->arg, tuple, r->desc);

	MemoryContextSwitchTo(old);
	if (free_it)
		heap_freetuple(tuple);
	if (++r->n_rows % SCRATCH_ROWS == 0)
		MemoryContextReset(r->scratch);
	return more;
}

static void
receive_nothing(DestReceiver *self)
{
}

static char *
embed_text(void *arg, const WfmlBinding *binding)
{
	return wfml_binding_embed(binding, arg);
}

void
wfml_binding_read(const WfmlBinding *binding, const char *sql, int n, const Oid *types, const Datum *values,
				  const char *nulls, WfmlBoundRow row, void *arg)
{
	RowReceiver receiver = {
		.pub = {
			.receiveSlot = receive_row,
			.rStartup = receive_start,
			.rShutdown = receive_nothing,
			.rDestroy = receive_nothing,
			.mydest = DestTuplestore
		},
		.row = row,
		.arg = arg
	};
	WfmlBoundQuery query = {
		.shape = sql,
		.shape_size = strlen(sql),
		.build = embed_text,
		.arg = unconstify(char *, sql),
		.n = n,
		.types = types,
		.values = values,
		.nulls = nulls
	};

	receiver.scratch = AllocSetContextCreate(CurrentMemoryContext, "wfml rows of a binding", ALLOCSET_SMALL_SIZES);
	wfml_binding_run(binding, &query, &receiver.pub);
	MemoryContextDelete(receiver.scratch);
}
