/*-------------------------------------------------------------------------
 * kind.c
 *	  What kind of model a function needs, and what it says to another kind.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "pg/kind.h"
#include "pg/registry.h"

static const struct
{
	const char *name;
	const char *noun;			/* "a … model" */
	const char *functions;
}			kinds[] = {
	[WF_REGRESSION] = {"regression", "a regression model", "wfml.predict() and wfml.explain()"},
	[WF_CLASSIFICATION] = {"classification", "a classification model", "wfml.classify(), wfml.predict_proba() and wfml.explain()"},
	[WF_ANOMALY] = {"anomaly", "an anomaly model", "wfml.anomaly_score(), wfml.is_anomaly() and wfml.explain_anomaly()"},
	[WF_RECOMMENDATION] = {"recommendation", "a recommender", "wfml.recommend(), wfml.predict_rating() and wfml.similar_items()"},
	[WF_SEQUENCE] = {"sequence", "a sequence model", "wfml.next_event(), wfml.next_event_time() and wfml.sequence_score()"},
};

const char *
wfml_task_name(WfTask task)
{
	return kinds[task].name;
}

void
wfml_check_task(const WfModel *model, const char *name, unsigned tasks)
{
	unsigned	task = model->header->task;

	if (tasks & WFML_TASK(task))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_WFML_WRONG_KIND),
			 errmsg("model \"%s\" is %s, which this function does not work with", name, kinds[task].noun),
			 errhint("Such models are used with %s.", kinds[task].functions)));
}

void
wfml_check_rows_algorithm(const char *algorithm, const char *verb)
{
	int			i = wf_algorithm_find(algorithm);

	/* An unknown name has an error of its own. */
	if (i < 0 || wf_algorithm_get(i)->family == WF_FAMILY_TABLE)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("algorithm \"%s\" does not learn from rows of columns", algorithm),
			 errhint("Use wfml.%s_%s().", verb, algorithm)));
}
