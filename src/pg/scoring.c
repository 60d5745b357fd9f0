/*-------------------------------------------------------------------------
 * scoring.c
 *	  Rows of a query into blocks of predictions.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "pg/input.h"
#include "pg/scoring.h"

static void
flush(WfmlScorer *s)
{
	const WfModel *model = s->cached->model;
	int			n_values = wf_model_n_values(model);

	CHECK_FOR_INTERRUPTS();
	if (!s->features_only)
		wf_model_predict_block(model, s->x, (size_t) s->n, s->values);
	for (int i = 0; i < s->n; i++)
	{
		WfmlScoredRow row = {
			.x = s->x + (size_t) i * model->shape.n_features,
			.values = s->values + (size_t) i * n_values,
			.extra = s->extra[i],
			.number = s->number[i],
		};

		s->emit(s, &row);
	}
	s->n = 0;
	MemoryContextReset(s->block_context);
}

static void
find_extra(WfmlScorer *s, TupleDesc desc)
{
	Oid			convert;
	bool		varlena;

	s->extra_attno = 0;
	if (s->extra_column == NULL)
		return;
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			strcmp(NameStr(TupleDescAttr(desc, i)->attname), s->extra_column) == 0)
			s->extra_attno = i + 1;
	if (s->extra_attno == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s \"%s\" is not a column of the source", s->extra_role, s->extra_column),
				 errhint("Name it in the argument \"%s\", or select it in the source.", s->extra_role)));
	s->extra_type = getBaseType(TupleDescAttr(desc, s->extra_attno - 1)->atttypid);
	/* As labels are read in training: the cast, where it is not the output function. */
	s->extra_has_cast = find_coercion_pathway(TEXTOID, s->extra_type, COERCION_EXPLICIT,
											  &convert) == COERCION_PATH_FUNC;
	if (!s->extra_has_cast)
		getTypeOutputInfo(s->extra_type, &convert, &varlena);
	fmgr_info_cxt(convert, &s->extra_convert, s->context);
}

static void
score_start(WfmlRowReader *reader, TupleDesc desc, const WfmlOrigin *origins)
{
	WfmlScorer *s = (WfmlScorer *) reader;

	find_extra(s, desc);
	s->map = wfml_rowmap_create(s->cached->model, s->model_name, desc, s->context);
}

/* The extra column as ::text gives it. */
static char *
extra_text(WfmlScorer *s, Datum value)
{
	if (s->extra_has_cast)
		return TextDatumGetCString(FunctionCall1(&s->extra_convert, value));
	return OutputFunctionCall(&s->extra_convert, value);
}

static double
extra_number(WfmlScorer *s, Datum value)
{
	switch (s->extra_type)
	{
		case BOOLOID:
			return DatumGetBool(value) ? 1 : 0;
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return (double) DatumGetInt64(value);
		case FLOAT4OID:
			return DatumGetFloat4(value);
		case FLOAT8OID:
			return DatumGetFloat8(value);
		case NUMERICOID:
			return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
		case INTERVALOID:
			return wfml_interval_seconds(DatumGetIntervalP(value));
		default:
			return NAN;
	}
}

static bool
score_row(WfmlRowReader *reader, TupleTableSlot *slot)
{
	WfmlScorer *s = (WfmlScorer *) reader;
	int			i = s->n++;

	s->n_rows++;
	wfml_rowmap_slot(s->map, slot, s->x + (size_t) i * s->cached->model->shape.n_features);
	s->extra[i] = NULL;
	s->number[i] = NAN;
	if (s->extra_attno > 0)
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, s->extra_attno, &isnull);

		if (!isnull)
		{
			MemoryContext old = MemoryContextSwitchTo(s->block_context);

			s->extra[i] = extra_text(s, value);
			s->number[i] = extra_number(s, value);
			MemoryContextSwitchTo(old);
		}
	}
	if (s->n == WFML_SCORE_BLOCK)
		flush(s);
	return true;
}

static void
prepare(WfmlScorer *s)
{
	const WfModel *model = s->cached->model;

	s->reader.start = score_start;
	s->reader.row = score_row;
	s->context = CurrentMemoryContext;
	s->block_context = AllocSetContextCreate(CurrentMemoryContext, "wfml block", ALLOCSET_DEFAULT_SIZES);
	s->x = palloc_extended(sizeof(float) * WFML_SCORE_BLOCK * (Size) model->shape.n_features, MCXT_ALLOC_HUGE);
	s->values = palloc(sizeof(double) * WFML_SCORE_BLOCK * (Size) wf_model_n_values(model));
	s->extra = palloc(sizeof(char *) * WFML_SCORE_BLOCK);
	s->number = palloc(sizeof(double) * WFML_SCORE_BLOCK);
	s->n = 0;
	s->n_rows = 0;
}

/* One run of the query for several scorers. */
typedef struct Together
{
	WfmlRowReader reader;		/* first */
	WfmlScorer *scorers;
	int			n;
} Together;

static void
together_start(WfmlRowReader *reader, TupleDesc desc, const WfmlOrigin *origins)
{
	Together   *t = (Together *) reader;

	for (int i = 0; i < t->n; i++)
		score_start(&t->scorers[i].reader, desc, origins);
}

static bool
together_row(WfmlRowReader *reader, TupleTableSlot *slot)
{
	Together   *t = (Together *) reader;

	for (int i = 0; i < t->n; i++)
		score_row(&t->scorers[i].reader, slot);
	return true;
}

void
wfml_score_together(WfmlScorer *scorers, int n, const char *source)
{
	char	   *stored;
	bool		is_relation;
	char	   *query = wfml_source_query(source, &stored, &is_relation);
	Together	t = {{together_start, together_row}, scorers, n};

	for (int i = 0; i < n; i++)
		prepare(&scorers[i]);
	wfml_source_read(query, &t.reader);
	for (int i = 0; i < n; i++)
	{
		if (scorers[i].n > 0)
			flush(&scorers[i]);
		MemoryContextDelete(scorers[i].block_context);
	}
}

void
wfml_score(WfmlScorer *s, const char *source)
{
	wfml_score_together(s, 1, source);
}
