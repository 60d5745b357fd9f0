/*
 * Recommenders from rows to results: what is recommended and why, the same
 * bytes in any order and team, hostile shapes, failures, damaged bytes.
 */
#include "wf_test.h"

#include "interactions_maker.h"
#include "core/content.h"
#include "core/model.h"
#include "core/recommender.h"
#include "core/rec_section.h"

#define N 800
#define USERS 50
#define ITEMS 24

typedef struct Fit
{
	WfSpec		spec;
	WfRecommenderInput input;
	WfFitResult result;
} Fit;

static void
fit(WfTeam *team, void *arg)
{
	Fit		   *f = arg;

	wf_recommender_fit(team, &f->spec, team->rank == 0 ? &f->input : NULL, team->rank == 0 ? &f->result : NULL);
}

static void
set(WfHost *host, WfSpec *spec, const char *name, const char *text, double number)
{
	WfParamInput in = {.kind = text ? WF_INPUT_TEXT : WF_INPUT_NUMBER,.text = text,.number = number};

	wf_params_set(host, spec, name, &in);
}

static void
start(WfHost *host, Fit *f, WfInteractions *in, const char *method, const char *validation)
{
	memset(f, 0, sizeof(*f));
	f->spec.algorithm = wf_algorithm_find("recommender");
	f->spec.task = WF_RECOMMENDATION;
	wf_params_defaults(&f->spec);
	set(host, &f->spec, "method", method, 0);
	if (validation)
		set(host, &f->spec, "validation", validation, 0);
	wf_params_finish(host, &f->spec);
	f->input = (WfRecommenderInput) {.interactions = in,.size_limit = 1 << 30,.memory_limit = SIZE_MAX};
}

static WfModel *
open_model(WfHost *host, const WfBytes *artifact)
{
	void	   *bytes = wf_alloc_aligned(host, artifact->length, 1);

	memcpy(bytes, artifact->data, artifact->length);
	wf_model_open(host, bytes, artifact->length);
	/* as a second session opens what it shares */
	return wf_model_open_verified(host, bytes, artifact->length);
}

static WfModel *
fit_and_open(TestHost *th, Fit *f)
{
	WF_CHECK(test_team_run(th, 1, fit, f));
	return open_model(&th->host, &f->result.artifact);
}

static uint32_t
user_number(const WfModel *m, const char *id)
{
	return wf_idmap_find(&m->ids[0], id, strlen(id));
}

static uint32_t
item_number(const WfModel *m, const char *id)
{
	return wf_idmap_find(&m->ids[1], id, strlen(id));
}

static void
add(WfInteractions *in, const char *user, const char *item, double rating)
{
	wf_interactions_add(in, user, strlen(user), item, strlen(item), rating, 0);
}

/* Two tastes that share nothing: a, b, c, d and w, x, y, z; "p" everybody has. */
static WfInteractions *
two_tastes(WfHost *host, bool with_rating)
{
	static const char *const item[2][4] = {{"a", "b", "c", "d"}, {"w", "x", "y", "z"}};
	WfInteractions *in = wf_interactions_create(host, with_rating, false);

	for (int u = 0; u < 40; u++)
	{
		char		user[16];

		snprintf(user, sizeof(user), "u%d", u);
		for (int k = 0; k < 4; k++)
			if (k != u / 2 % 4)
				add(in, user, item[u % 2][k], u % 2 ? 4 : 2);
		add(in, user, "p", 5);
	}
	return in;
}

static const char *const item_methods[] = {"ease", "rp3beta", "item_knn", "als", "nmf", "auto"};

#define N_ITEM_METHODS ((int) (sizeof(item_methods) / sizeof(item_methods[0])))

WF_TEST(the_missing_item_of_the_taste_comes_first)
{
	for (int m = 0; m < N_ITEM_METHODS; m++)
	{
		TestHost	th;
		Fit			f;
		WfModel    *model;

		test_host_begin(&th);
		start(&th.host, &f, two_tastes(&th.host, false), item_methods[m], "none");
		if (m == 3 || m == 4)
			set(&th.host, &f.spec, "factors", NULL, 4);
		model = fit_and_open(&th, &f);
		WF_CHECK_EQ(wf_recommender_info(model->opened).n_items, 9);
		WF_CHECK_EQ(wf_recommender_info(model->opened).n_interactions, 160);
		for (int u = 0; u < 40; u++)
		{
			char		user[16];
			char		missing[2] = {(u % 2 ? "wxyz" : "abcd")[u / 2 % 4], 0};
			WfRecommendation out[20];
			WfRecommendQuery q = {.exclude_seen = true};
			uint32_t	n;

			snprintf(user, sizeof(user), "u%d", u);
			q.user = user_number(model, user);
			n = wf_recommend(&th.host, model->opened, &q, 20, out);
			WF_CHECK_EQ(n, 5);	/* nine items, four of them seen */
			WF_CHECK_EQ(out[0].item, item_number(model, missing));
			WF_CHECK_EQ(out[0].source, WF_SOURCE_COLLABORATIVE);
			for (uint32_t k = 0; k < n; k++)
				for (uint32_t l = 0; l < k; l++)
					WF_CHECK(out[k].item != out[l].item);
		}
		test_host_end(&th);
	}
}

/* A stranger with a history gets what a known user with the same one gets. */
WF_TEST(history_of_a_call_is_folded_in)
{
	for (int m = 0; m < N_ITEM_METHODS; m++)
	{
		TestHost	th;
		Fit			f;
		WfModel    *model;
		uint32_t	history[6];
		WfRecommendation known[5];
		WfRecommendation folded[5];
		WfRecommendQuery q = {.exclude_seen = true};
		uint32_t	n;

		test_host_begin(&th);
		start(&th.host, &f, two_tastes(&th.host, false), item_methods[m], "none");
		set(&th.host, &f.spec, "factors", NULL, 4);
		model = fit_and_open(&th, &f);
		q.user = user_number(model, "u0");
		n = wf_recommend(&th.host, model->opened, &q, 5, known);
		history[0] = item_number(model, "b");
		history[1] = item_number(model, "c");
		history[2] = item_number(model, "d");
		history[3] = item_number(model, "p");
		history[4] = item_number(model, "b");
		history[5] = 1000000;	/* no such item */
		q = (WfRecommendQuery) {.user = WF_CODE_MISSING,.history = history,.n_history = 6,.exclude_seen = true};
		WF_CHECK_EQ(wf_recommend(&th.host, model->opened, &q, 5, folded), n);
		WF_CHECK_EQ(folded[0].item, known[0].item);
		WF_CHECK_NEAR(folded[0].score, known[0].score, m == 3 || m == 4 ? 0.05 : 1e-6);
		/* the history on top of the same user's own changes nothing */
		q.user = user_number(model, "u0");
		q.n_history = 5;
		WF_CHECK_EQ(wf_recommend(&th.host, model->opened, &q, 5, folded), n);
		WF_CHECK_EQ(folded[0].item, known[0].item);
		WF_CHECK_NEAR(folded[0].score, known[0].score, m == 3 || m == 4 ? 0.05 : 1e-6);
		test_host_end(&th);
	}
}

WF_TEST(without_a_history_popular_items)
{
	TestHost	th;
	Fit			f;
	WfModel    *model;
	WfRecommendation out[9];
	WfRecommendQuery q = {.user = WF_CODE_MISSING,.exclude_seen = true};

	test_host_begin(&th);
	start(&th.host, &f, two_tastes(&th.host, false), "auto", "none");
	model = fit_and_open(&th, &f);
	WF_CHECK_EQ(wf_recommend(&th.host, model->opened, &q, 9, out), 9);
	WF_CHECK_EQ(out[0].item, item_number(model, "p"));
	WF_CHECK_NEAR(out[0].score, 1, 0);
	for (uint32_t k = 0; k < 9; k++)
		WF_CHECK(out[k].source == WF_SOURCE_POPULAR && out[k].item == k);
	WF_CHECK_EQ(wf_recommend(&th.host, model->opened, &q, 0, out), 0);
	test_host_end(&th);
}

WF_TEST(seen_items_come_back_if_asked)
{
	TestHost	th;
	Fit			f;
	WfModel    *model;
	WfRecommendation out[9];
	WfRecommendQuery q = {.exclude_seen = false};
	bool		seen = false;

	test_host_begin(&th);
	start(&th.host, &f, two_tastes(&th.host, false), "ease", "none");
	model = fit_and_open(&th, &f);
	q.user = user_number(model, "u0");
	WF_CHECK_EQ(wf_recommend(&th.host, model->opened, &q, 9, out), 9);
	for (int k = 0; k < 9; k++)
		seen |= out[k].item == item_number(model, "b");
	WF_CHECK(seen);
	test_host_end(&th);
}

WF_TEST(similar_items_are_of_the_taste)
{
	for (int m = 0; m < N_ITEM_METHODS; m++)
	{
		TestHost	th;
		Fit			f;
		WfModel    *model;
		WfRecommendation out[9];
		uint32_t	n;

		test_host_begin(&th);
		start(&th.host, &f, two_tastes(&th.host, false), item_methods[m], "none");
		set(&th.host, &f.spec, "factors", NULL, 4);
		model = fit_and_open(&th, &f);
		n = wf_similar_items(&th.host, model->opened, item_number(model, "a"), 3, out);
		WF_CHECK(n >= 1);
		for (uint32_t k = 0; k < n; k++)
		{
			WF_CHECK(out[k].item != item_number(model, "a"));
			for (const char *other = "wxyz"; *other; other++)
			{
				char		id[2] = {*other, 0};

				WF_CHECK(k > 1 || out[k].item != item_number(model, id));
			}
		}
		WF_CHECK_EQ(wf_similar_items(&th.host, model->opened, 1000, 3, out), 0);
		test_host_end(&th);
	}
}

/* ---- content ---- */

static WfModel *
model_with_content(TestHost *th, const char *method)
{
	static const char *const rows[][2] = {
		{"a", "red"}, {"new red", "red"}, {"w", "blue"}, {"new blue", "blue"}, {"c", "red"}, {"p", "grey"}
	};
	static const WfContentKind kinds[] = {WF_CONTENT_CATEGORY};
	WfInteractions *in = two_tastes(&th->host, false);
	WfContentReader *content = wf_content_begin(&th->host, 1, kinds);
	Fit			f;

	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
	{
		wf_interactions_add_item(in, rows[k][0], strlen(rows[k][0]));
		wf_content_row(content);
		wf_content_add_text(content, 0, rows[k][1], strlen(rows[k][1]));
	}
	start(&th->host, &f, in, method, "none");
	f.input.content = content;
	return fit_and_open(th, &f);
}

WF_TEST(cold_items_come_through_their_attributes)
{
	TestHost	th;
	WfModel    *model;
	WfRecommendation out[11];
	uint32_t	cold;
	WfRecommendQuery q = {.user = WF_CODE_MISSING,.history = &cold,.n_history = 1,.exclude_seen = true};
	bool		found = false;
	uint32_t	n;

	test_host_begin(&th);
	model = model_with_content(&th, "ease");
	WF_CHECK(wf_recommender_info(model->opened).has_content);
	WF_CHECK_EQ(wf_recommender_info(model->opened).n_catalogue, 11);
	/* only a cold item in the history: what is like it, then popular ones */
	cold = item_number(model, "new red");
	WF_CHECK(cold >= 9);
	n = wf_recommend(&th.host, model->opened, &q, 11, out);
	WF_CHECK_EQ(n, 9);
	WF_CHECK(out[0].source == WF_SOURCE_CONTENT && out[1].source == WF_SOURCE_CONTENT);
	WF_CHECK(out[0].item == item_number(model, "a") || out[0].item == item_number(model, "c"));
	WF_CHECK(out[2].source == WF_SOURCE_POPULAR);
	/* a warm history: cold ones after what users have */
	q = (WfRecommendQuery) {.user = user_number(model, "u0"),.exclude_seen = true};
	n = wf_recommend(&th.host, model->opened, &q, 11, out);
	for (uint32_t k = 0; k < n; k++)
		found |= out[k].item == cold && out[k].source == WF_SOURCE_CONTENT;
	WF_CHECK(found);
	n = wf_similar_items(&th.host, model->opened, cold, 5, out);
	WF_CHECK_EQ(n, 2);
	WF_CHECK_EQ(out[0].source, WF_SOURCE_CONTENT);
	test_host_end(&th);
}

WF_TEST(popular_models_know_likeness_by_content_only)
{
	TestHost	th;
	Fit			f;
	WfModel    *model;
	WfRecommendation out[3];

	test_host_begin(&th);
	start(&th.host, &f, two_tastes(&th.host, false), "popular", "none");
	model = fit_and_open(&th, &f);
	WF_CHECK_EQ(wf_similar_items(&th.host, model->opened, 0, 3, out), 0);
	model = model_with_content(&th, "popular");
	WF_CHECK_EQ(wf_similar_items(&th.host, model->opened, item_number(model, "a"), 3, out), 2);
	test_host_end(&th);
}

/* ---- ratings ---- */

WF_TEST(ratings_are_predicted)
{
	TestHost	th;
	Fit			f;
	WfModel    *model;
	int			rmse = -1;

	test_host_begin(&th);
	start(&th.host, &f, make_interactions(&th.host, N, USERS, ITEMS, true, true, 1), "item_knn", NULL);
	WF_CHECK(test_team_run(&th, 1, fit, &f));
	for (int s = 0; s < f.result.n_scores; s++)
		if (strcmp(f.result.scores[s].metric, "rmse") == 0)
			rmse = s;
	WF_CHECK(rmse >= 0 && f.result.scores[rmse].value < f.result.scores[rmse].baseline);
	WF_CHECK_STR(f.result.scores[rmse].split, "time");
	model = open_model(&th.host, &f.result.artifact);
	WF_CHECK(wf_recommender_info(model->opened).has_ratings);
	for (uint32_t u = 0; u < 10; u++)
	{
		double		r = wf_predict_rating(&th.host, model->opened, u, u);

		WF_CHECK(r >= 2 && r <= 5.5);
	}
	WF_CHECK(isfinite(wf_predict_rating(&th.host, model->opened, WF_CODE_MISSING, 0)));
	WF_CHECK(isfinite(wf_predict_rating(&th.host, model->opened, 0, WF_CODE_MISSING)));
	start(&th.host, &f, two_tastes(&th.host, false), "popular", "none");
	model = fit_and_open(&th, &f);
	WF_CHECK(isnan(wf_predict_rating(&th.host, model->opened, 0, 0)));
	test_host_end(&th);
}

/* ---- the same bytes ---- */

WF_TEST(order_and_team_do_not_show)
{
	static const char *const methods[] = {"auto", "rp3beta", "als"};

	for (int m = 0; m < 3; m++)
	{
		uint32_t	first = 0;

		for (int turn = 0; turn < 4; turn++)
		{
			TestHost	th;
			Fit			f;
			uint32_t	crc;

			test_host_begin(&th);
			start(&th.host, &f, make_interactions(&th.host, N, USERS, ITEMS, m == 0, true, turn == 3 ? 799 : 1),
				  methods[m], NULL);
			/* a tail beyond ease, and sampled histories */
			set(&th.host, &f.spec, "ease_items", NULL, 15);
			set(&th.host, &f.spec, "neighbours", NULL, 6);
			set(&th.host, &f.spec, "factors", NULL, 3);
			WF_CHECK(test_team_run(&th, turn == 3 ? 2 : turn + 1, fit, &f));
			crc = wf_crc32c(0, f.result.artifact.data, f.result.artifact.length);
			if (turn == 0)
				first = crc;
			WF_CHECK_EQ(crc, first);
			test_host_end(&th);
		}
	}
}

WF_TEST(scores_stand_beside_popularity)
{
	static const char *const names[] = {
		"ndcg@10", "precision@10", "recall@10", "map@10", "hit_rate@10", "coverage@10"
	};
	TestHost	th;
	Fit			f;
	int			inner = 0;

	test_host_begin(&th);
	start(&th.host, &f, make_interactions(&th.host, N, USERS, ITEMS, false, false, 1), "auto", "holdout");
	WF_CHECK(test_team_run(&th, 1, fit, &f));
	for (int s = 0; s < f.result.n_scores; s++)
		if (strcmp(f.result.scores[s].split, "inner") == 0)
		{
			WF_CHECK(strncmp(f.result.scores[s].metric, "ndcg@10:", 8) == 0);
			inner++;
		}
	WF_CHECK(inner >= 15);
	WF_CHECK_STR(f.result.scores[f.result.headline].metric, "ndcg@10");
	for (int k = 0; k < 6; k++)
	{
		const WfScore *s = &f.result.scores[f.result.headline + k];

		WF_CHECK_STR(s->metric, names[k]);
		WF_CHECK_STR(s->split, "holdout");
		WF_CHECK(s->value > s->baseline && s->value <= 1 && s->baseline > 0);
	}
	WF_CHECK_EQ(f.result.training_rows, N);
	/* none: only what was needed to choose */
	start(&th.host, &f, make_interactions(&th.host, N, USERS, ITEMS, false, false, 1), "auto", "none");
	WF_CHECK(test_team_run(&th, 1, fit, &f));
	WF_CHECK_EQ(f.result.headline, -1);
	WF_CHECK_EQ(f.result.n_scores, inner);
	test_host_end(&th);
}

/* ---- what is chosen ---- */

/* Users without taste: items by their popularity only. */
static WfInteractions *
no_tastes(WfHost *host, uint32_t seed)
{
	WfInteractions *in = wf_interactions_create(host, false, false);

	for (uint32_t k = 0; k < 1500; k++)
	{
		double		x = wf_rng_unit(wf_rng(seed, 2 * (uint64_t) k));

		add_made_row(in, (MadeRow) {wf_rng_below(wf_rng(seed, 2 * (uint64_t) k + 1), 150), (uint32_t) (x * x * x * 40), 0, 0});
	}
	return in;
}

/* A method is chosen if and only if some candidate of the choice is better than popularity. */
WF_TEST(without_taste_popular_items_are_chosen)
{
	int			chosen = 0;

	for (uint32_t seed = 0; seed < 3; seed++)
	{
		TestHost	th;
		Fit			f;
		WfModel    *model;
		bool		better = false;

		test_host_begin(&th);
		start(&th.host, &f, no_tastes(&th.host, seed), "auto", "none");
		model = fit_and_open(&th, &f);
		for (int s = 0; s < f.result.n_scores; s++)
			better |= f.result.scores[s].value > f.result.scores[s].baseline;
		WF_CHECK(f.result.n_scores >= 15);
		WF_CHECK_EQ(wf_recommender_info(model->opened).method == WF_METHOD_POPULAR, !better);
		chosen += !better;
		test_host_end(&th);
	}
	WF_CHECK_EQ(chosen, 2);
}

/* Candidates tried; all of them have the text in their names. */
static int
count_tried(const char *method, double confidence, double regularization, const char *text)
{
	TestHost	th;
	Fit			f;
	int			n;

	test_host_begin(&th);
	start(&th.host, &f, make_interactions(&th.host, 300, USERS, ITEMS, false, false, 1), method, "none");
	set(&th.host, &f.spec, "factors", NULL, 2);
	set(&th.host, &f.spec, "iterations", NULL, 1);
	if (confidence > 0)
		set(&th.host, &f.spec, "confidence", NULL, confidence);
	if (regularization > 0)
		set(&th.host, &f.spec, "regularization", NULL, regularization);
	WF_CHECK(test_team_run(&th, 1, fit, &f));
	n = f.result.n_scores;
	for (int s = 0; s < n; s++)
		WF_CHECK(strstr(f.result.scores[s].metric, text) != NULL);
	WF_CHECK_STR(th.notices, "");
	test_host_end(&th);
	return n;
}

WF_TEST(named_numbers_stay_and_others_are_chosen)
{
	WF_CHECK_EQ(count_tried("als", 0, 0, "als("), 5);
	/* one pair of settings differs only in what is named */
	WF_CHECK_EQ(count_tried("als", 20, 0, "als(20,"), 4);
	WF_CHECK_EQ(count_tried("als", 0, 0.07, ",0.07)"), 4);
	WF_CHECK_EQ(count_tried("als", 20, 0.07, ""), 0);
	WF_CHECK_EQ(count_tried("nmf", 20, 0, "nmf(20,"), 4);
	/* plain factors */
	WF_CHECK_EQ(count_tried("nmf", 1, 0, ""), 0);
}

/* Large work is told and not done five times; the training that follows is cancelled. */
static void
check_few(double factors, double iterations, const char *notice)
{
	TestHost	th;
	Fit			f;
	jmp_buf		jb;

	test_host_begin(&th);
	th.on_fail = &jb;
	if (setjmp(jb) == 0)
	{
		start(&th.host, &f, make_interactions(&th.host, 300, USERS, ITEMS, false, false, 1), "als", "none");
		set(&th.host, &f.spec, "factors", NULL, factors);
		set(&th.host, &f.spec, "iterations", NULL, iterations);
		th.cancel_check_at = 200;
		WF_CHECK(!test_team_run(&th, 1, fit, &f));
	}
	WF_CHECK(th.failed);
	WF_CHECK(strstr(th.notices, notice) != NULL);
	test_host_end(&th);
}

WF_TEST(large_work_is_not_done_five_times)
{
	check_few(128, 1000, "the usual numbers of method \"als\" are taken");
	check_few(128, 400, "only 3 settings of method \"als\" are tried");
}

/* Without refit the held-out interactions stay out of the model. */
WF_TEST(refit_takes_all_interactions)
{
	uint64_t	n[2];

	for (int refit = 0; refit < 2; refit++)
	{
		TestHost	th;
		Fit			f;
		WfParamInput in = {.kind = WF_INPUT_BOOL,.number = refit};

		test_host_begin(&th);
		start(&th.host, &f, make_interactions(&th.host, N, USERS, ITEMS, false, true, 1), "item_knn", "time");
		wf_params_set(&th.host, &f.spec, "refit", &in);
		wf_params_finish(&th.host, &f.spec);
		n[refit] = wf_recommender_info(fit_and_open(&th, &f)->opened).n_interactions;
		test_host_end(&th);
	}
	WF_CHECK_EQ(n[0], n[1] - n[1] / 5);
}

WF_TEST(what_is_not_possible_is_refused)
{
	TestHost	th;
	Fit			f;
	WfTeamShared shared;
	WfTeam		team;

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	start(&th.host, &f, two_tastes(&th.host, false), "auto", "none");
	f.spec.validation = WF_VALIDATE_CV;
	WF_EXPECT_FAIL(&th, WF_E_PARAM, fit(&team, &f));
	WF_CHECK(th.hint[0] != '\0');
	start(&th.host, &f, two_tastes(&th.host, false), "auto", "none");
	f.spec.validation = WF_VALIDATE_TIME;
	WF_EXPECT_FAIL(&th, WF_E_PARAM, fit(&team, &f));
	start(&th.host, &f, two_tastes(&th.host, false), "auto", "none");
	f.input.size_limit = 1000;
	WF_EXPECT_FAIL(&th, WF_E_LIMIT, fit(&team, &f));
	test_host_end(&th);
}

/* ---- hostile shapes ---- */

static void
try_shape(const char *method, uint32_t n, uint32_t n_users, uint32_t n_items, bool rating, const char *validation)
{
	TestHost	th;
	Fit			f;
	WfModel    *model;
	WfRecommendation out[10];
	WfInteractions *in;

	test_host_begin(&th);
	in = wf_interactions_create(&th.host, rating, true);
	for (uint32_t k = 0; k < n; k++)
		add_made_row(in, (MadeRow) {k % n_users, k / n_users % n_items, 3, 7});
	start(&th.host, &f, in, method, validation);
	model = fit_and_open(&th, &f);
	for (uint32_t user = 0; user <= n_users; user += n_users)
	{
		WfRecommendQuery q = {.user = user < n_users ? user : WF_CODE_MISSING,.exclude_seen = true};
		uint32_t	found = wf_recommend(&th.host, model->opened, &q, 10, out);

		for (uint32_t k = 0; k < found; k++)
			WF_CHECK(out[k].item < n_items && isfinite(out[k].score));
	}
	if (rating)
		WF_CHECK_NEAR(wf_predict_rating(&th.host, model->opened, 0, 0), 3, 1e-6);
	wf_similar_items(&th.host, model->opened, 0, 10, out);
	test_host_end(&th);
}

WF_TEST(hostile_shapes_give_a_model)
{
	static const char *const methods[] = {"auto", "ease", "rp3beta", "item_knn", "popular", "als", "nmf"};

	for (int m = 0; m < 7; m++)
	{
		const char *validation = m % 2 ? "none" : NULL;

		try_shape(methods[m], 1, 1, 1, false, validation);
		try_shape(methods[m], 1, 1, 1, true, validation);
		try_shape(methods[m], 20, 1, 20, true, validation);
		try_shape(methods[m], 20, 20, 1, false, validation);
		try_shape(methods[m], 100, 10, 10, true, validation);	/* everybody has everything */
		try_shape(methods[m], 2, 2, 1, true, validation);
	}
}

/* One user with very many items: pairs are drawn, nothing is quadratic. */
WF_TEST(very_long_history_is_sampled)
{
	TestHost	th;
	Fit			f;
	WfModel    *model;
	WfRecommendation out[10];
	WfRecommendQuery q = {.exclude_seen = true};
	WfInteractions *in;

	test_host_begin(&th);
	in = wf_interactions_create(&th.host, false, false);
	for (uint32_t k = 0; k < 17500; k++)
	{
		char		item[16];

		snprintf(item, sizeof(item), "%u", k);
		add(in, "greedy", item, 0);
		if (k < 300)
		{
			add(in, "modest", item, 0);
			add(in, k % 2 ? "odd" : "even", item, 0);
		}
	}
	start(&th.host, &f, in, "rp3beta", "none");
	set(&th.host, &f.spec, "beta", NULL, 0.3);
	set(&th.host, &f.spec, "max_history", NULL, 100);
	set(&th.host, &f.spec, "neighbours", NULL, 20);
	model = fit_and_open(&th, &f);
	q.user = user_number(model, "odd");
	WF_CHECK_EQ(wf_recommend(&th.host, model->opened, &q, 10, out), 10);
	WF_CHECK_EQ(out[0].source, WF_SOURCE_COLLABORATIVE);
	q.user = user_number(model, "greedy");
	WF_CHECK_EQ(wf_recommend(&th.host, model->opened, &q, 10, out), 0);
	test_host_end(&th);
}

WF_TEST(estimate_is_an_upper_bound)
{
	static const char *const methods[] = {"ease", "rp3beta", "item_knn", "popular", "als", "nmf"};

	for (int m = 0; m < 6; m++)
		for (int rating = 0; rating <= (m == 0); rating++)
		{
			TestHost	th;
			Fit			f;
			size_t		memory;
			size_t		artifact;

			test_host_begin(&th);
			start(&th.host, &f, make_interactions(&th.host, 800, 60, 40, rating, true, 1), methods[m], NULL);
			set(&th.host, &f.spec, "factors", NULL, 3);
			wf_recommender_estimate(&f.spec, 800, 60, 40, rating, true, &memory, &artifact);
			WF_CHECK(test_team_run(&th, 1, fit, &f));
			/* blocks of 65,536 rows are not worth telling of */
			WF_CHECK(memory + (2 << 20) >= th.bytes_peak);
			WF_CHECK(artifact >= f.result.artifact.length);
			if (!rating && artifact > 8 * f.result.artifact.length)
				wf_test_failed(__FILE__, __LINE__, "%s: estimate %zu for %zu", methods[m], artifact, f.result.artifact.length);
			test_host_end(&th);
		}
}

/* ---- failures ---- */

static void
fit_small(TestHost *th, Fit *f, const char *method)
{
	static const WfContentKind kinds[] = {WF_CONTENT_TEXT};
	WfInteractions *in = make_interactions(&th->host, 120, 12, 10, true, true, 1);

	start(&th->host, f, in, method, NULL);
	f->input.content = wf_content_begin(&th->host, 1, kinds);
	wf_interactions_add_item(in, "new", 3);
	wf_content_row(f->input.content);
	wf_content_add_text(f->input.content, 0, "text", 4);
	set(&th->host, &f->spec, "ease_items", NULL, 6);
	set(&th->host, &f->spec, "factors", NULL, 2);
	set(&th->host, &f->spec, "iterations", NULL, 1);
}

WF_TEST(every_failure_is_survived)
{
	TestHost	th;
	Fit			f;
	uint64_t	allocs;
	uint64_t	checks;
	uint64_t	step;

	test_host_begin(&th);
	fit_small(&th, &f, "ease");
	WF_CHECK(test_team_run(&th, 1, fit, &f));
	allocs = th.n_allocs;
	checks = th.n_checks;
	test_host_end(&th);
	step = (allocs + checks) / 40 + 1;
	for (uint64_t k = 1; k <= allocs + checks; k += step)
	{
		jmp_buf		jb;

		test_host_begin(&th);
		if (k <= allocs)
			th.fail_alloc_at = k;
		else
			th.cancel_check_at = k - allocs;
		th.on_fail = &jb;
		if (setjmp(jb) == 0)
		{
			fit_small(&th, &f, "ease");
			WF_CHECK(!test_team_run(&th, 1, fit, &f));
		}
		WF_CHECK(th.failed);
		test_host_end(&th);
	}
}

/* ---- damaged bytes ---- */

/* Open the section with some bytes changed: an error, or a model that can be used. */
static void
open_damaged(const WfModel *good, const uint8_t *bytes, size_t length)
{
	TestHost	th;
	jmp_buf		jb;

	test_host_begin(&th);
	th.on_fail = &jb;
	if (setjmp(jb) == 0)
	{
		void	   *copy = wf_alloc_aligned(&th.host, length, 1);
		void	   *opened;
		WfRecommendation out[10];
		uint32_t	history[] = {0, 3, 12};
		WfRecommenderInfo info;

		memcpy(copy, bytes, length);
		opened = wf_recommender_open(&th.host, copy, length, &good->shape);
		info = wf_recommender_info(opened);
		for (uint32_t user = 0; user < info.n_users; user++)
		{
			WfRecommendQuery q = {.user = user,.history = history,.n_history = user % 4,.exclude_seen = user % 2};
			uint32_t	n = wf_recommend(&th.host, opened, &q, 10, out);

			for (uint32_t k = 0; k < n; k++)
				WF_CHECK(out[k].item < info.n_catalogue);
			(void) wf_predict_rating(&th.host, opened, user, user);
		}
		for (uint32_t item = 0; item < info.n_catalogue; item++)
			(void) wf_similar_items(&th.host, opened, item, 10, out);
	}
	else
		WF_CHECK(th.code == WF_E_CORRUPT || th.code == WF_E_UNSUPPORTED);
	test_host_end(&th);
}

WF_TEST(damaged_bytes_do_no_harm)
{
	static const char *const methods[] = {"ease", "rp3beta", "als"};

	for (int m = 0; m < 3; m++)
	{
		TestHost	th;
		Fit			f;
		WfModel    *model;
		size_t		length;
		const uint8_t *section;
		uint8_t    *bytes;

		test_host_begin(&th);
		fit_small(&th, &f, methods[m]);
		model = fit_and_open(&th, &f);
		section = wf_model_section(model, "RECM", &length);
		bytes = wf_alloc(&th.host, length, 1);
		for (uint32_t turn = 0; turn < 1000; turn++)
		{
			uint64_t	r = wf_rng(turn, 9);
			size_t		size = turn % 50 == 49 ? (size_t) (r % length) : length;

			memcpy(bytes, section, length);
			for (uint32_t k = 0; k <= turn % 3; k++)
			{
				size_t		limit = turn % 2 ? sizeof(WfRecHeader) : length;
				size_t		at = (size_t) (wf_rng(r, k) % limit);

				bytes[at] = turn % 5 ? (uint8_t) wf_rng(r, 10 + k) : (uint8_t) (bytes[at] ^ 1 << k);
			}
			open_damaged(model, bytes, size);
		}
		test_host_end(&th);
	}
}
