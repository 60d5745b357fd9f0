/*-------------------------------------------------------------------------
 * profile.c
 *	  What a look at the columns tells before anything is trained.
 *
 * Distinct numbers: a set of up to WF_PROFILE_EXACT values, then a sketch
 * (HyperLogLog, Flajolet, Fusy, Gandouet and Meunier 2007).  Leaks: the rows
 * of smallest hash are kept as plain columns and each is scored alone.
 *-------------------------------------------------------------------------
 */
#include "core/profile.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"
#include "core/metric.h"
#include "core/rng.h"
#include "core/sample.h"

#define SET_PLACES (2 * WF_PROFILE_EXACT)
#define SKETCH_BITS 11
#define SKETCH_SIZE (1u << SKETCH_BITS)
#define MIN_ROWS 50

typedef struct Counter
{
	uint32_t	n;				/* in the set */
	bool		sketching;
	uint32_t   *set;			/* bits of the values, open addressing */
	uint8_t    *used;
	uint8_t    *sketch;
} Counter;

/* ---- distinct values ---- */

static void
sketch_add(Counter *counter, uint32_t bits)
{
	uint64_t	h = wf_mix((uint64_t) bits + UINT64_C(0x9e3779b97f4a7c15));
	uint32_t	at = (uint32_t) (h >> (64 - SKETCH_BITS));
	uint64_t	rest = h << SKETCH_BITS;
	uint8_t		rank = 1;

	while (rank <= 64 - SKETCH_BITS && (rest & (UINT64_C(1) << 63)) == 0)
	{
		rest <<= 1;
		rank++;
	}
	if (rank > counter->sketch[at])
		counter->sketch[at] = rank;
}

static void
counter_add(Counter *counter, float value)
{
	float		plain = value == 0 ? 0.0f : value;	/* -0 is 0 */
	uint32_t	bits;
	uint32_t	at;

	memcpy(&bits, &plain, sizeof(bits));
	if (counter->sketching)
	{
		sketch_add(counter, bits);
		return;
	}
	for (at = (uint32_t) wf_mix(bits) & (SET_PLACES - 1); counter->used[at]; at = (at + 1) & (SET_PLACES - 1))
		if (counter->set[at] == bits)
			return;
	if (counter->n == WF_PROFILE_EXACT)
	{
		counter->sketching = true;
		for (uint32_t i = 0; i < SET_PLACES; i++)
			if (counter->used[i])
				sketch_add(counter, counter->set[i]);
		sketch_add(counter, bits);
		return;
	}
	counter->used[at] = 1;
	counter->set[at] = bits;
	counter->n++;
}

/* Beyond WF_PROFILE_EXACT no register stays empty: the small-range correction is for fewer values. */
static uint64_t
counter_count(const Counter *counter)
{
	double		sum = 0;
	double		alpha = 0.7213 / (1 + 1.079 / SKETCH_SIZE);
	double		estimate;
	uint32_t	empty = 0;

	if (!counter->sketching)
		return counter->n;
	for (uint32_t i = 0; i < SKETCH_SIZE; i++)
	{
		sum += ldexp(1.0, -(int) counter->sketch[i]);
		empty += counter->sketch[i] == 0;
	}
	estimate = alpha * SKETCH_SIZE * (double) SKETCH_SIZE / sum;
	if (estimate <= 2.5 * SKETCH_SIZE && empty > 0)
		estimate = SKETCH_SIZE * wf_log((double) SKETCH_SIZE / empty);
	return estimate <= WF_PROFILE_EXACT ? WF_PROFILE_EXACT + 1 : (uint64_t) (estimate + 0.5);
}

static bool
is_number(const WfColumn *column)
{
	return column->kind == WF_COL_NUMBER || column->kind == WF_COL_BOOLEAN;
}

static void
count_numbers(WfHost *host, const WfSchema *schema, WfFrame *frame, WfProfile *profiles)
{
	Counter    *counters = wf_alloc_zero(host, (size_t) schema->n_columns + 1, sizeof(Counter));
	WfFrameScan scan;
	uint32_t	n;

	for (int c = 0; c < schema->n_columns; c++)
		if (is_number(&schema->columns[c]))
		{
			counters[c].set = wf_alloc(host, SET_PLACES, sizeof(uint32_t));
			counters[c].used = wf_alloc_zero(host, SET_PLACES, 1);
			counters[c].sketch = wf_alloc_zero(host, SKETCH_SIZE, 1);
		}
	wf_frame_scan_begin(frame, &scan);
	while ((n = wf_frame_scan_next(&scan)) > 0)
		for (int c = 0; c < schema->n_columns; c++)
		{
			const WfColumn *column = &schema->columns[c];

			if (!is_number(column) || column->n_cells == 0)
				continue;
			for (uint32_t i = 0; i < n; i++)
			{
				float		value = scan.cells[column->first_cell][i].number;

				if (!isnan(value))
					counter_add(&counters[c], value);
			}
			host->check(host);
		}
	wf_frame_scan_end(&scan);
	for (int c = 0; c < schema->n_columns; c++)
	{
		const WfColumn *column = &schema->columns[c];

		profiles[c].exact = true;
		if (is_number(column))
		{
			profiles[c].distinct = counter_count(&counters[c]);
			profiles[c].exact = !counters[c].sketching;
			wf_release(host, counters[c].set);
			wf_release(host, counters[c].used);
			wf_release(host, counters[c].sketch);
		}
		else if (column->dict)
		{
			profiles[c].distinct = wf_dict_size(column->dict);
			profiles[c].exact = !wf_dict_overflowed(column->dict);
		}
	}
	wf_release(host, counters);
}

/* ---- leaks ---- */

typedef struct Sample
{
	uint32_t	n;
	WfCell	   *cells;			/* cell by cell, n each */
	uint8_t    *positive;
	double	   *score;
	uint64_t   *tally;			/* by level: rows of class 1, rows */
	uint32_t	tally_size;
} Sample;

/* The rows of smallest hash, column by column. */
static void
take_sample(WfHost *host, WfFrame *frame, const uint16_t *class_of_code, Sample *s)
{
	WfFrame    *drawn = wf_frame_sample(host, frame, WF_PROFILE_ROWS);
	WfFrameScan scan;
	uint32_t	n;

	s->n = (uint32_t) wf_frame_n_rows(drawn);
	s->cells = wf_alloc(host, wf_size_mul(host, (size_t) wf_frame_n_cells(drawn) + 1, s->n), sizeof(WfCell));
	s->positive = wf_alloc(host, (size_t) s->n + 1, 1);
	s->score = wf_alloc(host, (size_t) s->n + 1, sizeof(double));
	for (uint32_t i = 0; i < s->n; i++)
		s->positive[i] = class_of_code[(uint32_t) wf_frame_target(drawn, i)] == 1;
	wf_frame_scan_begin(drawn, &scan);
	while ((n = wf_frame_scan_next(&scan)) > 0)
	{
		for (int c = 0; c < wf_frame_n_cells(drawn); c++)
			memcpy(s->cells + (size_t) c * s->n + scan.first_row, scan.cells[c], n * sizeof(WfCell));
		host->check(host);
	}
	wf_frame_scan_end(&scan);
	wf_frame_destroy(drawn);
}

static double
both_ways(double auc)
{
	return auc < 0.5 ? 1 - auc : auc;
}

static double
number_auc(WfHost *host, Sample *s, int cell)
{
	const WfCell *cells = s->cells + (size_t) cell * s->n;

	for (uint32_t i = 0; i < s->n; i++)
		s->score[i] = isnan(cells[i].number) ? -INFINITY : (double) cells[i].number;
	return both_ways(wf_auc(host, s->positive, s->score, NULL, s->n));
}

/*
 * A level's score is its rate of class 1 among the other rows of the sample,
 * so that levels with one row each do not look like a leak.
 */
static double
category_auc(WfHost *host, Sample *s, const WfColumn *column)
{
	const WfCell *cells = s->cells + (size_t) column->first_cell * s->n;
	uint32_t	n_levels = wf_dict_size(column->dict) + 1;
	uint64_t	all = 0;
	double		rate;

	if (n_levels > s->tally_size)
	{
		wf_release(host, s->tally);
		s->tally = wf_alloc(host, n_levels, 2 * sizeof(uint64_t));
		s->tally_size = n_levels;
	}
	memset(s->tally, 0, n_levels * 2 * sizeof(uint64_t));
	for (uint32_t i = 0; i < s->n; i++)
	{
		uint32_t	level = cells[i].code == WF_CODE_MISSING ? n_levels - 1 : cells[i].code;

		s->tally[2 * (size_t) level] += s->positive[i];
		s->tally[2 * (size_t) level + 1]++;
		all += s->positive[i];
	}
	rate = (double) all / s->n;
	for (uint32_t i = 0; i < s->n; i++)
	{
		uint32_t	level = cells[i].code == WF_CODE_MISSING ? n_levels - 1 : cells[i].code;

		s->score[i] = ((double) (s->tally[2 * (size_t) level] - s->positive[i]) + rate) /
			(double) s->tally[2 * (size_t) level + 1];
	}
	/* Leaving the row itself out bends the order of levels that say nothing below chance. */
	rate = wf_auc(host, s->positive, s->score, NULL, s->n);
	return rate < 0.5 ? 0.5 : rate;
}

static double
column_auc(WfHost *host, Sample *s, const WfColumn *column)
{
	double		best = NAN;

	if (column->kind == WF_COL_TAGS || s->n < MIN_ROWS)
		return NAN;
	if (column->kind == WF_COL_CATEGORY)
		return category_auc(host, s, column);
	for (int c = 0; c < column->n_cells; c++)
	{
		double		auc = number_auc(host, s, column->first_cell + c);

		if (!isnan(auc) && !(best >= auc))
			best = auc;
		host->check(host);
	}
	return best;
}

static void
find_leaks(WfHost *host, const WfSchema *schema, WfFrame *frame,
		   const uint16_t *class_of_code, WfProfile *profiles)
{
	Sample		s = {0};

	take_sample(host, frame, class_of_code, &s);
	for (int c = 0; c < schema->n_columns; c++)
	{
		profiles[c].auc = column_auc(host, &s, &schema->columns[c]);
		host->check(host);
	}
	wf_release(host, s.cells);
	wf_release(host, s.positive);
	wf_release(host, s.score);
	wf_release(host, s.tally);
}

WfProfile *
wf_profile(WfHost *host, const WfSchema *schema, WfFrame *frame,
		   const uint16_t *class_of_code, int n_classes)
{
	WfProfile  *profiles = wf_alloc_zero(host, (size_t) schema->n_columns + 1, sizeof(WfProfile));

	for (int c = 0; c < schema->n_columns; c++)
		profiles[c].auc = NAN;
	count_numbers(host, schema, frame, profiles);
	if (n_classes == 2 && class_of_code)
		find_leaks(host, schema, frame, class_of_code, profiles);
	return profiles;
}
