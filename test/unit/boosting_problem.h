/*-------------------------------------------------------------------------
 * boosting_problem.h
 *	  Data sets made by hand and whole trainings on them, for the tests of
 *	  boosting.
 *-------------------------------------------------------------------------
 */
#ifndef BOOSTING_PROBLEM_H
#define BOOSTING_PROBLEM_H

#include "wf_test.h"

#include "core/boosting.h"
#include "core/rng.h"
#include "core/tree.h"

typedef struct Problem
{
	WfDataset	data;
	WfSpec		spec;
	uint8_t    *bins;			/* n × d, by row id */
	int			out_fold;
	int			fixed_rounds;
	double		deadline;
	size_t		size_limit;
	uint64_t	shuffle;		/* order of the records before training; 0: by id */
	/* result of the last training */
	WfFitted	fitted;
	uint8_t    *section;		/* malloced copy */
	size_t		length;
	double	   *gain;
} Problem;

/* A number in [0, 1) of row i. */
static inline double
unit_of(uint64_t seed, uint64_t i)
{
	return wf_rng_unit(wf_rng(seed, i));
}

/* All numbers of 32 bins, no targets yet. */
static inline void
problem_begin(Problem *p, uint32_t n, uint32_t d, int n_classes)
{
	memset(p, 0, sizeof(*p));
	p->out_fold = -1;
	p->spec.algorithm = wf_algorithm_find("gradient_boosting");
	p->spec.task = n_classes ? WF_CLASSIFICATION : WF_REGRESSION;
	wf_params_defaults(&p->spec);
	p->data.n = n;
	p->data.d = d;
	p->data.n_classes = n_classes;
	p->data.target = n_classes ? NULL : calloc(n, sizeof(double));
	p->data.label = n_classes ? calloc(n, sizeof(uint16_t)) : NULL;
	p->data.n_bins = calloc(d, sizeof(uint16_t));
	p->data.is_category = calloc(d, 1);
	p->data.has_missing = calloc(d, 1);
	p->data.monotone = calloc(d, 1);
	p->bins = calloc((size_t) n * d, 1);
	for (uint32_t f = 0; f < d; f++)
		p->data.n_bins[f] = 32;
	for (size_t i = 0; i < (size_t) n * d; i++)
		p->bins[i] = (uint8_t) (wf_rng(5, i) >> 59);
}

static inline void
problem_end(Problem *p)
{
	free(p->data.target);
	free(p->data.label);
	free(p->data.weight);
	free(p->data.fold);
	free(p->data.n_bins);
	free(p->data.is_category);
	free(p->data.has_missing);
	free(p->data.monotone);
	free(p->data.rows);
	free(p->bins);
	free(p->section);
	free(p->gain);
}

static inline double
problem_x(const Problem *p, uint32_t i, uint32_t f)
{
	return p->bins[(size_t) i * p->data.d + f] / 32.0;
}

static inline void
problem_set(Problem *p, const char *name, double number)
{
	TestHost	th;
	WfParamInput input = {.kind = WF_INPUT_NUMBER, .number = number};

	test_host_begin(&th);
	wf_params_set(&th.host, &p->spec, name, &input);
	test_host_end(&th);
}

static inline void
problem_word(Problem *p, const char *name, const char *word)
{
	TestHost	th;
	WfParamInput input = {.kind = WF_INPUT_TEXT, .text = word};

	test_host_begin(&th);
	wf_params_set(&th.host, &p->spec, name, &input);
	test_host_end(&th);
}

/* Some missing numbers, and a category of 12 levels in the last feature. */
static inline void
problem_mix(Problem *p)
{
	uint32_t	last = p->data.d - 1;

	p->data.has_missing[1] = 1;
	p->data.is_category[last] = 1;
	p->data.n_bins[last] = 12;
	for (uint32_t i = 0; i < p->data.n; i++)
	{
		uint8_t    *bins = p->bins + (size_t) i * p->data.d;

		if (unit_of(11, i) < 0.2)
			bins[1] = WF_MISSING_BIN;
		bins[last] %= 12;
	}
}

/* Make the records: bins, row id, zeros. */
static inline void
problem_records(Problem *p)
{
	WfDataset  *data = &p->data;
	size_t		d = data->d;

	data->payload_at = (d + 3) / 4 * 4;
	data->stride = data->payload_at + wf_boosting_payload(&p->spec, data->n_classes, data->weight != NULL);
	free(data->rows);
	data->rows = calloc(data->n, data->stride);
	for (uint32_t i = 0; i < data->n; i++)
	{
		/* a permutation: an odd factor modulo a power of two would need n to be one */
		uint32_t	id = p->shuffle ? (uint32_t) ((i * UINT64_C(7919) + p->shuffle) % data->n) : i;
		uint8_t    *record = data->rows + (size_t) i * data->stride;

		memcpy(record, p->bins + id * d, d);
		memcpy(record + data->payload_at, &id, 4);
	}
}

static inline void
problem_member(WfTeam *team, void *arg)
{
	Problem    *p = arg;
	WfFitted	fitted;
	WfTraining	training = {
		.team = team, .spec = &p->spec, .data = &p->data, .out_fold = p->out_fold, .report = true,
		.fixed_rounds = p->fixed_rounds, .deadline = p->deadline, .size_limit = p->size_limit
	};

	wf_boosting_train(&training, &fitted);
	if (team->rank > 0)
		return;
	p->fitted = fitted;
	free(p->section);
	free(p->gain);
	p->length = fitted.section.length;
	p->section = malloc(p->length);
	memcpy(p->section, fitted.section.data, p->length);
	p->gain = malloc(p->data.d * sizeof(double));
	memcpy(p->gain, fitted.gain, p->data.d * sizeof(double));
}

/* Train from fresh records. */
static inline bool
problem_train(Problem *p, TestHost *th, int team_size)
{
	problem_records(p);
	return test_team_run(th, team_size, problem_member, p);
}

static inline void
problem_train_alone(Problem *p)
{
	TestHost	th;

	test_host_begin(&th);
	WF_CHECK(problem_train(p, &th, 1));
	test_host_end(&th);
}

/* Raw outputs of rows of bins, through the section. */
static inline void
problem_score(const Problem *p, const uint8_t *bins, size_t n, double *out)
{
	TestHost	th;
	WfEnsemble	e;
	size_t		k = (size_t) wf_n_outputs(p->data.n_classes);

	test_host_begin(&th);
	wf_ensemble_open(&th.host, p->section, p->length, p->data.d, p->data.is_category, p->data.n_classes, &e);
	for (size_t i = 0; i < n; i++)
		wf_ensemble_score_bins(&e, bins + i * p->data.d, out + i * k);
	test_host_end(&th);
}

#endif							/* BOOSTING_PROBLEM_H */
