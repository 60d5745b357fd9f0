/* The table of algorithms is complete and found by name. */
#include "wf_test.h"

#include "core/algorithm.h"

WF_TEST(every_row_is_complete)
{
	char		names[200] = "";

	for (int i = 0; i < wf_algorithm_count(); i++)
	{
		const WfAlgorithm *a = wf_algorithm_get(i);

		WF_CHECK_EQ(wf_algorithm_find(a->name), i);
		WF_CHECK(strlen(a->name) < 32);	/* its place in a model's header */
		WF_CHECK(a->title && a->title[0]);
		WF_CHECK(a->tasks != 0);
		WF_CHECK(a->params && a->fit && a->open);
		WF_CHECK(a->family != WF_FAMILY_TABLE || (a->payload && a->train && a->estimate &&
												  a->predict && a->predict_block && a->score_row && a->explain));
		WF_CHECK(a->section[3] != '\0');
		if (i)
			strcat(names, ", ");
		strcat(names, a->name);
	}
	WF_CHECK_STR(wf_algorithm_names(), names);
}

WF_TEST(unknown_algorithms_are_not_found)
{
	WF_CHECK_EQ(wf_algorithm_find("Random_Forest"), -1);
	WF_CHECK_EQ(wf_algorithm_find(""), -1);
	WF_CHECK(wf_algorithm_get(-1) == NULL);
	WF_CHECK(wf_algorithm_get(wf_algorithm_count()) == NULL);
}

WF_TEST(number_of_raw_outputs)
{
	WF_CHECK_EQ(wf_n_outputs(0), 1);
	WF_CHECK_EQ(wf_n_outputs(2), 1);
	WF_CHECK_EQ(wf_n_outputs(3), 3);
}
