/*-------------------------------------------------------------------------
 * fit.c
 *	  Validation, final training, calibration, writing: the one way from rows
 *	  to a model.
 *
 * Every member walks through the same steps, so that the collective calls
 * match; what only the leader knows is broadcast before it decides anything.
 *-------------------------------------------------------------------------
 */
#include "core/fit.h"

#include <math.h>
#include <string.h>

#include "core/calibrate.h"
#include "core/fitting.h"
#include "core/seen.h"
#include "core/validate.h"

/* What rank 0 tells the others before the data set is built. */
typedef struct FitHeader
{
	int			n_classes;
} FitHeader;

/* Class weights as asked for, by class; NULL when there are none. Rank 0. */
static double *
class_weights(WfHost *host, const WfSpec *spec, const WfFitInput *input)
{
	const WfParamValue *value;
	int			n_classes = input->schema->n_classes;
	double	   *weight;

	if (n_classes == 0 || wf_spec_is(spec, "class_weight", "none"))
		return NULL;
	weight = wf_alloc(host, (size_t) n_classes, sizeof(double));
	value = wf_spec_value(spec, "class_weight");
	if (wf_spec_is(spec, "class_weight", "balanced"))
	{
		uint64_t	n = wf_frame_n_rows(input->frame);
		uint64_t   *count = wf_alloc_zero(host, (size_t) n_classes, sizeof(uint64_t));

		for (uint64_t r = 0; r < n; r++)
			count[input->class_of_code[(uint32_t) wf_frame_target(input->frame, r)]]++;
		for (int c = 0; c < n_classes; c++)
			weight[c] = count[c] ? (double) n / ((double) n_classes * (double) count[c]) : 1.0;
		return weight;
	}
	for (int c = 0; c < n_classes; c++)
		weight[c] = 1.0;
	for (int i = 0; i < value->n_pairs; i++)
	{
		int			c = 0;

		while (c < n_classes && strcmp(input->schema->labels[c], value->pairs[i].key) != 0)
			c++;
		if (c == n_classes)
			host->fail(host, WF_E_PARAM, "The keys of \"class_weight\" are labels of the target.",
					   "\"class_weight\" names the label \"%s\", which does not occur", value->pairs[i].key);
		if (!(value->pairs[i].number > 0) || isinf(value->pairs[i].number))
			host->fail(host, WF_E_PARAM, WF_HINT_NONE,
					   "class weight of label \"%s\" must be a positive number", value->pairs[i].key);
		weight[c] = value->pairs[i].number;
	}
	return weight;
}

/* Directions of "monotone" into the schema's features.  Rank 0. */
static void
set_monotone(WfHost *host, const WfSpec *spec, WfSchema *schema)
{
	const WfParamValue *value;

	if (!wf_spec_has(spec, "monotone"))
		return;
	value = wf_spec_value(spec, "monotone");
	for (int i = 0; i < value->n_pairs; i++)
	{
		double		direction = value->pairs[i].number;
		bool		found = false;

		if (direction != -1 && direction != 0 && direction != 1)
			host->fail(host, WF_E_PARAM, WF_HINT_NONE,
					   "direction of column \"%s\" in \"monotone\" must be -1, 0 or 1", value->pairs[i].key);
		for (int f = 0; f < schema->n_features; f++)
		{
			WfFeature  *feature = &schema->features[f];
			const WfColumn *column = &schema->columns[feature->column];

			if (strcmp(column->name, value->pairs[i].key) != 0)
				continue;
			if (feature->category || feature->part != WF_PART_VALUE)
				host->fail(host, WF_E_PARAM, "Only numbers can be monotone.",
						   "column \"%s\" in \"monotone\" is not a number", column->name);
			feature->monotone = (int8_t) direction;
			found = true;
		}
		if (!found)
			host->fail(host, WF_E_PARAM, WF_HINT_NONE,
					   "\"monotone\" names the column \"%s\", which is not a feature", value->pairs[i].key);
	}
}

static bool
is_weighted(const WfSpec *spec)
{
	if (!wf_spec_has(spec, "class_weight"))
		return false;
	return wf_spec_value(spec, "weight_column")->by_user || !wf_spec_is(spec, "class_weight", "none");
}

size_t
wf_fit_memory(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes, size_t *shared)
{
	const WfAlgorithm *algorithm = wf_algorithm_get(spec->algorithm);
	bool		weighted = is_weighted(spec);
	size_t		payload = algorithm->layout == WF_LAYOUT_BINS ? algorithm->payload(spec, n_classes, weighted) : 0;
	size_t		memory = 0;
	size_t		artifact = 0;

	algorithm->estimate(spec, n, d, n_classes, &memory, &artifact);
	*shared = wf_dataset_bytes(n, d, payload, algorithm->layout, n_classes, weighted);
	if (spec->validation != WF_VALIDATE_NONE)
		*shared += (size_t) n * (1 + sizeof(double) * (size_t) wf_n_outputs(n_classes));
	return *shared + memory;
}

/* Seconds after which the next training has to stop, shared fairly; 0: none. */
static double
next_deadline(const WfFit *fit)
{
	double		end;
	double		now;
	int			left = fit->n_trainings - fit->trainings_done;

	if (fit->spec->max_seconds <= 0)
		return 0;
	end = fit->started + fit->spec->max_seconds;
	now = fit->team->host->now(fit->team->host);
	return now + (end > now ? (end - now) / (left > 0 ? left : 1) : 0) + 1e-6;
}

/* Collective: one training; rank 0 gets the result. */
static void
train_once(WfFit *fit, int out_fold, int fixed_rounds, WfFitted *fitted)
{
	WfTraining	training = {
		.team = fit->team,
		.spec = fit->spec,
		.data = fit->data,
		.out_fold = out_fold,
		.deadline = next_deadline(fit),
		.size_limit = fit->input ? fit->input->size_limit : SIZE_MAX,
		.fixed_rounds = fixed_rounds,
		.report = out_fold < 0,
	};

	/* The limits must be the same in every member. */
	wf_team_broadcast(fit->team, &training.deadline, sizeof(training.deadline));
	wf_team_broadcast(fit->team, &training.size_limit, sizeof(training.size_limit));
	memset(fitted, 0, sizeof(*fitted));
	fit->algorithm->train(&training, fitted);
	wf_team_broadcast(fit->team, &fitted->link, sizeof(fitted->link));
	fit->link = fitted->link;
	fit->trainings_done++;
	if (fit->result && fitted->time_limited)
		fit->result->time_limited = true;
	if (out_fold >= 0)
		fit->team->host->progress(fit->team->host, WF_PHASE_VALIDATE,
								  (uint64_t) out_fold + 1, (uint64_t) fit->n_folds);
}

/*
 * Collective: open a section in every member.  *shared is to be freed with
 * wf_team_free when the section is done with.
 */
static void *
open_everywhere(WfFit *fit, const WfFitted *fitted, void **shared)
{
	uint64_t	length = fitted->section.length;
	const void *bytes = fitted->section.data;

	*shared = NULL;
	if (fit->team->size > 1)
	{
		wf_team_broadcast(fit->team, &length, sizeof(length));
		*shared = wf_team_alloc(fit->team, 1, length);
		if (fit->team->rank == 0)
			memcpy(*shared, fitted->section.data, length);
		wf_team_barrier(fit->team);
		bytes = *shared;
	}
	return fit->algorithm->open(fit->team->host, bytes, length, &fit->shape);
}

/* Collective: raw outputs of the rows of a fold, each member its part. */
static void
score_fold(WfFit *fit, const void *opened, int fold)
{
	size_t		begin,
				end;

	wf_team_part(fit->team, fit->data->n, &begin, &end);
	for (size_t i = begin; i < end; i++)
	{
		uint32_t	id;
		const uint8_t *record = wf_fit_record(fit, i, &id);

		if (fit->data->fold[id] == fold)
			fit->algorithm->score_row(opened, fit->data, record, id,
									  fit->raw + (size_t) id * (size_t) fit->n_outputs);
		if ((i & 255) == 0)
			fit->team->host->check(fit->team->host);
	}
	wf_team_barrier(fit->team);
}

static const char *
split_name(WfValidation v)
{
	switch (v)
	{
		case WF_VALIDATE_HOLDOUT:
			return "holdout";
		case WF_VALIDATE_CV:
			return "cv";
		case WF_VALIDATE_TIME:
			return "time";
		case WF_VALIDATE_GROUP:
			return "group";
		case WF_VALIDATE_FRESH:
			return "fresh";
		default:
			return "none";
	}
}

static int
median_rounds(int *rounds, int n)
{
	for (int i = 1; i < n; i++)
		for (int j = i; j > 0 && rounds[j] < rounds[j - 1]; j--)
		{
			int			t = rounds[j];

			rounds[j] = rounds[j - 1];
			rounds[j - 1] = t;
		}
	return rounds[n / 2];
}

/* Collective: assign folds; the hashes of the rows have then done their work. */
static void
make_folds(WfFit *fit)
{
	WfDataset  *data = fit->data;

	fit->n_folds = 0;
	if (fit->spec->validation == WF_VALIDATE_NONE)
		return;
	data->fold = wf_team_alloc(fit->team, data->n, 1);
	if (fit->team->rank == 0)
		wf_validate_folds(fit->team->host, fit->spec, data, data->group, data->time,
						  data->fold, &fit->n_folds);
	wf_team_broadcast(fit->team, &fit->n_folds, sizeof(fit->n_folds));
	wf_team_free(fit->team, data->hash);
	data->hash = NULL;
	fit->raw = wf_team_alloc(fit->team, wf_size_mul(fit->team->host, data->n, (size_t) fit->n_outputs), sizeof(double));
}

/* Which features belong to each kept column, in order. */
static uint32_t
kept_columns(WfHost *host, const WfSchema *schema, uint32_t **first, uint32_t **count)
{
	uint32_t	n = 0;

	*first = wf_alloc(host, (size_t) schema->n_columns, sizeof(uint32_t));
	*count = wf_alloc(host, (size_t) schema->n_columns, sizeof(uint32_t));
	for (int c = 0; c < schema->n_columns; c++)
		if (schema->columns[c].left_out == WF_KEPT)
		{
			(*first)[n] = (uint32_t) schema->columns[c].first_feature;
			(*count)[n] = (uint32_t) schema->columns[c].n_features;
			n++;
		}
	return n;
}

/* Collective: permutation importance of each column, on fold 0's model. */
static double *
measure_permutation(WfFit *fit, const void *opened, const WfOutputRule *rule)
{
	WfHost	   *host = fit->team->host;
	uint32_t   *first = NULL;
	uint32_t   *count = NULL;
	uint32_t	n = 0;
	double	   *loss;

	if (fit->team->rank == 0)
		n = kept_columns(host, fit->input->schema, &first, &count);
	wf_team_broadcast(fit->team, &n, sizeof(n));
	if (fit->team->rank != 0)
	{
		first = wf_alloc(host, n, sizeof(uint32_t));
		count = wf_alloc(host, n, sizeof(uint32_t));
	}
	wf_team_broadcast(fit->team, first, n * sizeof(uint32_t));
	wf_team_broadcast(fit->team, count, n * sizeof(uint32_t));
	loss = wf_alloc(host, n, sizeof(double));
	wf_fit_permutation(fit, opened, rule, first, count, n, loss);
	return loss;
}

/* The rule without calibration. */
static WfOutputRule
plain_rule(const WfFit *fit)
{
	WfOutputRule rule = {
		.link = fit->link,
		.n_classes = fit->n_classes,
		.calibration = WF_CALIBRATE_NONE,
		.a = 1,
		.class_weight = fit->class_weight,
	};

	return rule;
}

/* Should a calibration be fitted to out-of-bag rows? */
static bool
calibrates_on_oob(const WfFit *fit, const WfFitted *fitted)
{
	return fit->n_classes > 0 && fitted->n_oob > 0 && !wf_spec_is(fit->spec, "calibration", "none");
}

/*
 * Collective: train without each fold, score it.  Returns the rounds that the
 * final fit shall do (0: by parameters).  Fold 0's fitted model is kept in
 * *first for refit = false.
 */
static int
validate(WfFit *fit, WfFitted *first, double **permutation)
{
	int			rounds[256];
	WfOutputRule *rules = wf_alloc_zero(fit->team->host, (size_t) fit->n_folds, sizeof(WfOutputRule));

	for (int f = 0; f < fit->n_folds; f++)
	{
		WfFitted	fitted;
		void	   *opened;
		void	   *shared;

		train_once(fit, f, 0, &fitted);
		opened = open_everywhere(fit, &fitted, &shared);
		score_fold(fit, opened, f);
		rounds[f] = fitted.rounds;
		rules[f] = plain_rule(fit);
		if (fit->team->rank == 0 && calibrates_on_oob(fit, &fitted))
			wf_fit_calibrate(fit, fitted.oob_row, fitted.oob_out, fitted.n_oob, &rules[f]);
		wf_team_broadcast(fit->team, &rules[f].calibration, sizeof(int));
		wf_team_broadcast(fit->team, &rules[f].a, sizeof(double));
		wf_team_broadcast(fit->team, &rules[f].b, sizeof(double));
		if (f == 0)
			*permutation = measure_permutation(fit, opened, &rules[0]);
		wf_team_free(fit->team, shared);
		if (f == 0)
			*first = fitted;
		else if (fit->team->rank == 0)
			wf_bytes_free(&fitted.section);
	}
	if (fit->team->rank == 0)
	{
		wf_fit_scores(fit, rules, split_name(fit->spec->validation));
		if (fit->input->judges)
			wf_fit_judge(fit, &rules[0], fit->input->judges);
	}
	rounds[0] = median_rounds(rounds, fit->n_folds);
	wf_team_broadcast(fit->team, &rounds[0], sizeof(int));
	return rounds[0];
}

/* Final calibration and interval.  Rank 0. */
static void
calibrate_final(WfFit *fit, const WfFitted *fitted, WfOutputRule *rule, double *lower, double *upper)
{
	WfHost	   *host = fit->team->host;
	const uint32_t *ids = fitted->oob_row;
	const double *raw = fitted->oob_out;
	size_t		n = fitted->n_oob;
	bool		by_user = !wf_spec_is(fit->spec, "calibration", "auto");

	/* Nothing to calibrate to without a target. */
	*lower = *upper = NAN;
	if (fit->spec->task == WF_ANOMALY)
		return;
	if (n == 0 && fit->n_folds > 0)
	{
		/* No out-of-bag rows: what the folds' models said of rows they had not seen. */
		uint32_t   *rows = wf_fit_validation_rows(fit, -1, &n);
		double	   *out = wf_alloc(host, n * (size_t) fit->n_outputs, sizeof(double));

		for (size_t i = 0; i < n; i++)
			memcpy(out + i * (size_t) fit->n_outputs, fit->raw + (size_t) rows[i] * (size_t) fit->n_outputs,
				   (size_t) fit->n_outputs * sizeof(double));
		ids = rows;
		raw = out;
	}
	if (n == 0)
	{
		if (by_user && !wf_spec_is(fit->spec, "calibration", "none"))
			host->fail(host, WF_E_PARAM, "Use another \"validation\" than \"none\", or \"calibration\": \"none\".",
					   "there are no held-out rows to fit the calibration to");
		return;
	}
	if (fit->n_classes == 0)
	{
		double	   *y = wf_alloc(host, n, sizeof(double));
		double	   *f = wf_alloc(host, n, sizeof(double));

		for (size_t i = 0; i < n; i++)
		{
			y[i] = fit->data->target[ids[i]];
			wf_output_finish(rule, raw + i, f + i);
		}
		wf_conformal_fit(host, y, f, n, lower, upper);
		return;
	}
	if (by_user ? !wf_spec_is(fit->spec, "calibration", "none") : fitted->n_oob > 0)
		wf_fit_calibrate(fit, ids, raw, n, rule);
}

/* The feature whose strings are groups. */
typedef struct Groups
{
	const WfDict *dict;
	const uint32_t *codes;		/* by number */
} Groups;

static const char *
group_string(void *arg, uint32_t i, size_t *length)
{
	const Groups *groups = arg;

	return wf_dict_string(groups->dict, groups->codes[i], length);
}

/* The groups of a schema as a table of ids; false: it has none. */
static bool
write_groups(WfHost *host, const WfSchema *schema, WfBytes *ids)
{
	for (int f = 0; f < schema->n_features; f++)
		if (schema->features[f].group)
		{
			Groups		groups = {schema->columns[schema->features[f].column].dict, schema->features[f].levels};

			wf_bytes_init(ids, host);
			wf_idmap_write(host, schema->features[f].n_levels, group_string, &groups, ids);
			return true;
		}
	return false;
}

/* Rank 0: everything into the artifact. */
static void
write_model(WfFit *fit, const WfFitted *fitted, const double *permutation)
{
	WfHost	   *host = fit->team->host;
	const WfSchema *schema = fit->input->schema;
	WfOutputRule rule = plain_rule(fit);
	uint32_t   *first;
	uint32_t   *count;
	uint32_t	n = kept_columns(host, schema, &first, &count);
	WfImportance *importance = wf_alloc_zero(host, n, sizeof(WfImportance));
	WfModelParts parts;
	WfBytes		ids;

	for (uint32_t c = 0; c < n; c++)
	{
		for (uint32_t f = first[c]; f < first[c] + count[c]; f++)
		{
			importance[c].gain += fitted->gain ? fitted->gain[f] : 0;
			importance[c].splits += fitted->splits ? fitted->splits[f] : 0;
		}
		importance[c].permutation = permutation ? permutation[c] : NAN;
	}
	memset(&parts, 0, sizeof(parts));
	calibrate_final(fit, fitted, &rule, &parts.lower, &parts.upper);
	parts.schema = schema;
	parts.data = fit->data;
	parts.spec = fit->spec;
	parts.fitted = fitted;
	parts.calibration = (WfCalibration) rule.calibration;
	parts.calibration_a = rule.a;
	parts.calibration_b = rule.b;
	parts.class_weight = fit->class_weight;
	parts.training_rows = fit->data->n;
	parts.importance = importance;
	parts.ids = write_groups(host, schema, &ids) ? &ids : NULL;
	parts.seen = &fit->seen;
	parts.histograms = wf_fit_histograms(fit);
	if (fit->n_folds == 0 && fitted->n_oob > 0)
		wf_fit_oob_scores(fit, fitted, &rule);
	for (int i = 0; i < fitted->n_facts; i++)
	{
		if (i == 0)
			fit->result->headline = fit->result->n_scores;
		wf_fit_result_add(fit->result, fitted->facts[i].metric, fitted->facts[i].value, NAN, "training");
	}
	host->progress(host, WF_PHASE_WRITE, 0, 1);
	wf_bytes_init(&fit->result->artifact, host);
	wf_model_write(host, &parts, &fit->result->artifact);
	fit->result->rounds = fitted->rounds;
	fit->result->training_rows = fit->data->n;
	if (fit->input->size_limit && fit->result->artifact.length > fit->input->size_limit)
		host->fail(host, WF_E_LIMIT, "Use fewer trees or a larger \"min_samples_leaf\", or raise wfml.max_model_size.",
				   "the model takes %zu bytes, more than wfml.max_model_size allows (%zu)",
				   fit->result->artifact.length, fit->input->size_limit);
}

/* Collective: the data set in shared memory, its shape, and its folds. */
static void
build(WfFit *fit)
{
	WfHost	   *host = fit->team->host;
	const WfFitInput *input = fit->input;
	FitHeader	header = {0};
	size_t		payload;

	if (input)
	{
		header.n_classes = fit->spec->task == WF_CLASSIFICATION ? input->schema->n_classes : 0;
		fit->class_weight = class_weights(host, fit->spec, input);
		set_monotone(host, fit->spec, input->schema);
		wf_seen_of_frame(host, input->schema, input->frame, input->class_of_code, &fit->seen);
	}
	wf_team_broadcast(fit->team, &header, sizeof(header));
	fit->n_classes = header.n_classes;
	fit->n_outputs = wf_n_outputs(header.n_classes);
	payload = fit->algorithm->layout == WF_LAYOUT_BINS
		? fit->algorithm->payload(fit->spec, fit->n_classes, is_weighted(fit->spec)) : 0;
	fit->data = wf_dataset_build(fit->team, input ? input->schema : NULL, input ? input->frame : NULL,
								 fit->algorithm->layout, payload,
								 wf_spec_has(fit->spec, "max_bins") ? (int) wf_spec_number(fit->spec, "max_bins") : 255,
								 input ? input->class_of_code : NULL, fit->n_classes, fit->class_weight,
								 fit->spec->validation != WF_VALIDATE_NONE);
	fit->shape = (WfShape) {
		.n_features = fit->data->d,
		.n_classes = fit->n_classes,
		.n_outputs = fit->n_outputs,
		.is_category = fit->data->is_category,
		.n_bins = fit->data->n_bins,
		.first_cut = fit->data->first_cut,
		.cuts = fit->data->cuts,
	};
	make_folds(fit);
}

void
wf_fit(WfTeam *team, const WfSpec *spec, const void *fit_input, WfFitResult *result)
{
	const WfFitInput *input = fit_input;
	WfFit		fit = {.team = team, .spec = spec, .input = input, .result = result};
	WfFitted	fitted;
	double	   *permutation = NULL;
	int			rounds = 0;
	bool		refit;

	fit.algorithm = wf_algorithm_get(spec->algorithm);
	fit.started = team->host->now(team->host);
	if (result)
		wf_fit_result_init(result);
	build(&fit);
	if (team->rank == 0)
	{
		int			leak = wf_fit_leak(&fit, &result->leak_auc);

		result->leak_column = leak < 0 ? -1 : input->schema->features[leak].column;
	}
	refit = fit.n_folds == 0 || spec->refit;
	fit.n_trainings = fit.n_folds + (refit ? 1 : 0);
	if (fit.n_folds > 0)
		rounds = validate(&fit, &fitted, &permutation);
	if (refit)
	{
		bool		stops_early = wf_spec_has(spec, "early_stopping_rounds") &&
			wf_spec_number(spec, "early_stopping_rounds") > 0;

		if (fit.n_folds > 0 && team->rank == 0)
			wf_bytes_free(&fitted.section);
		train_once(&fit, -1, stops_early ? rounds : 0, &fitted);
	}
	if (team->rank == 0)
		write_model(&fit, &fitted, permutation);
	wf_team_barrier(team);
	wf_team_free(team, fit.raw);
	wf_dataset_free(team, fit.data);
}
