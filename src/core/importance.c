/*-------------------------------------------------------------------------
 * importance.c
 *	  What fitting can say about columns: permutation importance, histograms
 *	  for drift, and a warning of leaks.
 *
 * Permutation importance (Breiman 2001): how much worse the log loss (RMSE)
 * of held-out rows gets when a column's values are exchanged between rows.  A
 * column's features are exchanged together.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "core/drift.h"
#include "core/fitting.h"
#include "core/mathx.h"
#include "core/metric.h"
#include "core/rng.h"

#define PERMUTATION_ROWS 2000
#define LEAK_ROWS 50000
#define LEAK_MIN_ROWS 50
#define LEAK_AUC 0.99
/* Of values (layout VALUES) so many are counted for drift. */
#define COUNTED_VALUES 10000000
#define COUNTED_ROWS 50000
#define COUNTED_ROWS_MIN 2000
/* A histogram: groups, missing, all. */
#define WIDTH ((size_t) WF_HISTOGRAM_GROUPS + 2)

/* The loss of one row: log loss, or squared error. */
static double
row_loss(const WfFit *fit, const WfOutputRule *rule, const double *raw, uint32_t id, double *values)
{
	double		d;

	wf_output_finish(rule, raw, values);
	if (fit->n_classes)
	{
		double		p = values[fit->data->label[id]];

		return -wf_log(p > 1e-15 ? p : 1e-15);
	}
	d = values[0] - fit->data->target[id];
	return d * d;
}

/* The validation rows of fold 0 that are used: positions in the data set and ids. */
typedef struct Sample
{
	size_t		n;
	const uint8_t **record;
	uint32_t   *id;
	uint32_t   *partner;		/* whose values a row gets */
} Sample;

/* Rows of smallest id come first in every order of records; ids are canonical. */
static Sample
take_sample(const WfFit *fit)
{
	WfHost	   *host = fit->team->host;
	const WfDataset *data = fit->data;
	uint32_t	wanted = 0;
	uint32_t	last = 0;
	Sample		s = {0};

	for (uint32_t id = 0; id < data->n && wanted < PERMUTATION_ROWS; id++)
		if (data->fold[id] == 0)
		{
			wanted++;
			last = id;
		}
	s.record = wf_alloc(host, wanted, sizeof(*s.record));
	s.id = wf_alloc(host, wanted, sizeof(*s.id));
	s.partner = wf_alloc(host, wanted, sizeof(*s.partner));
	for (size_t i = 0; i < data->n; i++)
	{
		uint32_t	id;
		const uint8_t *record = wf_fit_record(fit, i, &id);

		if (id <= last && data->fold[id] == 0)
		{
			/* Keep them by rising id: insertion from the end is cheap, records are nearly in order or few. */
			size_t		at = s.n++;

			while (at > 0 && s.id[at - 1] > id)
			{
				s.id[at] = s.id[at - 1];
				s.record[at] = s.record[at - 1];
				at--;
			}
			s.id[at] = id;
			s.record[at] = record;
		}
	}
	/* Fisher-Yates, then every row takes the values of the next one in that order: nobody keeps its own. */
	{
		uint32_t   *order = wf_alloc(host, s.n, sizeof(uint32_t));

		for (size_t i = 0; i < s.n; i++)
			order[i] = (uint32_t) i;
		for (size_t i = s.n; i > 1; i--)
		{
			uint32_t	j = wf_rng_below(wf_rng(fit->spec->seed, i), (uint32_t) i);
			uint32_t	t = order[i - 1];

			order[i - 1] = order[j];
			order[j] = t;
		}
		for (size_t i = 0; i < s.n; i++)
			s.partner[order[i]] = order[(i + 1) % s.n];
		wf_release(host, order);
	}
	return s;
}

/* Mean loss over the sample, features [first, first + count) taken from the partners. */
static double
sample_loss(const WfFit *fit, const void *opened, const WfOutputRule *rule, const Sample *s,
			uint32_t first, uint32_t count, uint8_t *row, double *raw, double *values)
{
	size_t		cell = fit->data->layout == WF_LAYOUT_VALUES ? sizeof(float) : 1;
	size_t		size = fit->data->layout == WF_LAYOUT_VALUES ? fit->data->d * sizeof(float) : fit->data->stride;
	double		sum = 0;

	for (size_t i = 0; i < s->n; i++)
	{
		memcpy(row, s->record[i], size);
		memcpy(row + first * cell, s->record[s->partner[i]] + first * cell, count * cell);
		fit->algorithm->score_row(opened, fit->data, row, s->id[i], raw);
		sum += row_loss(fit, rule, raw, s->id[i], values);
		if ((i & 255) == 0)
			fit->team->host->check(fit->team->host);
	}
	return s->n ? sum / (double) s->n : 0;
}

void
wf_fit_permutation(WfFit *fit, const void *opened, const WfOutputRule *rule,
				   const uint32_t *first_feature, const uint32_t *n_features,
				   uint32_t n_columns, double *column_loss)
{
	WfTeam	   *team = fit->team;
	WfHost	   *host = team->host;
	Sample		s = take_sample(fit);
	double	   *shared = wf_team_alloc(team, (size_t) n_columns + 1, sizeof(double));
	uint8_t    *row = wf_alloc(host, fit->data->stride + fit->data->d * sizeof(float), 1);
	double	   *raw = wf_alloc(host, (size_t) fit->n_outputs, sizeof(double));
	double	   *values = wf_alloc(host, (size_t) fit->n_classes + 1, sizeof(double));
	size_t		begin,
				end;

	/* The last entry is the loss with nothing exchanged. */
	wf_team_part(team, (size_t) n_columns + 1, &begin, &end);
	for (size_t c = begin; c < end; c++)
		shared[c] = sample_loss(fit, opened, rule, &s,
								c < n_columns ? first_feature[c] : 0,
								c < n_columns ? n_features[c] : 0, row, raw, values);
	wf_team_barrier(team);
	for (uint32_t c = 0; c < n_columns; c++)
	{
		if (s.n < 2)
			column_loss[c] = NAN;
		else if (fit->n_classes)
			column_loss[c] = shared[c] - shared[n_columns];
		else
			column_loss[c] = sqrt(shared[c]) - sqrt(shared[n_columns]);
	}
	wf_team_free(team, shared);
	wf_release(host, s.record);
	wf_release(host, s.id);
	wf_release(host, s.partner);
	wf_release(host, row);
	wf_release(host, raw);
	wf_release(host, values);
}

static void
count_bins(const WfFit *fit, uint32_t *out)
{
	const WfDataset *data = fit->data;
	WfHost	   *host = fit->team->host;
	uint32_t	(*count)[256] = wf_alloc_zero(host, data->d, sizeof(*count));

	for (uint32_t i = 0; i < data->n; i++)
	{
		const uint8_t *bins = wf_dataset_row(data, i);

		for (uint32_t f = 0; f < data->d; f++)
			count[f][bins[f]]++;
		if ((i & 4095) == 0)
			host->check(host);
	}
	for (uint32_t f = 0; f < data->d; f++)
	{
		uint32_t   *h = out + f * WIDTH;

		for (uint32_t b = 0; b < data->n_bins[f]; b++)
			h[b * WF_HISTOGRAM_GROUPS / data->n_bins[f]] += count[f][b];
		if (data->n_bins[f] <= WF_MISSING_BIN)
			h[WF_HISTOGRAM_GROUPS] = count[f][WF_MISSING_BIN];
		h[WF_HISTOGRAM_GROUPS + 1] = data->n;
	}
	wf_release(host, count);
}

/* The first rows in canonical order, which are drawn at random: enough to compare with. */
static void
count_values(const WfFit *fit, uint32_t *out)
{
	const WfDataset *data = fit->data;
	WfHost	   *host = fit->team->host;
	WfDriftGroups *groups = wf_alloc(host, data->d, sizeof(WfDriftGroups));
	uint32_t	rows = COUNTED_VALUES / data->d;
	uint32_t	checked = 0;

	rows = rows > COUNTED_ROWS ? COUNTED_ROWS : rows < COUNTED_ROWS_MIN ? COUNTED_ROWS_MIN : rows;
	rows = rows > data->n ? data->n : rows;
	for (uint32_t f = 0; f < data->d; f++)
		wf_drift_groups(&groups[f], data->cuts + data->first_cut[f], data->n_bins[f], data->is_category[f]);
	for (uint32_t i = 0; i < rows; i++)
	{
		const float *x = data->values + (size_t) i * data->d;

		for (uint32_t f = 0; f < data->d; f++)
			out[f * WIDTH + (size_t) wf_drift_group(&groups[f], x[f])]++;
		checked += data->d;
		if (checked > 100000)
		{
			host->check(host);
			checked = 0;
		}
	}
	for (uint32_t f = 0; f < data->d; f++)
		out[f * WIDTH + WF_HISTOGRAM_GROUPS + 1] = rows;
	wf_release(host, groups);
}

uint32_t *
wf_fit_histograms(WfFit *fit)
{
	uint32_t   *out = wf_alloc_zero(fit->team->host, wf_size_mul(fit->team->host, fit->data->d, WIDTH), sizeof(uint32_t));

	if (fit->data->layout == WF_LAYOUT_BINS)
		count_bins(fit, out);
	else
		count_values(fit, out);
	return out;
}

/*
 * AUC of a feature's bins for class 1, the better way round.  Missing is
 * lowest.  A category's levels are taken in order of their share of class 1,
 * which flatters rare levels; so only levels with several rows count for it.
 */
static double
bins_auc(uint32_t ones[256], uint32_t zeros[256], bool category)
{
	int			order[256];
	double		below = 0;
	double		pairs = 0;
	double		n1 = 0;
	double		n0 = 0;

	for (int b = 0; b < 256; b++)
	{
		order[b] = (b + 255) & 255;
		if (category && ones[b] + zeros[b] < 5)
			ones[b] = zeros[b] = 0;
	}
	if (category)
		for (int i = 1; i < 256; i++)
			for (int j = i; j > 0; j--)
			{
				int			a = order[j - 1];
				int			b = order[j];

				if ((uint64_t) ones[a] * (ones[b] + zeros[b]) <= (uint64_t) ones[b] * (ones[a] + zeros[a]))
					break;
				order[j - 1] = b;
				order[j] = a;
			}
	for (int i = 0; i < 256; i++)
	{
		int			b = order[i];

		pairs += ones[b] * (below + 0.5 * zeros[b]);
		below += zeros[b];
		n1 += ones[b];
		n0 += zeros[b];
	}
	if (n1 < 10 || n0 < 10)
		return 0.5;
	pairs /= n1 * n0;
	return pairs > 0.5 ? pairs : 1 - pairs;
}

int
wf_fit_leak(WfFit *fit, double *auc)
{
	const WfDataset *data = fit->data;
	uint32_t	n = data->n < LEAK_ROWS ? data->n : LEAK_ROWS;
	int			worst = -1;

	*auc = 0;
	if (fit->n_classes != 2 || data->layout != WF_LAYOUT_BINS || n < LEAK_MIN_ROWS)
		return -1;
	for (uint32_t f = 0; f < data->d; f++)
	{
		uint32_t	counts[2][256] = {{0}};
		double		a;

		for (uint32_t i = 0; i < n; i++)
			counts[data->label[i] != 0][wf_dataset_row(data, i)[f]]++;
		a = bins_auc(counts[1], counts[0], data->is_category[f] != 0);
		if (a > LEAK_AUC && a > *auc)
		{
			*auc = a;
			worst = (int) f;
		}
		fit->team->host->check(fit->team->host);
	}
	return worst;
}
