/*-------------------------------------------------------------------------
 * source.c
 *	  A source argument as a query, and its rows, read once.
 *
 * SPI plans the query with parallel plans allowed and pushes the rows into a
 * DestReceiver of ours: nothing is materialised, and no row limit stands in
 * the way of workers.  SPI's read_only refuses writing statements but lets a
 * writing function through, so the transaction is read-only while it runs.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/scansup.h"
#include "tcop/cmdtag.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/varlena.h"

#include "pg/compat.h"
#include "pg/source.h"

/* Rows between two resets of the context that conversions leave garbage in. */
#define SCRATCH_ROWS 64

/* ---- the argument ---- */

/* The first character that is neither white space, comment, nor "(". */
static const char *
skip_noise(const char *s)
{
	for (;;)
	{
		if (scanner_isspace(*s) || *s == '(')
			s++;
		else if (s[0] == '-' && s[1] == '-')
			s += strcspn(s, "\r\n");
		else if (s[0] == '/' && s[1] == '*')
		{
			int			depth = 0;

			do
			{
				if (s[0] == '/' && s[1] == '*')
				{
					depth++;
					s += 2;
				}
				else if (s[0] == '*' && s[1] == '/')
				{
					depth--;
					s += 2;
				}
				else if (*s)
					s++;
			} while (depth > 0 && *s);
		}
		else
			return s;
	}
}

/* Does it start with one of these words, and go on after it? */
static bool
starts_with_word(const char *s, const char *const *words)
{
	for (; *words; words++)
	{
		size_t		n = strlen(*words);

		if (pg_strncasecmp(s, *words, n) == 0 &&
			(scanner_isspace(s[n]) || s[n] == '(' || s[n] == '-' || s[n] == '/' ||
			 s[n] == '*' || s[n] == '\'' || s[n] == '"' || s[n] == ';' || s[n] == '$'))
			return true;
	}
	return false;
}

static bool
is_query(const char *s)
{
	static const char *const reading[] = {"select", "with", "values", "table", NULL};
	static const char *const other[] = {
		"insert", "update", "delete", "merge", "truncate", "create", "alter", "drop", "copy",
		"call", "do", "execute", "explain", "grant", "revoke", "set", "show", "begin", "commit",
		"vacuum", "analyze", "refresh", "declare", "fetch", NULL
	};
	char	   *copy;
	List	   *names;

	if (starts_with_word(s, reading))
		return true;
	/* A table may be called "update": only what is no name is taken for a statement. */
	copy = pstrdup(s);
	if (!SplitIdentifierString(copy, '.', &names) && starts_with_word(s, other))
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("source must be a table name or a query that only reads"),
				 errhint("Write a SELECT, WITH, VALUES or TABLE query.")));
	return false;
}

static RangeVar *
source_rangevar(const char *source)
{
	char	   *copy = pstrdup(source);
	List	   *identifiers;
	List	   *names = NIL;
	ListCell   *lc;

	if (!SplitIdentifierString(copy, '.', &identifiers) || identifiers == NIL ||
		list_length(identifiers) > 3)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("source \"%s\" is neither a table name nor a query", source),
				 errhint("Quote names that are not plain, for example '\"My table\"', or start a query with SELECT, WITH, VALUES or TABLE.")));
	foreach(lc, identifiers)
		names = lappend(names, makeString(pstrdup(lfirst(lc))));
	return makeRangeVarFromNameList(names);
}

char *
wfml_source_query(const char *source, char **stored, bool *is_relation)
{
	const char *start = skip_noise(source);
	RangeVar   *rv;
	Oid			oid;
	char		relkind;
	char	   *name;

	if (*start == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("source is empty"),
				 errhint("Give a table name or a SELECT query.")));
	if (is_query(start))
	{
		size_t		n = strlen(source);
		char	   *query;

		/* So that callers may put it into parentheses. */
		while (n > 0 && (scanner_isspace(source[n - 1]) || source[n - 1] == ';'))
			n--;
		query = pnstrdup(source, n);
		*stored = pstrdup(source);
		*is_relation = false;
		return query;
	}

	rv = source_rangevar(source);
	oid = RangeVarGetRelid(rv, NoLock, true);
	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" does not exist", source),
				 errhint("The source is a table, a view or a SELECT query; names outside search_path need their schema.")));
	relkind = get_rel_relkind(oid);
	switch (relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_FOREIGN_TABLE:
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not a table or view", source)));
	}
	name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(oid)), get_rel_name(oid));
	*stored = name;
	*is_relation = true;
	return psprintf("SELECT * FROM %s", name);
}

/* ---- reading ---- */

typedef struct SourceReceiver
{
	DestReceiver pub;
	WfmlRowReader *reader;
	WfmlOrigin *origins;
	int			n_origins;
	uint64		n_rows;
	MemoryContext scratch;
} SourceReceiver;

static void
receive_start(DestReceiver *self, int operation, TupleDesc desc)
{
	SourceReceiver *r = (SourceReceiver *) self;

	if (desc->natts != r->n_origins)
		elog(ERROR, "query has %d columns, %d were expected", desc->natts, r->n_origins);
	if (r->reader->start)
		r->reader->start(r->reader, desc, r->origins);
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	SourceReceiver *r = (SourceReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(r->scratch);
	bool		more = r->reader->row(r->reader, slot);

	MemoryContextSwitchTo(old);
	if (++r->n_rows % SCRATCH_ROWS == 0)
		MemoryContextReset(r->scratch);
	return more;
}

static void
receive_nothing(DestReceiver *self)
{
}

/* A statement that writes or locks rows, at any depth. */
static bool
writes_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;

		if (query->commandType != CMD_SELECT || query->hasModifyingCTE || query->rowMarks != NIL)
			return true;
		return query_tree_walker(query, writes_walker, context, 0);
	}
	return expression_tree_walker(node, writes_walker, context);
}

Query *
wfml_source_single_query(SPIPlanPtr plan)
{
	List	   *sources = SPI_plan_get_plan_sources(plan);
	CachedPlanSource *source;
	Query	   *query;

	if (list_length(sources) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("source must be one query, not %d", list_length(sources))));
	source = linitial(sources);
	query = list_length(source->query_list) == 1 ? linitial_node(Query, source->query_list) : NULL;
	if (query == NULL || query->commandType != CMD_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("source must only read, but is %s",
						source->commandTag == CMDTAG_SELECT ? "SELECT INTO" : GetCommandTagName(source->commandTag)),
				 errhint("Write a SELECT, WITH, VALUES or TABLE query.")));
	if (writes_walker((Node *) query, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("source must only read, but writes or locks rows"),
				 errhint("Take INSERT, UPDATE, DELETE and FOR UPDATE out of the query.")));
	return query;
}

static void
find_origins(Query *query, SourceReceiver *r)
{
	ListCell   *lc;

	r->origins = palloc0(sizeof(WfmlOrigin) * (list_length(query->targetList) + 1));
	foreach(lc, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (entry->resjunk)
			continue;
		r->origins[r->n_origins].relation = entry->resorigtbl;
		r->origins[r->n_origins].attno = entry->resorigcol;
		r->n_origins++;
	}
}

/* What was in force before the source ran. */
typedef struct Before
{
	int			guc_level;
	bool		read_only;
} Before;

/*
 * Read-only, and the same order of rows for a table that nobody changes.  The
 * variable is set itself: PostgreSQL 16 refuses to set transaction_read_only
 * for a while.  An error on the way ends the (sub)transaction, which restores
 * both.
 */
static Before
enter_read_only(void)
{
	Before		before = {NewGUCNestLevel(), XactReadOnly};

	XactReadOnly = true;
	(void) set_config_option("synchronize_seqscans", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return before;
}

static void
leave_read_only(Before before)
{
	AtEOXact_GUC(false, before.guc_level);
	XactReadOnly = before.read_only;
}

void
wfml_source_read(const char *query, WfmlRowReader *reader)
{
	SourceReceiver receiver = {
		.pub = {
			.receiveSlot = receive_row,
			.rStartup = receive_start,
			.rShutdown = receive_nothing,
			.rDestroy = receive_nothing,
			.mydest = DestTuplestore
		},
		.reader = reader
	};
	SPIPrepareOptions prepare = {.cursorOptions = CURSOR_OPT_PARALLEL_OK};
	SPIExecuteOptions execute = {
		.read_only = true,
		.must_return_tuples = true,
		.dest = &receiver.pub
	};
	Before		before = enter_read_only();
	SPIPlanPtr	plan;
	int			rc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	plan = SPI_prepare_extended(query, &prepare);
	if (plan == NULL)
		elog(ERROR, "could not prepare source: %s", SPI_result_code_string(SPI_result));
	find_origins(wfml_source_single_query(plan), &receiver);
	receiver.scratch = AllocSetContextCreate(CurrentMemoryContext, "wfml source rows",
											 ALLOCSET_DEFAULT_SIZES);
	rc = SPI_execute_plan_extended(plan, &execute);
	if (rc < 0)
		elog(ERROR, "could not run source: %s", SPI_result_code_string(rc));
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not leave SPI");
	leave_read_only(before);
}
