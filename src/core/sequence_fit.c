/*-------------------------------------------------------------------------
 * sequence_fit.c
 *	  From an event log to a sequence model.
 *
 * Three experts learn from the cases that teach, stopped by those that
 * judge; these then give the weights of the blend; the cases that report
 * are only scored.  Afterwards all experts with a weight are trained once more
 * on all cases, as long as they were found to profit, and keep the weights.
 *
 * Boosting works as a team; the rest is rank 0's, and the others wait for it
 * at the next collective call.
 *-------------------------------------------------------------------------
 */
#include "core/sequence_fitting.h"

#include <math.h>
#include <string.h>

#include "core/model.h"

const WfParam wf_sequence_params[] = {
	{"predictor", WF_PARAM_WORD, 0, 0, "blend", "blend|markov|lstm|boosting",
	"Who predicts: the Markov model, the LSTM, boosting, or a mixture of the three weighted on cases kept aside."},
	{"order", WF_PARAM_INT, 1, WF_MARKOV_MAX_ORDER, "5", NULL,
	"Most events that the Markov model looks back."},
	{"vocabulary", WF_PARAM_INT, 1, 60000, "4000", NULL,
	"Events that the LSTM tells apart, the most frequent ones; the Markov model names the others."},
	{"hidden", WF_PARAM_INT, 1, WF_LSTM_MAX_HIDDEN, "100", NULL,
	"Units of the LSTM."},
	{"embedding", WF_PARAM_INT, 1, WF_LSTM_MAX_EMBEDDING, "32", NULL,
	"Numbers that stand for an event at the LSTM's input."},
	{"epochs", WF_PARAM_INT, 1, 10000, "50", NULL,
	"Most passes of the LSTM over the cases."},
	{"patience", WF_PARAM_INT, 1, 10000, "5", NULL,
	"Passes without improvement on the cases kept aside before the LSTM stops."},
	{"batch_size", WF_PARAM_INT, 1, 1024, "32", NULL,
	"Cases that the LSTM learns from at once."},
	{"learning_rate", WF_PARAM_REAL, 1e-6, 1, "0.002", NULL,
	"Size of the LSTM's steps (Adam)."},
	{"dropout", WF_PARAM_REAL, 0, 0.9, "0.2", NULL,
	"Share of the LSTM's units that are hidden from its output layer while it learns."},
	{"rounds", WF_PARAM_INT, 1, 100000, "600", NULL,
	"Most rounds of boosting; it stops when the cases kept aside profit no more."},
	{"tie_column", WF_PARAM_COLUMN, 0, 0, NULL, NULL,
	"Column that orders events of one case at one time; without it their text does."},
	{0}
};

/* Most of the Markov model's longer contexts, in bytes. */
#define MARKOV_LIMIT ((size_t) 32 << 20)
#define MASK_TIMES 0.1
/* Without cases that judge: a cautious guess. */
#define BLIND_EPOCHS 15
#define BLIND_ROUNDS 40

/* What rank 0 decides and all follow. */
typedef struct Plan
{
	bool		use[WF_N_EXPERTS];
	bool		gaps;			/* boosting for the time */
	bool		judged;			/* there are cases that judge */
	bool		refit;
	int			event_rounds;	/* 0: to be found */
	int			gap_rounds;
	uint32_t	epochs;
	double		deadline[3];	/* LSTM, boosting of events, of gaps; 0: none */
} Plan;

typedef struct Fit
{
	WfTeam	   *team;
	WfHost	   *host;
	const WfSpec *spec;
	Plan		plan;
	WfSeqRows  *event_rows;
	WfSeqRows  *gap_rows;
	double		started;
	/* progress, in thousandths of all work: what the stage at hand goes from and to */
	uint64_t	done;
	uint64_t	stage;
	/* rank 0 */
	const WfSequenceInput *input;
	WfEventLog *log;
	WfFitResult *result;
	uint8_t    *role;
	uint32_t	lstm_named;
	size_t		size_limit;
	WfSequenceHeader header;
	WfBytes		blocks[WF_SEQUENCE_BLOCKS];
} Fit;

/* ---- progress and time ---- */

static void
report(void *arg, uint64_t done, uint64_t total)
{
	Fit		   *fit = arg;

	if (total > 0)
		fit->host->progress(fit->host, WF_PHASE_TRAIN,
							fit->done + (uint64_t) ((double) fit->stage * ((double) done / (double) total)), 1000);
}

static void
stage_end(Fit *fit, uint64_t next)
{
	if (fit->team->rank != 0)
		return;
	report(fit, 1, 1);
	fit->done += fit->stage;
	fit->stage = next;
}

/* When each part has to stop, in this training and before the next one. */
static void
set_deadlines(Fit *fit, double from, double to)
{
	static const double until[3] = {0.6, 0.9, 1.0};
	double		all = fit->spec->max_seconds;

	for (int i = 0; i < 3; i++)
		fit->plan.deadline[i] = all > 0 ? fit->started + all * (from + (to - from) * until[i]) : 0;
}

/* ---- planning, rank 0 ---- */

static void
make_plan(Fit *fit)
{
	const WfEventLog *log = fit->log;
	Plan	   *plan = &fit->plan;
	bool		blend = wf_spec_is(fit->spec, "predictor", "blend");
	uint32_t	n_of_role[3];
	bool		has_other;

	fit->role = wf_sequence_roles(fit->spec, log, n_of_role);
	fit->lstm_named = wf_sequence_lstm_named(fit->spec, log);
	plan->judged = n_of_role[WF_CASE_JUDGES] > 0;
	/* Without cases that judge nobody could tell whether the blend is any better. */
	plan->use[WF_EXPERT_MARKOV] = true;
	plan->use[WF_EXPERT_LSTM] = ((blend && plan->judged) || wf_spec_is(fit->spec, "predictor", "lstm")) &&
		fit->lstm_named > 0;
	plan->use[WF_EXPERT_BOOSTING] = ((blend && plan->judged) || wf_spec_is(fit->spec, "predictor", "boosting")) &&
		wf_seqboost_named(log, &has_other) > 0;
	plan->gaps = plan->use[WF_EXPERT_BOOSTING] && log->time != NULL;
	plan->refit = fit->spec->refit && (n_of_role[WF_CASE_JUDGES] > 0 || n_of_role[WF_CASE_REPORTS] > 0);
	plan->epochs = (uint32_t) wf_spec_number(fit->spec, "epochs");
	if (!plan->judged)
	{
		plan->epochs = plan->epochs < BLIND_EPOCHS ? plan->epochs : BLIND_EPOCHS;
		plan->event_rounds = (int) wf_spec_number(fit->spec, "rounds");
		plan->event_rounds = plan->event_rounds < BLIND_ROUNDS ? plan->event_rounds : BLIND_ROUNDS;
		plan->gap_rounds = plan->event_rounds;
	}
	if (fit->spec->validation != WF_VALIDATE_NONE && n_of_role[WF_CASE_REPORTS] == 0)
		fit->host->notice(fit->host, "there is one case only, so the model is not validated");
	fit->header.n_kinds = log->n_kinds;
	fit->header.lstm_named = fit->lstm_named;
}

/* ---- training ---- */

static void
train_lstm(Fit *fit, unsigned roles, bool judged)
{
	const WfSpec *spec = fit->spec;
	WfLstmCases cases;
	WfLstmOptions options;
	WfLstmTrained trained;

	wf_sequence_lstm_cases(spec, fit->log, fit->role, roles, fit->lstm_named, &cases);
	wf_lstm_options_default(&options);
	options.hidden = (uint32_t) wf_spec_number(spec, "hidden");
	options.embedding = (uint32_t) wf_spec_number(spec, "embedding");
	options.epochs = fit->plan.epochs;
	options.patience = (uint32_t) wf_spec_number(spec, "patience");
	options.batch_size = (uint32_t) wf_spec_number(spec, "batch_size");
	options.learning_rate = wf_spec_number(spec, "learning_rate");
	options.dropout = wf_spec_number(spec, "dropout");
	options.mask_times = MASK_TIMES;
	options.refit = false;
	options.seed = spec->seed;
	options.deadline = fit->plan.deadline[0];
	options.progress = report;
	options.progress_arg = fit;
	if (!judged)
	{
		wf_release(fit->host, (void *) cases.held_out);
		cases.held_out = NULL;
		options.patience = 0;
	}
	wf_lstm_train(fit->host, &cases, &options, &trained);
	wf_bytes_free(&fit->blocks[WF_BLOCK_LSTM]);
	wf_bytes_init(&fit->blocks[WF_BLOCK_LSTM], fit->host);
	wf_lstm_write(&fit->blocks[WF_BLOCK_LSTM], &trained);
	if (options.deadline > 0 && fit->host->now(fit->host) > options.deadline)
		fit->result->time_limited = true;
	fit->plan.epochs = trained.best_epoch + 1;
	fit->result->rounds = (int) fit->plan.epochs;
	wf_lstm_trained_free(fit->host, &trained);
	wf_sequence_lstm_free(fit->host, &cases);
}

static void
train_markov(Fit *fit, bool all)
{
	const WfEventLog *log = fit->log;
	uint8_t    *use = wf_alloc(fit->host, log->n_cases, 1);
	size_t		limit = fit->size_limit / 2 < MARKOV_LIMIT ? fit->size_limit / 2 : MARKOV_LIMIT;

	for (uint32_t c = 0; c < log->n_cases; c++)
		use[c] = all || fit->role[c] == WF_CASE_TEACHES;
	wf_bytes_free(&fit->blocks[WF_BLOCK_MARKOV]);
	wf_bytes_init(&fit->blocks[WF_BLOCK_MARKOV], fit->host);
	wf_markov_write(fit->host, log, use, (int) wf_spec_number(fit->spec, "order"), limit,
					&fit->blocks[WF_BLOCK_MARKOV]);
	wf_release(fit->host, use);
}

/* Collective: one of the two boostings. */
static void
train_boosting(Fit *fit, WfSequenceBlock block, const WfSeqRows *rows, bool all, int *rounds)
{
	bool		leads = fit->team->rank == 0;
	bool		limited = false;

	if (leads)
	{
		wf_bytes_free(&fit->blocks[block]);
		wf_bytes_init(&fit->blocks[block], fit->host);
	}
	*rounds = wf_seqboost_train(fit->team, fit->spec, rows, all, *rounds,
								fit->plan.deadline[block == WF_BLOCK_GAPS ? 2 : 1],
								fit->size_limit, &fit->blocks[block], &limited);
	if (leads && limited)
		fit->result->time_limited = true;
}

/* Collective: all experts; on the cases that teach, or on all. */
static void
train_experts(Fit *fit, bool all)
{
	Plan	   *plan = &fit->plan;
	unsigned	roles = all ? 1u << WF_CASE_TEACHES | 1u << WF_CASE_JUDGES | 1u << WF_CASE_REPORTS
		: 1u << WF_CASE_TEACHES | 1u << WF_CASE_JUDGES;

	if (fit->team->rank == 0)
	{
		train_markov(fit, all);
		fit->header.median_gap = wf_sequence_median_gap(fit->log, fit->role, all ? roles : 1u << WF_CASE_TEACHES);
		if (plan->use[WF_EXPERT_LSTM])
			train_lstm(fit, roles, plan->judged && !all);
	}
	stage_end(fit, 150);
	if (fit->event_rows && plan->use[WF_EXPERT_BOOSTING])
		train_boosting(fit, WF_BLOCK_EVENTS, fit->event_rows, all, &plan->event_rounds);
	stage_end(fit, 50);
	if (fit->gap_rows && plan->gaps)
		train_boosting(fit, WF_BLOCK_GAPS, fit->gap_rows, all, &plan->gap_rounds);
	stage_end(fit, 300);
}

/* ---- choosing and scoring, rank 0 ---- */

static void
drop_block(Fit *fit, WfSequenceBlock block)
{
	wf_bytes_free(&fit->blocks[block]);
	memset(&fit->blocks[block], 0, sizeof(fit->blocks[block]));
	wf_bytes_init(&fit->blocks[block], fit->host);
}

static const char *
split_name(WfValidation v)
{
	return v == WF_VALIDATE_TIME ? "time" : v == WF_VALIDATE_FRESH ? "fresh" : "holdout";
}

/* Weights and scores of the experts at hand; leaves out who has none. */
static void
judge(Fit *fit)
{
	Plan	   *plan = &fit->plan;
	WfHost	   *host = fit->host;
	WfBytes		section;
	WfSequence *model;
	bool		allowed[WF_N_EXPERTS];

	/* A choice of one is no choice; the weights of the blend are found below. */
	for (int e = 0; e < WF_N_EXPERTS; e++)
		allowed[e] = plan->use[e];
	if (!wf_spec_is(fit->spec, "predictor", "blend"))
		for (int e = 0; e < WF_N_EXPERTS; e++)
			if (plan->use[e] && e != WF_EXPERT_MARKOV)
				allowed[WF_EXPERT_MARKOV] = false;
	for (int e = WF_N_EXPERTS - 1; e >= 0; e--)
		if (allowed[e])
		{
			memset(fit->header.weight, 0, sizeof(fit->header.weight));
			fit->header.weight[e] = 1;
		}
	/* Cases of one event have times but no gaps: there is nothing to tell. */
	fit->header.gap_source = fit->log->time && fit->log->n_events > fit->log->n_cases ? WF_GAP_MEDIAN : WF_GAP_NONE;
	wf_bytes_init(&section, host);
	wf_sequence_write(&fit->header, fit->blocks, &section);
	model = wf_sequence_open_kinds(host, section.data, section.length, fit->log->n_kinds);
	if (plan->judged)
		wf_sequence_choose(host, fit->log, fit->role, allowed, model);
	if (fit->spec->validation != WF_VALIDATE_NONE)
		wf_sequence_scores(host, fit->log, fit->role, model, split_name(fit->spec->validation), fit->result);
	if (fit->input->judges)
		wf_sequence_judge(host, fit->log, model, fit->input->judges);
	memcpy(fit->header.weight, model->own.weight, sizeof(fit->header.weight));
	fit->header.gap_source = model->own.gap_source;

	/* Who has no say is not trained again and not kept. */
	plan->gaps = plan->gaps && fit->header.gap_source == WF_GAP_BOOSTING;
	plan->use[WF_EXPERT_LSTM] = plan->use[WF_EXPERT_LSTM] &&
		(fit->header.weight[WF_EXPERT_LSTM] > 0 || fit->header.gap_source == WF_GAP_LSTM);
	plan->use[WF_EXPERT_BOOSTING] = fit->header.weight[WF_EXPERT_BOOSTING] > 0;
	if (!plan->use[WF_EXPERT_LSTM])
		drop_block(fit, WF_BLOCK_LSTM);
	if (!plan->use[WF_EXPERT_BOOSTING])
		drop_block(fit, WF_BLOCK_EVENTS);
	if (!plan->gaps)
		drop_block(fit, WF_BLOCK_GAPS);
	wf_bytes_free(&section);
}

/* ---- writing, rank 0 ---- */

static const char *
event_text(void *arg, uint32_t i, size_t *length)
{
	return wf_eventlog_text(arg, i, length);
}

static void
write_model(Fit *fit)
{
	WfHost	   *host = fit->host;
	const char *zone = fit->input->time_zone;
	WfBytes		section;
	WfBytes		ids;
	WfBytes		seen;
	WfModelSection sections[4] = {{"IDS0", NULL, 0}, {"SEQN", NULL, 0}, {"SEEN", NULL, 0},
		{"ZONE", zone, zone ? strlen(zone) + 1 : 0}};

	host->progress(host, WF_PHASE_WRITE, 0, 1);
	wf_bytes_init(&ids, host);
	wf_idmap_write(host, fit->log->n_kinds, event_text, fit->log, &ids);
	wf_bytes_init(&section, host);
	wf_sequence_write(&fit->header, fit->blocks, &section);
	sections[0].bytes = ids.data;
	sections[0].length = ids.length;
	sections[1].bytes = section.data;
	sections[1].length = section.length;
	wf_seen_of_cases(host, fit->log, &seen);
	sections[2].bytes = seen.data;
	sections[2].length = seen.length;
	wf_bytes_init(&fit->result->artifact, host);
	wf_model_write_sections(host, fit->spec, fit->log->n_events, sections, zone && fit->log->timed ? 4 : 3,
							&fit->result->artifact);
	wf_bytes_free(&ids);
	wf_bytes_free(&section);
	wf_bytes_free(&seen);
	if (fit->result->artifact.length > fit->size_limit)
		host->fail(host, WF_E_LIMIT, "Lower \"vocabulary\", \"hidden\" or \"order\", or raise wfml.max_model_size.",
				   "the model takes %zu bytes, more than wfml.max_model_size allows (%zu)",
				   fit->result->artifact.length, fit->size_limit);
	fit->result->training_rows = fit->log->n_events;
}

/* ---- the whole ---- */

static void
begin(Fit *fit, const WfSequenceInput *input, WfFitResult *result)
{
	fit->host = fit->team->host;
	fit->started = fit->host->now(fit->host);
	fit->stage = 300;
	for (int b = 0; b < WF_SEQUENCE_BLOCKS; b++)
		wf_bytes_init(&fit->blocks[b], fit->host);
	if (fit->team->rank == 0)
	{
		wf_fit_result_init(result);
		fit->input = input;
		fit->log = input->log;
		fit->result = result;
		fit->size_limit = input->size_limit > 0 ? input->size_limit : SIZE_MAX;
		make_plan(fit);
		set_deadlines(fit, 0, fit->plan.refit ? 0.5 : 1.0);
	}
	wf_team_broadcast(fit->team, &fit->plan, sizeof(fit->plan));
	wf_team_broadcast(fit->team, &fit->size_limit, sizeof(fit->size_limit));
}

void
wf_sequence_fit(WfTeam *team, const WfSpec *spec, const void *input, WfFitResult *result)
{
	Fit			fit = {.team = team,.spec = spec};
	bool		again;

	begin(&fit, input, result);
	if (fit.plan.use[WF_EXPERT_BOOSTING])
		fit.event_rows = wf_seqboost_rows(team, spec, fit.log, fit.role, false);
	if (fit.plan.gaps)
		fit.gap_rows = wf_seqboost_rows(team, spec, fit.log, fit.role, true);
	fit.plan.use[WF_EXPERT_BOOSTING] = fit.event_rows != NULL;
	fit.plan.gaps = fit.gap_rows != NULL;
	train_experts(&fit, false);
	if (team->rank == 0)
	{
		judge(&fit);
		set_deadlines(&fit, 0.5, 1.0);
	}
	wf_team_broadcast(team, &fit.plan, sizeof(fit.plan));
	again = fit.plan.refit;
	if (again)
		train_experts(&fit, true);
	wf_seqboost_rows_free(team, fit.event_rows);
	wf_seqboost_rows_free(team, fit.gap_rows);
	if (team->rank == 0)
		write_model(&fit);
	wf_team_barrier(team);
}

void
wf_sequence_estimate(const WfSpec *spec, uint64_t n_events, uint64_t n_cases, uint32_t n_kinds,
					 size_t *memory, size_t *artifact)
{
	bool		blend = wf_spec_is(spec, "predictor", "blend");
	size_t		part;
	size_t		block;
	size_t		shared;

	wf_markov_estimate(n_events, n_cases, n_kinds, (int) wf_spec_number(spec, "order"), MARKOV_LIMIT, memory, artifact);
	*artifact += (size_t) n_kinds * 64;
	if (blend || wf_spec_is(spec, "predictor", "lstm"))
	{
		double		vocabulary = wf_spec_number(spec, "vocabulary");
		uint32_t	named = n_kinds < vocabulary ? n_kinds : (uint32_t) vocabulary + 1;
		uint32_t	cases = n_cases < 1000000 ? (uint32_t) n_cases : 1000000;
		WfLstmOptions options;

		wf_lstm_options_default(&options);
		options.hidden = (uint32_t) wf_spec_number(spec, "hidden");
		options.embedding = (uint32_t) wf_spec_number(spec, "embedding");
		options.batch_size = (uint32_t) wf_spec_number(spec, "batch_size");
		wf_lstm_estimate(&options, named, cases, n_events < 100000 ? (uint32_t) n_events : 100000, true, &part, &block);
		*memory += part + (size_t) (n_events < 600000 ? n_events : 600000) * 10 + n_cases * 9;
		*artifact += block;
	}
	if (blend || wf_spec_is(spec, "predictor", "boosting"))
		for (int gaps = 0; gaps < 2; gaps++)
		{
			wf_seqboost_estimate(n_events, n_kinds, gaps, &shared, &part, &block);
			*memory += shared + part;
			*artifact += block;
		}
	*memory += 2 * *artifact;
}
