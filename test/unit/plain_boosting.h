/*-------------------------------------------------------------------------
 * plain_boosting.h
 *	  Boosting as it is written in the books: doubles, lists of rows, every
 *	  cut tried by looking at every row.  The truth that the fast one must
 *	  match up to the rounding of its gradients.  Numbers only.
 *-------------------------------------------------------------------------
 */
#ifndef PLAIN_BOOSTING_H
#define PLAIN_BOOSTING_H

#include <float.h>

#include "boosting_problem.h"

typedef struct PlainRules
{
	int			rounds;
	int			leaves;
	int			min_rows;
	double		rate;
	double		l1;
	double		l2;
	bool		logistic;
} PlainRules;

typedef struct PlainCut
{
	double		gain;
	uint32_t	feature;
	int			bin;
	bool		missing_left;
} PlainCut;

static inline bool
plain_left(const Problem *p, uint32_t row, const PlainCut *cut)
{
	int			bin = p->bins[(size_t) row * p->data.d + cut->feature];

	return bin == WF_MISSING_BIN ? cut->missing_left : bin <= cut->bin;
}

static inline double
plain_step(const PlainRules *rules, double g, double h)
{
	double		t = g > rules->l1 ? g - rules->l1 : g < -rules->l1 ? g + rules->l1 : 0;

	return t / (h + rules->l2);
}

static inline double
plain_value(const PlainRules *rules, double g, double h)
{
	double		w = plain_step(rules, g, h);

	return w * w * (h + rules->l2);
}

/* The best cut of the rows of a leaf. */
static inline PlainCut
plain_best_cut(const Problem *p, const PlainRules *rules, const int *leaf_of, int leaf,
			   const double *g, const double *h)
{
	PlainCut	best = {0, 0, 0, false};

	for (uint32_t f = 0; f < p->data.d; f++)
		for (int bin = 0; bin < p->data.n_bins[f]; bin++)
			for (int missing_left = 0; missing_left < 2; missing_left++)
			{
				PlainCut	cut = {0, f, bin, missing_left};
				double		sums[2][3] = {{0}};

				for (uint32_t i = 0; i < p->data.n; i++)
					if (leaf_of[i] == leaf)
					{
						double	   *s = sums[plain_left(p, i, &cut)];

						s[0] += g[i];
						s[1] += h[i];
						s[2] += 1;
					}
				if (sums[0][2] < rules->min_rows || sums[1][2] < rules->min_rows)
					continue;
				cut.gain = plain_value(rules, sums[0][0], sums[0][1]) + plain_value(rules, sums[1][0], sums[1][1])
					- plain_value(rules, sums[0][0] + sums[1][0], sums[0][1] + sums[1][1]);
				if (cut.gain > best.gain * (1 + 1e-9) + 1e-9)
					best = cut;
			}
	return best;
}

static inline void
plain_tree(const Problem *p, const PlainRules *rules, const double *g, const double *h, double *margin)
{
	int		   *leaf_of = calloc(p->data.n, sizeof(int));
	PlainCut   *cuts = calloc((size_t) rules->leaves, sizeof(PlainCut));
	int			n_leaves = 1;

	cuts[0] = plain_best_cut(p, rules, leaf_of, 0, g, h);
	while (n_leaves < rules->leaves)
	{
		int			best = 0;

		for (int l = 1; l < n_leaves; l++)
			if (cuts[l].gain > cuts[best].gain)
				best = l;
		if (cuts[best].gain <= 0)
			break;
		for (uint32_t i = 0; i < p->data.n; i++)
			if (leaf_of[i] == best && !plain_left(p, i, &cuts[best]))
				leaf_of[i] = n_leaves;
		cuts[best] = plain_best_cut(p, rules, leaf_of, best, g, h);
		cuts[n_leaves] = plain_best_cut(p, rules, leaf_of, n_leaves, g, h);
		n_leaves++;
	}
	for (int l = 0; l < n_leaves; l++)
	{
		double		sum_g = 0;
		double		sum_h = 0;

		for (uint32_t i = 0; i < p->data.n; i++)
			if (leaf_of[i] == l)
			{
				sum_g += g[i];
				sum_h += h[i];
			}
		for (uint32_t i = 0; i < p->data.n; i++)
			if (leaf_of[i] == l)
				margin[i] += rules->rate * plain_step(rules, sum_g, sum_h);
	}
	free(leaf_of);
	free(cuts);
}

/* Margins of the training rows. */
static inline void
plain_boost(const Problem *p, const PlainRules *rules, double *margin)
{
	double	   *g = calloc(p->data.n, sizeof(double));
	double	   *h = calloc(p->data.n, sizeof(double));
	double		mean = 0;

	for (uint32_t i = 0; i < p->data.n; i++)
		mean += (rules->logistic ? p->data.label[i] : p->data.target[i]) / p->data.n;
	for (uint32_t i = 0; i < p->data.n; i++)
		margin[i] = rules->logistic ? log(mean / (1 - mean)) : mean;
	for (int round = 0; round < rules->rounds; round++)
	{
		for (uint32_t i = 0; i < p->data.n; i++)
		{
			double		prob = 1 / (1 + exp(-margin[i]));

			g[i] = rules->logistic ? p->data.label[i] - prob : p->data.target[i] - margin[i];
			h[i] = rules->logistic ? prob * (1 - prob) : 1;
		}
		plain_tree(p, rules, g, h, margin);
	}
	free(g);
	free(h);
}

#endif							/* PLAIN_BOOSTING_H */
