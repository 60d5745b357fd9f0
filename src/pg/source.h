/*-------------------------------------------------------------------------
 * source.h
 *	  A training source (table, view or query) into a frame and a schema.
 *
 * The query is planned once with parallel plans allowed and run once, as the
 * current user, in a read-only transaction; rows stream through a
 * DestReceiver straight into the frame.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_SOURCE_H
#define WFML_SOURCE_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "core/algorithm.h"
#include "core/frame.h"
#include "core/schema.h"

typedef struct WfmlSourceRequest
{
	const char *source;			/* relation name or SELECT/WITH/VALUES/TABLE */
	List	   *features;		/* of char *; NIL: every column but those left out */
	const char *target;			/* NULL: none */
	int			task;			/* WfTask, or -1: from the target's type and values */
	const char *positive;		/* label of class 1; NULL: true, else 1, else the rarer */
	const char *positive_before;	/* a retraining's: positive as it was, as long as there are two classes */
	const char *weight_column;
	const char *group_column;
	const char *scale_column;	/* groups that numbers are scaled by; NULL: none */
	const char *time_column;	/* NULL unless validation "time"; also stays a feature */
	uint32_t	time_parts;		/* WF_TIME_PARTS_DEFAULT */
	const char *model;			/* name, for columns that its attachments write; may be NULL */
	size_t		memory_limit;	/* bytes of cells before spooling */
	bool		quiet;			/* no NOTICEs */
	/*
	 * A retraining's (features are automatic, or as the user named them): the
	 * columns of the model, which must be there, and all that were read for it;
	 * no others are.  NIL: none.
	 */
	List	   *kept;			/* of char * */
	List	   *read;			/* NIL: only those */
	const char *key;			/* column that told rows apart; NULL: none */
} WfmlSourceRequest;

typedef struct WfmlSource
{
	WfSchema   *schema;			/* finished; labels set for classification */
	WfFrame    *frame;
	WfTask		task;
	WfDict	   *labels;			/* classification */
	uint16_t   *class_of_code;	/* by label code */
	const char *positive;		/* two classes: label of class 1 */
	uint64_t	null_targets;	/* rows left out */
	bool		has_timestamp;	/* a timestamp column is among the features */
	char	   *stored_source;	/* what to store: relations schema-qualified */
	bool		is_relation;
	uint64_t	rows_read;
	const char *key;			/* column whose values are the rows' identities; NULL: none */
	struct WfmlColumns *columns;	/* every column of the source (columns.h) */
} WfmlSource;

/*
 * Load it.  Everything lives in host's context.  Raises the errors and
 * NOTICEs that a user needs (left-out columns, NULL targets, guessed task).
 */
extern WfmlSource *wfml_source_load(WfHost *host, const WfmlSourceRequest *request);

/*
 * The query text for a source: "SELECT * FROM ONLY-less qualified name" for a
 * relation (access is checked when it runs), or the query itself.  Sets
 * *stored to what to store and *is_relation.
 */
extern char *wfml_source_query(const char *source, char **stored, bool *is_relation);

/* The one query of a prepared source, or an error that says why it cannot be one: it writes, locks rows, … */
struct Query;
struct _SPI_plan;
extern struct Query *wfml_source_single_query(struct _SPI_plan *plan);

#include "executor/tuptable.h"

/*
 * Run a read-only query once as the current user and hand each row to a
 * callback; used by training, predict_batch, evaluate, partial_dependence.
 * start (may be NULL) gets the descriptor and the list of (resorigtbl, resorigcol)
 * pairs by attribute.  row returns false to stop early.  The memory context
 * at a row is reset every few thousand rows.
 */
typedef struct WfmlOrigin
{
	Oid			relation;		/* InvalidOid: an expression */
	AttrNumber	attno;
} WfmlOrigin;

typedef struct WfmlRowReader
{
	void		(*start) (struct WfmlRowReader *reader, TupleDesc desc, const WfmlOrigin *origins);
	bool		(*row) (struct WfmlRowReader *reader, TupleTableSlot *slot);
} WfmlRowReader;

extern void wfml_source_read(const char *query, WfmlRowReader *reader);

#endif							/* WFML_SOURCE_H */
