/* Parameters: every description, its default, and what a wrong value says. */
#include "wf_test.h"

#include <ctype.h>

#include "core/algorithm.h"

static WfSpec
spec_of(const char *algorithm)
{
	WfSpec		spec = {.algorithm = wf_algorithm_find(algorithm)};

	wf_params_defaults(&spec);
	return spec;
}

static WfParamInput
number(double x)
{
	return (WfParamInput) {.kind = WF_INPUT_NUMBER, .number = x};
}

static WfParamInput
text(const char *s)
{
	return (WfParamInput) {.kind = WF_INPUT_TEXT, .text = s};
}

WF_TEST(every_description_is_sound)
{
	for (int a = 0; a < wf_algorithm_count(); a++)
	{
		WfSpec		spec = {.algorithm = a};

		wf_params_defaults(&spec);
		WF_CHECK(wf_params_count(a) <= WF_MAX_PARAMS);
		WF_CHECK(wf_params_get(a, wf_params_count(a)) == NULL);
		WF_CHECK(wf_params_get(a, -1) == NULL);
		for (int i = 0; i < wf_params_count(a); i++)
		{
			const WfParam *p = wf_params_get(a, i);

			WF_CHECK(strlen(p->name) < 64);
			WF_CHECK(p->description && p->description[0]);
			WF_CHECK(p->min <= p->max);
			WF_CHECK(p->type != WF_PARAM_WORD || p->words != NULL);
			/* a default is a valid value, and a parameter without one is not set */
			WF_CHECK(!spec.value[i].by_user);
			if (p->fallback && p->type != WF_PARAM_TEXT && p->type != WF_PARAM_COLUMN)
			{
				bool		is_number = isdigit((unsigned char) p->fallback[0]) || p->fallback[0] == '-' || p->fallback[0] == '.';

				WF_CHECK(is_number || p->type == WF_PARAM_BOOL || spec.value[i].word >= 0);
				if (is_number)
					WF_CHECK_NEAR(spec.value[i].number, atof(p->fallback), 0);
			}
			for (int j = 0; j < i; j++)
				WF_CHECK(strcmp(p->name, wf_params_get(a, j)->name) != 0);
		}
	}
}

WF_TEST(every_word_can_be_read_back)
{
	for (int a = 0; a < wf_algorithm_count(); a++)
		for (int i = 0; i < wf_params_count(a); i++)
		{
			const WfParam *p = wf_params_get(a, i);
			TestHost	th;
			char		words[200];

			if (p->words == NULL)
				continue;
			test_host_begin(&th);
			snprintf(words, sizeof(words), "%s", p->words);
			for (char *w = strtok(words, "|"); w; w = strtok(NULL, "|"))
			{
				WfSpec		spec = {.algorithm = a};
				WfParamInput in = text(w);

				wf_params_defaults(&spec);
				wf_params_set(&th.host, &spec, p->name, &in);
				WF_CHECK(wf_spec_word(&spec, p->name) != NULL);
				WF_CHECK_STR(wf_spec_word(&spec, p->name), w);
				WF_CHECK(wf_spec_is(&spec, p->name, w));
				WF_CHECK(!wf_spec_is(&spec, p->name, "nonsense"));
				WF_CHECK(wf_spec_value(&spec, p->name)->by_user);
			}
			test_host_end(&th);
		}
}

WF_TEST(common_defaults)
{
	TestHost	th;
	WfSpec		spec = spec_of("random_forest");

	test_host_begin(&th);
	wf_params_finish(&th.host, &spec);
	WF_CHECK_EQ(spec.seed, 0);
	WF_CHECK_EQ(spec.validation, WF_VALIDATE_HOLDOUT);
	WF_CHECK_NEAR(spec.test_fraction, 0.2, 0);
	WF_CHECK_EQ(spec.folds, 5);
	WF_CHECK(spec.refit);
	WF_CHECK(spec.max_seconds == 0);
	WF_CHECK(wf_spec_is(&spec, "class_weight", "none"));
	WF_CHECK(wf_spec_is(&spec, "calibration", "auto"));
	WF_CHECK(wf_spec_is(&spec, "max_depth", "none"));
	WF_CHECK(wf_spec_value(&spec, "weight_column")->text == NULL);
	WF_CHECK_EQ(wf_spec_number(&spec, "trees"), 100);
	WF_CHECK(!wf_spec_has(&spec, "rounds"));
	test_host_end(&th);
}

WF_TEST(values_are_taken)
{
	TestHost	th;
	WfSpec		spec = spec_of("random_forest");
	WfParamInput in;
	char		column[] = "w";
	WfPair		pairs[] = {{"yes", 3}, {"no", 0.5}};

	test_host_begin(&th);
	in = number(0x1p53);
	wf_params_set(&th.host, &spec, "seed", &in);
	in = number(7);
	wf_params_set(&th.host, &spec, "max_depth", &in);
	in = number(0.5);
	wf_params_set(&th.host, &spec, "max_features", &in);
	in = text(column);
	wf_params_set(&th.host, &spec, "weight_column", &in);
	column[0] = 'x';			/* the spec keeps a copy */
	in = (WfParamInput) {.kind = WF_INPUT_PAIRS, .n_pairs = 2, .pairs = pairs};
	wf_params_set(&th.host, &spec, "class_weight", &in);
	pairs[0].number = 0;
	in = (WfParamInput) {.kind = WF_INPUT_BOOL, .number = 0};
	wf_params_set(&th.host, &spec, "refit", &in);
	in = number(1.5);
	wf_params_set(&th.host, &spec, "max_seconds", &in);
	wf_params_finish(&th.host, &spec);

	WF_CHECK(spec.seed == UINT64_C(1) << 53);
	WF_CHECK_EQ(wf_spec_number(&spec, "max_depth"), 7);
	WF_CHECK(wf_spec_word(&spec, "max_depth") == NULL);
	WF_CHECK_NEAR(wf_spec_number(&spec, "max_features"), 0.5, 0);
	WF_CHECK_STR(wf_spec_value(&spec, "weight_column")->text, "w");
	WF_CHECK_EQ(wf_spec_value(&spec, "class_weight")->n_pairs, 2);
	WF_CHECK_NEAR(wf_spec_value(&spec, "class_weight")->pairs[0].number, 3, 0);
	WF_CHECK_STR(wf_spec_value(&spec, "class_weight")->pairs[1].key, "no");
	WF_CHECK(!spec.refit);
	WF_CHECK_NEAR(spec.max_seconds, 1.5, 0);
	test_host_end(&th);
}

#define EXPECT_VALUE(ALGORITHM, NAME, INPUT, MESSAGE) \
	do { WfSpec s_ = spec_of(ALGORITHM); WfParamInput in_ = INPUT; \
		WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_params_set(&th.host, &s_, NAME, &in_)); \
		WF_CHECK_STR(th.message, MESSAGE); } while (0)

WF_TEST(unknown_names_are_explained)
{
	TestHost	th;

	test_host_begin(&th);
	EXPECT_VALUE("random_forest", "depth", number(3), "unknown parameter \"depth\" for algorithm \"random_forest\"");
	WF_CHECK(strncmp(th.hint, "Perhaps you meant \"max_depth\". Parameters are: ", 47) == 0);
	WF_CHECK(strstr(th.hint, "trees") && strstr(th.hint, "seed"));
	EXPECT_VALUE("random_forest", "tres", number(3), "unknown parameter \"tres\" for algorithm \"random_forest\"");
	WF_CHECK(strncmp(th.hint, "Perhaps you meant \"trees\".", 26) == 0);
	EXPECT_VALUE("random_forest", "Seed", number(3), "unknown parameter \"Seed\" for algorithm \"random_forest\"");
	WF_CHECK(strncmp(th.hint, "Perhaps you meant \"seed\".", 25) == 0);
	EXPECT_VALUE("random_forest", "blockchain", number(3), "unknown parameter \"blockchain\" for algorithm \"random_forest\"");
	WF_CHECK(strncmp(th.hint, "Parameters are: ", 16) == 0);
	EXPECT_VALUE("random_forest", "", number(3), "unknown parameter \"\" for algorithm \"random_forest\"");
	EXPECT_VALUE("random_forest", "a_name_that_is_far_longer_than_any_parameter_could_ever_be_in_this_world", number(3),
				 "unknown parameter \"a_name_that_is_far_longer_than_any_parameter_could_ever_be_in_this_world\" for algorithm \"random_forest\"");
	test_host_end(&th);
}

WF_TEST(bad_values_are_explained)
{
	TestHost	th;
	WfPair		pairs[] = {{"yes", -3}};
	WfPair		nan_pair[] = {{"yes", NAN}};

	test_host_begin(&th);
	EXPECT_VALUE("random_forest", "trees", number(0), "0 is outside the valid range for parameter \"trees\" (1 to 10000)");
	WF_CHECK_STR(th.hint, "\"trees\" takes a whole number, 1 to 10000.");
	EXPECT_VALUE("random_forest", "trees", number(2.5), "invalid value for parameter \"trees\": 2.5");
	EXPECT_VALUE("random_forest", "trees", number(NAN), "invalid value for parameter \"trees\": nan");
	EXPECT_VALUE("random_forest", "trees", text("many"), "invalid value for parameter \"trees\": \"many\"");
	EXPECT_VALUE("random_forest", "seed", number(-1), "-1 is outside the valid range for parameter \"seed\" (0 to 9007199254740992)");
	EXPECT_VALUE("random_forest", "test_fraction", number(1), "1 is outside the valid range for parameter \"test_fraction\" (0.01 to 0.9)");
	EXPECT_VALUE("random_forest", "validation", text("HOLDOUT"), "invalid value for parameter \"validation\": \"HOLDOUT\"");
	WF_CHECK_STR(th.hint, "\"validation\" takes none, holdout, cv, time or group.");
	EXPECT_VALUE("random_forest", "refit", number(1), "invalid value for parameter \"refit\": 1");
	WF_CHECK_STR(th.hint, "\"refit\" takes true or false.");
	EXPECT_VALUE("random_forest", "weight_column", text(""), "invalid value for parameter \"weight_column\": \"\"");
	EXPECT_VALUE("random_forest", "positive", ((WfParamInput) {.kind = WF_INPUT_BOOL, .number = 1}), "invalid value for parameter \"positive\": true");
	EXPECT_VALUE("random_forest", "class_weight", text("some"), "invalid value for parameter \"class_weight\": \"some\"");
	WF_CHECK_STR(th.hint, "\"class_weight\" takes an object of numbers, or none or balanced.");
	EXPECT_VALUE("random_forest", "class_weight", ((WfParamInput) {.kind = WF_INPUT_PAIRS, .n_pairs = 1, .pairs = pairs}),
				 "-3 is outside the valid range for parameter \"class_weight\" (0 to 1000000000)");
	EXPECT_VALUE("random_forest", "class_weight", ((WfParamInput) {.kind = WF_INPUT_PAIRS, .n_pairs = 1, .pairs = nan_pair}),
				 "invalid value for parameter \"class_weight\"");
	EXPECT_VALUE("random_forest", "class_weight", ((WfParamInput) {.kind = WF_INPUT_PAIRS}), "invalid value for parameter \"class_weight\"");
	EXPECT_VALUE("random_forest", "max_depth", ((WfParamInput) {.kind = WF_INPUT_OTHER}), "invalid value for parameter \"max_depth\"");
	test_host_end(&th);
}

WF_TEST(validation_needs_its_column)
{
	TestHost	th;
	WfSpec		spec = spec_of("random_forest");
	WfParamInput in = text("time");

	test_host_begin(&th);
	wf_params_set(&th.host, &spec, "validation", &in);
	WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_params_finish(&th.host, &spec));
	WF_CHECK_STR(th.message, "validation \"time\" needs parameter \"time_column\"");
	in = text("at");
	wf_params_set(&th.host, &spec, "time_column", &in);
	wf_params_finish(&th.host, &spec);
	WF_CHECK_EQ(spec.validation, WF_VALIDATE_TIME);

	spec = spec_of("random_forest");
	in = text("group");
	wf_params_set(&th.host, &spec, "validation", &in);
	WF_EXPECT_FAIL(&th, WF_E_PARAM, wf_params_finish(&th.host, &spec));
	in = text("g");
	wf_params_set(&th.host, &spec, "group_column", &in);
	wf_params_finish(&th.host, &spec);
	WF_CHECK_EQ(spec.validation, WF_VALIDATE_GROUP);
	test_host_end(&th);
}

WF_TEST(ranges_for_people)
{
	TestHost	th;
	WfParam		open_ended = {"x", WF_PARAM_REAL, 0.5, INFINITY, "1", NULL, "d"};
	WfParam		with_word = {"x", WF_PARAM_INT, 1, 10000, "none", "none", "d"};
	WfParam		any_text = {"x", WF_PARAM_TEXT, 0, 0, NULL, NULL, "d"};

	test_host_begin(&th);
	WF_CHECK_STR(wf_params_range(&th.host, &open_ended), "0.5 or more");
	WF_CHECK_STR(wf_params_range(&th.host, &with_word), "1 to 10000, or none");
	WF_CHECK_STR(wf_params_range(&th.host, &any_text), "text");
	test_host_end(&th);
}
