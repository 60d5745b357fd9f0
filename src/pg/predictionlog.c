/*-------------------------------------------------------------------------
 * predictionlog.c
 *	  Rows of wfml.prediction.
 *
 * A row is formed and inserted as the executor would, but for the plan: heap,
 * then indexes.  Indexes that a DBA adds are served too; those that are more
 * than a b-tree over columns go the executor's own way.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>
#include <unistd.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/rng.h"
#include "pg/counters.h"
#include "pg/predictionlog.h"
#include "pg/settings.h"
#include "pg/tables.h"

/* Columns of wfml.prediction as prediction.sql declares them, from 0. */
typedef enum Column
{
	COL_ID, COL_MODEL_NUMBER, COL_MODEL_ID, COL_MODEL, COL_VERSION, COL_MADE_AT, COL_MADE_BY,
	COL_USER_ID, COL_ENTITY, COL_VALUE, COL_LOWER, COL_UPPER, COL_LABEL, COL_CONFIDENCE, COL_SOURCE,
	COL_SHADOW, COL_LATENCY_US, COL_ACTUAL, COL_ACTUAL_AT, COL_ERROR, COL_INPUT, COL_MADE_FOR,
	N_COLUMNS
} Column;

/* More than this many, or any unusual index: the executor's way. */
#define MAX_INDEXES 16
/* With those that somebody added. */
#define MAX_COLUMNS 64

typedef struct LogRow
{
	Datum		values[MAX_COLUMNS];
	bool		nulls[MAX_COLUMNS];
} LogRow;

/* ---- where ---- */

typedef struct LogTable
{
	uint64		generation;
	Oid			table;
	Oid			sequence;
} LogTable;

/* A dropped extension changes the registry, too, so its generation tells. */
static const LogTable *
log_table(void)
{
	static LogTable t;
	uint64		generation = wfml_generation();

	if (t.generation != generation)
	{
		t.table = wfml_own_relation("prediction");
		t.sequence = wfml_own_relation("prediction_id_seq");
		t.generation = generation;
	}
	return &t;
}

/* ---- the version's row must stay ---- */

/*
 * Versions whose ml_model row this transaction holds, and the name that they
 * keep meanwhile; where a rule answers, its registry row.  A lock ends with
 * the subtransaction that took it, so any rollback empties the list.
 */
typedef struct Held
{
	int64		id;				/* of a version, or -registry.number */
	char		name[NAMEDATALEN];
} Held;

#define MAX_HELD 8

static Held held[MAX_HELD];
static int	n_held = 0;
static int	next_held = 0;

static void
transaction_ended(XactEvent event, void *arg)
{
	n_held = 0;
}

static void
subtransaction_ended(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		n_held = 0;
}

static const Held *
remember(int64 id, TupleTableSlot *slot, AttrNumber name)
{
	static bool registered = false;
	Held	   *h = &held[next_held];
	bool		isnull;

	if (!registered)
	{
		RegisterXactCallback(transaction_ended, NULL);
		RegisterSubXactCallback(subtransaction_ended, NULL);
		registered = true;
	}
	h->id = id;
	text_to_cstring_buffer(DatumGetTextPP(slot_getattr(slot, name, &isnull)), h->name, sizeof(h->name));
	next_held = (next_held + 1) % MAX_HELD;
	n_held = Min(n_held + 1, MAX_HELD);
	return h;
}

/*
 * Lock the row that a scan found as a foreign key does, waiting for who drops
 * or renames it.  NULL: it is gone, or this very transaction is about to drop it.
 */
static const Held *
hold(const WfmlScan *scan, int64 id, AttrNumber name)
{
	Relation	table;
	ItemPointerData tid;
	TupleTableSlot *slot;
	TM_FailureData failure;
	const Held *now = NULL;

	if (!HeapTupleIsValid(scan->tuple))
		return NULL;
	tid = scan->tuple->t_self;
	table = table_open(RelationGetRelid(scan->table), RowShareLock);
	slot = table_slot_create(table, NULL);
	if (table_tuple_lock(table, &tid, GetActiveSnapshot(), slot, GetCurrentCommandId(false),
						 LockTupleKeyShare, LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
						 &failure) == TM_Ok)
		now = remember(id, slot, name);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return now;
}

static const Held *
find_held(int64 id)
{
	for (int i = 0; i < n_held; i++)
		if (held[i].id == id)
			return &held[i];
	return NULL;
}

static const Held *
hold_version(int64 id)
{
	const WfmlTables *t = wfml_tables();
	const Held *now = find_held(id);
	WfmlScan	scan;

	if (now == NULL)
	{
		wfml_scan_id(&scan, t->ml_model, t->ml_model_pkey, Anum_ml_model_id, id);
		now = hold(&scan, id, Anum_ml_model_name);
		wfml_scan_done(&scan);
	}
	return now;
}

static const Held *
hold_model(int64 number, const char *name)
{
	const WfmlTables *t = wfml_tables();
	const Held *now = find_held(-number);
	WfmlScan	scan;

	if (now == NULL)
	{
		wfml_scan_text(&scan, t->registry, t->registry_pkey, Anum_registry_name, name);
		now = hold(&scan, -number, Anum_registry_name);
		wfml_scan_done(&scan);
	}
	return now;
}

void
wfml_log_renamed(const char *old_name, const char *new_name)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[] = {CStringGetTextDatum(old_name), CStringGetTextDatum(new_name)};

	/* This transaction's own locks do not keep it from renaming. */
	n_held = 0;
	/* 0.1.0 has no log. */
	if (OidIsValid(get_relname_relid("prediction", wfml_tables()->schema)))
		wfml_execute("UPDATE wfml.prediction p SET model = $2 FROM wfml.registry r"
					 " WHERE r.name = $2 AND p.model_number = r.number AND p.model = $1", 2, types, values, NULL);
}

/* ---- the row ---- */

static void
set(LogRow *row, Column column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

static void
set_number(LogRow *row, Column column, double value)
{
	if (!isnan(value))
		set(row, column, Float8GetDatum(value));
}

static void
fill_detail(LogRow *row, const WfmlDetail *detail)
{
	set_number(row, COL_VALUE, detail->value);
	set_number(row, COL_LOWER, detail->lower);
	set_number(row, COL_UPPER, detail->upper);
	set_number(row, COL_CONFIDENCE, detail->confidence);
	if (detail->label)
		set(row, COL_LABEL, detail->label);
	if (detail->version != 0)
		set(row, COL_VERSION, Int32GetDatum(detail->version));
}

/* What an index can hold, whether it compresses or not. */
static Datum
indexable(Datum value, const char *what)
{
	text	   *t = DatumGetTextPP(value);

	if (VARSIZE_ANY_EXHDR(t) > WFML_LOG_KEY_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s of a logged prediction has %zu bytes", what, VARSIZE_ANY_EXHDR(t)),
				 errhint("It may have %d bytes.", WFML_LOG_KEY_BYTES)));
	return PointerGetDatum(t);
}

static void
fill_row(LogRow *row, const WfmlLogEntry *entry, Oid sequence)
{
	const Held *now = entry->model_id != 0 ? hold_version(entry->model_id) : hold_model(entry->model_number, entry->model);

	memset(row->nulls, true, sizeof(row->nulls));
	if (entry->detail)
		fill_detail(row, entry->detail);
	if (now && entry->model_id != 0)
		set(row, COL_MODEL_ID, Int64GetDatum(entry->model_id));
	set(row, COL_ID, Int64GetDatum(nextval_internal(sequence, false)));
	set(row, COL_MODEL_NUMBER, Int64GetDatum(entry->model_number));
	set(row, COL_MODEL, CStringGetTextDatum(now ? now->name : entry->model));
	set(row, COL_MADE_AT, TimestampTzGetDatum(GetCurrentTimestamp()));
	set(row, COL_MADE_BY, ObjectIdGetDatum(entry->made_by));
	set(row, COL_MADE_FOR, ObjectIdGetDatum(entry->made_for));
	if (wfml_user_id && wfml_user_id[0] != '\0')
		set(row, COL_USER_ID, indexable(CStringGetTextDatum(wfml_user_id), "wfml.user_id"));
	if (entry->entity)
		set(row, COL_ENTITY, indexable(entry->entity, "the entity"));
	set(row, COL_SOURCE, CStringGetTextDatum(entry->source ? entry->source : entry->detail->source));
	set(row, COL_SHADOW, BoolGetDatum(entry->shadow));
	if (entry->latency_us >= 0)
		set(row, COL_LATENCY_US, Int32GetDatum(entry->latency_us));
	if (entry->error)
		set(row, COL_ERROR, CStringGetTextDatum(entry->error));
	if (entry->input)
		set(row, COL_INPUT, PointerGetDatum(entry->input));
}

/* Columns that somebody added get their defaults, as the executor would have it. */
static void
fill_added(LogRow *row, Relation table)
{
	TupleDesc	desc = RelationGetDescr(table);

	for (int i = N_COLUMNS; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		Node	   *value = attribute->attisdropped || attribute->attgenerated ? NULL : build_column_default(table, i + 1);

		if (value)
			row->values[i] = ExecEvalExpr(ExecInitExpr(expression_planner((Expr *) value), NULL),
										  CreateStandaloneExprContext(), &row->nulls[i]);
		if (row->nulls[i] && attribute->attnotnull && !attribute->attisdropped)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("column \"%s\" that was added to wfml.prediction must not be null", NameStr(attribute->attname)),
					 errhint("Give it a default.")));
	}
}

/* ---- inserting ---- */

/*
 * What an index wants: a b-tree over columns, of all rows or of those where a
 * column is not null.  It never changes for one index.
 */
typedef struct Wants
{
	Oid			index;
	bool		plain;			/* false: anything else, for the executor */
	AttrNumber	not_null;		/* 0: all rows */
} Wants;

static void
find_wants(Relation index, Wants *wants)
{
	List	   *predicate = RelationGetIndexPredicate(index);

	wants->index = RelationGetRelid(index);
	wants->not_null = 0;
	wants->plain = index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indimmediate &&
		!index->rd_index->indisexclusion && RelationGetIndexExpressions(index) == NIL;
	if (predicate != NIL)
	{
		NullTest   *test = list_length(predicate) == 1 ? linitial(predicate) : NULL;

		if (test && IsA(test, NullTest) && test->nulltesttype == IS_NOT_NULL && IsA(test->arg, Var))
			wants->not_null = ((Var *) test->arg)->varattno;
		else
			wants->plain = false;
	}
}

static const Wants *
index_wants(Relation index)
{
	static Wants known[MAX_INDEXES];
	static int	next = 0;
	Wants	   *wants;

	for (int i = 0; i < MAX_INDEXES; i++)
		if (known[i].index == RelationGetRelid(index))
			return &known[i];
	wants = &known[next];
	next = (next + 1) % MAX_INDEXES;
	wants->index = InvalidOid;
	find_wants(index, wants);
	return wants;
}

static void
insert_entry(Relation table, Relation index, const LogRow *row, ItemPointer tid)
{
	static IndexInfo plain = {.type = T_IndexInfo};
	const Wants *wants = index_wants(index);
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	if (!index->rd_index->indisready || (wants->not_null && row->nulls[wants->not_null - 1]))
		return;
	for (int k = 0; k < index->rd_index->indnatts; k++)
	{
		int			column = index->rd_index->indkey.values[k] - 1;

		values[k] = row->values[column];
		nulls[k] = row->nulls[column];
	}
	index_insert(index, values, nulls, tid, table,
				 index->rd_index->indisunique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, &plain);
}

/* Any table and index, by the executor. */
static void
insert_by_executor(Relation table, const LogRow *row)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	int			n = RelationGetDescr(table)->natts;

	InitResultRelInfo(target, table, 1, NULL, 0);
	ExecOpenIndices(target, false);
	memcpy(slot->tts_values, row->values, sizeof(Datum) * n);
	memcpy(slot->tts_isnull, row->nulls, sizeof(bool) * n);
	ExecStoreVirtualTuple(slot);
	table_tuple_insert(table, slot, GetCurrentCommandId(true), 0, NULL);
	if (target->ri_NumIndices > 0)
		list_free(wfml_insert_index_tuples(target, slot, estate));
	ExecCloseIndices(target);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
}

static void
insert_row(Relation table, LogRow *row)
{
	List	   *oids = RelationGetIndexList(table);
	Relation	indexes[MAX_INDEXES];
	int			n = 0;
	bool		plain = table->rd_tableam == GetHeapamTableAmRoutine() && list_length(oids) <= MAX_INDEXES;
	ListCell   *cell;

	if (plain)
		foreach(cell, oids)
		{
			indexes[n] = index_open(lfirst_oid(cell), RowExclusiveLock);
			plain = plain && index_wants(indexes[n])->plain;
			n++;
		}
	if (plain)
	{
		HeapTuple	tuple = heap_form_tuple(RelationGetDescr(table), row->values, row->nulls);

		simple_heap_insert(table, tuple);
		for (int i = 0; i < n; i++)
			insert_entry(table, indexes[i], row, &tuple->t_self);
	}
	else
		insert_by_executor(table, row);
	while (n > 0)
		index_close(indexes[--n], RowExclusiveLock);
}

static void
write_row(const WfmlLogEntry *entry)
{
	const LogTable *t = log_table();
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml log row", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Relation	table;
	LogRow		row;

	fill_row(&row, entry, t->sequence);
	table = table_open(t->table, RowExclusiveLock);
	if (RelationGetDescr(table)->natts < N_COLUMNS || RelationGetDescr(table)->natts > MAX_COLUMNS)
		elog(ERROR, "wfml.prediction has %d columns", RelationGetDescr(table)->natts);
	fill_added(&row, table);
	insert_row(table, &row);
	table_close(table, NoLock);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}

/* ---- whether ---- */

static bool
is_sampled(void)
{
	static uint64 drawn = 0;
	static uint64 seed = 0;

	if (seed == 0)
		seed = wf_rng((uint64) MyProcPid, (uint64) GetCurrentTimestamp()) | 1;
	return wfml_log_sample_rate >= 1.0 || wf_rng_unit(wf_rng(seed, drawn++)) < wfml_log_sample_rate;
}

static WfmlLogged
whether(const WfmlLogEntry *entry)
{
	if (XactReadOnly || RecoveryInProgress())
		return WFML_LOG_READ_ONLY;
	if (!is_sampled())
		return WFML_LOG_SAMPLED;
	if (wfml_rate_limit > 0 && !wfml_rate_allows(entry->made_by, wfml_rate_limit))
		return WFML_LOG_LIMITED;
	return WFML_LOGGED;
}

WfmlLogged
wfml_log_prediction(const WfmlLogEntry *entry)
{
	static WfmlLogged first = WFML_LOGGED;
	WfmlLogged	logged;

	/* The other answer of a split in shadow mode goes with the first. */
	if (!entry->shadow)
		first = whether(entry);
	logged = first;
	if (logged == WFML_LOGGED)
		write_row(entry);
	wfml_count(entry->model_id, logged == WFML_LOGGED ? WFML_COUNT_LOGGED : WFML_COUNT_NOT_LOGGED, 1);
	return logged;
}
