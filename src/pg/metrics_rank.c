/*-------------------------------------------------------------------------
 * metrics_rank.c
 *	  Metric aggregates over rankings: auc, average_precision, ndcg.
 *
 * These need every row: 8 bytes a row for auc and average_precision, whose
 * state keeps scores of positives at its front and of negatives at its back,
 * 16 bytes for ndcg.
 *-------------------------------------------------------------------------
 */
#include "pg/metrics.h"

#include <math.h>

#include "utils/memutils.h"

#include "core/metric.h"
#include "pg/pghost.h"

static void
fail_rows(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many rows for a ranking metric"),
			 errhint("Aggregate over a sample of the rows.")));
}

/* A capacity for at least "need" entries, twice the old one if that fits in 1 GB. */
static uint64
next_capacity(uint64 old, uint64 need, Size header, Size entry)
{
	uint64		most = (MaxAllocSize - header) / entry;
	uint64		next = Max(old * 2, 8);

	if (need > most)
		fail_rows();
	return Min(Max(next, need), most);
}

/* A host for the core in a context of its own, to be deleted afterwards. */
static WfHost *
begin_core(void)
{
	return wfml_host_create(AllocSetContextCreate(CurrentMemoryContext, "wfml metric", ALLOCSET_DEFAULT_SIZES));
}

static void
end_core(WfHost *host)
{
	MemoryContextDelete(wfml_host_context(host));
}

/* ---- auc, average_precision ---- */

#define SCORES_KIND 0x726f6373

typedef struct ScoresState
{
	WfmlState	state;
	uint64		n_positive;
	uint64		n_negative;
	double		score[FLEXIBLE_ARRAY_MEMBER];
} ScoresState;

static inline uint64
scores_capacity(const ScoresState *s)
{
	return (VARSIZE(s) - offsetof(ScoresState, score)) / sizeof(double);
}

static ScoresState *
scores_state(FunctionCallInfo fcinfo, int argno)
{
	ScoresState *s = wfml_state_get(fcinfo, argno, SCORES_KIND, offsetof(ScoresState, score));

	if (s && (s->n_positive > scores_capacity(s) ||
			  s->n_negative > scores_capacity(s) - s->n_positive))
		wfml_state_damaged();
	return s;
}

/* Room for that many more scores; the state may move. */
static ScoresState *
scores_reserve(ScoresState *s, uint64 more)
{
	uint64		used = s ? s->n_positive + s->n_negative : 0;
	uint64		capacity = s ? scores_capacity(s) : 0;
	ScoresState *larger;

	if (s && capacity - used >= more)
		return s;
	capacity = next_capacity(capacity, used + more, offsetof(ScoresState, score), sizeof(double));
	larger = wfml_state_create(SCORES_KIND, offsetof(ScoresState, score) + capacity * sizeof(double));
	if (s)
	{
		larger->n_positive = s->n_positive;
		larger->n_negative = s->n_negative;
		memcpy(larger->score, s->score, s->n_positive * sizeof(double));
		memcpy(larger->score + capacity - s->n_negative,
			   s->score + scores_capacity(s) - s->n_negative, s->n_negative * sizeof(double));
	}
	return larger;
}

PG_FUNCTION_INFO_V1(wfml_scores_accum);
Datum
wfml_scores_accum(PG_FUNCTION_ARGS)
{
	ScoresState *s;
	double		score;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	score = PG_GETARG_FLOAT8(2);
	if (isnan(score))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("score must not be NaN")));
	s = scores_reserve(scores_state(fcinfo, 0), 1);
	if (wfml_positive_get(fcinfo, 1))
		s->score[s->n_positive++] = score;
	else
		s->score[scores_capacity(s) - ++s->n_negative] = score;
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(wfml_scores_combine);
Datum
wfml_scores_combine(PG_FUNCTION_ARGS)
{
	ScoresState *a = scores_state(fcinfo, 0);
	ScoresState *b = scores_state(fcinfo, 1);

	if (a == NULL && b == NULL)
		PG_RETURN_NULL();
	if (a == NULL || b == NULL)
		PG_RETURN_POINTER(a ? a : b);
	a = scores_reserve(a, b->n_positive + b->n_negative);
	memcpy(a->score + a->n_positive, b->score, b->n_positive * sizeof(double));
	a->n_positive += b->n_positive;
	a->n_negative += b->n_negative;
	memcpy(a->score + scores_capacity(a) - a->n_negative,
		   b->score + scores_capacity(b) - b->n_negative, b->n_negative * sizeof(double));
	PG_RETURN_POINTER(a);
}

typedef double (*RankMetric) (WfHost *host, const uint8_t *positive, const double *score, const float *w, size_t n);

static Datum
scores_final(FunctionCallInfo fcinfo, RankMetric metric)
{
	ScoresState *s = scores_state(fcinfo, 0);
	WfHost	   *host;
	uint64		n;
	double	   *score;
	uint8	   *positive;
	double		result;

	if (s == NULL)
		PG_RETURN_NULL();
	n = s->n_positive + s->n_negative;
	host = begin_core();
	score = wf_alloc(host, n, sizeof(double));
	positive = wf_alloc_zero(host, n, 1);
	memcpy(score, s->score, s->n_positive * sizeof(double));
	memcpy(score + s->n_positive, s->score + scores_capacity(s) - s->n_negative,
		   s->n_negative * sizeof(double));
	memset(positive, 1, s->n_positive);
	result = metric(host, positive, score, NULL, n);
	end_core(host);
	/* one class only: nothing to rank */
	if (isnan(result))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(result);
}

PG_FUNCTION_INFO_V1(wfml_auc_final);
Datum
wfml_auc_final(PG_FUNCTION_ARGS)
{
	return scores_final(fcinfo, wf_auc);
}

PG_FUNCTION_INFO_V1(wfml_average_precision_final);
Datum
wfml_average_precision_final(PG_FUNCTION_ARGS)
{
	return scores_final(fcinfo, wf_average_precision);
}

/* ---- ndcg ---- */

#define NDCG_KIND 0x6763646e

typedef struct NdcgEntry
{
	double		relevance;
	int64		rank;
} NdcgEntry;

typedef struct NdcgState
{
	WfmlState	state;
	int64		k;				/* 0: all places */
	uint64		n;
	NdcgEntry	entry[FLEXIBLE_ARRAY_MEMBER];
} NdcgState;

static inline uint64
ndcg_capacity(const NdcgState *s)
{
	return (VARSIZE(s) - offsetof(NdcgState, entry)) / sizeof(NdcgEntry);
}

static NdcgState *
ndcg_state(FunctionCallInfo fcinfo, int argno)
{
	NdcgState  *s = wfml_state_get(fcinfo, argno, NDCG_KIND, offsetof(NdcgState, entry));

	if (s && s->n > ndcg_capacity(s))
		wfml_state_damaged();
	return s;
}

static NdcgState *
ndcg_reserve(NdcgState *s, int64 k, uint64 more)
{
	uint64		used = s ? s->n : 0;
	uint64		capacity = s ? ndcg_capacity(s) : 0;
	NdcgState  *larger;

	if (s && capacity - used >= more)
		return s;
	capacity = next_capacity(capacity, used + more, offsetof(NdcgState, entry), sizeof(NdcgEntry));
	larger = wfml_state_create(NDCG_KIND, offsetof(NdcgState, entry) + capacity * sizeof(NdcgEntry));
	larger->k = k;
	larger->n = used;
	if (s)
		memcpy(larger->entry, s->entry, used * sizeof(NdcgEntry));
	return larger;
}

static void
check_k(const NdcgState *s, int64 k)
{
	if (s->k != k)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"k\" must be the same in every row")));
}

PG_FUNCTION_INFO_V1(wfml_ndcg_accum);
Datum
wfml_ndcg_accum(PG_FUNCTION_ARGS)
{
	NdcgState  *s;
	NdcgEntry	entry;
	int64		k = 0;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	if (PG_NARGS() > 3 && !PG_ARGISNULL(3))
	{
		k = PG_GETARG_INT32(3);
		if (k < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"k\" must be at least 1")));
	}
	entry.relevance = PG_GETARG_FLOAT8(1);
	entry.rank = PG_GETARG_INT64(2);
	if (!(entry.relevance >= 0) || isinf(entry.relevance))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("relevance must be a number from 0 on, not %g", entry.relevance)));
	if (entry.rank < 1)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("rank must be at least 1"),
				 errhint("The first place has rank 1.")));
	s = ndcg_reserve(ndcg_state(fcinfo, 0), k, 1);
	check_k(s, k);
	s->entry[s->n++] = entry;
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(wfml_ndcg_combine);
Datum
wfml_ndcg_combine(PG_FUNCTION_ARGS)
{
	NdcgState  *a = ndcg_state(fcinfo, 0);
	NdcgState  *b = ndcg_state(fcinfo, 1);

	if (a == NULL && b == NULL)
		PG_RETURN_NULL();
	if (a == NULL || b == NULL)
		PG_RETURN_POINTER(a ? a : b);
	check_k(a, b->k);
	a = ndcg_reserve(a, a->k, b->n);
	memcpy(a->entry + a->n, b->entry, b->n * sizeof(NdcgEntry));
	a->n += b->n;
	PG_RETURN_POINTER(a);
}

PG_FUNCTION_INFO_V1(wfml_ndcg_final);
Datum
wfml_ndcg_final(PG_FUNCTION_ARGS)
{
	NdcgState  *s = ndcg_state(fcinfo, 0);
	WfHost	   *host;
	double	   *relevance;
	int64_t    *rank;
	double		result;

	if (s == NULL)
		PG_RETURN_NULL();
	host = begin_core();
	relevance = wf_alloc(host, s->n, sizeof(double));
	rank = wf_alloc(host, s->n, sizeof(int64_t));
	for (uint64 i = 0; i < s->n; i++)
	{
		relevance[i] = s->entry[i].relevance;
		rank[i] = s->entry[i].rank;
	}
	result = wf_ndcg(host, relevance, rank, s->n, s->k);
	end_core(host);
	/* nothing relevant: a ranking cannot be good or bad */
	if (isnan(result))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(result);
}
