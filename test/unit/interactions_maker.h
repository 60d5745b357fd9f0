/*
 * Interactions made by rule, for the tests of the recommender: users of one
 * taste take items of one kind.
 */
#ifndef INTERACTIONS_MAKER_H
#define INTERACTIONS_MAKER_H

#include <stdio.h>
#include <string.h>

#include "core/interactions.h"
#include "core/rng.h"

typedef struct MadeRow
{
	uint32_t	user;
	uint32_t	item;
	double		rating;
	double		time;
} MadeRow;

/* Row k: one row in twenty repeats the one before. */
static inline MadeRow
made_row(uint32_t k, uint32_t n_users, uint32_t n_items)
{
	uint32_t	draw = k % 20 == 19 ? k - 1 : k;
	uint64_t	r = wf_rng(77, draw);
	uint32_t	user = wf_rng_below(wf_rng(r, 1), n_users);
	double		x = wf_rng_unit(wf_rng(r, 2));
	uint32_t	kind = user % 4;
	bool		own = wf_rng_unit(wf_rng(r, 3)) < 0.8;
	uint32_t	item = (uint32_t) (x * x * n_items);

	if (own && n_items >= 8)
		item = item / 4 * 4 + kind < n_items ? item / 4 * 4 + kind : kind;
	return (MadeRow) {user, item, (own ? 4 : 2) + (double) (k % 2) + 0.25 * (double) (item % 3), (double) (r % 1000)};
}

static inline void
add_made_row(WfInteractions *in, MadeRow row)
{
	char		user[32];
	char		item[32];

	snprintf(user, sizeof(user), "user %u", row.user * 7919 % 100003);
	snprintf(item, sizeof(item), "i%u", row.item * 31 % 10007);
	wf_interactions_add(in, user, strlen(user), item, strlen(item), row.rating, row.time);
}

/* All rows, in the order step, 2 step, … modulo n (step and n without a common divisor). */
static inline WfInteractions *
make_interactions(WfHost *host, uint32_t n, uint32_t n_users, uint32_t n_items,
				  bool with_rating, bool with_time, uint32_t step)
{
	WfInteractions *in = wf_interactions_create(host, with_rating, with_time);

	for (uint32_t k = 0; k < n; k++)
		add_made_row(in, made_row((uint32_t) ((uint64_t) k * step % n), n_users, n_items));
	return in;
}

#endif							/* INTERACTIONS_MAKER_H */
