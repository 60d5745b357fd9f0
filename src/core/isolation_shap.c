/*-------------------------------------------------------------------------
 * isolation_shap.c
 *	  Why a row is odd: exact, path-dependent TreeSHAP of the path length.
 *
 * As in shap.c a leaf's game is a product over the features of its path, and
 * the Shapley value of one of them is an integral of the product of the
 * others along the diagonal (Owen 1972).  A path has at most 15 cuts, so the
 * integrand is a polynomial of degree at most 14, and eight Gauss-Legendre
 * points integrate it exactly.  Here paths are short: each leaf is worked
 * through on its own, which is simpler than sums on the way back up.
 *
 * Where a value is missing the row takes both ways by weight, which is also
 * what not knowing the feature means: it contributes nothing.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "core/isolation_forms.h"
#include "core/mathx.h"

#define POINTS 8
#define CHECK_TREES 8

/* Gauss-Legendre on (0, 1). */
static const double point[POINTS] = {
	0.019855071751231884, 0.10166676129318664, 0.2372337950418355, 0.4082826787521751,
	0.5917173212478249, 0.7627662049581645, 0.8983332387068134, 0.9801449282487681
};
static const double weight[POINTS] = {
	0.05061426814518813, 0.11119051722668724, 0.15685332293894363, 0.18134189168918100,
	0.18134189168918100, 0.15685332293894363, 0.11119051722668724, 0.05061426814518813
};

/* A feature of the current path. */
typedef struct Factor
{
	uint32_t	feature;
	double		one;			/* share of the row that follows the path */
	double		zero;			/* share of the sample */
} Factor;

/* A way that is still to be gone: a node, and the path's factors up to it. */
typedef struct Level
{
	uint32_t	node;
	uint32_t	n;
	Factor		factor[WF_ISOLATION_MAX_DEPTH];
} Level;

typedef struct Explain
{
	const WfIsolation *m;
	WfIsolationRow row;
	double	   *phi;			/* by feature, in path lengths */
	double		base;
	Level		stack[WF_ISOLATION_MAX_DEPTH + 2];
} Explain;

static void
add_leaf(Explain *e, const Level *path, uint32_t value)
{
	double		factor[WF_ISOLATION_MAX_DEPTH][POINTS];
	double		product[POINTS];
	double		share = 1;

	for (int p = 0; p < POINTS; p++)
		product[p] = weight[p] * value;
	for (uint32_t i = 0; i < path->n; i++)
	{
		const Factor *f = &path->factor[i];

		share *= f->zero;
		for (int p = 0; p < POINTS; p++)
		{
			factor[i][p] = point[p] * f->one + (1 - point[p]) * f->zero;
			product[p] *= factor[i][p];
		}
	}
	e->base += share * value;
	for (uint32_t i = 0; i < path->n; i++)
	{
		double		sum = 0;

		/* No factor is 0: shares of the sample are positive. */
		for (int p = 0; p < POINTS; p++)
			sum += product[p] / factor[i][p];
		e->phi[path->factor[i].feature] += (path->factor[i].one - path->factor[i].zero) * sum;
	}
}

/* One more cut on the path; a feature that was cut before gets both into one factor. */
static void
add_factor(Level *path, uint32_t feature, double one, double zero)
{
	for (uint32_t i = 0; i < path->n; i++)
		if (path->factor[i].feature == feature)
		{
			path->factor[i].one *= one;
			path->factor[i].zero *= zero;
			return;
		}
	path->factor[path->n++] = (Factor) {feature, one, zero};
}

static void
explain_tree(Explain *e, const WfIsolationTree *tree)
{
	const WfIsolationNode *nodes = e->m->nodes + tree->first_node;
	uint32_t	height = 1;

	e->stack[0].node = 0;
	e->stack[0].n = 0;
	while (height > 0)
	{
		Level	   *left = &e->stack[height - 1];
		Level	   *right = &e->stack[height];
		const WfIsolationNode *node = &nodes[left->node];
		double		share;
		double		follows;
		float		v;

		if (node->feature == WF_ISOLATION_LEAF)
		{
			add_leaf(e, left, node->path);
			height--;
			continue;
		}
		share = (double) nodes[node->left].rows / node->rows;
		v = wf_isolation_value(e->m, &e->row, node->feature);
		follows = isnan(v) ? share : wf_isolation_goes_left(e->m, node, v) ? 1 : 0;
		memcpy(right, left, offsetof(Level, factor) + left->n * sizeof(Factor));
		left->node = node->left;
		right->node = node->left + 1u;
		add_factor(left, node->feature, follows, share);
		add_factor(right, node->feature, 1 - follows, 1 - share);
		height++;
	}
}

void
wf_isolation_explain(WfHost *host, const void *opened, const float *x, int output, double *phi)
{
	const WfIsolation *m = opened;
	uint32_t	d = m->header->n_features;
	Explain		e = {.m = m, .row = wf_isolation_row(m, x), .phi = phi};

	(void) output;
	memset(phi, 0, ((size_t) d + 1) * sizeof(double));
	for (uint32_t t = 0; t < m->header->n_trees; t++)
	{
		explain_tree(&e, &m->trees[t]);
		if (t % CHECK_TREES == 0)
			host->check(host);
	}
	for (uint32_t f = 0; f < d; f++)
		phi[f] *= m->factor;
	phi[d] = e.base * m->factor + m->raw_alone;
}

/*
 * The link bends path lengths into scores: contributions are stretched by the
 * slope between the score of the average path and that of the row, and what
 * the mean score differs from the former is spread by their size.
 */
void
wf_isolation_explain_score(WfHost *host, const void *opened, const float *x, double *phi)
{
	const WfIsolation *m = opened;
	uint32_t	d = m->header->n_features;
	double		raw;
	double		score;
	double		base;
	double		slope;
	double		size = 0;

	wf_isolation_explain(host, opened, x, 0, phi);
	wf_isolation_predict(opened, x, &raw);
	score = wf_exp(raw);
	base = wf_exp(phi[d]);
	slope = fabs(raw - phi[d]) > 1e-9 ? (score - base) / (raw - phi[d]) : score;
	for (uint32_t f = 0; f < d; f++)
	{
		phi[f] *= slope;
		size += fabs(phi[f]);
	}
	/* Where nothing contributes, the score is all there is to say. */
	phi[d] = size > 0 ? m->header->mean : score;
	if (size > 0)
	{
		double		rest = score - m->header->mean;

		for (uint32_t f = 0; f < d; f++)
			rest -= phi[f];
		for (uint32_t f = 0; f < d; f++)
			phi[f] += rest * (fabs(phi[f]) / size);
	}
}
