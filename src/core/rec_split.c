/*-------------------------------------------------------------------------
 * rec_split.c
 *	  Which interactions train, choose and report; and the matrices of them.
 *
 * Assignments are by hash of the ids, so that they survive growth of the
 * table; rank 0 makes them, for they are one linear pass.
 *-------------------------------------------------------------------------
 */
#include "core/recommending.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

#define CHECK_EVERY 65536

/* Keys of the hashes, so that one draw tells nothing about another. */
#define KEY_HOLD 0x686f6c64
#define KEY_HIDE 0x68696465
#define KEY_USER 0x75736572
#define KEY_CAP 0x63617073

/* Users whose entries are hidden to choose by. */
#define MAX_INNER_USERS 5000

/* Histories are sampled when all pairs together are more than this. */
#define MAX_PAIRS 3e8

static uint64_t
user_hash(const WfRec *rec, uint32_t user)
{
	return wf_dict_hash(rec->data.users, rec->data.user_code[user]);
}

static uint64_t
pair_hash(const WfRec *rec, uint64_t key, uint32_t user, uint32_t item)
{
	uint64_t	ids = wf_rng(user_hash(rec, user), wf_dict_hash(rec->data.items, rec->data.item_code[item]));

	return wf_rng(wf_rng(rec->seed, key), ids);
}

/* x[k] if x were sorted, rising; x is shuffled.  Quickselect with drawn pivots. */
static uint64_t
select_key(WfHost *host, uint64_t *x, size_t n, size_t k)
{
	size_t		begin = 0;
	size_t		end = n;
	uint64_t	draw = n;

	while (end - begin > 1)
	{
		uint64_t	pivot = x[begin + (size_t) ((draw = wf_mix(draw)) % (end - begin))];
		size_t		less = begin;
		size_t		at = begin;
		size_t		more = end;

		/* three parts: less, equal, more */
		while (at < more)
		{
			uint64_t	v = x[at];

			if (v < pivot)
			{
				x[at++] = x[less];
				x[less++] = v;
			}
			else if (v > pivot)
			{
				x[at] = x[--more];
				x[more] = v;
			}
			else
				at++;
			if ((at + more) % CHECK_EVERY == 0)
				host->check(host);
		}
		if (k < less)
			end = less;
		else if (k >= more)
			begin = more;
		else
			return pivot;
	}
	return x[begin];
}

/* An order of doubles as unsigned numbers. */
static uint64_t
time_key(double t)
{
	uint64_t	bits;

	memcpy(&bits, &t, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* The latest share of entries, among equal times by hash.  Returns how many. */
static uint64_t
hold_latest(WfRec *rec, double share)
{
	WfHost	   *host = rec->team->host;
	const WfMatrix *m = &rec->data.matrix;
	uint64_t	n = m->n;
	uint64_t	target = (uint64_t) (share * (double) n);
	uint64_t   *key;
	uint64_t	cut;
	uint64_t	n_later = 0;
	uint64_t	n_at = 0;
	uint64_t	hash_cut;

	if (target == 0)
		return 0;
	key = wf_alloc(host, n, sizeof(uint64_t));
	for (uint64_t e = 0; e < n; e++)
	{
		if (e % CHECK_EVERY == 0)
			host->check(host);
		key[e] = time_key(rec->data.time[e]);
	}
	cut = select_key(host, key, n, n - target);
	for (uint32_t u = 0; u < m->n_rows; u++)
		for (uint64_t e = m->start[u]; e < m->start[u + 1]; e++)
		{
			uint64_t	k = time_key(rec->data.time[e]);

			if (e % CHECK_EVERY == 0)
				host->check(host);
			rec->side[e] = k > cut ? WF_SIDE_HELD : 0;
			n_later += k > cut;
			if (k == cut)
				key[n_at++] = pair_hash(rec, KEY_HOLD, u, m->col[e]);
		}
	/* at least one entry lies at the cut and is taken */
	hash_cut = select_key(host, key, n_at, target - n_later - 1);
	wf_release(host, key);
	n_later = 0;
	for (uint32_t u = 0; u < m->n_rows; u++)
		for (uint64_t e = m->start[u]; e < m->start[u + 1]; e++)
		{
			if (e % CHECK_EVERY == 0)
				host->check(host);
			if (time_key(rec->data.time[e]) == cut && pair_hash(rec, KEY_HOLD, u, m->col[e]) <= hash_cut)
				rec->side[e] = WF_SIDE_HELD;
			n_later += rec->side[e] == WF_SIDE_HELD;
		}
	return n_later;
}

static uint64_t
hold_random(WfRec *rec, double share)
{
	const WfMatrix *m = &rec->data.matrix;
	uint64_t	held = 0;

	for (uint32_t u = 0; u < m->n_rows; u++)
		for (uint64_t e = m->start[u]; e < m->start[u + 1]; e++)
		{
			if (e % CHECK_EVERY == 0)
				rec->team->host->check(rec->team->host);
			if (wf_rng_unit(pair_hash(rec, KEY_HOLD, u, m->col[e])) < share)
			{
				rec->side[e] = WF_SIDE_HELD;
				held++;
			}
		}
	return held;
}

bool
wf_rec_hold_out(WfRec *rec, const char **split)
{
	const WfSpec *spec = rec->spec;
	bool		by_time = spec->validation == WF_VALIDATE_TIME ||
		(rec->data.time && !wf_spec_value(spec, "validation")->by_user);
	uint64_t	held = 0;

	bool		fresh;

	if (rec->team->rank == 0 && rec->input->champion)
		held = wf_rec_hold_fresh(rec, by_time);
	fresh = held > 0;
	wf_team_broadcast(rec->team, &fresh, sizeof(fresh));
	*split = fresh ? "fresh" : by_time ? "time" : "holdout";
	if (rec->team->rank == 0 && !fresh && spec->validation != WF_VALIDATE_NONE)
		held = by_time ? hold_latest(rec, spec->test_fraction) : hold_random(rec, spec->test_fraction);
	wf_team_broadcast(rec->team, &held, sizeof(held));
	return held > 0 && held < rec->data.matrix.n;
}

/* ---- audiences ---- */

/*
 * Users that qualify, at most about max of them by hash; rank 0 fills list,
 * which has room for all users.
 */
static uint32_t
pick_users(WfRec *rec, bool (*qualifies) (const WfRec *rec, uint32_t user, int side), int side,
		   uint64_t key, uint32_t max, uint32_t *list)
{
	WfHost	   *host = rec->team->host;
	uint32_t	n = 0;
	uint32_t	kept = 0;
	uint64_t   *hash;
	uint64_t	cut;

	for (uint32_t u = 0; u < rec->data.n_users; u++)
	{
		if (u % 4096 == 0)
			host->check(host);
		if (qualifies(rec, u, side))
			list[n++] = u;
	}
	if (n <= max)
		return n;
	hash = wf_alloc(host, n, sizeof(uint64_t));
	for (uint32_t k = 0; k < n; k++)
		hash[k] = wf_rng(wf_rng(rec->seed, key), user_hash(rec, list[k]));
	cut = select_key(host, hash, n, max - 1);
	wf_release(host, hash);
	for (uint32_t k = 0; k < n && kept < max; k++)
		if (wf_rng(wf_rng(rec->seed, key), user_hash(rec, list[k])) <= cut)
			list[kept++] = list[k];
	return kept;
}

/* Collective: rank 0's list becomes everybody's. */
static void
share_users(WfRec *rec, const uint32_t *list, uint32_t n, int side, WfRecAudience *audience)
{
	wf_team_broadcast(rec->team, &n, sizeof(n));
	audience->n = n;
	audience->side = side;
	audience->user = wf_team_alloc(rec->team, n, sizeof(uint32_t));
	if (rec->team->rank == 0 && n)
		memcpy(audience->user, list, n * sizeof(uint32_t));
	wf_team_barrier(rec->team);
}

static bool
is_liked(const WfRec *rec, uint64_t e)
{
	return rec->data.matrix.value[e] >= rec->liked;
}

/* Something liked on that side, and a history on none. */
static bool
can_be_scored(const WfRec *rec, uint32_t user, int side)
{
	const WfMatrix *m = &rec->data.matrix;
	bool		wanted = false;
	bool		history = false;

	for (uint64_t e = m->start[user]; e < m->start[user + 1]; e++)
	{
		wanted |= (rec->side[e] & side) && is_liked(rec, e);
		history |= rec->side[e] == 0;
	}
	return wanted && history;
}

void
wf_rec_audience(WfRec *rec, int side, uint32_t max, WfRecAudience *audience)
{
	uint32_t   *list = NULL;
	uint32_t	n = 0;

	if (rec->team->rank == 0)
	{
		list = wf_alloc(rec->team->host, rec->data.n_users, sizeof(uint32_t));
		n = pick_users(rec, can_be_scored, side, KEY_USER, max, list);
	}
	share_users(rec, list, n, side, audience);
	wf_release(rec->team->host, list);
}

uint8_t *
wf_rec_rows_wanted(WfRec *rec, const WfRecStage *stage, const WfRecAudience *audience)
{
	const WfMatrix *m = &stage->m;
	uint8_t    *wanted = wf_team_alloc(rec->team, m->n_cols, 1);

	if (rec->team->rank == 0)
		for (uint32_t k = 0; k < audience->n; k++)
		{
			for (uint64_t e = m->start[audience->user[k]]; e < m->start[audience->user[k] + 1]; e++)
				wanted[m->col[e]] = 1;
			if (k % 64 == 0)
				rec->team->host->check(rec->team->host);
		}
	wf_team_barrier(rec->team);
	return wanted;
}

void
wf_rec_audience_free(WfRec *rec, WfRecAudience *audience)
{
	if (audience->user)
		wf_team_free(rec->team, audience->user);
	memset(audience, 0, sizeof(*audience));
}

/* Is the entry hidden in that fold, if its user is picked? */
static bool
hides(const WfRec *rec, uint32_t user, uint64_t e, int fold)
{
	uint64_t	hash = pair_hash(rec, KEY_HIDE, user, rec->data.matrix.col[e]);

	return !(rec->side[e] & WF_SIDE_HELD) && wf_rng_below(hash, WF_REC_FOLDS) == (uint32_t) fold;
}

/* Would the fold hide something liked, and leave a history? */
static bool
can_hide(const WfRec *rec, uint32_t user, int fold)
{
	const WfMatrix *m = &rec->data.matrix;
	bool		wanted = false;
	bool		history = false;

	for (uint64_t e = m->start[user]; e < m->start[user + 1]; e++)
	{
		if (hides(rec, user, e, fold))
			wanted |= is_liked(rec, e);
		else
			history |= !(rec->side[e] & WF_SIDE_HELD);
		if (wanted && history)
			return true;
	}
	return false;
}

void
wf_rec_hide(WfRec *rec, int fold, WfRecAudience *audience)
{
	const WfMatrix *m = &rec->data.matrix;
	uint32_t   *list = NULL;
	uint32_t	n = 0;

	if (rec->team->rank == 0)
	{
		list = wf_alloc(rec->team->host, rec->data.n_users, sizeof(uint32_t));
		n = pick_users(rec, can_hide, fold, KEY_HIDE, MAX_INNER_USERS, list);
		for (uint32_t k = 0; k < n; k++)
		{
			for (uint64_t e = m->start[list[k]]; e < m->start[list[k] + 1]; e++)
				if (hides(rec, list[k], e, fold))
					rec->side[e] |= WF_SIDE_HIDDEN;
			if (k % 64 == 0)
				rec->team->host->check(rec->team->host);
		}
	}
	share_users(rec, list, n, WF_SIDE_HIDDEN, audience);
	wf_release(rec->team->host, list);
}

void
wf_rec_show(WfRec *rec, WfRecAudience *audience)
{
	const WfMatrix *m = &rec->data.matrix;

	if (rec->team->rank == 0)
		for (uint32_t k = 0; k < audience->n; k++)
			for (uint64_t e = m->start[audience->user[k]]; e < m->start[audience->user[k] + 1]; e++)
				rec->side[e] &= (uint8_t) ~WF_SIDE_HIDDEN;
	wf_team_barrier(rec->team);
	wf_rec_audience_free(rec, audience);
}

void
wf_rec_show_all(WfRec *rec)
{
	if (rec->team->rank == 0)
		memset(rec->side, 0, rec->data.matrix.n);
	wf_team_barrier(rec->team);
}

/* ---- stages ---- */

/* Collective: the entries on none of the mask's sides. */
static void
filter_matrix(WfRec *rec, int mask, WfMatrix *out)
{
	WfHost	   *host = rec->team->host;
	const WfMatrix *m = &rec->data.matrix;
	uint64_t	n = 0;

	if (rec->team->rank == 0)
		for (uint64_t e = 0; e < m->n; e++)
		{
			if (e % CHECK_EVERY == 0)
				host->check(host);
			n += (rec->side[e] & mask) == 0;
		}
	wf_team_broadcast(rec->team, &n, sizeof(n));
	wf_matrix_create(rec->team, out, m->n_rows, m->n_cols, n);
	if (rec->team->rank == 0)
	{
		uint64_t	to = 0;

		for (uint32_t u = 0; u < m->n_rows; u++)
		{
			for (uint64_t e = m->start[u]; e < m->start[u + 1]; e++)
			{
				if (e % CHECK_EVERY == 0)
					host->check(host);
				if (rec->side[e] & mask)
					continue;
				out->col[to] = m->col[e];
				out->value[to++] = m->value[e];
			}
			out->start[u + 1] = to;
		}
	}
	wf_team_barrier(rec->team);
}

/* The entries of a long row that stay: the cap smallest by hash. */
static uint64_t
row_cut(WfRec *rec, const WfMatrix *m, uint32_t u, uint32_t cap, uint64_t *key)
{
	uint64_t	n = wf_matrix_row_length(m, u);

	for (uint64_t k = 0; k < n; k++)
	{
		if ((k + 1) % CHECK_EVERY == 0)
			rec->team->host->check(rec->team->host);
		key[k] = pair_hash(rec, KEY_CAP, u, m->col[m->start[u] + k]);
	}
	return select_key(rec->team->host, key, n, cap - 1);
}

/* Collective: rows of at most cap entries. */
static void
cap_matrix(WfRec *rec, const WfMatrix *m, uint32_t cap, WfMatrix *out)
{
	WfHost	   *host = rec->team->host;
	uint64_t	n = 0;
	uint64_t	longest = 0;

	for (uint32_t u = 0; u < m->n_rows; u++)
	{
		uint64_t	length = wf_matrix_row_length(m, u);

		n += length < cap ? length : cap;
		longest = length > longest ? length : longest;
		if ((u + 1) % CHECK_EVERY == 0)
			host->check(host);
	}
	wf_matrix_create(rec->team, out, m->n_rows, m->n_cols, n);
	if (rec->team->rank == 0)
	{
		uint64_t   *key = wf_alloc(host, longest, sizeof(uint64_t));
		uint64_t	to = 0;

		for (uint32_t u = 0; u < m->n_rows; u++)
		{
			bool		all = wf_matrix_row_length(m, u) <= cap;
			uint64_t	cut = all ? 0 : row_cut(rec, m, u, cap, key);
			uint64_t	end = all ? UINT64_MAX : to + cap;

			for (uint64_t e = m->start[u]; e < m->start[u + 1] && to < end; e++)
			{
				if (e % CHECK_EVERY == 0)
					host->check(host);
				if (!all && pair_hash(rec, KEY_CAP, u, m->col[e]) > cut)
					continue;
				out->col[to] = m->col[e];
				out->value[to++] = m->value[e];
			}
			out->start[u + 1] = to;
		}
		wf_release(host, key);
	}
	wf_team_barrier(rec->team);
}

/* Items by falling support, ties by number; rank 0. */
static void
rank_by_support(WfHost *host, const uint32_t *support, uint32_t n, uint32_t n_users, uint32_t *popular)
{
	uint32_t   *place = wf_alloc_zero(host, (size_t) n_users + 2, sizeof(uint32_t));

	for (uint32_t i = 0; i < n; i++)
	{
		place[n_users - support[i] + 1]++;
		if ((i + 1) % CHECK_EVERY == 0)
			host->check(host);
	}
	for (uint32_t s = 0; s <= n_users; s++)
	{
		place[s + 1] += place[s];
		if ((s + 1) % CHECK_EVERY == 0)
			host->check(host);
	}
	for (uint32_t i = 0; i < n; i++)
	{
		popular[place[n_users - support[i]]++] = i;
		if ((i + 1) % CHECK_EVERY == 0)
			host->check(host);
	}
	wf_release(host, place);
}

void
wf_rec_stage(WfRec *rec, int mask, WfRecStage *stage)
{
	WfTeam	   *team = rec->team;
	uint32_t	cap = (uint32_t) wf_spec_number(rec->spec, "max_history");
	uint32_t	n_items = rec->data.n_items;
	double		pairs = 0;

	memset(stage, 0, sizeof(*stage));
	stage->own_m = mask != 0;
	if (mask)
		filter_matrix(rec, mask, &stage->m);
	else
		stage->m = rec->data.matrix;
	for (uint32_t u = 0; u < stage->m.n_rows; u++)
	{
		double		length = (double) wf_matrix_row_length(&stage->m, u);

		pairs += length * length;
		if ((u + 1) % CHECK_EVERY == 0)
			team->host->check(team->host);
	}
	stage->own_pairs = pairs > MAX_PAIRS;
	if (stage->own_pairs)
		cap_matrix(rec, &stage->m, cap, &stage->pairs);
	else
		stage->pairs = stage->m;
	wf_matrix_transpose(team, &stage->pairs, &stage->t);
	stage->support = wf_team_alloc(team, n_items, sizeof(uint32_t));
	stage->popular = wf_team_alloc(team, n_items, sizeof(uint32_t));
	if (team->rank == 0)
	{
		for (uint64_t e = 0; e < stage->m.n; e++)
		{
			if (e % CHECK_EVERY == 0)
				team->host->check(team->host);
			stage->support[stage->m.col[e]]++;
		}
		rank_by_support(team->host, stage->support, n_items, rec->data.n_users, stage->popular);
	}
	wf_team_barrier(team);
}

void
wf_rec_stage_free_pairs(WfRec *rec, WfRecStage *stage)
{
	wf_matrix_free(rec->team, &stage->t);
	if (stage->own_pairs)
		wf_matrix_free(rec->team, &stage->pairs);
	stage->own_pairs = false;
}

void
wf_rec_stage_free(WfRec *rec, WfRecStage *stage)
{
	WfTeam	   *team = rec->team;

	wf_team_free(team, stage->popular);
	wf_team_free(team, stage->support);
	wf_rec_stage_free_pairs(rec, stage);
	if (stage->own_m)
		wf_matrix_free(team, &stage->m);
	memset(stage, 0, sizeof(*stage));
}
