/*-------------------------------------------------------------------------
 * rec_score.c
 *	  How good are the rankings of what was trained?
 *
 * For each user of the audience the items not in his training history are
 * ranked as wf_recommend() would, and the first ten compared with what he
 * really took.  Gains are binary; the ideal ranking has everything wanted
 * first.  Users' figures are kept one by one and added up in order.
 *-------------------------------------------------------------------------
 */
#include "core/recommending.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"

typedef struct UserScores
{
	double		ndcg;
	double		precision;
	double		recall;
	double		map;
	double		hit;
} UserScores;

typedef struct Scoring
{
	WfRec	   *rec;
	const WfRecStage *stage;
	const WfRecAudience *audience;
	const WfRecTrained *trained;
	UserScores *user;			/* shared, by place in the audience */
	uint8_t    *shown;			/* shared, by item */
	double		discount[WF_REC_TOP];
	uint8_t    *wanted;			/* by item: looked for by the user at hand */
	WfTop		top[WF_REC_TOP];
	uint32_t	list[WF_REC_TOP];
} Scoring;

/* Scores of all items by the user's vector. */
static void
add_factors(WfRanker *r, const WfFactors *f, uint32_t user)
{
	wf_factors_score(f, wf_factors_user(f, user), 0, f->n_items, r->score);
	r->n_full = f->n_items;
}

/* The first ten for a user; returns how many. */
static uint32_t
rank_items(Scoring *s, uint32_t user)
{
	WfRanker   *r = s->rec->ranker;
	const WfMatrix *m = &s->stage->m;
	const uint32_t *history = m->col + m->start[user];
	size_t		n_history = (size_t) wf_matrix_row_length(m, user);
	uint32_t	n = 0;

	wf_ranker_begin(r);
	for (size_t k = 0; k < n_history; k++)
		wf_ranker_take(r, history[k]);
	if (s->trained)
	{
		if (s->trained->factors.k)
			add_factors(r, &s->trained->factors, user);
		else
		{
			wf_ranker_start(r, &s->trained->model);
			wf_ranker_add(s->rec->team->host, r, &s->trained->model, history, n_history);
			wf_ranker_damp(r, &s->trained->model);
		}
		n = wf_ranker_best(r, WF_REC_TOP, s->top);
		for (uint32_t k = 0; k < n; k++)
			s->list[k] = s->top[k].item;
	}
	for (uint32_t k = 0; k < m->n_cols && n < WF_REC_TOP; k++)
	{
		uint32_t	item = s->stage->popular[k];

		if (s->stage->support[item] == 0)
			break;
		if (!wf_ranker_taken(r, item))
			s->list[n++] = item;
	}
	return n;
}

static void
score_user(Scoring *s, uint32_t place)
{
	const WfRec *rec = s->rec;
	const WfMatrix *m = &rec->data.matrix;
	uint32_t	user = s->audience->user[place];
	UserScores *out = &s->user[place];
	uint32_t	n = rank_items(s, user);
	uint32_t	n_wanted = 0;
	uint32_t	hits = 0;
	double		ideal = 0;

	for (uint64_t e = m->start[user]; e < m->start[user + 1]; e++)
		if ((rec->side[e] & s->audience->side) && m->value[e] >= rec->liked)
		{
			s->wanted[m->col[e]] = 1;
			n_wanted++;
		}
	for (uint32_t k = 0; k < n; k++)
	{
		__atomic_store_n(&s->shown[s->list[k]], 1, __ATOMIC_RELAXED);
		if (!s->wanted[s->list[k]])
			continue;
		hits++;
		out->ndcg += s->discount[k];
		out->map += (double) hits / (k + 1);
	}
	for (uint32_t k = 0; k < n_wanted && k < WF_REC_TOP; k++)
		ideal += s->discount[k];
	for (uint64_t e = m->start[user]; e < m->start[user + 1]; e++)
		s->wanted[m->col[e]] = 0;
	if (n_wanted == 0)
		return;
	out->ndcg /= ideal;
	out->map /= n_wanted < WF_REC_TOP ? n_wanted : WF_REC_TOP;
	out->precision = (double) hits / WF_REC_TOP;
	out->recall = (double) hits / n_wanted;
	out->hit = hits > 0;
}

static void
sum_up(const Scoring *s, WfRecScores *scores)
{
	uint32_t	n = s->audience->n;
	uint32_t	shown = 0;

	memset(scores, 0, sizeof(*scores));
	scores->n_users = n;
	for (uint32_t k = 0; k < n; k++)
	{
		const UserScores *u = &s->user[k];

		if (s->rec->each)
			s->rec->each[k] = u->ndcg;
		scores->ndcg += u->ndcg / n;
		scores->ndcg_squares += u->ndcg * u->ndcg;
		scores->precision += u->precision / n;
		scores->recall += u->recall / n;
		scores->map += u->map / n;
		scores->hit_rate += u->hit / n;
	}
	for (uint32_t i = 0; i < s->rec->data.n_items; i++)
		shown += s->shown[i];
	scores->coverage = (double) shown / s->rec->data.n_items;
}

void
wf_rec_score(WfRec *rec, const WfRecStage *stage, const WfRecAudience *audience,
			 const WfRecTrained *trained, WfRecScores *scores)
{
	WfTeam	   *team = rec->team;
	Scoring		s = {.rec = rec,.stage = stage,.audience = audience,.trained = trained};
	size_t		begin,
				end;

	for (int k = 0; k < WF_REC_TOP; k++)
		s.discount[k] = wf_log(2) / wf_log(k + 2);
	s.user = wf_team_alloc(team, audience->n, sizeof(UserScores));
	s.shown = wf_team_alloc(team, rec->data.n_items, 1);
	s.wanted = wf_alloc_zero(team->host, rec->data.n_items, 1);
	wf_team_part(team, audience->n, &begin, &end);
	for (size_t k = begin; k < end; k++)
	{
		score_user(&s, (uint32_t) k);
		if (k % 16 == 0)
			team->host->check(team->host);
	}
	wf_release(team->host, s.wanted);
	wf_team_barrier(team);
	sum_up(&s, scores);
	wf_team_free(team, s.shown);
	wf_team_free(team, s.user);
}
