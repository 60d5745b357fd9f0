/*-------------------------------------------------------------------------
 * drift.c
 *	  Do rows look like those that a model was trained on?
 *-------------------------------------------------------------------------
 */
#include "core/drift.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"
#include "core/tails.h"

#define GROUPS WF_HISTOGRAM_GROUPS
#define CELLS WF_DRIFT_CELLS
/* χ² of rarer cells is not χ². */
#define MIN_EXPECTED 5
#define CHECK_EVERY 1024

typedef struct Feature
{
	WfDriftGroups groups;
	bool		measured;
} Feature;

struct WfDrift
{
	WfHost	   *host;
	const WfModel *model;
	uint32_t	n_measured;
	Feature    *feature;
	double	   *then;			/* features × CELLS */
	double	   *now;
};

/* ---- groups ---- */

void
wf_drift_groups(WfDriftGroups *groups, const float *cuts, int n_bins, bool category)
{
	memset(groups, 0, sizeof(*groups));
	groups->category = category;
	if (!category)
		for (int b = 1; b < n_bins; b++)
			if (b * GROUPS / n_bins != (b - 1) * GROUPS / n_bins)
				groups->edge[groups->n_edges++] = cuts[b - 1];
	groups->n_bins = (uint16_t) (category ? n_bins : groups->n_edges + 1);
}

int
wf_drift_group(const WfDriftGroups *groups, float x)
{
	unsigned	bin = 0;

	if (isnan(x))
		return GROUPS;
	if (groups->category)
		/* Codes come from the model itself; clipped all the same. */
		bin = x < 0 ? 0 : x >= (float) groups->n_bins ? groups->n_bins - 1u : (unsigned) x;
	else
		for (unsigned e = 0; e < groups->n_edges; e++)
			bin += groups->edge[e] < x;
	return (int) (bin * GROUPS / groups->n_bins);
}

static bool
is_calendar(uint8_t part)
{
	return part == WF_PART_DAY || part == WF_PART_MONTH || part == WF_PART_EPOCH;
}

static void
read_feature(WfDrift *d, uint32_t f, const uint32_t *h)
{
	const WfFeatureRecord *r = &d->model->features[f];
	Feature    *feature = &d->feature[f];
	uint64_t	sum = 0;

	wf_drift_groups(&feature->groups, r->category ? NULL : d->model->cuts + r->first_cut, r->n_bins, r->category);
	feature->measured = !is_calendar(r->part);
	d->n_measured += feature->measured;
	for (int c = 0; c < CELLS; c++)
	{
		d->then[(size_t) f * CELLS + c] = h[c];
		sum += h[c];
	}
	if (sum != h[CELLS])
		d->host->fail(d->host, WF_E_CORRUPT, WF_HINT_NONE, "histograms of the training rows do not add up");
}

WfDrift *
wf_drift_create(WfHost *host, const WfModel *model)
{
	size_t		length;
	const uint32_t *h = wf_model_section(model, "HIST", &length);
	uint32_t	n = model->header->n_features;
	WfDrift    *d;

	if (h == NULL || n == 0)
		return NULL;
	d = wf_alloc_zero(host, 1, sizeof(WfDrift));
	d->host = host;
	d->model = model;
	d->feature = wf_alloc_zero(host, n, sizeof(Feature));
	d->then = wf_alloc_zero(host, n, CELLS * sizeof(double));
	d->now = wf_alloc_zero(host, n, CELLS * sizeof(double));
	for (uint32_t f = 0; f < n; f++)
	{
		read_feature(d, f, h + (size_t) f * (CELLS + 1));
		if (f % CHECK_EVERY == 0)
			host->check(host);
	}
	return d;
}

void
wf_drift_add_part(WfDrift *d, uint32_t from, uint32_t count, const float *x, double weight)
{
	for (uint32_t f = from; f < from + count; f++)
		d->now[(size_t) f * CELLS + (size_t) wf_drift_group(&d->feature[f].groups, x[f - from])] += weight;
}

void
wf_drift_add(WfDrift *d, const float *x, size_t n)
{
	uint32_t	n_features = d->model->header->n_features;
	size_t		done = 0;

	for (size_t i = 0; i < n; i++)
	{
		wf_drift_add_part(d, 0, n_features, x + i * n_features, 1);
		done += n_features;
		if (done > 256 * CHECK_EVERY)
		{
			d->host->check(d->host);
			done = 0;
		}
	}
}

/* ---- measures ---- */

static double
total(const double cells[CELLS])
{
	double		sum = 0;

	for (int c = 0; c < CELLS; c++)
		sum += cells[c];
	return sum;
}

/* Half a row more in each cell that has any (Jeffreys) keeps the logarithms finite. */
double
wf_drift_psi(const double then[CELLS], const double now[CELLS], double sample)
{
	double		n = total(then);
	double		all = total(now);
	double		m = sample > 0 ? sample : all;
	double		psi = 0;
	int			cells = 0;

	if (n <= 0 || all <= 0)
		return NAN;
	for (int c = 0; c < CELLS; c++)
		cells += then[c] > 0 || now[c] > 0;
	for (int c = 0; c < CELLS; c++)
		if (then[c] > 0 || now[c] > 0)
		{
			double		p = (then[c] + 0.5) / (n + 0.5 * cells);
			double		q = (now[c] * (m / all) + 0.5) / (m + 0.5 * cells);

			psi += (q - p) * wf_log(q / p);
		}
	psi -= (cells - 1) * (1 / n + 1 / m);
	return psi > 0 ? psi : 0;
}

double
wf_drift_ks_p(const double then[CELLS], const double now[CELLS])
{
	double		n = total(then);
	double		m = total(now);
	double		difference = then[GROUPS] / n - now[GROUPS] / m;
	double		most = fabs(difference);

	if (n <= 0 || m <= 0)
		return NAN;
	for (int c = 0; c < GROUPS; c++)
	{
		difference += then[c] / n - now[c] / m;
		most = fmax(most, fabs(difference));
	}
	/* Sums of shares are 0 but for rounding. */
	return most < 1e-12 ? 1 : wf_kolmogorov_p(sqrt(n * m / (n + m)) * most);
}

/* Cells are joined, from the rarest level on, until enough rows are expected in each. */
double
wf_drift_chi2_p(const double then[CELLS], const double now[CELLS])
{
	double		n = total(then);
	double		m = total(now);
	double		least = (n < m ? n : m) / (n + m);
	double		a = 0;
	double		b = 0;
	double		chi2 = 0;
	int			cells = 0;

	if (n <= 0 || m <= 0)
		return NAN;
	for (int c = CELLS - 1; c >= 0; c--)
	{
		double		expected;
		double		rest = 0;

		a += then[c];
		b += now[c];
		for (int k = 0; k < c; k++)
			rest += then[k] + now[k];
		/* What is left behind must be enough for a cell, too, or comes with it. */
		if ((a + b) * least < MIN_EXPECTED || (rest > 0 && rest * least < MIN_EXPECTED))
			continue;
		expected = (a + b) * m / (n + m);
		chi2 += (b - expected) * (b - expected) / expected;
		expected = (a + b) * n / (n + m);
		chi2 += (a - expected) * (a - expected) / expected;
		cells++;
		a = b = 0;
	}
	return cells < 2 ? 1 : wf_chi2_p(chi2, cells - 1);
}

/* ---- verdicts ---- */

static WfDriftVerdict
judge(double psi, double p, double n, double m)
{
	if (n < WF_DRIFT_MIN_ROWS || m < WF_DRIFT_MIN_ROWS)
		return WF_DRIFT_TOO_FEW;
	if (psi < WF_DRIFT_MODERATE)
		return WF_DRIFT_STABLE;
	return psi < WF_DRIFT_DRIFTING || p >= WF_DRIFT_P ? WF_DRIFT_MODERATELY : WF_DRIFT_YES;
}

/*
 * Rows of less than a week hold few weekdays, which is no drift.  So parts of
 * the week count only where each weekday of training has at least a fiftieth
 * of its share.
 */
static bool
spans_weeks(const WfDrift *d, const WfColumnRecord *column)
{
	for (uint32_t f = column->first_feature; f < column->first_feature + column->n_features; f++)
		if (d->model->features[f].part == WF_PART_WEEKDAY)
		{
			const double *then = d->then + (size_t) f * CELLS;
			const double *now = d->now + (size_t) f * CELLS;

			for (int c = 0; c < GROUPS; c++)
				if (now[c] * total(then) < 0.02 * then[c] * total(now))
					return false;
		}
	return true;
}

static bool
is_of_week(uint8_t part)
{
	return part == WF_PART_WEEKDAY || part == WF_PART_WEEKDAY_SIN || part == WF_PART_WEEKDAY_COS || part == WF_PART_WEEKEND;
}

static WfDriftColumn
measure_feature(const WfDrift *d, uint32_t f, double sample)
{
	const double *then = d->then + (size_t) f * CELLS;
	const double *now = d->now + (size_t) f * CELLS;
	WfDriftColumn out = {.feature = f, .psi = NAN, .p = NAN, .verdict = WF_DRIFT_UNMEASURED};

	if (!d->feature[f].measured || (sample > 0 && total(now) <= 0))
		return out;
	out.rows = sample > 0 ? sample : total(now);
	out.psi = wf_drift_psi(then, now, sample);
	if (sample <= 0)
	{
		out.p = d->feature[f].groups.category ? wf_drift_chi2_p(then, now) : wf_drift_ks_p(then, now);
		out.p = out.p * d->n_measured > 1 ? 1 : out.p * d->n_measured;
	}
	out.verdict = judge(out.psi, out.p, total(then), out.rows);
	return out;
}

/* Verdicts first: a part whose index is large by chance does not hide one that drifts. */
static bool
is_worse(const WfDriftColumn *a, const WfDriftColumn *b)
{
	if (a->verdict == WF_DRIFT_UNMEASURED || b->verdict == WF_DRIFT_UNMEASURED)
		return b->verdict == WF_DRIFT_UNMEASURED && a->verdict != WF_DRIFT_UNMEASURED;
	return a->verdict != b->verdict ? a->verdict > b->verdict : a->psi > b->psi;
}

void
wf_drift_columns(const WfDrift *d, double sample, WfDriftColumn *out)
{
	for (uint32_t c = 0; c < d->model->header->n_columns; c++)
	{
		const WfColumnRecord *r = &d->model->columns[c];
		bool		weeks = spans_weeks(d, r);

		out[c] = (WfDriftColumn) {.feature = r->first_feature, .psi = NAN, .p = NAN, .verdict = WF_DRIFT_UNMEASURED};
		for (uint32_t f = r->first_feature; f < r->first_feature + r->n_features; f++)
		{
			WfDriftColumn one;

			if (!weeks && is_of_week(d->model->features[f].part))
				continue;
			one = measure_feature(d, f, sample);
			if (is_worse(&one, &out[c]))
				out[c] = one;
			if (f % 256 == 0)
				d->host->check(d->host);
		}
	}
}

const char *
wf_drift_word(WfDriftVerdict verdict)
{
	static const char *const words[] = {"too few rows", "stable", "moderate", "drifting", "not measured"};

	return words[verdict];
}
