/*-------------------------------------------------------------------------
 * validate.c
 *	  Folds by hash, by group, by time.
 *
 * A "unit" is what must not be torn apart: equal rows, or the rows of one
 * group.  Units are known by a key, a mixed hash: rows stand in order of
 * their plain hash, so that alone would cut the table in two.  A unit's fold
 * follows from its key; only where a side would be empty a unit is moved, the
 * one with the smallest or largest key, so that the choice is the same in
 * any order of rows.
 *-------------------------------------------------------------------------
 */
#include "core/validate.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

#define ALWAYS_TRAINING 255
/* Not the seed: training again with another seed is measured on the same rows. */
#define FOLD_SALT UINT64_C(0x77666d6c666f6c64)
#define CHECK_ROWS 65536

static const char hint_none[] = "Set \"validation\" to \"none\", or give more rows.";

typedef struct Folds
{
	WfHost	   *host;
	const WfSpec *spec;
	const WfDataset *data;
	const uint64_t *group;		/* units are groups; NULL: equal rows */
	uint8_t    *fold;
	int			n_folds;
} Folds;

static inline uint64_t
unit_key(const Folds *s, uint32_t row)
{
	return wf_rng(s->group ? s->group[row] : s->data->hash[row], FOLD_SALT);
}

/* Regression counts as one class. */
static inline int
class_of(const Folds *s, uint32_t row)
{
	return s->data->label ? s->data->label[row] : 0;
}

static inline int
class_count(const Folds *s)
{
	return s->data->label ? s->data->n_classes : 1;
}

static inline void
look_at_host(const Folds *s, uint32_t row)
{
	if (row % CHECK_ROWS == 0)
		s->host->check(s->host);
}

static void
fail_small(const Folds *s)
{
	s->host->fail(s->host, WF_E_DATA, hint_none,
				  "too few different rows to hold some out for validation");
}

/* Extremes of the keys of some rows. */
typedef struct KeyRange
{
	uint64_t	least;
	uint64_t	most;
	uint64_t	rows;
} KeyRange;

static void
range_clear(KeyRange *r, int n)
{
	for (int i = 0; i < n; i++)
		r[i] = (KeyRange) {UINT64_MAX, 0, 0};
}

static inline void
range_add(KeyRange *r, uint64_t key)
{
	if (key < r->least)
		r->least = key;
	if (key > r->most)
		r->most = key;
	r->rows++;
}

/* Put every row of a unit into a fold. */
static void
move_unit(const Folds *s, uint64_t key, int fold)
{
	for (uint32_t i = 0; i < s->data->n; i++)
	{
		look_at_host(s, i);
		if (unit_key(s, i) == key)
			s->fold[i] = (uint8_t) fold;
	}
}

/* ---- one part held out ---- */

typedef struct ClassSides
{
	KeyRange	all;
	uint64_t	units;
	bool		in_test;
	bool		in_training;
} ClassSides;

static void
hold_out(const Folds *s)
{
	const WfDataset *data = s->data;
	int			n_classes = class_count(s);
	ClassSides *sides = wf_alloc_zero(s->host, (size_t) n_classes, sizeof(ClassSides));
	uint64_t	threshold = (uint64_t) (s->spec->test_fraction * 0x1p64);
	bool		any_test = false;
	KeyRange	movable;

	for (int c = 0; c < n_classes; c++)
		range_clear(&sides[c].all, 1);
	for (uint32_t i = 0; i < data->n; i++)
	{
		ClassSides *side = &sides[class_of(s, i)];
		uint64_t	key = unit_key(s, i);

		look_at_host(s, i);
		range_add(&side->all, key);
		/* equal rows are neighbours and of one class */
		side->units += i == 0 || data->hash[i] != data->hash[i - 1];
		s->fold[i] = key < threshold ? 0 : ALWAYS_TRAINING;
		if (key < threshold)
			side->in_test = true;
		else
			side->in_training = true;
	}

	range_clear(&movable, 1);
	for (int c = 0; c < n_classes; c++)
	{
		ClassSides *side = &sides[c];

		if (side->units == 0)
			continue;
		if (!side->in_training)
		{
			move_unit(s, side->all.most, ALWAYS_TRAINING);
			side->in_test = side->units > 1;
		}
		else if (!side->in_test && side->units > 1)
		{
			/* a class that should have a row there gets one */
			if ((double) side->units * s->spec->test_fraction >= 1)
			{
				move_unit(s, side->all.least, 0);
				side->in_test = true;
			}
			else
				range_add(&movable, side->all.least);
		}
		any_test |= side->in_test;
	}
	if (!any_test && movable.rows == 0)
		fail_small(s);
	if (!any_test)
		move_unit(s, movable.least, 0);
	wf_release(s->host, sides);
}

/* ---- folds ---- */

/*
 * Every class must be in the training part of every fold: a class of one unit
 * is never held out, and the units of a class must not share one fold.
 */
static void
spread_classes(const Folds *s)
{
	int			n_classes = class_count(s);
	KeyRange   *range = wf_alloc(s->host, (size_t) n_classes, sizeof(KeyRange));
	int		   *only_fold = wf_alloc(s->host, (size_t) n_classes, sizeof(int));

	range_clear(range, n_classes);
	for (int c = 0; c < n_classes; c++)
		only_fold[c] = -1;
	for (uint32_t i = 0; i < s->data->n; i++)
	{
		int			c = class_of(s, i);

		look_at_host(s, i);
		range_add(&range[c], unit_key(s, i));
		if (only_fold[c] == -1)
			only_fold[c] = s->fold[i];
		else if (only_fold[c] != s->fold[i])
			only_fold[c] = -2;
	}
	for (int c = 0; c < n_classes; c++)
		if (only_fold[c] >= 0 && range[c].least == range[c].most)
			move_unit(s, range[c].least, ALWAYS_TRAINING);
		else if (only_fold[c] >= 0)
			move_unit(s, range[c].least, (only_fold[c] + 1) % s->n_folds);
	wf_release(s->host, range);
	wf_release(s->host, only_fold);
}

/*
 * No fold may be empty: take a unit from the fullest fold that has two.  When
 * there are fewer units than folds, there are as many folds as units.
 */
static void
fill_folds(Folds *s)
{
	KeyRange	range[ALWAYS_TRAINING + 1];
	uint8_t		number[ALWAYS_TRAINING + 1];
	int			used = 0;

	for (;;)
	{
		int			empty = -1;
		int			donor = -1;

		range_clear(range, s->n_folds);
		for (uint32_t i = 0; i < s->data->n; i++)
		{
			look_at_host(s, i);
			if (s->fold[i] != ALWAYS_TRAINING)
				range_add(&range[s->fold[i]], unit_key(s, i));
		}
		for (int f = s->n_folds - 1; f >= 0; f--)
			if (range[f].rows == 0)
				empty = f;
			else if (range[f].least != range[f].most &&
					 (donor < 0 || range[f].rows >= range[donor].rows))
				donor = f;
		if (empty < 0 || donor < 0)
			break;
		move_unit(s, range[donor].least, empty);
	}

	for (int f = 0; f < s->n_folds; f++)
	{
		number[f] = (uint8_t) used;
		used += range[f].rows > 0;
	}
	number[ALWAYS_TRAINING] = ALWAYS_TRAINING;
	if (used < 2)
	{
		if (s->group)
			s->host->fail(s->host, WF_E_DATA, "Choose another \"group_column\" or another \"validation\".",
						  "validation \"group\" needs at least two groups");
		fail_small(s);
	}
	if (used < s->n_folds)
	{
		s->host->notice(s->host, "validation has %d folds instead of %d, because there are only so many %s",
						used, s->n_folds, s->group ? "groups" : "different rows");
		for (uint32_t i = 0; i < s->data->n; i++)
			s->fold[i] = number[s->fold[i]];
		s->n_folds = used;
	}
}

static void
cross_validate(Folds *s)
{
	for (uint32_t i = 0; i < s->data->n; i++)
	{
		look_at_host(s, i);
		s->fold[i] = (uint8_t) wf_rng_below(unit_key(s, i), (uint32_t) s->n_folds);
	}
	if (s->group == NULL && s->data->label)
		spread_classes(s);
	fill_folds(s);
}

/* ---- the latest rows ---- */

/* Doubles as integers in rising order; NaN (no time) first. */
static uint64_t
time_key(double t)
{
	uint64_t	bits;

	if (isnan(t))
		return 0;
	t += 0.0;
	memcpy(&bits, &t, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* The rank-th smallest key (from 0), found digit by digit from the top. */
static uint64_t
select_time(const Folds *s, const double *time, uint64_t rank)
{
	uint64_t	prefix = 0;
	uint64_t	mask = 0;

	for (int shift = 56; shift >= 0; shift -= 8)
	{
		uint64_t	count[256] = {0};
		int			digit = 0;

		for (uint32_t i = 0; i < s->data->n; i++)
		{
			uint64_t	key = time_key(time[i]);

			look_at_host(s, i);
			if ((key & mask) == prefix)
				count[key >> shift & 255]++;
		}
		while (rank >= count[digit])
			rank -= count[digit++];
		prefix |= (uint64_t) digit << shift;
		mask |= UINT64_C(255) << shift;
	}
	return prefix;
}

/* Rows of one time stay together: the cut is on the side that is nearer to the wanted share. */
static void
hold_out_latest(const Folds *s, const double *time)
{
	uint32_t	n = s->data->n;
	uint32_t	wanted = (uint32_t) (s->spec->test_fraction * n + 0.5);
	uint64_t	cut;
	uint32_t	later = 0;
	uint32_t	same = 0;
	bool		with_same;

	if (n < 2)
		fail_small(s);
	if (wanted < 1)
		wanted = 1;
	if (wanted > n - 1)
		wanted = n - 1;
	cut = select_time(s, time, n - wanted);
	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t	key = time_key(time[i]);

		later += key > cut;
		same += key == cut;
	}
	if (same == n)
		s->host->fail(s->host, WF_E_DATA, "Choose another \"time_column\" or another \"validation\".",
					  "all rows have the same time, so none is the latest");
	if (later == 0)
		with_same = true;
	else if (later + same == n)
		with_same = false;
	else
		with_same = later + same - wanted <= wanted - later;
	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t	key = time_key(time[i]);

		look_at_host(s, i);
		s->fold[i] = key > cut || (with_same && key == cut) ? 0 : ALWAYS_TRAINING;
	}
}

/* Is every class, and any row, in the training part of every fold? */
static void
check_training_parts(const Folds *s)
{
	int			n_classes = class_count(s);
	size_t		row = (size_t) s->n_folds + 1;
	uint32_t   *count = wf_alloc_zero(s->host, (size_t) n_classes * row, sizeof(uint32_t));

	for (uint32_t i = 0; i < s->data->n; i++)
	{
		uint32_t   *c = count + (size_t) class_of(s, i) * row;

		c[s->n_folds]++;
		if (s->fold[i] != ALWAYS_TRAINING)
			c[s->fold[i]]++;
	}
	for (int c = 0; c < n_classes; c++)
		for (int f = 0; f < s->n_folds; f++)
			if (count[c * row + f] > 0 && count[c * row + f] == count[c * row + s->n_folds])
			{
				if (s->data->label == NULL)
					fail_small(s);
				s->host->fail(s->host, WF_E_DATA, "Set \"validation\" to \"holdout\" or \"none\".",
							  "a class with %u rows is only among the rows held out by validation \"%s\"",
							  count[c * row + f],
							  s->spec->validation == WF_VALIDATE_TIME ? "time" :
							  s->spec->validation == WF_VALIDATE_FRESH ? "fresh" : s->group ? "group" : "cv");
			}
	wf_release(s->host, count);
}

void
wf_validate_folds(WfHost *host, const WfSpec *spec, const WfDataset *data,
				  const uint64_t *group, const double *time,
				  uint8_t *fold, int *n_folds)
{
	Folds		s = {host, spec, data, NULL, fold, 1};

	switch (spec->validation)
	{
		case WF_VALIDATE_FRESH:
			for (uint32_t i = 0; i < data->n; i++)
				fold[i] = data->mark[i] ? 0 : ALWAYS_TRAINING;
			break;
		case WF_VALIDATE_NONE:
			memset(fold, ALWAYS_TRAINING, data->n);
			*n_folds = 0;
			return;
		case WF_VALIDATE_HOLDOUT:
			hold_out(&s);
			break;
		case WF_VALIDATE_TIME:
			hold_out_latest(&s, time);
			break;
		case WF_VALIDATE_GROUP:
			s.group = group;
			/* FALLTHROUGH */
		case WF_VALIDATE_CV:
			s.n_folds = spec->folds;
			cross_validate(&s);
			break;
	}
	check_training_parts(&s);
	*n_folds = s.n_folds;
}
