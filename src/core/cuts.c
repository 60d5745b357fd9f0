/*-------------------------------------------------------------------------
 * cuts.c
 *	  Cut points of a number feature from a sample of its values.
 *
 * Values are sorted as integers that order like floats.  Where every
 * distinct value can have a bin of its own, it has; else bins take about
 * equal numbers of rows, and a value too frequent for that keeps a bin for
 * itself.
 *-------------------------------------------------------------------------
 */
#include "core/cuts.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/dataset.h"

/* Floats seen as integers; the compiler is told that they share memory. */
typedef uint32_t __attribute__((may_alias)) Key;

#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)
#define SMALL 32				/* insertion sort up to here */

/* Floats to keys whose integer order is that of the floats; -0 is 0. */
static inline uint32_t
key_of(uint32_t bits)
{
	bits = bits == UINT32_C(0x80000000) ? 0 : bits;
	return bits ^ ((0 - (bits >> 31)) | UINT32_C(0x80000000));
}

static inline uint32_t
bits_of(uint32_t key)
{
	return key ^ (((key >> 31) - 1) | UINT32_C(0x80000000));
}

/* ---- sorting ---- */

/* Least digit first, three passes; the result lies in values. */
static void
sort_with(float *values, float *scratch, size_t n)
{
	uint32_t	at[3][DIGITS];
	Key		   *from = (Key *) values,
			   *to = (Key *) scratch;

	memset(at, 0, sizeof(at));
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	key = key_of(from[i]);

		from[i] = key;
		at[0][key & (DIGITS - 1)]++;
		at[1][(key >> DIGIT_BITS) & (DIGITS - 1)]++;
		at[2][key >> (2 * DIGIT_BITS)]++;
	}
	for (int p = 0; p < 3; p++)
	{
		uint32_t	sum = 0;
		Key		   *swap = from;

		for (int d = 0; d < DIGITS; d++)
		{
			uint32_t	count = at[p][d];

			at[p][d] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
		{
			uint32_t	key = from[i];
			uint32_t	place = at[p][(key >> (p * DIGIT_BITS)) & (DIGITS - 1)]++;

			to[place] = p == 2 ? bits_of(key) : key;
		}
		from = to;
		to = swap;
	}
	memcpy(values, scratch, n * sizeof(float));
}

static void
insertion_sort(Key *a, size_t n)
{
	for (size_t i = 1; i < n; i++)
	{
		uint32_t	v = a[i];
		size_t		j = i;

		for (; j > 0 && a[j - 1] > v; j--)
			a[j] = a[j - 1];
		a[j] = v;
	}
}

/*
 * Highest digit first, in place (American flag sort; McIlroy, Bostic,
 * McIlroy 1993).  Calls itself at most three deep.
 */
static void
flag_sort(Key *a, size_t n, int shift)
{
	size_t		next[256];
	size_t		end[256] = {0};
	size_t		sum = 0;

	for (size_t i = 0; i < n; i++)
		end[(a[i] >> shift) & 255]++;
	for (int d = 0; d < 256; d++)
	{
		next[d] = sum;
		sum += end[d];
		end[d] = sum;
	}
	for (int d = 0; d < 256; d++)
		while (next[d] < end[d])
		{
			uint32_t	v = a[next[d]];
			int			home;

			while ((home = (v >> shift) & 255) != d)
			{
				uint32_t	other = a[next[home]];

				a[next[home]++] = v;
				v = other;
			}
			a[next[d]++] = v;
		}
	if (shift == 0)
		return;
	for (int d = 0; d < 256; d++)
	{
		size_t		begin = d ? end[d - 1] : 0;

		if (end[d] - begin <= SMALL)
			insertion_sort(a + begin, end[d] - begin);
		else
			flag_sort(a + begin, end[d] - begin, shift - 8);
	}
}

static void
sort_in_place(float *values, size_t n)
{
	Key		   *keys = (Key *) values;

	for (size_t i = 0; i < n; i++)
		keys[i] = key_of(keys[i]);
	flag_sort(keys, n, 24);
	for (size_t i = 0; i < n; i++)
		keys[i] = bits_of(keys[i]);
}

/* ---- cutting ---- */

/* A float m with a <= m < b, finite when there is one. */
static float
between(float a, float b)
{
	float		m;

	if (isinf(a) && isinf(b))
		return 0;
	if (isinf(a))
		return b > -FLT_MAX ? -FLT_MAX : a;
	if (isinf(b))
		return FLT_MAX;
	m = (float) ((double) a * 0.5 + (double) b * 0.5);
	return m >= a && m < b ? m : a;
}

/* End of the run of equal values that starts at i. */
static inline size_t
run_end(const float *v, size_t n, size_t i)
{
	size_t		j = i + 1;

	while (j < n && v[j] == v[i])
		j++;
	return j;
}

/*
 * Runs of at least n / max_bins rows get a bin of their own ("heavy"); the
 * others share what bins are left, each closed when it has its part of the
 * rows that are left.  Rows just before a heavy value that are too few for a
 * bin go with it.
 */
static int
quantile_cuts(const float *v, size_t n, int max_bins, float *cuts)
{
	size_t		light = n;		/* rows in runs that are not heavy */
	size_t		bins;			/* for them; the last one needs no cut */
	size_t		in_bin = 0;		/* light rows in the bin now filled */
	size_t		end;
	int			n_cuts = 0;
	int			n_heavy = 0;

	for (size_t i = 0; i < n; i = end)
	{
		end = run_end(v, n, i);
		if ((end - i) * (size_t) max_bins >= n)
		{
			light -= end - i;
			n_heavy++;
		}
	}
	bins = n_heavy < max_bins ? (size_t) (max_bins - n_heavy) : 1;
	for (size_t i = 0; i < n && n_cuts < max_bins - 1; i = end)
	{
		size_t		next_end;
		bool		close;

		end = run_end(v, n, i);
		if (end == n)
			break;
		if ((end - i) * (size_t) max_bins >= n)
		{
			cuts[n_cuts++] = between(v[i], v[end]);
			light -= in_bin;
			in_bin = 0;
			continue;
		}
		in_bin += end - i;
		if (bins <= 1)
			continue;
		close = in_bin * bins >= light;
		if (!close && 2 * in_bin * bins >= light)
		{
			next_end = run_end(v, n, end);
			close = (next_end - end) * (size_t) max_bins >= n;
		}
		if (close)
		{
			cuts[n_cuts++] = between(v[i], v[end]);
			light -= in_bin;
			in_bin = 0;
			bins--;
		}
	}
	return n_cuts;
}

/* A cut between any two neighbours, or -1 when there are too many values. */
static int
all_cuts(const float *v, size_t n, int max_bins, float *cuts)
{
	int			n_cuts = 0;

	for (size_t i = 1; i < n; i++)
		if (v[i] != v[i - 1])
		{
			if (n_cuts == max_bins - 1)
				return -1;
			cuts[n_cuts++] = between(v[i - 1], v[i]);
		}
	return n_cuts;
}

static int
cuts_of_sorted(const float *v, size_t n, int max_bins, float *cuts)
{
	int			n_cuts = all_cuts(v, n, max_bins, cuts);

	return n_cuts >= 0 ? n_cuts : quantile_cuts(v, n, max_bins, cuts);
}

int
wf_cuts_find(float *values, size_t n, int max_bins, float *cuts)
{
	sort_in_place(values, n);
	return cuts_of_sorted(values, n, max_bins, cuts);
}

int
wf_cuts_find_with(float *values, float *scratch, size_t n, int max_bins, float *cuts)
{
	if (n < DIGITS)
		sort_in_place(values, n);
	else
		sort_with(values, scratch, n);
	return cuts_of_sorted(values, n, max_bins, cuts);
}
