/*-------------------------------------------------------------------------
 * recommender.c
 *	  From interactions to a recommender: hold out, choose, report, fit.
 *
 * Every member walks through the same steps; rank 0 has read the rows and
 * writes the model.
 *-------------------------------------------------------------------------
 */
#include "core/recommender.h"

#include <math.h>
#include <string.h>

#include "core/content.h"
#include "core/model.h"
#include "core/recommending.h"

/* Users that report, at most. */
#define MAX_REPORT_USERS 5000

const WfParam wf_recommender_params[] = {
	{"method", WF_PARAM_WORD, 0, 0, "auto", "auto|ease|rp3beta|item_knn|popular|nmf|als",
	"How items are recommended; \"auto\" tries the item methods on interactions kept back and takes the best."},
	{"regularization", WF_PARAM_REAL, 0, 1e9, "auto", "auto",
	"Penalty of ease (lambda), als and nmf; \"auto\" chooses it on interactions kept back."},
	{"user_weight", WF_PARAM_WORD, 0, 0, "auto", "auto|equal|by_length",
	"Whether a user counts less in ease the more items he has; \"auto\" tries both."},
	{"ease_items", WF_PARAM_INT, 1, 20000, "5000", NULL,
	"Items with the most users that ease takes; memory grows with the square of this number."},
	{"neighbours", WF_PARAM_INT, 1, 10000, "200", NULL,
	"Weights kept for each item by rp3beta and item_knn."},
	{"beta", WF_PARAM_REAL, 0, 1, "auto", "auto",
	"How much rp3beta damps popular items; \"auto\" chooses among 0, 0.2, 0.3 and 0.4."},
	{"shrink", WF_PARAM_REAL, 0, 1e6, "5", NULL,
	"Added to the denominator of the cosine in item_knn, against chance pairs."},
	{"max_history", WF_PARAM_INT, 2, 100000, "500", NULL,
	"Items of a user that make pairs, drawn at random from longer histories when there are very many pairs."},
	{"factors", WF_PARAM_INT, 1, WF_FACTORS_MAX, "20", NULL,
	"Length of the vectors of als, nmf and of the model of ratings."},
	{"iterations", WF_PARAM_INT, 1, 1000, "auto", "auto",
	"Rounds of als, nmf and of the model of ratings."},
	{"confidence", WF_PARAM_REAL, 1, 1e6, "auto", "auto",
	"How much more als and nmf trust an interaction than its absence."},
	{0}
};

/* ---- reporting ---- */

static void
add_score(WfRec *rec, const char *metric, double value, double baseline, const char *split)
{
	wf_fit_result_add(rec->result, metric, value, baseline, split);
}

/* Rank 0: rankings beside popularity. */
static void
report_rankings(WfRec *rec, const WfRecScores *own, const WfRecScores *popular, const char *split)
{
	rec->result->headline = rec->result->n_scores;
	add_score(rec, "ndcg@10", own->ndcg, popular->ndcg, split);
	add_score(rec, "precision@10", own->precision, popular->precision, split);
	add_score(rec, "recall@10", own->recall, popular->recall, split);
	add_score(rec, "map@10", own->map, popular->map, split);
	add_score(rec, "hit_rate@10", own->hit_rate, popular->hit_rate, split);
	add_score(rec, "coverage@10", own->coverage, popular->coverage, split);
}

/* Why there are no rankings to report: silence would look like a forgotten score. */
static void
tell_nothing_held(WfRec *rec, bool held, const char *split)
{
	WfHost	   *host = rec->team->host;

	if (rec->team->rank != 0)
		return;
	if (!held)
		host->notice(host, "there are too few interactions to hold some out, so the model is not validated");
	else if (strcmp(split, "time") == 0)
		host->notice(host, "no user has interactions both before and in the latest part, so recommendations are not validated; \"validation\": \"holdout\" takes a random part");
	else
		host->notice(host, "no user has interactions that could be held out beside others, so recommendations are not validated");
}

/* Collective: train on what is not held out, and report what is. */
static void
report(WfRec *rec, const WfRecSetting *setting, const char *split)
{
	WfRecStage	stage;
	WfRecAudience audience;
	WfRecTrained trained;
	WfRecScores own;
	WfRecScores popular;
	uint8_t    *wanted;

	wf_rec_stage(rec, WF_SIDE_HELD, &stage);
	wf_rec_audience(rec, WF_SIDE_HELD, MAX_REPORT_USERS, &audience);
	if (audience.n > 0)
	{
		wanted = wf_rec_rows_wanted(rec, &stage, &audience);
		wf_rec_train(rec, &stage, setting, wanted, &trained);
		if (rec->result && strcmp(split, "fresh") == 0)
			rec->each = wf_alloc(rec->team->host, audience.n, sizeof(double));
		wf_rec_score(rec, &stage, &audience, &trained, &own);
		if (rec->each)
			wf_rec_challenge(rec, &audience);
		wf_release(rec->team->host, rec->each);
		rec->each = NULL;
		wf_rec_trained_free(rec, &trained);
		wf_team_free(rec->team, wanted);
		wf_rec_score(rec, &stage, &audience, NULL, &popular);
		if (rec->result)
			report_rankings(rec, &own, &popular, split);
	}
	else
		tell_nothing_held(rec, true, split);
	if (rec->data.has_rating)
		wf_rec_report_ratings(rec, &stage, split);
	wf_rec_audience_free(rec, &audience);
	wf_rec_stage_free(rec, &stage);
}

/* ---- the final model ---- */

/* Rank 0: sections to the artifact. */
static void
write_model(WfRec *rec, WfBytes *section)
{
	WfHost	   *host = rec->team->host;
	WfModelSection sections[4] = {{"RECM", section->data, section->length}, {"IDS0", NULL, 0}, {"IDS1", NULL, 0},
		{"SEEN", rec->seen.data, rec->seen.length}};
	WfBytes		users;
	WfBytes		items;

	wf_bytes_init(&users, host);
	wf_bytes_init(&items, host);
	wf_interactions_write_users(host, &rec->data, &users);
	wf_interactions_write_items(host, &rec->data, &items);
	sections[1].bytes = users.data;
	sections[1].length = users.length;
	sections[2].bytes = items.data;
	sections[2].length = items.length;
	if (section->length + users.length + items.length + rec->seen.length > rec->input->size_limit)
		host->fail(host, WF_E_LIMIT, "Lower \"ease_items\", \"neighbours\" or \"factors\", or raise wfml.max_model_size.",
				   "the model would take %zu MB, more than the limit of %zu MB",
				   (section->length + users.length + items.length + rec->seen.length) >> 20, rec->input->size_limit >> 20);
	wf_bytes_init(&rec->result->artifact, host);
	wf_rec_reserve(&rec->result->artifact, section->length + users.length + items.length + rec->seen.length + 4096);
	wf_model_write_sections(host, rec->spec, rec->data.n_rows, sections, 4, &rec->result->artifact);
	wf_bytes_free(&users);
	wf_bytes_free(&items);
}

/* Collective. */
static void
final_model(WfRec *rec, const WfRecSetting *setting, int mask)
{
	WfHost	   *host = rec->team->host;
	WfRecStage	stage;
	WfRecTrained trained;
	WfBytes		ratings;
	WfBytes		section;

	wf_bytes_init(&ratings, host);
	wf_bytes_init(&section, host);
	wf_rec_stage(rec, mask, &stage);
	if (rec->data.has_rating)
		wf_rec_train_ratings(rec, &stage, &ratings);
	wf_rec_train(rec, &stage, setting, NULL, &trained);
	/* before the room for the model is needed */
	wf_rec_stage_free_pairs(rec, &stage);
	if (rec->team->rank == 0)
	{
		host->progress(host, WF_PHASE_WRITE, 0, 1);
		wf_rec_write(rec, &stage, &trained, &ratings, &section);
		rec->result->training_rows = rec->data.n_rows;
		rec->result->time_limited = rec->time_limited;
	}
	wf_rec_trained_free(rec, &trained);
	wf_rec_stage_free(rec, &stage);
	wf_interactions_matrix_free(rec->team, &rec->data);
	if (rec->team->rank == 0)
		write_model(rec, &section);
	wf_bytes_free(&section);
	wf_bytes_free(&ratings);
}

/* ---- the whole way ---- */

static void
check_spec(WfHost *host, const WfSpec *spec, const WfRecommenderInput *input)
{
	if (spec->validation == WF_VALIDATE_CV || spec->validation == WF_VALIDATE_GROUP)
		host->fail(host, WF_E_PARAM, "Use \"holdout\", \"time\" or \"none\".",
				   "a recommender cannot be validated by \"%s\"",
				   spec->validation == WF_VALIDATE_CV ? "cv" : "group");
	if (spec->validation == WF_VALIDATE_TIME && !wf_interactions_has_time(input->interactions))
		host->fail(host, WF_E_PARAM, "Name the column of times.",
				   "validation \"time\" needs times of the interactions");
}

/* What counts as found: anything, or ratings not below the mean.  Collective. */
static void
set_liked(WfRec *rec)
{
	const WfMatrix *m = &rec->data.matrix;
	double		sum = 0;

	rec->liked = -INFINITY;
	if (!rec->data.has_rating)
		return;
	if (rec->team->rank == 0)
	{
		for (uint64_t e = 0; e < m->n; e++)
		{
			sum += m->value[e];
			if (e % 65536 == 0)
				rec->team->host->check(rec->team->host);
		}
		sum /= (double) m->n;
		/* all equal, and rounding: every rating is liked */
		rec->liked = (float) (sum - 1e-6 * fabs(sum));
	}
	wf_team_broadcast(rec->team, &rec->liked, sizeof(rec->liked));
}

void
wf_recommender_fit(WfTeam *team, const WfSpec *spec, const void *input, WfFitResult *result)
{
	WfRec		rec = {.team = team,.spec = spec,.input = input,.seed = spec->seed};
	WfRecSetting setting;
	const char *split;
	bool		held = false;
	bool		validate;

	if (team->rank == 0)
	{
		rec.result = result;
		wf_fit_result_init(result);
		check_spec(team->host, spec, input);
	}
	if (spec->max_seconds > 0)
		rec.deadline = team->host->now(team->host) + spec->max_seconds;
	wf_team_broadcast(team, &rec.deadline, sizeof(rec.deadline));
	wf_interactions_build(team, rec.input ? rec.input->interactions : NULL, &rec.data);
	if (team->rank == 0 && rec.data.has_rating && rec.data.n_rows > rec.data.matrix.n)
		team->host->notice(team->host, "repeated ratings of the same user and item: %llu, their mean counts",
						   (unsigned long long) (rec.data.n_rows - rec.data.matrix.n));
	rec.ranker = wf_ranker_create(team->host, rec.data.n_items);
	rec.side = wf_team_alloc(team, rec.data.matrix.n, 1);
	set_liked(&rec);
	if (team->rank == 0)
		wf_rec_see(&rec);
	validate = spec->validation != WF_VALIDATE_NONE || (rec.input && rec.input->champion);
	wf_team_broadcast(team, &validate, sizeof(validate));
	if (validate)
	{
		held = wf_rec_hold_out(&rec, &split);
		if (!held && spec->validation != WF_VALIDATE_NONE)
			tell_nothing_held(&rec, false, split);
	}
	setting = wf_rec_choose(&rec, true);
	if (held)
		report(&rec, &setting, split);
	if (held && spec->refit)
	{
		wf_rec_show_all(&rec);
		if (rec.data.matrix.n <= WF_REC_CHOOSE_TWICE && !wf_rec_late(&rec))
			setting = wf_rec_choose(&rec, false);
	}
	final_model(&rec, &setting, held && !spec->refit ? WF_SIDE_HELD : 0);
	wf_ranker_free(team->host, rec.ranker);
	wf_team_free(team, rec.side);
	wf_interactions_data_free(team, &rec.data);
}
