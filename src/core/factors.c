/*-------------------------------------------------------------------------
 * factors.c
 *	  Factor models of implicit feedback: one row, defaults, bytes, scores.
 *-------------------------------------------------------------------------
 */
#include "core/factors.h"

#include <math.h>
#include <string.h>

#include "core/factors_row.h"
#include "core/mathx.h"

#define MAGIC "FACTORS1"
/* Folding in starts from nothing and must end where training would. */
#define FOLD_IN_SWEEPS 200
#define CHECK_EVERY 65536

typedef struct Header
{
	char		magic[8];
	uint32_t	kind;
	uint32_t	n_users;
	uint32_t	n_items;
	uint32_t	k;
	double		unseen;
	double		regularization;
	double		reserved[3];
} Header;

_Static_assert(sizeof(Header) == 64, "the vectors after the header stay aligned");

float
wf_factors_weight(float value)
{
	double		v = (double) value;

	if (!(v > 0))
		return 0;
	return v <= 1 ? value : (float) (1 + wf_log(v));
}

void
wf_factors_default(WfFactorKind kind, int candidate, WfFactorSpec *spec)
{
	static const double numbers[WF_FACTORS_CANDIDATES][2] =
	{{0.1, 0.03}, {0.1, 0.05}, {0.3, 0.02}, {0.05, 0.05}, {0.03, 0.1}};

	spec->kind = kind;
	spec->k = 20;
	spec->iterations = 0;
	spec->unseen = numbers[candidate][0];
	spec->regularization = numbers[candidate][1];
}

/* ---- one row ---- */

/* Plain factorisation: every cell weighs 1 and aims at its value. */
static bool
row_is_plain(const WfFactorRow *row)
{
	return row->kind == WF_FACTORS_NMF && row->unseen >= 1;
}

void
wf_factor_row_begin(const WfFactorRow *row, WfNormal *s)
{
	wf_normal_begin(s, row->gram, row->unseen);
}

void
wf_factor_row_add(const WfFactorRow *row, WfNormal *s, const uint32_t *col, const float *value, size_t n)
{
	bool		plain = row_is_plain(row);

	for (size_t e = 0; e < n; e++)
	{
		float		weight = plain ? 1 : wf_factors_weight(value[e]);
		float	   *x = wf_normal_next(s, (float) ((double) weight - row->unseen), plain ? value[e] : weight);

		memcpy(x, row->other + (size_t) col[e] * s->stride, s->stride * sizeof(float));
	}
}

void
wf_factor_row_solve(const WfFactorRow *row, WfNormal *s, uint64_t n, float *vector)
{
	double		unseen = row->unseen * ((double) row->n_other - (double) n);
	double		ridge = row->regularization * ((double) n + (unseen > 0 ? unseen : 0));

	if (row->kind == WF_FACTORS_NMF)
		wf_normal_descend(s, ridge, row->sweeps, vector);
	else
		wf_normal_solve(s, ridge, vector);
}

/* ---- bytes ---- */

size_t
wf_factors_stored_bytes(uint32_t n_users, uint32_t n_items, int k)
{
	return sizeof(Header) + 128 + (size_t) k * (size_t) k * sizeof(double) +
		((size_t) n_users + n_items) * wf_normal_stride((uint32_t) k) * sizeof(float);
}

void
wf_factors_write(const WfFactors *f, WfBytes *out)
{
	Header		h = {.kind = f->kind, .n_users = f->n_users, .n_items = f->n_items, .k = f->k,
	.unseen = f->unseen, .regularization = f->regularization};
	size_t		row = f->stride * sizeof(float);

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	wf_bytes_align(out, 64);
	wf_bytes_append(out, &h, sizeof(h));
	wf_bytes_append(out, f->gram, (size_t) f->k * f->k * sizeof(double));
	wf_bytes_align(out, 64);
	wf_bytes_append(out, f->item, f->n_items * row);
	wf_bytes_append(out, f->user, f->n_users * row);
	wf_bytes_align(out, 64);
}

static bool
all_finite(WfHost *host, const float *x, size_t n, float lowest)
{
	for (size_t i = 0; i < n; i++)
	{
		if (!isfinite(x[i]) || x[i] < lowest)
			return false;
		if (i % CHECK_EVERY == 0)
			host->check(host);
	}
	return true;
}

bool
wf_factors_open(WfHost *host, const void *bytes, size_t length, WfFactors *f)
{
	const Header *h = bytes;
	size_t		gram;
	size_t		rows;
	uint32_t	stride;

	if (length < sizeof(*h) || memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0 ||
		h->kind > WF_FACTORS_NMF || h->k < 1 || h->k > WF_FACTORS_MAX ||
		!(h->unseen >= 0 && h->unseen <= 1) || !(h->regularization >= 0 && isfinite(h->regularization)))
		return false;
	stride = wf_normal_stride(h->k);
	gram = ((size_t) h->k * h->k * sizeof(double) + 63) & ~(size_t) 63;
	rows = (size_t) h->n_users + h->n_items;
	if (length - sizeof(*h) < gram || (length - sizeof(*h) - gram) / (stride * sizeof(float)) < rows)
		return false;
	*f = (WfFactors) {.kind = (WfFactorKind) h->kind, .n_users = h->n_users, .n_items = h->n_items, .k = h->k,
			.stride = stride, .unseen = h->unseen, .regularization = h->regularization};
	f->gram = (const double *) (h + 1);
	f->item = (const float *) ((const char *) (h + 1) + gram);
	f->user = f->item + (size_t) h->n_items * stride;
	for (size_t i = 0; i < (size_t) h->k * h->k; i++)
		if (!isfinite(f->gram[i]))
			return false;
	return all_finite(host, f->item, rows * stride, h->kind == WF_FACTORS_NMF ? 0 : -HUGE_VALF);
}

/* ---- use ---- */

size_t
wf_factors_scratch(const WfFactors *f)
{
	return wf_normal_bytes(f->k);
}

void
wf_factors_fold_in(const WfFactors *f, const uint32_t *items, const float *values, size_t n,
				   void *scratch, float *vector)
{
	WfFactorRow row = {f->kind, f->unseen, f->regularization, f->n_items, f->item, f->gram, FOLD_IN_SWEEPS};
	WfNormal	s;

	memset(vector, 0, f->stride * sizeof(float));
	if (n == 0)
		return;
	wf_normal_init(&s, f->k, scratch);
	wf_factor_row_begin(&row, &s);
	wf_factor_row_add(&row, &s, items, values, n);
	wf_factor_row_solve(&row, &s, n, vector);
}

void
wf_factors_score(const WfFactors *f, const float *vector, uint32_t begin, uint32_t end, float *score)
{
	for (uint32_t i = begin; i < end; i++)
	{
		const float *item = f->item + (size_t) i * f->stride;
		float		sum[8] = {0};

		for (uint32_t j = 0; j < f->stride; j += 8)
			for (uint32_t l = 0; l < 8; l++)
				sum[l] += vector[j + l] * item[j + l];
		score[i - begin] = ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
	}
}
