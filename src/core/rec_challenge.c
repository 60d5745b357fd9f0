/*-------------------------------------------------------------------------
 * rec_challenge.c
 *	  Fresh pairs of user and item judge between two recommenders.
 *
 * What the champion does not know of is hidden from the challenger, and both
 * recommend to the users who have it.  The champion gets their histories as
 * they are now, for that is how it would be used.
 *-------------------------------------------------------------------------
 */
#include "core/challenge.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"
#include "core/recommending.h"
#include "core/rng.h"

#define JUDGE_SALT UINT64_C(0x6a75646770616972)
#define CHECK_EVERY 65536

static uint64_t
pair_key(const WfRec *rec, uint32_t user, uint32_t item)
{
	return wf_rng(wf_dict_hash(rec->data.users, rec->data.user_code[user]),
				  wf_dict_hash(rec->data.items, rec->data.item_code[item]));
}

void
wf_rec_see(WfRec *rec)
{
	const WfMatrix *m = &rec->data.matrix;
	WfHost	   *host = rec->team->host;

	wf_bytes_init(&rec->seen, host);
	wf_seen_begin(&rec->seen, m->n);
	for (uint32_t u = 0; u < m->n_rows; u++)
		for (uint64_t e = m->start[u]; e < m->start[u + 1]; e++)
		{
			wf_seen_add(&rec->seen, pair_key(rec, u, m->col[e]));
			if (e % CHECK_EVERY == 0)
				host->check(host);
		}
}

/* ---- judges ---- */

/* The time from which on half of the marked entries are; -infinity counts as a time. */
static double
median_time(WfRec *rec, uint64_t n)
{
	WfHost	   *host = rec->team->host;
	const double *time = rec->data.time;
	double		low = INFINITY;
	double		high = -INFINITY;

	for (uint64_t e = 0; e < rec->data.matrix.n; e++)
	{
		if (rec->side[e] && isfinite(time[e]))
		{
			low = fmin(low, time[e]);
			high = fmax(high, time[e]);
		}
		if (e % CHECK_EVERY == 0)
			host->check(host);
	}
	for (int step = 0; step < 64; step++)
	{
		double		middle = low + (high - low) / 2;
		uint64_t	later = 0;

		if (!(middle > low && middle < high))
			break;
		for (uint64_t e = 0; e < rec->data.matrix.n; e++)
		{
			later += rec->side[e] && time[e] >= middle;
			if (e % CHECK_EVERY == 0)
				host->check(host);
		}
		if (later * 2 >= n)
			low = middle;
		else
			high = middle;
	}
	return low;
}

uint64_t
wf_rec_hold_fresh(WfRec *rec, bool by_time)
{
	const WfMatrix *m = &rec->data.matrix;
	WfHost	   *host = rec->team->host;
	WfChallenge *c = rec->input->challenge;
	uint64_t	held = 0;
	double		from = 0;

	memset(c, 0, sizeof(*c));
	c->state = rec->input->champion->seen.n_blocks == 0 ? WF_CHALLENGE_NO_FILTER : WF_CHALLENGE_FEW_ROWS;
	for (uint32_t u = 0; u < m->n_rows; u++)
		for (uint64_t e = m->start[u]; e < m->start[u + 1]; e++)
		{
			rec->side[e] = !wf_seen_has(&rec->input->champion->seen, pair_key(rec, u, m->col[e]));
			c->n_fresh += rec->side[e];
			if (e % CHECK_EVERY == 0)
				host->check(host);
		}
	if (c->state != WF_CHALLENGE_NO_FILTER && c->n_fresh >= WF_CHALLENGE_ROWS)
	{
		c->state = WF_CHALLENGE_FEW_USERS;
		from = by_time ? median_time(rec, c->n_fresh) : 0;
	}
	for (uint32_t u = 0; u < m->n_rows; u++)
		for (uint64_t e = m->start[u]; e < m->start[u + 1]; e++)
		{
			bool		judges = rec->side[e] && c->state == WF_CHALLENGE_FEW_USERS &&
				(by_time ? rec->data.time[e] >= from : wf_rng(pair_key(rec, u, m->col[e]), JUDGE_SALT) >> 63);

			rec->side[e] = judges ? WF_SIDE_HELD : 0;
			held += judges;
			if (e % CHECK_EVERY == 0)
				host->check(host);
		}
	return held;
}

/* ---- what the champion finds ---- */

/* Its numbers of our items, and back. */
typedef struct Items
{
	uint32_t   *theirs;			/* by our number, or WF_CODE_MISSING */
	uint32_t   *ours;			/* by theirs */
	uint32_t	n_theirs;
} Items;

static uint32_t
champion_number(const WfIdMap *ids, const WfDict *dict, uint32_t code)
{
	size_t		length;
	const char *bytes = wf_dict_string(dict, code, &length);

	return wf_idmap_find(ids, bytes, length);
}

static Items
match_items(const WfRec *rec, const WfModel *champion)
{
	WfHost	   *host = rec->team->host;
	uint32_t	n = rec->data.n_items;
	Items		items = {.n_theirs = champion->ids[1].n};

	items.theirs = wf_alloc(host, n, sizeof(uint32_t));
	items.ours = wf_alloc(host, items.n_theirs, sizeof(uint32_t));
	memset(items.ours, 0xff, items.n_theirs * sizeof(uint32_t));
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	their = champion_number(&champion->ids[1], rec->data.items, rec->data.item_code[i]);

		items.theirs[i] = their;
		if (their != WF_CODE_MISSING)
			items.ours[their] = i;
		if (i % 4096 == 0)
			host->check(host);
	}
	return items;
}

/* NDCG of its recommendations to a user; wanted: zeros, by our items. */
static double
champion_ndcg(const WfRec *rec, const WfModel *champion, const Items *items, uint32_t user,
			  uint32_t *history, uint8_t *wanted)
{
	const WfMatrix *m = &rec->data.matrix;
	WfRecommendation found[WF_REC_TOP];
	WfRecommendQuery query = {
		.user = champion_number(&champion->ids[0], rec->data.users, rec->data.user_code[user]),
		.history = history,
		.exclude_seen = true,
	};
	double		ndcg = 0;
	double		ideal = 0;
	uint32_t	n_wanted = 0;
	uint32_t	n;

	for (uint64_t e = m->start[user]; e < m->start[user + 1]; e++)
		if (rec->side[e] == 0 && items->theirs[m->col[e]] != WF_CODE_MISSING)
			history[query.n_history++] = items->theirs[m->col[e]];
		else if (rec->side[e] && m->value[e] >= rec->liked)
		{
			wanted[m->col[e]] = 1;
			n_wanted++;
		}
	n = wf_recommend(rec->team->host, champion->opened, &query, WF_REC_TOP, found);
	for (uint32_t k = 0; k < n; k++)
	{
		uint32_t	item = found[k].item < items->n_theirs ? items->ours[found[k].item] : WF_CODE_MISSING;

		if (item != WF_CODE_MISSING && wanted[item])
			ndcg += wf_log(2) / wf_log(k + 2);
	}
	for (uint32_t k = 0; k < n_wanted && k < WF_REC_TOP; k++)
		ideal += wf_log(2) / wf_log(k + 2);
	for (uint64_t e = m->start[user]; e < m->start[user + 1]; e++)
		wanted[m->col[e]] = 0;
	return ideal > 0 ? ndcg / ideal : 0;
}

void
wf_rec_challenge(WfRec *rec, const WfRecAudience *audience)
{
	WfHost	   *host = rec->team->host;
	const WfModel *champion = rec->input->champion;
	WfChallenge *c = rec->input->challenge;
	WfJudges   *judges = &c->judges;
	Items		items;
	uint32_t   *history;
	uint8_t    *wanted;

	c->n_rarer = audience->n;
	if (audience->n < WF_CHALLENGE_USERS)
		return;
	items = match_items(rec, champion);
	history = wf_alloc(host, rec->data.n_items, sizeof(uint32_t));
	wanted = wf_alloc_zero(host, rec->data.n_items, 1);
	judges->n = audience->n;
	judges->weight = wf_alloc(host, judges->n, sizeof(double));
	judges->champion = wf_alloc(host, judges->n, sizeof(double));
	judges->challenger = wf_alloc(host, judges->n, sizeof(double));
	judges->order = wf_alloc(host, judges->n, sizeof(uint32_t));
	for (uint32_t k = 0; k < audience->n; k++)
	{
		judges->weight[k] = 1;
		judges->challenger[k] = rec->each[k];
		judges->champion[k] = champion_ndcg(rec, champion, &items, audience->user[k], history, wanted);
		/* users are numbered by their ids */
		judges->order[k] = k;
		host->check(host);
	}
	c->state = WF_CHALLENGE_JUDGED;
	wf_release(host, items.theirs);
	wf_release(host, items.ours);
	wf_release(host, history);
	wf_release(host, wanted);
}
