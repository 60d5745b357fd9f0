/*-------------------------------------------------------------------------
 * calibrate.c
 *	  Platt scaling, temperature scaling, split-conformal intervals.
 *
 * All sums run over the rows in their order, in double.  Both scalings have
 * one or two parameters, which a hundred thousand rows fix to three digits;
 * of more rows an even selection is taken, which also bounds the time spent
 * here without a look at the host.
 *-------------------------------------------------------------------------
 */
#include "core/calibrate.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"

#define LEAST_P 1e-6
#define MAX_ROWS 100000			/* Platt */
#define MAX_CELLS 300000		/* temperature: rows × classes */
#define MIN_ROWS 2000
#define MAX_ROUNDS 100
#define CHECK_ROWS 65536

static inline double
weight_of(const float *w, size_t i)
{
	return w ? w[i] : 1.0;
}

/* Row i of m taken evenly from n rows. */
static inline size_t
pick(size_t i, size_t m, size_t n)
{
	return m == n ? i : (size_t) ((double) i * ((double) n / (double) m));
}

/* ---- Platt ---- */

static inline double
logit(double p)
{
	/* written so that NaN becomes the lower bound */
	if (!(p > LEAST_P))
		p = LEAST_P;
	if (p > 1 - LEAST_P)
		p = 1 - LEAST_P;
	return wf_log(p / (1 - p));
}

typedef struct PlattRows
{
	const uint8_t *positive;
	const double *p;
	const float *w;
	size_t		n;
	size_t		m;				/* rows looked at */
	double		target[2];		/* smoothed target of negatives and positives */
} PlattRows;

/* Loss at (a, b) with its gradient and Hessian. */
typedef struct PlattPoint
{
	double		loss;
	double		ga;
	double		gb;
	double		haa;
	double		hab;
	double		hbb;
} PlattPoint;

static PlattPoint
platt_at(const PlattRows *rows, double a, double b)
{
	PlattPoint	at = {0};

	for (size_t j = 0; j < rows->m; j++)
	{
		size_t		i = pick(j, rows->m, rows->n);
		double		w = weight_of(rows->w, i);
		double		t = rows->target[rows->positive[i] != 0];
		double		z = logit(rows->p[i]);
		double		s = a * z + b;
		double		e = wf_exp(-fabs(s));
		double		q = s >= 0 ? 1 / (1 + e) : e / (1 + e);
		double		h = w * e / ((1 + e) * (1 + e));
		double		d = w * (q - t);

		/* -t log q - (1 - t) log(1 - q) without cancellation */
		at.loss += w * (wf_log(1 + e) + (s >= 0 ? (1 - t) * s : -t * s));
		at.ga += d * z;
		at.gb += d;
		at.haa += h * z * z;
		at.hab += h * z;
		at.hbb += h;
	}
	return at;
}

void
wf_platt_fit(const uint8_t *positive, const double *p, const float *w, size_t n, double *a, double *b)
{
	PlattRows	rows = {positive, p, w, n, n > MAX_ROWS ? MAX_ROWS : n, {0, 0}};
	double		count[2] = {0, 0};
	PlattPoint	at;

	*a = 1;
	*b = 0;
	for (size_t j = 0; j < rows.m; j++)
	{
		size_t		i = pick(j, rows.m, n);

		count[positive[i] != 0] += weight_of(w, i);
	}
	if (!(count[0] + count[1] > 0))
		return;
	rows.target[0] = 1 / (count[0] + 2);
	rows.target[1] = (count[1] + 1) / (count[1] + 2);

	/* Newton with halving (Lin, Lin and Weng 2007); the loss is convex. */
	at = platt_at(&rows, *a, *b);
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		double		ridge = 1e-10 * (at.haa + at.hbb) + 1e-12;
		double		haa = at.haa + ridge;
		double		hbb = at.hbb + ridge;
		double		det = haa * hbb - at.hab * at.hab;
		double		da = -(hbb * at.ga - at.hab * at.gb) / det;
		double		db = -(haa * at.gb - at.hab * at.ga) / det;
		double		slope = da * at.ga + db * at.gb;
		double		step = 1;
		PlattPoint	next;

		/* Too near for the loss to tell better from worse: one last full step. */
		if (!(slope < -1e-10 * (1 + at.loss)))
		{
			if (slope <= 0)
			{
				*a += da;
				*b += db;
			}
			break;
		}
		for (;; step /= 2)
		{
			next = platt_at(&rows, *a + step * da, *b + step * db);
			if (next.loss <= at.loss + 1e-4 * step * slope || step < 1e-8)
				break;
		}
		if (!(next.loss < at.loss))
			break;
		*a += step * da;
		*b += step * db;
		at = next;
	}

	/* Scores that say the opposite of the truth say nothing: the share of positives remains. */
	if (!(*a > 0))
	{
		double		share = (count[0] * rows.target[0] + count[1] * rows.target[1]) / (count[0] + count[1]);

		*a = 0;
		*b = wf_log(share / (1 - share));
	}
}

double
wf_platt_apply(double p, double a, double b)
{
	return wf_sigmoid(a * logit(p) + b);
}

/* ---- temperature ---- */

#define MIN_BETA 0.05			/* β = 1 / t */
#define MAX_BETA 20.0

typedef struct TemperatureRows
{
	const uint16_t *label;
	const double *p;
	const float *w;
	size_t		n;
	size_t		m;
	int			n_classes;
} TemperatureRows;

static inline double
log_p(double p)
{
	return wf_log(p > LEAST_P ? p : LEAST_P);
}

/* First and second derivative of the log loss by β; it is convex. */
static void
temperature_slope(const TemperatureRows *rows, double beta, double *first, double *second)
{
	*first = 0;
	*second = 0;
	for (size_t j = 0; j < rows->m; j++)
	{
		size_t		i = pick(j, rows->m, rows->n);
		const double *p = rows->p + i * (size_t) rows->n_classes;
		double		w = weight_of(rows->w, i);
		double		top = 0;
		double		sum = 0;
		double		mean = 0;
		double		square = 0;

		for (int c = 0; c < rows->n_classes; c++)
			if (p[c] > top)
				top = p[c];
		top = log_p(top);
		for (int c = 0; c < rows->n_classes; c++)
		{
			double		l = log_p(p[c]) - top;
			double		e = wf_exp(beta * l);

			sum += e;
			mean += e * l;
			square += e * l * l;
		}
		mean /= sum;
		square /= sum;
		*first += w * (mean - (log_p(p[rows->label[i]]) - top));
		*second += w * (square - mean * mean);
	}
}

double
wf_temperature_fit(const uint16_t *label, const double *p, const float *w, size_t n, int n_classes)
{
	TemperatureRows rows = {label, p, w, n, n, n_classes};
	size_t		most = MAX_CELLS / (size_t) (n_classes > 0 ? n_classes : 1);
	double		low = MIN_BETA;
	double		high = MAX_BETA;
	double		beta = 1;

	if (most < MIN_ROWS)
		most = MIN_ROWS;
	if (rows.m > most)
		rows.m = most;
	/* Newton kept inside the bracket that the sign of the slope narrows. */
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		double		first;
		double		second;
		double		next;

		temperature_slope(&rows, beta, &first, &second);
		if (first == 0)
			break;
		if (first > 0)
			high = beta;
		else
			low = beta;
		next = second > 0 ? beta - first / second : first > 0 ? low : high;
		if (!(next > low && next < high))
			next = 0.5 * (low + high);
		if (fabs(next - beta) < 1e-10 * beta)
			break;
		beta = next;
	}
	return 1 / beta;
}

void
wf_temperature_apply(const double *p, int n_classes, double t, double *out)
{
	double		top = 0;
	double		sum = 0;

	for (int c = 0; c < n_classes; c++)
		if (p[c] > top)
			top = p[c];
	top = log_p(top);
	for (int c = 0; c < n_classes; c++)
	{
		out[c] = wf_exp((log_p(p[c]) - top) / t);
		sum += out[c];
	}
	for (int c = 0; c < n_classes; c++)
		out[c] /= sum;
}

/* ---- conformal ---- */

/* Doubles as integers in rising order, and back. */
static uint64_t
rising_key(double x)
{
	uint64_t	bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double
of_rising_key(uint64_t key)
{
	uint64_t	bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
	double		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/* The rank-th smallest residual (from 0), digit by digit from the top. */
static double
select_residual(WfHost *host, const double *y, const double *f, size_t n, size_t rank)
{
	uint64_t	prefix = 0;
	uint64_t	mask = 0;

	for (int shift = 56; shift >= 0; shift -= 8)
	{
		size_t		count[256] = {0};
		int			digit = 0;

		for (size_t i = 0; i < n; i++)
		{
			uint64_t	key = rising_key(y[i] - f[i]);

			if (i % CHECK_ROWS == 0)
				host->check(host);
			if ((key & mask) == prefix)
				count[key >> shift & 255]++;
		}
		while (rank >= count[digit])
			rank -= count[digit++];
		prefix |= (uint64_t) digit << shift;
		mask |= UINT64_C(255) << shift;
	}
	return of_rising_key(prefix);
}

/*
 * Of n + 1 exchangeable residuals the new one is below the k-th of the others
 * with probability k / (n + 1) at most: 5 % on each side.  Fewer than 19 rows
 * cannot promise that, so there is no interval (NaN).
 */
void
wf_conformal_fit(WfHost *host, const double *y, const double *f, size_t n, double *lower, double *upper)
{
	size_t		below = (n + 1) / 20;

	*lower = NAN;
	*upper = NAN;
	if (below < 1)
		return;
	*lower = select_residual(host, y, f, n, below - 1);
	*upper = select_residual(host, y, f, n, n - below);
}
