/*-------------------------------------------------------------------------
 * drift_stats.c
 *	  drift_from_stats(): what ANALYZE knows of a table against the training
 *	  rows.
 *
 * Shares of groups come from the most common values, the histogram of the
 * others, taken as even between its bounds, and the share of NULLs.  Read as
 * the caller from pg_stats, which shows him what he may see.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/relation.h"
#include "commands/vacuum.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/arguments.h"
#include "pg/drift.h"
#include "pg/features.h"
#include "pg/input.h"

/* ANALYZE looks at so many rows for each unit of a column's statistics target. */
#define ROWS_PER_TARGET 300
/* Points between two bounds of a histogram. */
#define POINTS 24

typedef struct Stats
{
	WfDrift    *drift;
	const WfmlPlace *place;
	WfmlConverter *converter;
	float	   *x;				/* all features; those of the column are set */
	double		explained;		/* share of rows so far */
} Stats;

/* ---- one value, one place ---- */

/* A value on a line: a number, or microseconds. */
typedef struct Point
{
	double		number;
	int64		usec;			/* since 2000-01-01, local; of a time: of the day */
	bool		finite;
} Point;

static void
put_point(Stats *s, const Point *p)
{
	int64		day = INT64CONST(86400000000);
	int64		days = p->usec / day - (p->usec % day < 0);

	if (s->place->kind == WF_COL_NUMBER || s->place->kind == WF_COL_BOOLEAN)
		wfml_put_number(s->place, p->number, s->x);
	else if (p->finite)
		wfml_put_time(s->place, days, p->usec - days * day, s->x);
	else
		wfml_put_missing(s->place, s->x);
}

static Point
point_of(Stats *s, Datum value)
{
	WfmlConverter *c = s->converter;
	Point		p = {.finite = true};
	int64		days;
	int64		usec;

	if (s->place->kind == WF_COL_NUMBER || s->place->kind == WF_COL_BOOLEAN)
	{
		p.number = c->number(c, value);
		p.finite = isfinite(p.number);
	}
	else if (c->time(c, value, &days, &usec))
		p.usec = days * INT64CONST(86400000000) + usec;
	else
		p.finite = false;
	return p;
}

static bool
is_text(const WfmlPlace *place)
{
	return place->kind == WF_COL_CATEGORY || place->kind == WF_COL_GROUP;
}

static void
add_here(Stats *s, double share)
{
	wf_drift_add_part(s->drift, s->place->first, s->place->n, s->x + s->place->first, share);
	s->explained += share;
}

static void
add_value(Stats *s, Datum value, double share)
{
	if (is_text(s->place))
	{
		size_t		length;
		const char *bytes = s->converter->text(s->converter, value, &length);

		wfml_put_text(s->place, bytes, length, s->x);
	}
	else
	{
		Point		p = point_of(s, value);

		put_point(s, &p);
	}
	add_here(s, share);
}

/* ---- a column ---- */

static int
elements(Datum array, Datum **values, bool **nulls)
{
	ArrayType  *a = DatumGetArrayTypeP(array);
	int16		length;
	bool		by_value;
	char		align;
	int			n;

	get_typlenbyvalalign(ARR_ELEMTYPE(a), &length, &by_value, &align);
	deconstruct_array(a, ARR_ELEMTYPE(a), length, by_value, align, values, nulls, &n);
	return n;
}

/* The rows that are neither NULL nor of a common value. */
static void
add_histogram(Stats *s, Datum bounds, double share)
{
	Datum	   *values;
	bool	   *nulls;
	int			n = elements(bounds, &values, &nulls);

	/* Bounds of texts are a sample of them. */
	if (is_text(s->place) || n == 1)
	{
		for (int i = 0; i < n; i++)
			add_value(s, values[i], share / n);
		return;
	}
	for (int i = 0; i + 1 < n; i++)
	{
		Point		a = point_of(s, values[i]);
		Point		b = point_of(s, values[i + 1]);

		CHECK_FOR_INTERRUPTS();
		for (int k = 0; k < POINTS; k++)
		{
			double		at = (k + 0.5) / POINTS;
			Point		p = a;

			if (a.finite && b.finite)
			{
				p.number = a.number * (1 - at) + b.number * at;
				p.usec = a.usec + (int64) ((double) (b.usec - a.usec) * at);
			}
			put_point(s, &p);
			add_here(s, share / (n - 1) / POINTS);
		}
	}
}

/* Common values with their shares; returns the sum. */
static double
add_common(Stats *s, Datum array, Datum frequencies)
{
	Datum	   *values,
			   *shares;
	bool	   *nulls;
	int			n = elements(array, &values, &nulls);
	int			m = elements(frequencies, &shares, &nulls);
	double		sum = 0;

	for (int i = 0; i < n && i < m; i++)
	{
		double		share = DatumGetFloat4(shares[i]);

		add_value(s, values[i], share);
		sum += share;
	}
	return sum;
}

/* The share of rows that hold each tag, of those that are not NULL; the others hold it not. */
static void
add_tags(Stats *s, double null_share, Datum array, Datum frequencies)
{
	Datum	   *values,
			   *shares;
	bool	   *nulls;
	int			n = elements(array, &values, &nulls);
	int			m = elements(frequencies, &shares, &nulls);
	const float *x = s->x + s->place->first;
	double	   *held = palloc0(sizeof(double) * (s->place->n + 1));

	for (int i = 0; i < n && i < m; i++)
	{
		size_t		length;
		const char *bytes = s->converter->element->text(s->converter->element, values[i], &length);

		wfml_put_no_tags(s->place, s->x);
		wfml_put_tag(s->place, bytes, length, s->x);
		for (uint32 f = 0; f < s->place->n; f++)
			if (x[f] > 0.5f)
				held[f] += DatumGetFloat4(shares[i]);
	}
	for (uint32 f = 0; f < s->place->n; f++)
	{
		float		one[2] = {1, 0};
		double		share = Min(held[f], 1) * (1 - null_share);

		wf_drift_add_part(s->drift, s->place->first + f, 1, &one[0], share);
		wf_drift_add_part(s->drift, s->place->first + f, 1, &one[1], 1 - null_share - share);
	}
	wfml_put_missing(s->place, s->x);
	add_here(s, null_share);
	s->explained = 1;
}

/* ---- statistics ---- */

/* Of the whole tree where there are such. */
static const char stats_query[] =
"SELECT DISTINCT ON (attname) attname::pg_catalog.text, null_frac, most_common_vals, most_common_freqs,"
" histogram_bounds, most_common_elems, most_common_elem_freqs"
" FROM pg_catalog.pg_stats"
" WHERE schemaname OPERATOR(pg_catalog.=) $1 AND tablename OPERATOR(pg_catalog.=) $2"
" ORDER BY attname, inherited DESC";

enum
{
	STAT_NAME = 1, STAT_NULLS, STAT_COMMON, STAT_FREQUENCIES, STAT_BOUNDS, STAT_ELEMENTS, STAT_ELEMENT_FREQUENCIES
};

static Datum
statistic(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

/* Add what is known of a column; false: too little. */
static bool
add_column(Stats *s, uint64 row)
{
	bool		none;
	bool		half;
	double		nulls = DatumGetFloat4(statistic(row, STAT_NULLS, &none));
	Datum		values = statistic(row, STAT_COMMON, &none);
	Datum		shares = statistic(row, STAT_FREQUENCIES, &half);
	double		common = 0;

	if (s->place->kind == WF_COL_VECTOR)
		return false;
	if (s->place->kind == WF_COL_TAGS)
	{
		values = statistic(row, STAT_ELEMENTS, &none);
		shares = statistic(row, STAT_ELEMENT_FREQUENCIES, &half);
		if (!none && !half)
			add_tags(s, nulls, values, shares);
		return s->explained > 0;
	}
	wfml_put_missing(s->place, s->x);
	add_here(s, nulls);
	if (!none && !half)
		common = add_common(s, values, shares);
	values = statistic(row, STAT_BOUNDS, &none);
	if (!none && nulls + common < 1)
		add_histogram(s, values, 1 - nulls - common);
	/* Else the rest is values that are too wide, or of no type that ANALYZE can order. */
	return s->explained > 0.5;
}

/* Rows of the sample that statistics were made from. */
static double
sample_rows(Relation relation)
{
	double		rows = relation->rd_rel->reltuples;
	double		most = (double) ROWS_PER_TARGET * default_statistics_target;

	/* Parents of partitions may have statistics, but no count. */
	return rows > 0 && rows < most ? rows : most;
}

static void
add_statistics(WfmlDriftRun *run, Relation relation, const char **unknown)
{
	const WfModel *model = run->cached->model;
	TupleDesc	desc = RelationGetDescr(relation);
	MemoryContext context = CurrentMemoryContext;
	WfmlPlace  *places = wfml_places(model, context);
	Oid			types[] = {NAMEOID, NAMEOID};
	Datum		values[2];

	values[0] = CStringGetDatum(get_namespace_name(RelationGetNamespace(relation)));
	values[1] = CStringGetDatum(RelationGetRelationName(relation));
	values[0] = DirectFunctionCall1(namein, values[0]);
	values[1] = DirectFunctionCall1(namein, values[1]);
	SPI_connect();
	if (SPI_execute_with_args(stats_query, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_stats");
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there are no statistics of \"%s\" that you may see", RelationGetRelationName(relation)),
				 errhint("Run ANALYZE on it. Statistics show to roles that may read the columns, and not under row security.")));
	for (uint32 c = 0; c < model->header->n_columns; c++)
	{
		Stats		s = {.drift = run->drift, .place = &places[c], .x = run->cached->x};
		bool		known = false;
		bool		isnull;

		for (uint64 row = 0; row < SPI_processed && !known; row++)
			if (strcmp(TextDatumGetCString(statistic(row, STAT_NAME, &isnull)), places[c].name) == 0)
			{
				for (int i = 0; i < desc->natts; i++)
					if (!TupleDescAttr(desc, i)->attisdropped &&
						strcmp(NameStr(TupleDescAttr(desc, i)->attname), places[c].name) == 0)
						s.converter = places[c].kind == WF_COL_GROUP ?
							wfml_converter_create_group(places[c].name, desc, context) :
							wfml_converter_create(TupleDescAttr(desc, i)->atttypid, wfml_model_zone(model), context);
				known = add_column(&s, row);
			}
		if (!known)
			unknown[c] = "no statistics";
	}
	SPI_finish();
}

PG_FUNCTION_INFO_V1(wfml_drift_from_stats);

/* wfml.drift_from_stats(model, relation) → SETOF (feature, psi, p_value, verdict, rows, part) */
Datum
wfml_drift_from_stats(PG_FUNCTION_ARGS)
{
	char	   *reference = wfml_argument_text(fcinfo, 0, "model");
	const char **unknown;
	Relation	relation;
	double		rows;
	WfmlDriftRun run;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("relation must not be null")));
	wfml_drift_begin(&run, reference);
	relation = try_relation_open(PG_GETARG_OID(1), AccessShareLock);
	if (relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", PG_GETARG_OID(1))));
	/* Only for its errors: columns that are missing or of another kind. */
	wfml_rowmap_create(run.cached->model, reference, RelationGetDescr(relation), CurrentMemoryContext);
	unknown = palloc0(sizeof(char *) * (run.cached->model->header->n_columns + 1));
	rows = sample_rows(relation);
	add_statistics(&run, relation, unknown);
	relation_close(relation, AccessShareLock);
	wfml_drift_finish(fcinfo, &run, rows, unknown);
	return (Datum) 0;
}
