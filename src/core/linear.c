/*-------------------------------------------------------------------------
 * linear.c
 *	  Parameters of linear models, and reading, predicting, explaining.
 *-------------------------------------------------------------------------
 */
#include "core/linear.h"

#include <math.h>
#include <string.h>

const WfParam wf_linear_params[] = {
	{"l2", WF_PARAM_REAL, 0, 1e12, "1", NULL,
	"Weight of the squared coefficients of standardised columns; larger values shrink them (1 / C in scikit-learn)."},
	{"l1", WF_PARAM_REAL, 0, 1e12, "0", NULL,
	"Weight of the absolute coefficients; larger values set more of them to 0."},
	{"max_iterations", WF_PARAM_INT, 1, 100000, "200", NULL,
	"Most iterations of the solver; a notice says when it stopped there."},
	{.name = NULL}
};

size_t
wf_linear_payload(const WfSpec *spec, int n_classes, bool weighted)
{
	(void) spec;
	(void) n_classes;
	(void) weighted;
	return 0;
}

/* How many levels the categories have is not known yet; most features are numbers. */
void
wf_linear_estimate(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes,
				   size_t *memory, size_t *artifact)
{
	size_t		columns = 2 * (size_t) d + 1;
	size_t		params = columns * (size_t) wf_n_outputs(n_classes);

	(void) spec;
	(void) n;
	*memory = params * 20 * sizeof(double) + ((size_t) 48 << 20);
	*artifact = sizeof(WfLinearHeader) + d * sizeof(WfDesignFeature) +
		(params + columns) * sizeof(double);
}

/* ---- the run-time form ---- */

typedef struct Linear
{
	uint32_t	n_features;
	uint32_t	n_columns;
	int			n_outputs;
	const WfDesignFeature *features;
	const double *mean;			/* by column */
	const double *coef;			/* (n_columns + 1) × n_outputs */

	/*
	 * By output: intercept + Σ coefficient × mean of the 0/1 columns of
	 * categories.  A row then adds the difference of its level, so that a
	 * value that is missing only at prediction counts as the average level.
	 */
	const double *base;
	const double *level_mean;	/* by feature and output; numbers: of "is missing" */
} Linear;

static void fail_corrupt(WfHost *host) __attribute__((noreturn));

static void
fail_corrupt(WfHost *host)
{
	host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "linear model is damaged");
}

static bool
all_finite(const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return false;
	return true;
}

static void
verify_features(WfHost *host, const Linear *m, const WfShape *shape)
{
	for (uint32_t f = 0; f < m->n_features; f++)
	{
		const WfDesignFeature *r = &m->features[f];
		uint32_t	levels = shape->is_category[f] ? shape->n_bins[f] : 0;
		uint32_t	width = levels ? levels : 1;

		if (r->n_levels != levels || (shape->is_category[f] && levels == 0) ||
			width > m->n_columns || r->first > m->n_columns - width ||
			(r->missing != WF_NO_COLUMN && r->missing >= m->n_columns) ||
			!isfinite(r->mean) || !isfinite(r->inverse) ||
			!isfinite(r->low) || !isfinite(r->high))
			fail_corrupt(host);
	}
}

/* Averages over the training rows, from which a row's outputs and explanations differ. */
static void
derive(WfHost *host, Linear *m)
{
	size_t		k = (size_t) m->n_outputs;
	double	   *base = wf_alloc(host, k, sizeof(double));
	double	   *level_mean = wf_alloc_zero(host, wf_size_mul(host, m->n_features, k), sizeof(double));

	memcpy(base, m->coef + (size_t) m->n_columns * k, k * sizeof(double));
	for (uint32_t f = 0; f < m->n_features; f++)
	{
		const WfDesignFeature *r = &m->features[f];

		for (size_t o = 0; o < k; o++)
		{
			double	   *sum = &level_mean[f * k + o];

			for (uint32_t c = r->first; c < r->first + r->n_levels; c++)
				*sum += m->coef[c * k + o] * m->mean[c];
			if (r->missing != WF_NO_COLUMN)
				*sum += m->coef[r->missing * k + o] * m->mean[r->missing];
			base[o] += *sum;
		}
	}
	m->base = base;
	m->level_mean = level_mean;
}

void *
wf_linear_open(WfHost *host, const void *section, size_t length, const WfShape *shape)
{
	const WfLinearHeader *header = section;
	Linear	   *m;
	size_t		k;
	size_t		features_size;
	size_t		want;

	if (length < sizeof(WfLinearHeader) || (uintptr_t) section % 8 != 0 ||
		header->n_features != shape->n_features || shape->n_outputs < 1 ||
		header->n_outputs != (uint32_t) shape->n_outputs ||
		header->n_columns < header->n_features || header->n_columns > length / sizeof(double))
		fail_corrupt(host);
	/* No product here can wrap: every factor was held against length or is below 2^32. */
	k = header->n_outputs;
	features_size = (size_t) header->n_features * sizeof(WfDesignFeature);
	if (k > length / sizeof(double) || features_size > length ||
		__builtin_mul_overflow((size_t) header->n_columns + 1, k, &want) ||
		want > length / sizeof(double))
		fail_corrupt(host);
	want = sizeof(WfLinearHeader) + features_size + (header->n_columns + want) * sizeof(double);
	if (want != length)
		fail_corrupt(host);

	m = wf_alloc_zero(host, 1, sizeof(Linear));
	m->n_features = header->n_features;
	m->n_columns = header->n_columns;
	m->n_outputs = (int) k;
	m->features = (const WfDesignFeature *) (header + 1);
	m->mean = (const double *) (m->features + m->n_features);
	m->coef = m->mean + m->n_columns;
	verify_features(host, m, shape);
	if (!all_finite(m->mean, m->n_columns + ((size_t) m->n_columns + 1) * k))
		fail_corrupt(host);
	derive(host, m);
	return m;
}

/*
 * What a feature adds to output o beyond its average: 0 for a missing value
 * of which training knew none.
 */
static inline double
contribution(const Linear *m, uint32_t f, float x, size_t o)
{
	const WfDesignFeature *r = &m->features[f];
	size_t		k = (size_t) m->n_outputs;
	double		average = m->level_mean[f * k + o];

	if (wf_design_missing(r, x))
		return r->missing == WF_NO_COLUMN ? 0 : m->coef[r->missing * k + o] - average;
	if (r->n_levels)
		return m->coef[(r->first + (uint32_t) x) * k + o] - average;
	return m->coef[r->first * k + o] * wf_design_number(r, x) - average;
}

void
wf_linear_predict(const void *opened, const float *x, double *out)
{
	const Linear *m = opened;
	size_t		k = (size_t) m->n_outputs;

	for (size_t o = 0; o < k; o++)
		out[o] = m->base[o];
	for (uint32_t f = 0; f < m->n_features; f++)
		for (size_t o = 0; o < k; o++)
			out[o] += contribution(m, f, x[f], o);
}

void
wf_linear_predict_block(const void *opened, const float *x, size_t n, double *out)
{
	const Linear *m = opened;

	for (size_t i = 0; i < n; i++)
		wf_linear_predict(opened, x + i * m->n_features, out + i * (size_t) m->n_outputs);
}

void
wf_linear_score_row(const void *opened, const WfDataset *data, const uint8_t *record, uint32_t id, double *out)
{
	(void) record;
	wf_linear_predict(opened, data->values + (size_t) id * data->d, out);
}

void
wf_linear_explain(WfHost *host, const void *opened, const float *x, int output, double *phi)
{
	const Linear *m = opened;

	(void) host;
	for (uint32_t f = 0; f < m->n_features; f++)
		phi[f] = contribution(m, f, x[f], (size_t) output);
	phi[m->n_features] = m->base[output];
}
