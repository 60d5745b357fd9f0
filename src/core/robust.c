/*-------------------------------------------------------------------------
 * robust.c
 *	  Medians and interquartile ranges by group.
 *-------------------------------------------------------------------------
 */
#include "core/robust.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/smallsort.h"

#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)
#define PASSES 3
#define SMALL 2048				/* up to here three tables of digits would cost more than a heap */
#define CHECK_EVERY 262144

/* ---- sorting ---- */

void
wf_sort_keys(WfHost *host, uint32_t *keys, uint32_t *scratch, size_t n)
{
	size_t		start[PASSES][DIGITS];
	uint32_t   *from = keys;
	uint32_t   *to = scratch;

	if (n <= SMALL)
	{
		wf_small_sort(keys, n);
		return;
	}
	memset(start, 0, sizeof(start));
	for (size_t i = 0; i < n; i++)
	{
		for (int p = 0; p < PASSES; p++)
			start[p][keys[i] >> (p * DIGIT_BITS) & (DIGITS - 1)]++;
		if (i % CHECK_EVERY == 0)
			host->check(host);
	}
	for (int p = 0; p < PASSES; p++)
	{
		int			shift = p * DIGIT_BITS;
		size_t		sum = 0;
		uint32_t   *t;

		for (int d = 0; d < DIGITS; d++)
		{
			size_t		count = start[p][d];

			start[p][d] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
		{
			to[start[p][from[i] >> shift & (DIGITS - 1)]++] = from[i];
			if (i % CHECK_EVERY == 0)
				host->check(host);
		}
		t = from;
		from = to;
		to = t;
	}
	/* An odd number of passes ends in scratch. */
	for (size_t i = 0; i < n; i += CHECK_EVERY)
	{
		memcpy(keys + i, scratch + i, (n - i < CHECK_EVERY ? n - i : CHECK_EVERY) * sizeof(uint32_t));
		host->check(host);
	}
}

uint32_t
wf_float_key(float x)
{
	uint32_t	bits;

	x = x > FLT_MAX ? FLT_MAX : x < -FLT_MAX ? -FLT_MAX : x == 0 ? 0.0f : x;
	memcpy(&bits, &x, sizeof(bits));
	return bits ^ ((0 - (bits >> 31)) | UINT32_C(0x80000000));
}

float
wf_key_float(uint32_t key)
{
	uint32_t	bits = key ^ (((key >> 31) - 1) | UINT32_C(0x80000000));
	float		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

double
wf_sorted_quantile(double (*value) (const void *arg, size_t i), const void *arg, size_t n, double p)
{
	double		at = p * (double) (n - 1);
	size_t		below = (size_t) at;
	double		low;

	if (below + 1 >= n)
		return value(arg, n - 1);
	low = value(arg, below);
	return low + (value(arg, below + 1) - low) * (at - (double) below);
}

/* ---- scales ---- */

typedef struct Scaler
{
	WfTeam	   *team;
	WfHost	   *host;
	const WfDataset *data;
	uint32_t	group;
	uint32_t	n_groups;
	const uint32_t *features;
	uint32_t	n_features;
	WfScale    *scales;
	/* shared: row ids by group, and where each group starts; the last one: rows without */
	uint32_t   *order;
	uint32_t   *start;
	/* this member's */
	uint32_t   *keys;
	uint32_t   *scratch;
	size_t		capacity;
} Scaler;

static double
key_value(const void *arg, size_t i)
{
	return wf_key_float(((const uint32_t *) arg)[i]);
}

static float
clamp(double x)
{
	return (float) (x > FLT_MAX ? FLT_MAX : x < -FLT_MAX ? -FLT_MAX : x);
}

/* False: no value to tell. */
static bool
scale_of_keys(Scaler *s, size_t n, WfScale *scale)
{
	double		range;

	if (n == 0)
		return false;
	wf_sort_keys(s->host, s->keys, s->scratch, n);
	range = wf_sorted_quantile(key_value, s->keys, n, 0.75) - wf_sorted_quantile(key_value, s->keys, n, 0.25);
	scale->centre = clamp(wf_sorted_quantile(key_value, s->keys, n, 0.5));
	scale->inverse = range > 0 ? clamp(1 / range) : 1;
	/* A range near the largest float leaves a number too small for one. */
	if (scale->inverse < FLT_MIN)
		scale->inverse = FLT_MIN;
	return true;
}

static uint32_t
group_of(const Scaler *s, uint32_t row)
{
	float		g = s->data->values[(size_t) row * s->data->d + s->group];

	return g >= 0 && g < (float) s->n_groups ? (uint32_t) g : s->n_groups;
}

static void
sort_by_group(Scaler *s)
{
	uint32_t	n = s->data->n;
	uint32_t	sum = 0;

	for (uint32_t r = 0; r < n; r++)
	{
		s->start[group_of(s, r) + 1]++;
		if (r % 65536 == 0)
			s->host->check(s->host);
	}
	for (uint32_t g = 0; g <= s->n_groups; g++)
	{
		uint32_t	count = s->start[g + 1];

		s->start[g + 1] = sum;
		sum += count;
	}
	/* start[g + 1] is where the next row of g goes, and at the end where g ends. */
	for (uint32_t r = 0; r < n; r++)
	{
		s->order[s->start[group_of(s, r) + 1]++] = r;
		if (r % 65536 == 0)
			s->host->check(s->host);
	}
}

/* Keys of the present values of feature f in rows [begin, end) of the order. */
static size_t
take_keys(Scaler *s, uint32_t f, uint32_t begin, uint32_t end)
{
	size_t		n = 0;

	for (uint32_t i = begin; i < end; i++)
	{
		float		x = s->data->values[(size_t) s->order[i] * s->data->d + f];

		s->keys[n] = wf_float_key(x);
		n += !isnan(x);
		if (i % 65536 == 0)
			s->host->check(s->host);
	}
	return n;
}

static void
reserve(Scaler *s, size_t n)
{
	if (n <= s->capacity)
		return;
	wf_release(s->host, s->keys);
	wf_release(s->host, s->scratch);
	s->keys = NULL;
	s->scratch = NULL;
	s->keys = wf_alloc(s->host, n, sizeof(uint32_t));
	s->scratch = wf_alloc(s->host, n, sizeof(uint32_t));
	s->capacity = n;
}

/* One feature over all rows. */
static void
scale_all(Scaler *s, uint32_t j)
{
	WfScale    *scale = &s->scales[(size_t) s->n_groups * s->n_features + j];

	reserve(s, s->data->n);
	if (!scale_of_keys(s, take_keys(s, s->features[j], 0, s->data->n), scale))
		*scale = (WfScale) {0, 1};
}

/* All features of a group, after those of all rows. */
static void
scale_group(Scaler *s, uint32_t g)
{
	uint32_t	begin = s->start[g];
	uint32_t	end = s->start[g + 1];
	WfScale    *scale = &s->scales[(size_t) g * s->n_features];
	const WfScale *all = &s->scales[(size_t) s->n_groups * s->n_features];

	reserve(s, (size_t) (end - begin) + 1);
	for (uint32_t j = 0; j < s->n_features; j++)
	{
		if (end - begin < WF_ROBUST_ROWS)
			scale[j] = all[j];
		else if (!scale_of_keys(s, take_keys(s, s->features[j], begin, end), &scale[j]))
			scale[j] = (WfScale) {all[j].centre, -all[j].inverse};
	}
	s->host->check(s->host);
}

void
wf_robust_scales(WfTeam *team, const WfDataset *data, uint32_t group, uint32_t n_groups,
				 const uint32_t *features, uint32_t n_features, WfScale *scales)
{
	Scaler		s = {.team = team, .host = team->host, .data = data, .group = group, .n_groups = n_groups,
	.features = features, .n_features = n_features, .scales = scales};
	uint64_t	item;

	s.order = wf_team_alloc(team, data->n, sizeof(uint32_t));
	s.start = wf_team_alloc(team, (size_t) n_groups + 2, sizeof(uint32_t));
	if (team->rank == 0)
		sort_by_group(&s);
	wf_team_restart(team);
	while ((item = wf_team_next(team)) < n_features)
		scale_all(&s, (uint32_t) item);
	wf_team_restart(team);
	while ((item = wf_team_next(team)) < n_groups)
		scale_group(&s, (uint32_t) item);
	wf_team_barrier(team);
	wf_release(s.host, s.keys);
	wf_release(s.host, s.scratch);
	wf_team_free(team, s.start);
	wf_team_free(team, s.order);
}
