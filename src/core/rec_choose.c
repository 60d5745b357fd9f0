/*-------------------------------------------------------------------------
 * rec_choose.c
 *	  Which method, with which numbers: by what hidden interactions say.
 *
 * One pass over pairs of items serves all item methods.  EASE's lambda grows
 * with the length of histories, RP3beta's beta with the catalogue, so a few of
 * each are tried.  All are ranked by NDCG@10 of the same users; within one
 * standard error of the best the method earlier in the list is taken, for it
 * has done better elsewhere.  Where no method is better than what is popular,
 * that is recommended.
 *-------------------------------------------------------------------------
 */
#include "core/recommending.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* EASE's lambda is looked for among so many items at most: it hardly depends on their number. */
#define SEARCH_ITEMS 2000

/* by weight of users: equal, by length; the latter counts a user's pairs 1 / length times */
static const double lambdas[2][5] = {{5, 20, 100, 300, 1000}, {0.5, 2, 5, 20, 100}};
/* factors of RP3beta's weights beside EASE's */
static const double tails[] = {0.3, 1, 3};
static const double betas[] = {0, 0.2, 0.3, 0.4};

#define N_LAMBDAS 5
#define N_TAILS ((int) (sizeof(tails) / sizeof(tails[0])))
#define N_BETAS ((int) (sizeof(betas) / sizeof(betas[0])))
#define MAX_CANDIDATES 64

/* Cubes of EASE's items over all folds, for ten candidates about a second in all. */
#define FOLD_WORK 5e9

/* About half a second. */
#define CHEAP_WORK 1e9

/* About a minute for the factors tried in all choices of a run, of one thread. */
#define CHOICE_WORK 1.5e11

/* Enough users for one fold to decide; fewer have up to MAX_FOLDS. */
#define ENOUGH_USERS 5000
#define MAX_FOLDS 5

typedef struct Candidate
{
	WfRecSetting setting;
	char		name[48];
	double		n_users;		/* over all folds */
	double		sum;			/* of NDCG */
	double		squares;
} Candidate;

typedef struct Choice
{
	WfRec	   *rec;
	WfRecStage	stage;
	WfRecAudience audience;
	double		popular;		/* sum of popularity's NDCG */
	int			fold;
	int			n;
	int			at;				/* the next one in this fold */
	Candidate	candidate[MAX_CANDIDATES];
} Choice;

/* A candidate of a factor method; numbers that were named stay. */
static void
set_factors(const WfSpec *spec, WfRecSetting *s, int candidate)
{
	bool		named = !wf_spec_is(spec, "confidence", "auto");

	wf_factors_default(s->method == WF_METHOD_NMF ? WF_FACTORS_NMF : WF_FACTORS_ALS, candidate, &s->factors);
	s->factors.k = (int) wf_spec_number(spec, "factors");
	s->factors.seed = spec->seed;
	if (!wf_spec_is(spec, "iterations", "auto"))
		s->factors.iterations = (int) wf_spec_number(spec, "iterations");
	if (named)
		s->factors.unseen = 1 / wf_spec_number(spec, "confidence");
	if (!wf_spec_is(spec, "regularization", "auto"))
		s->factors.regularization = wf_spec_number(spec, "regularization");
	else if (named && s->method == WF_METHOD_NMF && s->factors.unseen >= 1)
		s->factors.regularization = 0;
}

WfRecSetting
wf_rec_setting(const WfSpec *spec)
{
	WfRecSetting s = {.method = WF_METHOD_EASE};
	int			word = wf_spec_value(spec, "method")->word;
	bool		given = !wf_spec_is(spec, "regularization", "auto");

	if (word > 0)
		s.method = (WfRecommendMethod) (word - 1);
	s.regularization = given ? wf_spec_number(spec, "regularization") : 20;
	s.weight = wf_spec_is(spec, "user_weight", "equal") ? WF_EASE_EQUAL : WF_EASE_BY_LENGTH;
	s.beta = wf_spec_is(spec, "beta", "auto") ? 0.3 : wf_spec_number(spec, "beta");
	s.shrink = wf_spec_number(spec, "shrink");
	s.tail = 1;
	if (s.method == WF_METHOD_NMF || s.method == WF_METHOD_ALS)
		set_factors(spec, &s, 0);
	return s;
}

/* Collective: score a candidate; the folds bring the same ones in the same order. */
static void
try_candidate(Choice *c, const WfRecSetting *setting, const WfRecTrained *trained, const char *name)
{
	WfHost	   *host = c->rec->team->host;
	WfRecScores scores;
	Candidate  *x;

	wf_rec_score(c->rec, &c->stage, &c->audience, trained, &scores);
	if (c->at == MAX_CANDIDATES)
		return;
	x = &c->candidate[c->at++];
	if (c->at > c->n)
	{
		c->n = c->at;
		memset(x, 0, sizeof(*x));
		x->setting = *setting;
		snprintf(x->name, sizeof(x->name), "%s", name);
	}
	x->n_users += scores.n_users;
	x->sum += scores.ndcg * scores.n_users;
	x->squares += scores.ndcg_squares;
	host->progress(host, WF_PHASE_VALIDATE, (uint64_t) c->at, (uint64_t) (c->at > 15 ? c->at : 15));
}

static double
ndcg_of(const Candidate *x)
{
	return x->sum / x->n_users;
}

/* Standard error of the mean. */
static double
error_of(const Candidate *x)
{
	double		mean = ndcg_of(x);
	double		variance = x->squares / x->n_users - mean * mean;

	return variance > 0 ? sqrt(variance / x->n_users) : 0;
}

static void
name_ease(const WfRecSetting *s, bool tail, char *name, size_t size)
{
	char		more[24] = "";

	if (tail)
		snprintf(more, sizeof(more), "+rp3beta(%g)", s->tail);
	snprintf(name, size, "ease(%g%s)%s", s->regularization, s->weight == WF_EASE_EQUAL ? "" : ",by_length", more);
}

/* Collective: every lambda asked for, on at most n items; one Gram matrix for all. */
static void
search_ease(Choice *c, const WfRecSetting *asked, WfEaseWeight weight, uint32_t n)
{
	WfRec	   *rec = c->rec;
	WfTeam	   *team = rec->team;
	bool		given = !wf_spec_is(rec->spec, "regularization", "auto");
	size_t		ld = wf_spd_padded(n);
	float	   *gram = wf_team_alloc(team, ld * ld, sizeof(float));
	WfRecTrained trained = {.method = WF_METHOD_EASE};

	trained.dense = wf_team_alloc(team, ld * ld, sizeof(float));
	trained.model = (WfItemModel) {.n_items = rec->data.n_items,.n_dense = n,.ld = ld,.dense = trained.dense};
	wf_ease_gram(team, &c->stage.pairs, &c->stage.t, n, weight, gram);
	for (int l = 0; l < (given ? 1 : N_LAMBDAS); l++)
	{
		WfRecSetting setting = *asked;
		char		name[48];

		if (!given)
			setting.regularization = lambdas[weight][l];
		setting.method = WF_METHOD_EASE;
		setting.weight = weight;
		if (team->rank == 0)
			memcpy(trained.dense, gram, ld * ld * sizeof(float));
		wf_team_barrier(team);
		/* weights that are no numbers recommend nothing, so that what is popular is left to be scored */
		(void) wf_ease_solve(team, trained.dense, n, setting.regularization);
		name_ease(&setting, false, name, sizeof(name));
		try_candidate(c, &setting, &trained, name);
	}
	wf_team_free(team, trained.dense);
	wf_team_free(team, gram);
}

static const Candidate *
best_of(const Choice *c, int from)
{
	const Candidate *best = NULL;

	for (int k = from; k < c->n; k++)
		if (best == NULL || ndcg_of(&c->candidate[k]) > ndcg_of(best))
			best = &c->candidate[k];
	return best;
}

/*
 * Collective: EASE among all items that it takes, and RP3beta's weights for
 * the others by several factors.
 */
static void
try_whole_ease(Choice *c, WfRecSetting setting, const uint8_t *wanted)
{
	WfRec	   *rec = c->rec;
	bool		tail = wf_rec_ease_items(rec) < rec->data.n_items;
	WfRecTrained trained;
	char		name[48];

	setting.tail = tails[0];
	wf_rec_train(rec, &c->stage, &setting, wanted, &trained);
	for (int t = 0; t < (tail ? N_TAILS : 1); t++)
	{
		size_t		begin,
					end;

		wf_team_part(rec->team, tail ? trained.rows.start[rec->data.n_items] : 0, &begin, &end);
		for (size_t e = begin; t > 0 && e < end; e++)
			trained.rows.weight[e] *= (float) (tails[t] / tails[t - 1]);
		wf_team_barrier(rec->team);
		setting.tail = tails[t];
		name_ease(&setting, tail, name, sizeof(name));
		try_candidate(c, &setting, &trained, name);
	}
	wf_rec_trained_free(rec, &trained);
}

/* Collective: lambda and weight among few items, then the best of them among all. */
static void
try_ease(Choice *c, const WfRecSetting *asked, const uint8_t *wanted)
{
	WfRec	   *rec = c->rec;
	uint32_t	n = wf_rec_ease_items(rec);
	uint32_t	n_search = n < SEARCH_ITEMS ? n : SEARCH_ITEMS;
	int			first = c->at;

	if (!wf_spec_is(rec->spec, "user_weight", "by_length"))
		search_ease(c, asked, WF_EASE_EQUAL, n_search);
	if (!wf_spec_is(rec->spec, "user_weight", "equal"))
		search_ease(c, asked, WF_EASE_BY_LENGTH, n_search);
	if (rec->data.n_items > n_search)
	{
		WfRecSetting setting = best_of(c, first)->setting;

		c->n = c->at = first;
		try_whole_ease(c, setting, wanted);
	}
}

static void
try_rp3beta(Choice *c, const WfRecSetting *asked, WfNeighbours *rows)
{
	WfRec	   *rec = c->rec;
	bool		given = !wf_spec_is(rec->spec, "beta", "auto");
	WfRecTrained trained = {.method = WF_METHOD_RP3BETA};

	trained.damping = wf_team_alloc(rec->team, rec->data.n_items, sizeof(float));
	trained.model = (WfItemModel) {.n_items = rec->data.n_items,.start = rows->start,.length = rows->length,
		.item = rows->item,.weight = rows->weight,.damping = trained.damping};
	for (int b = 0; b < (given ? 1 : N_BETAS); b++)
	{
		WfRecSetting setting = *asked;
		char		name[48];

		setting.method = WF_METHOD_RP3BETA;
		if (!given)
			setting.beta = betas[b];
		if (rec->team->rank == 0)
			wf_neighbours_damping(setting.beta, c->stage.support, rec->data.n_items, trained.damping);
		wf_team_barrier(rec->team);
		snprintf(name, sizeof(name), "rp3beta(%g)", setting.beta);
		try_candidate(c, &setting, &trained, name);
	}
	wf_team_free(rec->team, trained.damping);
}

static void
try_knn(Choice *c, const WfRecSetting *asked, WfNeighbours *rows)
{
	WfRecSetting setting = *asked;
	WfRecTrained trained = {.method = WF_METHOD_ITEM_KNN};
	char		name[48];

	setting.method = WF_METHOD_ITEM_KNN;
	trained.model = (WfItemModel) {.n_items = c->rec->data.n_items,.start = rows->start,.length = rows->length,
		.item = rows->item,.weight = rows->weight};
	snprintf(name, sizeof(name), "item_knn(%g)", setting.shrink);
	try_candidate(c, &setting, &trained, name);
}

/* Named numbers make some candidates equal. */
static bool
was_tried(const Choice *c, const WfRecSetting *setting)
{
	for (int k = 0; k < c->at; k++)
	{
		const WfRecSetting *x = &c->candidate[k].setting;

		if (x->method == setting->method && x->factors.unseen == setting->factors.unseen &&
			x->factors.regularization == setting->factors.regularization)
			return true;
	}
	return false;
}

/* Collective: one kind of factors, up to n candidates. */
static void
try_factors(Choice *c, WfRecommendMethod method, int n)
{
	for (int k = 0; k < n; k++)
	{
		WfRecSetting setting = {.method = method};
		WfRecTrained trained;
		char		name[48];

		set_factors(c->rec->spec, &setting, k);
		if (was_tried(c, &setting))
			continue;
		if (k > 0 && wf_rec_late(c->rec))
			break;
		wf_rec_train(c->rec, &c->stage, &setting, NULL, &trained);
		snprintf(name, sizeof(name), "%s(%g,%g)", wf_recommend_method_name(method),
				 1 / setting.factors.unseen, setting.factors.regularization);
		try_candidate(c, &setting, &trained, name);
		wf_rec_trained_free(c->rec, &trained);
	}
}

/* Is a factorisation cheap enough to be tried unasked?  Multiplications of some ten rounds. */
static bool
factors_are_cheap(const WfRec *rec)
{
	double		k = wf_spec_number(rec->spec, "factors");
	double		rows = (double) rec->data.n_users + (double) rec->data.n_items;

	return 20 * (2 * (double) rec->data.matrix.n * k * k + rows * k * k * k / 3) < CHEAP_WORK;
}

/*
 * How many settings of factors are worth their time: a pure function of the
 * sizes, so that a model does not depend on the machine.  One alone would be
 * no choice: 0.
 */
static int
n_factor_candidates(const WfRec *rec)
{
	double		k = wf_spec_number(rec->spec, "factors");
	double		iterations = wf_spec_is(rec->spec, "iterations", "auto") ? 15 : wf_spec_number(rec->spec, "iterations");
	double		rows = (double) rec->data.n_users + (double) rec->data.n_items;
	double		one = iterations * ((double) rec->data.matrix.n * k * k + rows * k * k * k / 3);
	double		limit = rec->data.matrix.n <= WF_REC_CHOOSE_TWICE ? CHOICE_WORK / 2 : CHOICE_WORK;

	if (one * WF_FACTORS_CANDIDATES <= limit)
		return WF_FACTORS_CANDIDATES;
	return one * 2 <= limit ? (int) (limit / one) : 0;
}

/* Rank 0: say that not every setting is tried. */
static void
tell_few(WfRec *rec, WfRecommendMethod method, int n)
{
	WfHost	   *host = rec->team->host;

	if (n == 0)
		host->notice(host, "the usual numbers of method \"%s\" are taken: trying others would take too long",
					 wf_recommend_method_name(method));
	else
		host->notice(host, "only %d settings of method \"%s\" are tried: more would take too long",
					 n, wf_recommend_method_name(method));
}

/* Both methods that keep rows of weights, or the one asked for. */
static void
try_rows(Choice *c, const WfRecSetting *asked, const uint8_t *wanted, bool walk, bool knn)
{
	WfRec	   *rec = c->rec;
	WfNeighbours walk_rows = {0};
	WfNeighbours knn_rows = {0};
	WfNeighbourSpec spec = {
		.k = (uint32_t) wf_spec_number(rec->spec, "neighbours"),
		.shrink = (float) asked->shrink,
		.wanted = wanted
	};

	wf_neighbours_build(rec->team, &c->stage.pairs, &c->stage.t, &spec,
						walk ? &walk_rows : NULL, knn ? &knn_rows : NULL);
	if (walk)
		try_rp3beta(c, asked, &walk_rows);
	if (knn)
		try_knn(c, asked, &knn_rows);
	wf_neighbours_free(rec->team, &knn_rows);
	wf_neighbours_free(rec->team, &walk_rows);
}

/*
 * The best; of those within a standard error of it, the earliest method's best.
 * With any method allowed only what is better than popularity is taken.
 */
static WfRecSetting
decide(const Choice *c, const WfRecSetting *asked, bool any)
{
	const Candidate *best = best_of(c, 0);
	const Candidate *taken = best;

	if (any && best->sum <= c->popular)
	{
		WfRecSetting popular = *asked;

		popular.method = WF_METHOD_POPULAR;
		return popular;
	}
	for (int k = 0; k < c->n; k++)
	{
		const Candidate *x = &c->candidate[k];

		if (ndcg_of(x) < ndcg_of(best) - error_of(best) || (any && x->sum <= c->popular))
			continue;
		if (x->setting.method < taken->setting.method ||
			(x->setting.method == taken->setting.method && ndcg_of(x) > ndcg_of(taken)))
			taken = x;
	}
	return taken->setting;
}

static void
tell(const Choice *c)
{
	WfRec	   *rec = c->rec;

	for (int k = 0; k < c->n; k++)
	{
		const Candidate *x = &c->candidate[k];
		char		text[64];

		snprintf(text, sizeof(text), "ndcg@10:%s", x->name);
		wf_fit_result_add(rec->result, wf_strndup(rec->team->host, text, strlen(text)),
						  ndcg_of(x), c->popular / x->n_users, "inner");
	}
}

/* Collective: try what is open on one fold; any: all methods. */
static void
try_fold(Choice *c, const WfRecSetting *asked, bool any)
{
	WfRec	   *rec = c->rec;
	WfRecScores popular;
	uint8_t    *wanted;

	c->at = 0;
	wf_rec_stage(rec, WF_SIDE_HELD | WF_SIDE_HIDDEN, &c->stage);
	wf_rec_score(rec, &c->stage, &c->audience, NULL, &popular);
	c->popular += popular.ndcg * popular.n_users;
	wanted = wf_rec_rows_wanted(rec, &c->stage, &c->audience);
	if (any || asked->method == WF_METHOD_EASE)
		try_ease(c, asked, wanted);
	if (any || asked->method == WF_METHOD_RP3BETA)
		try_rows(c, asked, wanted, true, any);
	if (asked->method == WF_METHOD_NMF || asked->method == WF_METHOD_ALS)
		try_factors(c, asked->method, n_factor_candidates(rec));
	else if (any && factors_are_cheap(rec))
		try_factors(c, WF_METHOD_ALS, 1);
	wf_team_free(rec->team, wanted);
	wf_rec_stage_free(rec, &c->stage);
}

/* Is there anything to choose? */
static bool
is_open(const WfSpec *spec, WfRecommendMethod method)
{
	bool		numbers = wf_spec_is(spec, "regularization", "auto");

	if (wf_spec_is(spec, "method", "auto"))
		return true;
	switch (method)
	{
		case WF_METHOD_EASE:
			return numbers || wf_spec_is(spec, "user_weight", "auto");
		case WF_METHOD_RP3BETA:
			return wf_spec_is(spec, "beta", "auto");
		case WF_METHOD_NMF:
			/* plain, all candidates would be the same */
			if (!wf_spec_is(spec, "confidence", "auto") && wf_spec_number(spec, "confidence") <= 1)
				return false;
			return numbers || wf_spec_is(spec, "confidence", "auto");
		case WF_METHOD_ALS:
			return numbers || wf_spec_is(spec, "confidence", "auto");
		case WF_METHOD_ITEM_KNN:
		case WF_METHOD_POPULAR:
			break;
	}
	return false;
}

/* As many as are worth their time; one where the candidates depend on the fold. */
static int
n_folds(const WfRec *rec, const WfRecSetting *asked, bool any)
{
	double		items = rec->data.n_items;
	int			folds = MAX_FOLDS;

	if (asked->method == WF_METHOD_NMF || asked->method == WF_METHOD_ALS ||
		items > SEARCH_ITEMS || items > wf_rec_ease_items(rec))
		return 1;
	while ((any || asked->method == WF_METHOD_EASE) && folds > 1 && folds * items * items * items > FOLD_WORK)
		folds--;
	return folds;
}

WfRecSetting
wf_rec_choose(WfRec *rec, bool told)
{
	const WfSpec *spec = rec->spec;
	WfRecSetting asked = wf_rec_setting(spec);
	bool		any = wf_spec_is(spec, "method", "auto");
	int			folds = n_folds(rec, &asked, any);
	uint64_t	users = 0;
	Choice		c = {.rec = rec};

	if (!is_open(spec, asked.method))
		return asked;
	if (asked.method == WF_METHOD_NMF || asked.method == WF_METHOD_ALS)
	{
		int			n = n_factor_candidates(rec);

		if (n < WF_FACTORS_CANDIDATES && told && rec->team->rank == 0)
			tell_few(rec, asked.method, n);
		if (n == 0)
			return asked;
	}
	for (c.fold = 0; c.fold < folds && users < ENOUGH_USERS; c.fold++)
	{
		if (c.n > 0 && wf_rec_late(rec))
			break;
		wf_rec_hide(rec, c.fold, &c.audience);
		users += c.audience.n;
		if (c.audience.n > 0)
			try_fold(&c, &asked, any);
		wf_rec_show(rec, &c.audience);
	}
	if (c.n > 0 && told && rec->result)
		tell(&c);
	return c.n ? decide(&c, &asked, any) : asked;
}
