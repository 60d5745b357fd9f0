/*-------------------------------------------------------------------------
 * algorithm.c
 *	  The table of algorithms.
 *-------------------------------------------------------------------------
 */
#include "core/algorithm.h"

#include <string.h>

#include "core/boosting.h"
#include "core/fit.h"
#include "core/forest.h"
#include "core/isolation.h"
#include "core/linear.h"
#include "core/recommender.h"
#include "core/sequence.h"
#include "core/trees.h"

#define BOTH_TASKS ((1u << WF_REGRESSION) | (1u << WF_CLASSIFICATION))

static const WfAlgorithm algorithms[] = {
	{
		.name = "random_forest",
		.title = "Random forest: deep trees on bootstrap samples, their outputs averaged",
		.tasks = BOTH_TASKS,
		.family = WF_FAMILY_TABLE,
		.layout = WF_LAYOUT_BINS,
		.section = {'T', 'R', 'E', 'E'},
		.params = wf_forest_params,
		.fit = wf_fit,
		.payload = wf_forest_payload,
		.train = wf_forest_train,
		.estimate = wf_forest_estimate,
		.open = wf_trees_open,
		.predict = wf_trees_predict,
		.predict_block = wf_trees_predict_block,
		.score_row = wf_trees_score_row,
		.explain = wf_trees_explain
	},
	{
		.name = "gradient_boosting",
		.title = "Gradient boosting: small trees, each correcting the ones before it",
		.tasks = BOTH_TASKS,
		.family = WF_FAMILY_TABLE,
		.layout = WF_LAYOUT_BINS,
		.section = {'T', 'R', 'E', 'E'},
		.params = wf_boosting_params,
		.fit = wf_fit,
		.payload = wf_boosting_payload,
		.train = wf_boosting_train,
		.estimate = wf_boosting_estimate,
		.open = wf_trees_open,
		.predict = wf_trees_predict,
		.predict_block = wf_trees_predict_block,
		.score_row = wf_trees_score_row,
		.explain = wf_trees_explain
	},
	{
		.name = "linear",
		.title = "Linear or logistic regression with L1 and L2 penalties",
		.tasks = BOTH_TASKS,
		.family = WF_FAMILY_TABLE,
		.layout = WF_LAYOUT_VALUES,
		.section = {'L', 'I', 'N', 'R'},
		.params = wf_linear_params,
		.fit = wf_fit,
		.payload = wf_linear_payload,
		.train = wf_linear_train,
		.estimate = wf_linear_estimate,
		.open = wf_linear_open,
		.predict = wf_linear_predict,
		.predict_block = wf_linear_predict_block,
		.score_row = wf_linear_score_row,
		.explain = wf_linear_explain
	},
	{
		.name = "isolation_forest",
		.title = "Isolation forest: rows that random cuts set apart soon are odd; needs no target",
		.tasks = 1u << WF_ANOMALY,
		.family = WF_FAMILY_TABLE,
		.layout = WF_LAYOUT_VALUES,
		.section = {'I', 'S', 'O', 'L'},
		.params = wf_isolation_params,
		.fit = wf_fit,
		.payload = wf_isolation_payload,
		.train = wf_isolation_train,
		.estimate = wf_isolation_estimate,
		.open = wf_isolation_open,
		.predict = wf_isolation_predict,
		.predict_block = wf_isolation_predict_block,
		.score_row = wf_isolation_score_row,
		.explain = wf_isolation_explain
	},
	{
		.name = "sequence",
		.title = "What happens next in a case: Kneser-Ney, an LSTM and boosting, blended",
		.tasks = 1u << WF_SEQUENCE,
		.family = WF_FAMILY_EVENTS,
		.section = {'S', 'E', 'Q', 'N'},
		.params = wf_sequence_params,
		.fit = wf_sequence_fit,
		.open = wf_sequence_open
	},
	{
		.name = "recommender",
		.title = "Recommender: items for users, from what they and others did; and ratings",
		.tasks = 1u << WF_RECOMMENDATION,
		.family = WF_FAMILY_INTERACTIONS,
		.section = {'R', 'E', 'C', 'M'},
		.params = wf_recommender_params,
		.fit = wf_recommender_fit,
		.open = wf_recommender_open
	}
};

#define N_ALGORITHMS ((int) (sizeof(algorithms) / sizeof(algorithms[0])))

const WfAlgorithm *
wf_algorithm_get(int i)
{
	return i >= 0 && i < N_ALGORITHMS ? &algorithms[i] : NULL;
}

int
wf_algorithm_count(void)
{
	return N_ALGORITHMS;
}

int
wf_algorithm_find(const char *name)
{
	for (int i = 0; i < N_ALGORITHMS; i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return i;
	return -1;
}

/* A constant, so that an error can use it; a unit test holds it to the table. */
const char *
wf_algorithm_names(void)
{
	return "random_forest, gradient_boosting, linear, isolation_forest, sequence, recommender";
}
