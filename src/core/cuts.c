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

/*
 * A sample in order, or nearly: groups of keys that differ below "fine" bits
 * only are put in order when they are first looked into.  Of many distinct
 * values cut points touch only a few.
 */
typedef struct Sorted
{
	Key		   *keys;
	size_t		n;
	uint32_t	least;
	int			fine;			/* bits of (key - least) that are not sorted by */
	/* the group that was looked into last */
	size_t		settled_begin;
	size_t		settled_end;
} Sorted;

/* Two passes from the lower digit on over the leading 22 bits of the range. */
static Sorted
sort_roughly(float *values, float *scratch, size_t n)
{
	uint32_t	low[DIGITS] = {0};
	uint32_t	high[DIGITS] = {0};
	uint32_t	least = UINT32_MAX,
				most = 0;
	uint32_t	low_sum = 0,
				high_sum = 0;
	int			fine = 0;
	Key		   *a = (Key *) values,
			   *b = (Key *) scratch;

	for (size_t i = 0; i < n; i++)
	{
		uint32_t	key = key_of(a[i]);

		a[i] = key;
		least = key < least ? key : least;
		most = key > most ? key : most;
	}
	while ((most - least) >> fine >> (2 * DIGIT_BITS))
		fine++;
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	key = (a[i] - least) >> fine;

		low[key & (DIGITS - 1)]++;
		high[key >> DIGIT_BITS]++;
	}
	for (int d = 0; d < DIGITS; d++)
	{
		uint32_t	n_low = low[d],
					n_high = high[d];

		low[d] = low_sum;
		high[d] = high_sum;
		low_sum += n_low;
		high_sum += n_high;
	}
	for (size_t i = 0; i < n; i++)
		b[low[((a[i] - least) >> fine) & (DIGITS - 1)]++] = a[i];
	for (size_t i = 0; i < n; i++)
		a[high[((b[i] - least) >> fine) >> DIGIT_BITS]++] = b[i];
	return (Sorted) {a, n, least, fine, 0, 0};
}

/* How far keys are equal in the bits from "fine" on: the first place after i, at most end, where they are not. */
static size_t
equal_end(const Sorted *s, size_t i, size_t end, int fine)
{
	uint32_t	same = (s->keys[i] - s->least) >> fine;
	size_t		step = 1;

	for (; i + step < end && (s->keys[i + step] - s->least) >> fine == same; step *= 2)
		i += step;
	for (; step; step /= 2)
		if (i + step < end && (s->keys[i + step] - s->least) >> fine == same)
			i += step;
	return i + 1;
}

/* The first place, not before begin, from which on they are. */
static size_t
equal_begin(const Sorted *s, size_t i, size_t begin, int fine)
{
	uint32_t	same = (s->keys[i] - s->least) >> fine;
	size_t		step = 1;

	for (; i >= begin + step && (s->keys[i - step] - s->least) >> fine == same; step *= 2)
		i -= step;
	for (; step; step /= 2)
		if (i >= begin + step && (s->keys[i - step] - s->least) >> fine == same)
			i -= step;
	return i;
}

/* Put the group around i in order. */
static void
settle(Sorted *s, size_t i)
{
	Key		   *group;
	size_t		size;
	bool		rising = true;

	if (i >= s->settled_begin && i < s->settled_end)
		return;
	s->settled_begin = equal_begin(s, i, 0, s->fine);
	s->settled_end = equal_end(s, i, s->n, s->fine);
	group = s->keys + s->settled_begin;
	size = s->settled_end - s->settled_begin;
	for (size_t k = 1; k < size && rising; k++)
		rising = group[k] >= group[k - 1];
	if (rising)
		return;
	if (size <= SMALL)
		insertion_sort(group, size);
	else
		flag_sort(group, size, 24);
}

/* The run of values equal to the one at i: [*begin, return). */
static size_t
run_of(Sorted *s, size_t i, size_t *begin)
{
	settle(s, i);
	if (begin)
		*begin = equal_begin(s, i, s->settled_begin, 0);
	return equal_end(s, i, s->settled_end, 0);
}

static float
value_at(Sorted *s, size_t i)
{
	uint32_t	bits;
	float		x;

	settle(s, i);
	bits = bits_of(s->keys[i]);
	memcpy(&x, &bits, sizeof(x));
	return x;
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

/* The cut before place i, where a run starts. */
static float
cut_before(Sorted *s, size_t i)
{
	float		a = value_at(s, i - 1);

	return between(a, value_at(s, i));
}

typedef struct Run
{
	size_t		begin;
	size_t		end;
} Run;

/* Runs of at least least_rows rows, in order; returns how many. */
static int
find_heavy(Sorted *s, size_t least_rows, Run *heavy)
{
	int			n_heavy = 0;

	/* A run that long and starting at e or later has a row at one of these places. */
	for (size_t at = least_rows - 1; at < s->n;)
	{
		Run			run;

		run.end = run_of(s, at, &run.begin);
		if (run.end - run.begin >= least_rows)
			heavy[n_heavy++] = run;
		at = run.end + least_rows - 1;
	}
	return n_heavy;
}

/*
 * Runs of at least n / max_bins rows get a bin of their own ("heavy"); the
 * others share what bins are left, each closed when it has its part of the
 * rows that are left.  Rows just before a heavy value that are too few for a
 * bin, less than half of one, go with it.
 */
static int
quantile_cuts(Sorted *s, int max_bins, float *cuts)
{
	Run			heavy[256];
	int			n_heavy = find_heavy(s, (s->n + (size_t) max_bins - 1) / (size_t) max_bins, heavy);
	size_t		bins = n_heavy < max_bins ? (size_t) (max_bins - n_heavy) : 1;
	size_t		light = s->n;	/* rows from "begin" on that are in no heavy run */
	size_t		begin = 0;		/* of the bin to be filled */
	int			n_cuts = 0;
	int			h = 0;

	for (int k = 0; k < n_heavy; k++)
		light -= heavy[k].end - heavy[k].begin;
	while (begin < s->n && n_cuts < max_bins - 1)
	{
		size_t		stop = h < n_heavy ? heavy[h].begin : s->n;
		size_t		rows = stop - begin;
		size_t		end = 0;	/* of the bin */

		/* The last bin for light rows takes what comes. */
		if (rows > 0 && bins > 1)
		{
			size_t		part = (light + bins - 1) / bins;

			if (part <= rows)
				end = run_of(s, begin + part - 1, NULL);
			else if (stop < s->n && 2 * rows * bins >= light)
				end = stop;
		}
		if (end)
		{
			light -= end - begin;
			bins--;
		}
		else if (h < n_heavy)
		{
			light -= rows;
			end = heavy[h++].end;
		}
		else
			break;
		if (end == s->n)
			break;
		cuts[n_cuts++] = cut_before(s, end);
		begin = end;
	}
	return n_cuts;
}

/* A cut between any two neighbours, or -1 when there are too many values. */
static int
all_cuts(Sorted *s, int max_bins, float *cuts)
{
	int			n_cuts = 0;

	for (size_t end = 0; s->n && (end = run_of(s, end, NULL)) < s->n;)
	{
		if (n_cuts == max_bins - 1)
			return -1;
		cuts[n_cuts++] = cut_before(s, end);
	}
	return n_cuts;
}

static int
cuts_of_sorted(Sorted *s, int max_bins, float *cuts)
{
	int			n_cuts = all_cuts(s, max_bins, cuts);

	return n_cuts >= 0 ? n_cuts : quantile_cuts(s, max_bins, cuts);
}

int
wf_cuts_find(float *values, size_t n, int max_bins, float *cuts)
{
	Key		   *keys = (Key *) values;
	Sorted		s = {keys, n, 0, 0, 0, n};
	int			n_cuts;

	for (size_t i = 0; i < n; i++)
		keys[i] = key_of(keys[i]);
	flag_sort(keys, n, 24);
	n_cuts = cuts_of_sorted(&s, max_bins, cuts);
	for (size_t i = 0; i < n; i++)
		keys[i] = bits_of(keys[i]);
	return n_cuts;
}

int
wf_cuts_find_with(float *values, float *scratch, size_t n, int max_bins, float *cuts)
{
	Sorted		s;

	if (n < DIGITS)
		return wf_cuts_find(values, n, max_bins, cuts);
	s = sort_roughly(values, scratch, n);
	return cuts_of_sorted(&s, max_bins, cuts);
}
