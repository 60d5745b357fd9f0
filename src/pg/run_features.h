/*-------------------------------------------------------------------------
 * run_features.h
 *	  Features of runs out of the binding "runs": their columns, and reading
 *	  what the core needs to know.
 *
 * A row of features has text columns and float8 columns: workflow_id, the
 * core's features (core/run_features.h), and for each column known at start
 * known_<column>, text or float8 by the column's type, followed for a text by
 * its level's rates, such as rate_of_<column>.
 */
#ifndef WFML_RUN_FEATURES_H
#define WFML_RUN_FEATURES_H

#include "postgres.h"

#include "pgtime.h"
#include "utils/jsonb.h"

#include "core/run_features.h"
#include "pg/binding.h"

/* A column known at start. */
typedef struct WfmlKnownColumn
{
	const char *name;
	bool		category;		/* else a number */
	int			place;			/* of known_<name> in a row of features; a category's rates follow */
} WfmlKnownColumn;

typedef struct WfmlRunLayout
{
	WfmlBinding *binding;
	pg_tz	   *zone;
	int			n_known;
	WfmlKnownColumn *known;
	int			n_levels;		/* categories among them */
	int			n_columns;		/* of a row of features */
	const char **names;
	bool	   *is_text;
} WfmlRunLayout;

/* A row of features: of each column the text (NULL: missing) or the number (NaN: missing). */
typedef union WfmlRunValue
{
	const char *text;
	double		number;
} WfmlRunValue;

/* For the current user's binding "runs"; none is an error 42704. */
extern WfmlRunLayout *wfml_run_layout(void);

/* "q.column" cast to text, or to float8, for the text of a query over the binding. */
extern void wfml_run_append_known(StringInfo sql, const WfmlRunLayout *layout, const WfmlKnownColumn *column);
/* The minute of the local week at a time, Monday 00:00 being 0. */
extern int16 wfml_run_minute(const WfmlRunLayout *layout, TimestampTz at);

/* What was known of a workflow at a time, for any number of slots after it. */
typedef struct WfmlRunSight
{
	WfRunKnowledge known;		/* but at and minute */
	const char *workflow_id;
	WfmlRunValue *given;		/* of each column known at start */
	WfPastRuns *level;			/* of each category */
} WfmlRunSight;

/* given: an object with values of columns known at start; NULL, or without a key: that of the workflow's last run. */
extern WfmlRunSight *wfml_run_look(const WfmlRunLayout *layout, const char *workflow_id, TimestampTz known_by, Jsonb *given);
/* Fills a row of features for a slot. */
extern void wfml_run_slot(const WfmlRunLayout *layout, WfmlRunSight *sight, TimestampTz at, WfmlRunValue *row);

#endif							/* WFML_RUN_FEATURES_H */
