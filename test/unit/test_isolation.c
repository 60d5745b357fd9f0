/*
 * Isolation forests: against a plain walk over the stored nodes and brute
 * force Shapley values, at every vector width, by teams, with missing values,
 * categories and groups; odd shapes; damaged bytes.
 */
#include "wf_test.h"

#include "anomaly_sample.h"
#include "core/isolation_forms.h"
#include "core/mathx.h"
#include "core/rng.h"
#include "core/simd.h"

/* ---- data ---- */

typedef struct Data
{
	WfDataset	set;
	WfSpec		spec;
	double		deadline;
	WfFitted	fitted;
	uint32_t	n_groups;
} Data;

static void
set_number(WfHost *host, WfSpec *spec, const char *name, double number)
{
	WfParamInput in = {.kind = WF_INPUT_NUMBER,.number = number};

	wf_params_set(host, spec, name, &in);
}

static void
start_data(WfHost *host, Data *data, uint32_t n, uint32_t d)
{
	memset(data, 0, sizeof(*data));
	data->set.n = n;
	data->set.d = d;
	data->set.layout = WF_LAYOUT_VALUES;
	data->set.values = wf_alloc_zero(host, (size_t) n * d, sizeof(float));
	data->set.n_bins = wf_alloc_zero(host, d, sizeof(uint16_t));
	data->set.is_category = wf_alloc_zero(host, d, 1);
	data->set.kind = wf_alloc_zero(host, d, 1);
	data->spec.algorithm = wf_algorithm_find("isolation_forest");
	data->spec.task = WF_ANOMALY;
	wf_params_defaults(&data->spec);
	/* more than one segment of the program, and a group of jumps that is not full */
	set_number(host, &data->spec, "trees", 25);
	wf_params_finish(host, &data->spec);
}

static double
unit(uint64_t a, uint64_t b)
{
	return wf_rng_unit(wf_rng(a, b));
}

/* Roughly normal. */
static float
noise(uint64_t a, uint64_t b)
{
	double		sum = 0;

	for (uint64_t i = 0; i < 12; i++)
		sum += unit(wf_rng(a, i + 77), b);
	return (float) (sum - 6);
}

enum
{
	MIXED_NUMBER, MIXED_OTHER, MIXED_CATEGORY, MIXED_SPARSE, MIXED_GROUP, MIXED_FEATURES
};

/* Numbers, a category of six levels, a column that is often missing, groups 0 .. 3. */
static void
make_mixed(WfHost *host, Data *data, uint32_t n, bool grouped)
{
	start_data(host, data, n, MIXED_FEATURES);
	data->set.is_category[MIXED_CATEGORY] = 1;
	data->set.kind[MIXED_CATEGORY] = WF_COL_CATEGORY;
	data->set.n_bins[MIXED_CATEGORY] = 6;
	if (grouped)
	{
		data->set.kind[MIXED_GROUP] = WF_COL_GROUP;
		data->n_groups = 4;
	}
	for (uint32_t i = 0; i < n; i++)
	{
		float	   *x = data->set.values + (size_t) i * MIXED_FEATURES;
		uint32_t	group = i % 5;

		x[MIXED_NUMBER] = noise(1, i) * (float) (group + 1) + 10 * (float) group;
		x[MIXED_OTHER] = noise(2, i);
		x[MIXED_CATEGORY] = unit(3, i) < 0.05 ? NAN : floorf((float) (6 * unit(4, i) * unit(5, i)));
		x[MIXED_SPARSE] = unit(6, i) < 0.4 || group == 2 ? NAN : noise(7, i);
		x[MIXED_GROUP] = grouped && group == 4 ? NAN : (float) group;
	}
}

static void
train_in_team(WfTeam *team, void *arg)
{
	Data	   *data = arg;
	WfFitted	fitted;
	WfTraining	t = {
		.team = team, .spec = &data->spec, .data = &data->set, .out_fold = -1,
		.size_limit = SIZE_MAX, .deadline = data->deadline, .report = team->rank == 0
	};

	wf_isolation_train(&t, &fitted);
	if (team->rank == 0)
		data->fitted = fitted;
}

static void
train(TestHost *th, Data *data)
{
	WfTeamShared shared;
	WfTeam		team;

	wf_team_alone(&team, &shared, &th->host);
	train_in_team(&team, data);
}

static const WfIsolation *
open_bytes(TestHost *th, const Data *data, const void *bytes, size_t length)
{
	static WfIdMap ids;
	WfShape		shape = {
		.n_features = data->set.d, .n_outputs = 1, .is_category = data->set.is_category,
		.n_bins = data->set.n_bins, .ids = {&ids}
	};

	ids.n = data->n_groups;
	return wf_isolation_open(&th->host, bytes, length, &shape);
}

static const WfIsolation *
open_fitted(TestHost *th, const Data *data)
{
	return open_bytes(th, data, data->fitted.section.data, data->fitted.section.length);
}

static double
fact(const Data *data, const char *name)
{
	for (int i = 0; i < data->fitted.n_facts; i++)
		if (strcmp(data->fitted.facts[i].metric, name) == 0)
			return data->fitted.facts[i].value;
	return NAN;
}

static double
score(const WfIsolation *m, const float *x)
{
	double		raw;

	wf_isolation_predict(m, x, &raw);
	return wf_exp(raw);
}

/* ---- a plain walk ---- */

/* Scaled as the header says, in plain words. */
static float
plain_value(const WfIsolation *m, const float *x, uint32_t f)
{
	const WfIsolationHeader *h = m->header;
	uint32_t	group = h->n_groups;
	double		z;

	if (h->group_feature != WF_NO_GROUP && !isnan(x[h->group_feature]))
		group = (uint32_t) x[h->group_feature];
	for (uint32_t j = 0; j < h->n_scaled; j++)
		if (m->scaled[j] == f)
		{
			const WfScale *s = &m->scales[group * h->n_scaled + j];

			if (isnan(x[f]))
				return s->inverse < 0 ? 0 : NAN;
			z = (x[f] - s->centre) * fabsf(s->inverse);
			return (float) (z > 50 ? 50 : z < -50 ? -50 : z);
		}
	return x[f];
}

/*
 * Mean path of a row of which only the features in "known" are known.  Depth
 * is bounded, so this may call itself.
 */
static double
plain_path(const WfIsolation *m, const WfIsolationNode *nodes, uint32_t at, const float *x, uint32_t known)
{
	const WfIsolationNode *n = &nodes[at];
	double		share;
	float		v;
	bool		left;

	if (n->feature == WF_ISOLATION_LEAF)
		return n->path;
	v = plain_value(m, x, n->feature);
	if (isnan(v) || (known >> n->feature & 1) == 0)
	{
		share = (double) nodes[n->left].rows / (nodes[n->left].rows + nodes[n->left + 1].rows);
		return share * plain_path(m, nodes, n->left, x, known) +
			(1 - share) * plain_path(m, nodes, n->left + 1u, x, known);
	}
	if (m->is_category[n->feature])
		left = m->bitsets[n->bitset].word[(uint32_t) v / 32] >> ((uint32_t) v % 32) & 1;
	else
		left = v <= n->threshold;
	return plain_path(m, nodes, n->left + (left ? 0u : 1u), x, known);
}

/* The raw output, with only some features known. */
static double
plain_raw(const WfIsolation *m, const float *x, uint32_t known)
{
	double		sum = 0;

	for (uint32_t t = 0; t < m->header->n_trees; t++)
		sum += plain_path(m, m->nodes + m->trees[t].first_node, 0, x, known);
	return -0.69314718055994531 * sum / m->header->n_trees / wf_isolation_average_path(m->header->sample);
}

#define ALL UINT32_MAX

WF_TEST(average_paths)
{
	static const double expected[] = {0, 0, 1, 1.2073, 1.8517};

	for (uint32_t n = 1; n < 5; n++)
		WF_CHECK_NEAR(wf_isolation_average_path(n) / (double) WF_PATH_UNIT, expected[n], 1e-3);
	/* scikit-learn's _average_path_length */
	WF_CHECK_NEAR(wf_isolation_average_path(256) / (double) WF_PATH_UNIT, 10.244770920116851, 1e-5);
	WF_CHECK_NEAR(wf_isolation_average_path(999) / (double) WF_PATH_UNIT, 12.967941155308914, 1e-3);
}

static void
check_tree(const WfIsolation *m, const WfIsolationTree *tree)
{
	const WfIsolationNode *n = m->nodes + tree->first_node;
	uint32_t	depth[2 * 256] = {0};

	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		if (n[i].feature == WF_ISOLATION_LEAF)
		{
			WF_CHECK_EQ(n[i].path, depth[i] * WF_PATH_UNIT + wf_isolation_average_path(n[i].rows));
			continue;
		}
		WF_CHECK(n[i].feature != m->header->group_feature);
		depth[n[i].left] = depth[n[i].left + 1] = depth[i] + 1;
		WF_CHECK(depth[i] < 8);
	}
}

/* Blocks of every size, at every vector width, against the plain walk. */
static void
check_predictions(TestHost *th, const Data *data)
{
	const WfIsolation *m = open_fitted(th, data);
	uint32_t	n = data->set.n < 300 ? data->set.n : 300;
	double	   *out = wf_alloc(&th->host, n, sizeof(double));
	static const size_t sizes[] = {1, 2, 3, 5, 31, 32, 33, 255, 300};

	for (uint32_t t = 0; t < m->header->n_trees; t++)
		check_tree(m, &m->trees[t]);
	for (int level = WF_SIMD_SCALAR; level <= WF_SIMD_AVX512_VBMI; level++)
	{
		wf_simd_limit((WfSimd) level);
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		{
			size_t		size = sizes[s] < n ? sizes[s] : n;

			wf_isolation_predict_block(m, data->set.values, size, out);
			for (size_t i = 0; i < size; i++)
			{
				double		single;

				if (level == 0 && s == 8)
					WF_CHECK_NEAR(out[i], plain_raw(m, data->set.values + i * data->set.d, ALL), 1e-6);
				wf_isolation_predict(m, data->set.values + i * data->set.d, &single);
				WF_CHECK(single == out[i]);
			}
		}
	}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
}

WF_TEST(numbers_against_a_plain_walk)
{
	TestHost	th;
	Data		data;

	test_host_begin(&th);
	start_data(&th.host, &data, 700, 3);
	for (uint32_t i = 0; i < 700 * 3; i++)
		data.set.values[i] = i % 101 == 0 ? NAN : noise(9, i);
	train(&th, &data);
	check_predictions(&th, &data);
	WF_CHECK(open_fitted(&th, &data)->n_walked == 0);
	test_host_end(&th);
}

WF_TEST(mixed_columns_against_a_plain_walk)
{
	TestHost	th;
	Data		data;

	test_host_begin(&th);
	for (int grouped = 0; grouped < 2; grouped++)
	{
		make_mixed(&th.host, &data, 900, grouped);
		train(&th, &data);
		check_predictions(&th, &data);
	}
	test_host_end(&th);
}

/* Larger samples make trees that are walked, not compiled. */
WF_TEST(large_samples)
{
	TestHost	th;
	Data		data;
	const WfIsolation *m;

	test_host_begin(&th);
	start_data(&th.host, &data, 3000, 2);
	for (uint32_t i = 0; i < 6000; i++)
		data.set.values[i] = noise(11, i);
	set_number(&th.host, &data.spec, "sample_size", 32768);
	set_number(&th.host, &data.spec, "trees", 5);
	train(&th, &data);
	m = open_fitted(&th, &data);
	WF_CHECK_EQ(m->header->sample, 3000);
	WF_CHECK_EQ(m->n_walked, 5);
	for (uint32_t i = 0; i < 50; i++)
	{
		double		raw;

		wf_isolation_predict(m, data.set.values + 2 * i, &raw);
		WF_CHECK_NEAR(raw, plain_raw(m, data.set.values + 2 * i, ALL), 1e-5);
	}
	test_host_end(&th);
}

/* ---- what scores mean ---- */

WF_TEST(odd_rows_score_high)
{
	TestHost	th;
	Data		data;
	const WfIsolation *m;
	double		worst_odd = 1;
	uint32_t	above = 0;

	test_host_begin(&th);
	start_data(&th.host, &data, 2000, 4);
	for (uint32_t i = 0; i < 2000; i++)
		for (uint32_t f = 0; f < 4; f++)
			data.set.values[i * 4 + f] = noise(f, i) + (i < 10 ? 7.0f : 0.0f);
	set_number(&th.host, &data.spec, "contamination", 0.01);
	train(&th, &data);
	m = open_fitted(&th, &data);
	for (uint32_t i = 0; i < 10; i++)
		worst_odd = fmin(worst_odd, score(m, data.set.values + 4 * i));
	for (uint32_t i = 10; i < 2000; i++)
		above += score(m, data.set.values + 4 * i) > worst_odd;
	WF_CHECK(above < 5);
	WF_CHECK(worst_odd > 0.6);
	/* the threshold is the quantile that was asked for */
	above = 0;
	for (uint32_t i = 0; i < 2000; i++)
		above += score(m, data.set.values + 4 * i) > m->header->threshold;
	WF_CHECK_EQ(above, 20);
	WF_CHECK_NEAR(fact(&data, "flagged"), 0.01, 1e-12);
	WF_CHECK(fact(&data, "threshold") == m->header->threshold);
	test_host_end(&th);
}

WF_TEST(mean_quantiles_and_confidence)
{
	TestHost	th;
	Data		data;
	const WfIsolation *m;
	double		sum = 0;

	test_host_begin(&th);
	make_mixed(&th.host, &data, 1000, false);
	train(&th, &data);
	m = open_fitted(&th, &data);
	for (uint32_t i = 0; i < 1000; i++)
	{
		double		s = score(m, data.set.values + i * MIXED_FEATURES);
		uint32_t	lower = 0;

		sum += s;
		if (i % 50 == 0)
		{
			for (uint32_t j = 0; j < 1000; j++)
				lower += score(m, data.set.values + j * MIXED_FEATURES) < s;
			WF_CHECK_NEAR(wf_isolation_confidence(m, s), lower / 1000.0, 0.006);
		}
	}
	WF_CHECK_NEAR(m->header->mean, sum / 1000, 1e-12);
	WF_CHECK(wf_isolation_confidence(m, 0) == 0);
	WF_CHECK(wf_isolation_confidence(m, 1) == 1);
	WF_CHECK(m->header->quantile[0] <= m->header->mean && m->header->mean <= m->header->quantile[256]);
	test_host_end(&th);
}

/* A row is odd for its group: equal values, of which one is usual in its group and the other is not. */
WF_TEST(odd_for_the_group)
{
	TestHost	th;
	Data		data;
	const WfIsolation *m;
	float		usual[MIXED_FEATURES] = {40, 0, 0, 0, 4};
	float		odd[MIXED_FEATURES] = {40, 0, 0, 0, 0};

	test_host_begin(&th);
	make_mixed(&th.host, &data, 2000, true);
	data.n_groups = 5;
	for (uint32_t i = 0; i < 2000; i++)
		data.set.values[i * MIXED_FEATURES + MIXED_GROUP] = (float) (i % 5);
	train(&th, &data);
	m = open_fitted(&th, &data);
	WF_CHECK_EQ(m->header->n_groups, 5);
	WF_CHECK_EQ(m->header->n_scaled, 3);
	WF_CHECK(score(m, odd) > score(m, usual) + 0.05);
	/* in group 2 "sparse" never has a value: missing is ordinary there */
	WF_CHECK(m->scales[2 * 3 + 2].inverse < 0);
	WF_CHECK(m->scales[1 * 3 + 2].inverse > 0);
	WF_CHECK(m->scales[5 * 3 + 2].inverse > 0);
	test_host_end(&th);
}

/* ---- shapes ---- */

WF_TEST(odd_shapes)
{
	TestHost	th;
	Data		data;

	test_host_begin(&th);
	/* one row */
	start_data(&th.host, &data, 1, 2);
	train(&th, &data);
	WF_CHECK(score(open_fitted(&th, &data), data.set.values) == 0.5);
	WF_CHECK(fact(&data, "flagged") == 0);
	/* all rows equal */
	start_data(&th.host, &data, 500, 2);
	train(&th, &data);
	for (uint32_t i = 0; i < 40; i++)
		WF_CHECK(score(open_fitted(&th, &data), data.set.values + 2 * i) == 0.5);
	WF_CHECK(fact(&data, "flagged") == 0);
	/* nothing but missing values */
	for (uint32_t i = 0; i < 1000; i++)
		data.set.values[i] = NAN;
	train(&th, &data);
	WF_CHECK(score(open_fitted(&th, &data), data.set.values) == 0.5);
	/* two rows, one column, infinities */
	start_data(&th.host, &data, 2, 1);
	data.set.values[0] = INFINITY;
	data.set.values[1] = -INFINITY;
	train(&th, &data);
	WF_CHECK(score(open_fitted(&th, &data), data.set.values) == score(open_fitted(&th, &data), data.set.values + 1));
	test_host_end(&th);
}

WF_TEST(infinities_and_groups)
{
	TestHost	th;
	Data		data;
	const WfIsolation *m;

	test_host_begin(&th);
	make_mixed(&th.host, &data, 400, true);
	for (uint32_t i = 0; i < 400; i += 3)
		data.set.values[i * MIXED_FEATURES + i % 2] = i % 4 ? INFINITY : -INFINITY;
	data.set.values[0] = 3e38f;
	data.set.values[MIXED_FEATURES] = -3e38f;
	train(&th, &data);
	m = open_fitted(&th, &data);
	for (uint32_t i = 0; i < 400; i++)
	{
		double		s = score(m, data.set.values + i * MIXED_FEATURES);

		WF_CHECK(s > 0 && s < 1);
	}
	test_host_end(&th);
}

/* ---- the whole way ---- */

typedef struct Whole
{
	uint32_t	step;
	bool		grouped;
	WfBytes		artifact;
	WfFitResult result;
} Whole;

static void
fit_in_team(WfTeam *team, void *arg)
{
	Whole	   *w = arg;
	Sample		s;
	WfFitResult result;

	if (team->rank == 0)
		anomaly_sample_make(&s, team->host, 2000, w->step, w->grouped);
	else
	{
		/* the spec alone travels */
		memset(&s, 0, sizeof(s));
		s.spec.task = WF_ANOMALY;
		sample_spec(team->host, &s, "isolation_forest", "none");
	}
	wf_fit(team, &s.spec, team->rank == 0 ? &s.input : NULL, team->rank == 0 ? &result : NULL);
	if (team->rank == 0)
		w->result = result;
}

/* Rows in another order, and another team: the same model. */
WF_TEST(same_model_in_any_order)
{
	TestHost	th;

	test_host_begin(&th);
	for (int grouped = 0; grouped < 2; grouped++)
	{
		Whole		first = {.step = 1,.grouped = grouped};

		WF_CHECK(test_team_run(&th, 1, fit_in_team, &first));
		for (int size = 1; size <= 3; size++)
		{
			Whole		w = {.step = 8 * (uint32_t) size + 5,.grouped = grouped};

			WF_CHECK(test_team_run(&th, size, fit_in_team, &w));
			WF_CHECK_EQ(w.result.artifact.length, first.result.artifact.length);
			WF_CHECK(memcmp(w.result.artifact.data, first.result.artifact.data, first.result.artifact.length) == 0);
		}
	}
	test_host_end(&th);
}

WF_TEST(model_with_groups)
{
	TestHost	th;
	Whole		w = {.step = 1,.grouped = true};
	WfModel    *m;
	float		x[4] = {1, 0, 0.5f, 0};
	double		score;

	test_host_begin(&th);
	WF_CHECK(test_team_run(&th, 1, fit_in_team, &w));
	WF_CHECK_STR(w.result.scores[w.result.headline].metric, "flagged");
	WF_CHECK_STR(w.result.scores[w.result.headline].split, "training");
	WF_CHECK(isnan(w.result.scores[w.result.headline].baseline));
	m = wf_model_open(&th.host, w.result.artifact.data, w.result.artifact.length);
	WF_CHECK_EQ(m->header->task, WF_ANOMALY);
	WF_CHECK_EQ(m->header->link, WF_LINK_EXP);
	WF_CHECK_EQ(m->ids[0].n, 5);
	WF_CHECK(wf_model_level(m, 3, "g0", 2) == 0);
	WF_CHECK(wf_model_level(m, 3, "g4", 2) == 4);
	WF_CHECK(isnan(wf_model_level(m, 3, "lone", 4)));
	WF_CHECK(isnan(wf_model_level(m, 3, "nobody", 6)));
	WF_CHECK_EQ(wf_model_tag(m, 3, "g3", 2), 3);
	WF_CHECK_EQ(wf_model_tag(m, 3, "lone", 4), -1);
	for (x[3] = 0; x[3] < 5; x[3]++)
	{
		wf_model_predict(m, x, &score);
		WF_CHECK(score > 0.2 && score < 0.8);
	}
	x[3] = NAN;
	wf_model_predict(m, x, &score);
	WF_CHECK(score > 0.2 && score < 0.8);
	test_host_end(&th);
}

/* ---- teams ---- */

WF_TEST(same_bytes_for_every_team)
{
	TestHost	th;

	test_host_begin(&th);
	for (int grouped = 0; grouped < 2; grouped++)
	{
		WfBytes		first = {0};

		for (int size = 1; size <= 4; size++)
		{
			Data		data;

			make_mixed(&th.host, &data, 3000, grouped);
			WF_CHECK(test_team_run(&th, size, train_in_team, &data));
			if (size == 1)
				first = data.fitted.section;
			WF_CHECK_EQ(data.fitted.section.length, first.length);
			WF_CHECK(memcmp(data.fitted.section.data, first.data, first.length) == 0);
		}
	}
	test_host_end(&th);
}

WF_TEST(seeds_differ)
{
	TestHost	th;
	Data		a;
	Data		b;

	test_host_begin(&th);
	make_mixed(&th.host, &a, 300, false);
	make_mixed(&th.host, &b, 300, false);
	b.spec.seed = 1;
	train(&th, &a);
	train(&th, &b);
	WF_CHECK(a.fitted.section.length != b.fitted.section.length ||
			 memcmp(a.fitted.section.data, b.fitted.section.data, a.fitted.section.length) != 0);
	test_host_end(&th);
}

WF_TEST(out_of_time)
{
	TestHost	th;
	Data		data;

	test_host_begin(&th);
	make_mixed(&th.host, &data, 300, false);
	data.deadline = 1e-9;
	train(&th, &data);
	WF_CHECK(data.fitted.time_limited);
	WF_CHECK_EQ(data.fitted.rounds, 1);
	(void) score(open_fitted(&th, &data), data.set.values);
	test_host_end(&th);
}

/* ---- explanations ---- */

/* Shapley values by their definition, over all coalitions of five features. */
static void
brute_force(const WfIsolation *m, const float *x, double *phi)
{
	static const double weight[] = {1.0 / 5, 1.0 / 20, 1.0 / 30, 1.0 / 20, 1.0 / 5};

	for (uint32_t f = 0; f < 5; f++)
	{
		phi[f] = 0;
		for (uint32_t s = 0; s < 32; s++)
			if ((s >> f & 1) == 0)
				phi[f] += weight[__builtin_popcount(s)] * (plain_raw(m, x, s | 1u << f) - plain_raw(m, x, s));
	}
	phi[5] = plain_raw(m, x, 0);
}

WF_TEST(explanations_are_shapley_values)
{
	TestHost	th;
	Data		data;
	const WfIsolation *m;
	double		expected[6];
	double		phi[6];

	test_host_begin(&th);
	for (int grouped = 0; grouped < 2; grouped++)
	{
		make_mixed(&th.host, &data, 600, grouped);
		set_number(&th.host, &data.spec, "trees", 10);
		train(&th, &data);
		m = open_fitted(&th, &data);
		for (uint32_t i = 0; i < 12; i++)
		{
			const float *x = data.set.values + i * MIXED_FEATURES;
			double		sum = 0;
			double		raw;

			brute_force(m, x, expected);
			wf_isolation_explain(&th.host, m, x, 0, phi);
			for (uint32_t f = 0; f <= MIXED_FEATURES; f++)
			{
				WF_CHECK_NEAR(phi[f], expected[f], 1e-10);
				sum += phi[f];
			}
			wf_isolation_predict(m, x, &raw);
			WF_CHECK_NEAR(sum, raw, 1e-5);

			wf_isolation_explain_score(&th.host, m, x, phi);
			sum = 0;
			for (uint32_t f = 0; f <= MIXED_FEATURES; f++)
				sum += phi[f];
			WF_CHECK_NEAR(sum, score(m, x), 1e-12);
			WF_CHECK(phi[MIXED_FEATURES] == m->header->mean);
		}
	}
	test_host_end(&th);
}

/* A column without a value in the row adds nothing; nor does anything where nothing is known. */
WF_TEST(missing_values_add_nothing)
{
	TestHost	th;
	Data		data;
	const WfIsolation *m;
	float		x[MIXED_FEATURES] = {NAN, NAN, NAN, NAN, NAN};
	double		phi[6];

	test_host_begin(&th);
	make_mixed(&th.host, &data, 600, false);
	train(&th, &data);
	m = open_fitted(&th, &data);
	wf_isolation_explain_score(&th.host, m, x, phi);
	for (uint32_t f = 0; f < MIXED_FEATURES; f++)
		WF_CHECK(phi[f] == 0);
	WF_CHECK(phi[MIXED_FEATURES] == score(m, x));
	x[0] = 3;
	wf_isolation_explain_score(&th.host, m, x, phi);
	WF_CHECK(phi[0] != 0 && phi[1] == 0 && phi[3] == 0);
	test_host_end(&th);
}

/* ---- failures ---- */

static void
train_with_trouble(uint64_t fail_alloc_at, uint64_t cancel_check_at, bool *done)
{
	TestHost	th;
	Data		data;
	jmp_buf		out;

	test_host_begin(&th);
	make_mixed(&th.host, &data, 60, true);
	set_number(&th.host, &data.spec, "trees", 3);
	th.n_allocs = th.n_checks = 0;
	th.fail_alloc_at = fail_alloc_at;
	th.cancel_check_at = cancel_check_at;
	th.on_fail = &out;
	*done = false;
	if (setjmp(out) == 0)
	{
		train(&th, &data);
		(void) open_fitted(&th, &data);
		*done = !th.failed;
	}
	th.on_fail = NULL;
	test_host_end(&th);
}

WF_TEST(every_allocation_and_check_may_fail)
{
	bool		done = false;

	for (uint64_t i = 1; !done; i++)
		train_with_trouble(i, 0, &done);
	done = false;
	for (uint64_t i = 1; !done; i++)
		train_with_trouble(0, i, &done);
}

/* ---- damaged bytes ---- */

/* Opening fails as corrupt, or gives a model that can be used. */
static void
use_bytes(const Data *data, const void *bytes, size_t length)
{
	TestHost	th;
	jmp_buf		out;
	float		x[MIXED_FEATURES] = {1, NAN, 2, 3, 2};
	double		phi[MIXED_FEATURES + 1];

	test_host_begin(&th);
	th.on_fail = &out;
	if (setjmp(out) == 0)
	{
		const WfIsolation *m = open_bytes(&th, data, bytes, length);

		WF_CHECK(th.bytes_peak <= 2 * length + 65536);
		WF_CHECK(!isnan(score(m, x)));
		(void) wf_isolation_confidence(m, 0.4);
		wf_isolation_explain_score(&th.host, m, x, phi);
	}
	else
		WF_CHECK_EQ(th.code, WF_E_CORRUPT);
	th.on_fail = NULL;
	test_host_end(&th);
}

WF_TEST(damaged_bytes)
{
	TestHost	th;
	Data		data;
	uint64_t   *copy;
	size_t		length;

	test_host_begin(&th);
	make_mixed(&th.host, &data, 100, true);
	set_number(&th.host, &data.spec, "trees", 3);
	set_number(&th.host, &data.spec, "sample_size", 32);
	train(&th, &data);
	length = data.fitted.section.length;
	copy = wf_alloc_zero(&th.host, length / 8 + 2, 8);
	memcpy(copy, data.fitted.section.data, length);
	use_bytes(&data, copy, length);
	for (size_t cut = 0; cut < length; cut += cut < 128 ? 1 : 61)
		WF_EXPECT_FAIL(&th, WF_E_CORRUPT, open_bytes(&th, &data, copy, cut));
	for (size_t i = 0; i < length; i++)
		for (int v = 0; v < 3; v++)
		{
			uint8_t	   *byte = (uint8_t *) copy + i;
			uint8_t		was = *byte;

			/* quantiles are many and alike */
			if (i >= 128 && i < 2000)
				continue;
			*byte = v == 0 ? (uint8_t) (was ^ 1) : v == 1 ? 0xff : (uint8_t) (was + 64);
			use_bytes(&data, copy, length);
			*byte = was;
		}
	test_host_end(&th);
}
