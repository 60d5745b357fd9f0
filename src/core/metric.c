/*-------------------------------------------------------------------------
 * metric.c
 *	  Scores of predictions.
 *
 * Rows come in canonical order, so plain sums in order of the rows are the
 * same for any team and any physical order of the table.
 *-------------------------------------------------------------------------
 */
#include "core/metric.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"

#define WORST_P 1e-15
#define MAX_ECE_BINS 1000
/* rows between two looks at the host */
#define CHECK_ROWS 65536

static inline double
weight_of(const float *w, size_t i)
{
	return w ? w[i] : 1.0;
}

/* Largest probability; ties go to the lower class. */
static inline int
top_class(const double *p, int n_classes)
{
	int			best = 0;

	for (int c = 1; c < n_classes; c++)
		if (p[c] > p[best])
			best = c;
	return best;
}

/* ---- classification, by class ---- */

double
wf_accuracy(const uint16_t *label, const double *p, const float *w, size_t n, int n_classes)
{
	double		right = 0;
	double		all = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		wi = weight_of(w, i);

		all += wi;
		if (top_class(p + i * (size_t) n_classes, n_classes) == label[i])
			right += wi;
	}
	return right / all;
}

double
wf_log_loss(const uint16_t *label, const double *p, const float *w, size_t n, int n_classes)
{
	double		loss = 0;
	double		all = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		wi = weight_of(w, i);
		double		pi = p[i * (size_t) n_classes + label[i]];

		all += wi;
		loss -= wi * wf_log(pi < WORST_P ? WORST_P : pi > 1 ? 1 : pi);
	}
	return loss / all;
}

double
wf_macro_f1(WfHost *host, const uint16_t *label, const double *p, const float *w, size_t n, int n_classes)
{
	double	   *hit = wf_alloc_zero(host, (size_t) n_classes * 3, sizeof(double));
	double	   *predicted = hit + n_classes;
	double	   *actual = predicted + n_classes;
	double		sum = 0;
	int			seen = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		wi = weight_of(w, i);
		int			c = top_class(p + i * (size_t) n_classes, n_classes);

		predicted[c] += wi;
		actual[label[i]] += wi;
		if (c == label[i])
			hit[c] += wi;
	}
	for (int c = 0; c < n_classes; c++)
		if (predicted[c] + actual[c] > 0)
		{
			sum += 2 * hit[c] / (predicted[c] + actual[c]);
			seen++;
		}
	wf_release(host, hit);
	return sum / seen;
}

double
wf_brier(const uint16_t *label, const double *p, const float *w, size_t n, int n_classes)
{
	double		sum = 0;
	double		all = 0;

	for (size_t i = 0; i < n; i++)
	{
		const double *pi = p + i * (size_t) n_classes;
		double		wi = weight_of(w, i);
		double		square = 0;

		/* Two classes: only class 1, as both errors are the same. */
		for (int c = n_classes == 2; c < n_classes; c++)
		{
			double		e = pi[c] - (label[i] == c);

			square += e * e;
		}
		sum += wi * square;
		all += wi;
	}
	return sum / all;
}

double
wf_ece(const uint16_t *label, const double *p, const float *w, size_t n, int n_classes, int bins)
{
	double		gap[MAX_ECE_BINS] = {0};	/* Σ w (confidence - right) */
	double		all = 0;
	double		sum = 0;

	if (bins < 1)
		bins = 1;
	if (bins > MAX_ECE_BINS)
		bins = MAX_ECE_BINS;
	for (size_t i = 0; i < n; i++)
	{
		const double *pi = p + i * (size_t) n_classes;
		int			c = n_classes == 2 ? 1 : top_class(pi, n_classes);
		int			bin = pi[c] >= 1 ? bins - 1 : pi[c] > 0 ? (int) (pi[c] * bins) : 0;
		double		wi = weight_of(w, i);

		gap[bin] += wi * (pi[c] - (c == label[i]));
		all += wi;
	}
	for (int b = 0; b < bins; b++)
		sum += fabs(gap[b]);
	return sum / all;
}

/* ---- ranking ---- */

typedef struct Ranked
{
	uint64_t	key;			/* falls as the score rises */
	uint32_t	row;
} Ranked;

/* Doubles as integers in falling order; -0 as 0, NaN last. */
static uint64_t
falling_key(double x)
{
	uint64_t	bits;

	if (isnan(x))
		return UINT64_MAX;
	x += 0.0;
	memcpy(&bits, &x, sizeof(bits));
	return bits >> 63 ? bits : ~bits & ~(UINT64_C(1) << 63);
}

/* Stable radix sort by key, a byte at a time; the result is in *rows, spare is scratch. */
static void
sort_ranked(WfHost *host, Ranked **rows, Ranked **spare, size_t n)
{
	for (int shift = 0; shift < 64; shift += 8)
	{
		size_t		count[256] = {0};
		size_t		at = 0;
		Ranked	   *swap;

		for (size_t i = 0; i < n; i++)
			count[(*rows)[i].key >> shift & 255]++;
		if (n == 0 || count[(*rows)[0].key >> shift & 255] == n)
			continue;
		for (int b = 0; b < 256; b++)
		{
			size_t		c = count[b];

			count[b] = at;
			at += c;
		}
		for (size_t i = 0; i < n; i++)
		{
			if (i % CHECK_ROWS == 0)
				host->check(host);
			(*spare)[count[(*rows)[i].key >> shift & 255]++] = (*rows)[i];
		}
		swap = *rows;
		*rows = *spare;
		*spare = swap;
	}
}

/*
 * What a walk over the rows by falling score adds up, equal scores together.
 */
typedef struct RankSums
{
	double		positives;		/* so far */
	double		negatives;
	double		area;			/* under the ROC curve, in pairs */
	double		precision;		/* Σ positives of the group × precision there */
} RankSums;

static RankSums
rank_sums(WfHost *host, const uint8_t *positive, const double *score, const float *w, size_t n)
{
	Ranked	   *rows = wf_alloc(host, n, sizeof(Ranked));
	Ranked	   *spare = wf_alloc(host, n, sizeof(Ranked));
	RankSums	s = {0};

	for (size_t i = 0; i < n; i++)
		rows[i] = (Ranked) {falling_key(score[i]), (uint32_t) i};
	sort_ranked(host, &rows, &spare, n);
	for (size_t i = 0; i < n;)
	{
		uint64_t	key = rows[i].key;
		double		p = 0;
		double		q = 0;

		for (; i < n && rows[i].key == key; i++)
		{
			if (i % CHECK_ROWS == 0)
				host->check(host);
			if (positive[rows[i].row])
				p += weight_of(w, rows[i].row);
			else
				q += weight_of(w, rows[i].row);
		}
		/* each negative here is below all positives before it, and ties with those beside it */
		s.area += q * (s.positives + 0.5 * p);
		s.positives += p;
		s.negatives += q;
		if (p > 0)
			s.precision += p * (s.positives / (s.positives + s.negatives));
	}
	wf_release(host, rows);
	wf_release(host, spare);
	return s;
}

double
wf_auc(WfHost *host, const uint8_t *positive, const double *score, const float *w, size_t n)
{
	RankSums	s = rank_sums(host, positive, score, w, n);

	return s.positives > 0 && s.negatives > 0 ? s.area / (s.positives * s.negatives) : NAN;
}

double
wf_average_precision(WfHost *host, const uint8_t *positive, const double *score, const float *w, size_t n)
{
	RankSums	s = rank_sums(host, positive, score, w, n);

	return s.positives > 0 ? s.precision / s.positives : NAN;
}

double
wf_ndcg(WfHost *host, const double *relevance, const int64_t *rank, size_t n, int64_t k)
{
	Ranked	   *rows = wf_alloc(host, n, sizeof(Ranked));
	Ranked	   *spare = wf_alloc(host, n, sizeof(Ranked));
	double		gain = 0;
	double		ideal = 0;

	/* In order of rank, so that the sum does not depend on the order of arrival. */
	for (size_t i = 0; i < n; i++)
		rows[i] = (Ranked) {falling_key(-(double) rank[i]), (uint32_t) i};
	sort_ranked(host, &rows, &spare, n);
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	r = rows[i].row;

		if (rank[r] >= 1 && (k < 1 || rank[r] <= k))
			gain += relevance[r] / wf_log(1 + (double) rank[r]);
	}
	for (size_t i = 0; i < n; i++)
		rows[i] = (Ranked) {falling_key(relevance[i]), (uint32_t) i};
	sort_ranked(host, &rows, &spare, n);
	for (size_t i = 0; i < n && (k < 1 || (int64_t) i < k); i++)
		ideal += relevance[rows[i].row] / wf_log(2 + (double) i);
	wf_release(host, rows);
	wf_release(host, spare);
	return ideal > 0 ? gain / ideal : NAN;
}

/* ---- from counts and sums ---- */

double
wf_class_score(const WfClassCount *count, WfClassScore score)
{
	double		of = score == WF_PRECISION ? (double) count->predicted
		: score == WF_RECALL ? (double) count->actual
		: ((double) count->predicted + (double) count->actual) / 2;

	return of > 0 ? (double) count->hit / of : 0;
}

double
wf_classes_score(const WfClassCount *count, size_t n, WfClassScore score, WfAverage average)
{
	WfClassCount all = {0, 0, 0};
	WfTwofold	sum = {0, 0};
	double		weights = 0;

	for (size_t c = 0; c < n; c++)
	{
		double		w = average == WF_AVERAGE_WEIGHTED ? (double) count[c].actual
			: count[c].actual + count[c].predicted > 0;

		all.hit += count[c].hit;
		all.predicted += count[c].predicted;
		all.actual += count[c].actual;
		/* the classes come in no order */
		wf_twofold_add_product(&sum, w, wf_class_score(&count[c], score));
		weights += w;
	}
	if (average == WF_AVERAGE_MICRO)
		return wf_class_score(&all, score);
	return wf_twofold_value(&sum) / weights;
}

double
wf_r2_of_sums(uint64_t n, const WfTwofold *y, const WfTwofold *yy, const WfTwofold *ee)
{
	double		mean = wf_twofold_value(y) / (double) n;
	WfTwofold	total = *yy;
	double		rest = wf_twofold_value(ee);

	/* Σ (y - m)² = Σ y² - 2 m Σ y + n m² for any m; near the mean little cancels twice */
	wf_twofold_add_product(&total, -2 * mean, y->high);
	wf_twofold_add_product(&total, -2 * mean, y->low);
	{
		WfTwofold	square = wf_twofold_product(mean, mean);

		wf_twofold_add_product(&total, square.high, (double) n);
		wf_twofold_add_product(&total, square.low, (double) n);
	}
	/* A constant target: nothing to explain, as in scikit-learn. */
	if (!(wf_twofold_value(&total) > 1e-28 * wf_twofold_value(yy)))
		return isnan(wf_twofold_value(&total)) ? NAN : rest == 0 ? 1 : 0;
	return 1 - rest / wf_twofold_value(&total);
}

double
wf_surprise(bool happened, double p)
{
	double		q = happened ? p : 1 - p;

	return -wf_log(q < WORST_P ? WORST_P : q > 1 ? 1 : q);
}

/* ---- regression ---- */

double
wf_r2(const double *y, const double *f, const float *w, size_t n)
{
	double		all = 0;
	double		mean = 0;
	double		rest = 0;
	double		total = 0;

	for (size_t i = 0; i < n; i++)
	{
		all += weight_of(w, i);
		mean += weight_of(w, i) * y[i];
	}
	mean /= all;
	for (size_t i = 0; i < n; i++)
	{
		double		wi = weight_of(w, i);

		rest += wi * (y[i] - f[i]) * (y[i] - f[i]);
		total += wi * (y[i] - mean) * (y[i] - mean);
	}
	/* A constant target: nothing to explain, as in scikit-learn. */
	if (total == 0)
		return n == 0 ? NAN : rest == 0 ? 1 : 0;
	return 1 - rest / total;
}

double
wf_mae(const double *y, const double *f, const float *w, size_t n)
{
	double		all = 0;
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
	{
		all += weight_of(w, i);
		sum += weight_of(w, i) * fabs(y[i] - f[i]);
	}
	return sum / all;
}

double
wf_rmse(const double *y, const double *f, const float *w, size_t n)
{
	double		all = 0;
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
	{
		all += weight_of(w, i);
		sum += weight_of(w, i) * (y[i] - f[i]) * (y[i] - f[i]);
	}
	return sqrt(sum / all);
}
