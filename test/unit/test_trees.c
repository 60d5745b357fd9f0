/* Every form of prediction gives the bits of the plain walk and of the grown nodes. */
#include "wf_test.h"

#include "core/simd.h"
#include "core/trees.h"
#include "tree_maker.h"

enum {ROWS = 150};

static WfShape
shape_of(const Maker *m)
{
	return (WfShape) {.n_features = m->d,.n_classes = m->n_classes,.n_outputs = maker_outputs(m),
		.is_category = m->is_category,.n_bins = m->n_bins,.first_cut = m->first_cut,.cuts = m->cuts};
}

static const char *const forms[] = {"byte vectors", "bit vectors", "float nodes", "walk"};
static int forms_seen[4];

static void
compare(Maker *m, const WfTrees *trees, const float *x, const uint8_t *bins)
{
	size_t		n_out = (size_t) maker_outputs(m);
	double	   *block = malloc(sizeof(double) * ROWS * n_out);
	uint8_t		own[MAKER_MAX_FEATURES];
	double		truth[16];
	double		out[16];

	for (int i = 0; i < 4; i++)
		forms_seen[i] += strcmp(wf_trees_form(trees), forms[i]) == 0;
	wf_trees_predict_block(trees, x, ROWS, block);
	for (int r = 0; r < ROWS; r++)
	{
		wf_trees_bin_row(trees, x + (size_t) r * m->d, own);
		WF_CHECK(memcmp(own, bins + (size_t) r * m->d, m->d) == 0);
		maker_score(m, own, truth);
		wf_ensemble_score_bins(wf_trees_ensemble(trees), own, out);
		WF_CHECK(memcmp(out, truth, sizeof(double) * n_out) == 0);
		wf_trees_predict(trees, x + (size_t) r * m->d, out);
		WF_CHECK(memcmp(out, truth, sizeof(double) * n_out) == 0);
		WF_CHECK(memcmp(block + (size_t) r * n_out, truth, sizeof(double) * n_out) == 0);
		wf_trees_score_row(trees, NULL, own, (uint32_t) r, out);
		WF_CHECK(memcmp(out, truth, sizeof(double) * n_out) == 0);
	}
	/* blocks of every small size */
	for (size_t n = 0; n < 100; n += n < 35 ? 1 : 9)
	{
		memset(block, 0, sizeof(double) * n * n_out);
		wf_trees_predict_block(trees, x, n, block);
		for (size_t r = 0; r < n; r++)
		{
			wf_trees_predict(trees, x + r * m->d, out);
			WF_CHECK(memcmp(block + r * n_out, out, sizeof(double) * n_out) == 0);
		}
	}
	free(block);
}

/* Whether trees have the form "number" at a level, if the processor reaches it. */
static bool
has_form(const WfTrees *trees, WfSimd level, int number)
{
	return strcmp(wf_trees_form(trees), forms[number]) == 0 || wf_simd() < level;
}

/* Did the last call of all_forms() use byte vectors, where the processor has them? */
static bool byte_vectors;

/* Returns whether bit vectors are used where there are no byte vectors. */
static bool
all_forms(Maker m)
{
	TestHost	th;
	WfBytes		section;
	WfShape		shape;
	float	   *x;
	uint8_t    *bins;
	bool		quick = false;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	section = maker_section(&th.host, &m);
	shape = shape_of(&m);
	x = wf_alloc(&th.host, ROWS * m.d, sizeof(float));
	bins = wf_alloc(&th.host, ROWS * m.d, 1);
	for (uint32_t r = 0; r < ROWS; r++)
		maker_row(&m, x + r * m.d, bins + r * m.d);
	for (int level = WF_SIMD_SCALAR; level <= WF_SIMD_AVX512_VBMI; level++)
	{
		WfTrees    *trees;

		wf_simd_limit((WfSimd) level);
		trees = wf_trees_open(&th.host, section.data, section.length, &shape);
		if (level == WF_SIMD_AVX512)
			quick = has_form(trees, WF_SIMD_AVX512, 1);
		if (level == WF_SIMD_AVX512_VBMI)
			byte_vectors = has_form(trees, WF_SIMD_AVX512_VBMI, 0);
		compare(&m, trees, x, bins);
	}
	test_host_end(&th);
	return quick;
}

static const Maker boosting = {.seed = 21,.d = 10,.max_bins = 255,.missing = 0.5,
.combine = WF_COMBINE_SUM,.n_trees = 100,.n_leaves = 31};

WF_TEST(boosting_by_number_of_values)
{
	Maker		m = boosting;

	m.full = true;
	for (m.d = 1; m.d < 120; m.d += m.d < 20 ? 3 : 17)
	{
		WF_CHECK_EQ(all_forms(m), m.d < 80);
		WF_CHECK_EQ(byte_vectors, m.d < 80);
	}
}

WF_TEST(boosting_by_number_of_trees)
{
	Maker		m = boosting;

	m.d = 20;
	for (m.n_trees = 1; m.n_trees < 400; m.n_trees += m.n_trees < 100 ? 21 : 64)
	{
		all_forms(m);
		WF_CHECK(byte_vectors);
	}
}

WF_TEST(boosting_of_larger_trees)
{
	Maker		m = boosting;

	m.d = 20;
	m.n_trees = 30;
	m.full = true;
	for (m.n_leaves = 100; m.n_leaves < 260; m.n_leaves += m.n_leaves == 250 ? 6 : m.n_leaves == 256 ? 1 : 50)
	{
		all_forms(m);
		WF_CHECK_EQ(byte_vectors, m.n_leaves <= 256 || wf_simd() < WF_SIMD_AVX512_VBMI);
		m.chain = !m.chain;
		m.n_classes = m.n_classes ? 0 : 3;
	}
}

WF_TEST(boosting_by_number_of_leaves)
{
	Maker		m = boosting;

	for (uint32_t leaves = 1; leaves < 70; leaves += leaves < 30 ? 7 : 1)
	{
		m.n_leaves = leaves;
		m.n_trees = 37;
		m.full = leaves % 2;
		if (m.full)
			WF_CHECK_EQ(all_forms(m), leaves <= 64);
		else
			all_forms(m);
		m.chain = !m.chain;
	}
}

WF_TEST(boosting_of_classes)
{
	Maker		m = boosting;

	m.full = true;
	for (m.n_classes = 2; m.n_classes < 6; m.n_classes++)
		WF_CHECK(all_forms(m));
}

WF_TEST(no_trees_and_constant_trees)
{
	Maker		m = boosting;

	m.n_trees = 0;
	all_forms(m);
	m.n_trees = 33;
	m.n_leaves = 1;
	all_forms(m);
}

WF_TEST(categories)
{
	Maker		m = boosting;

	m.categories = 0.5;
	m.max_bins = 30;
	m.full = true;
	for (uint32_t leaves = 2; leaves < 66; leaves += 9)
	{
		bool		quick;

		m.n_leaves = leaves;
		quick = all_forms(m);
		/* the tables of levels are too large for the smallest trees */
		if (leaves > 20)
			WF_CHECK_EQ(quick, leaves <= 64);
		m.n_classes = m.n_classes ? 0 : 3;
		m.categories = leaves % 2 ? 1 : 0.5;
	}
	m = boosting;
	m.categories = 0.5;
	all_forms(m);
	m.d = 200;					/* too many categories */
	m.max_bins = 3;
	all_forms(m);
	m.d = 300;
	all_forms(m);
	m.n_leaves = 1000;
	m.combine = WF_COMBINE_MEAN;
	m.n_trees = 10;
	all_forms(m);
}

WF_TEST(forests)
{
	Maker		m = boosting;

	m.combine = WF_COMBINE_MEAN;
	m.n_leaves = 2000;
	m.n_trees = 20;
	all_forms(m);
	m.leaf = WF_LEAF_CLASS;
	m.distributions = 0.4;
	for (m.n_classes = 2; m.n_classes < 6; m.n_classes++)
		all_forms(m);
	m.n_classes = 2;
	m.n_leaves = 60000;
	m.n_trees = 2;
	all_forms(m);
	m.n_trees = 300;
	m.n_leaves = 4;
	all_forms(m);
}

WF_TEST(wide)
{
	Maker		m = boosting;

	m.d = 300;
	m.n_leaves = 300;
	all_forms(m);
	/* wide, but few slots in use */
	m.n_leaves = 3;
	m.n_trees = 20;
	m.full = true;
	WF_CHECK(all_forms(m));
}

WF_TEST(category_values_out_of_range)
{
	TestHost	th;
	Maker		m = boosting;
	WfBytes		section;
	WfShape		shape;
	WfTrees    *trees;
	static const float odd[] = {-1, -0.5f, 1e30f, INFINITY, -INFINITY, 255, 256};
	uint8_t		bins[10];
	float		x[10];
	double		a;
	double		b;

	m.categories = 1;
	test_host_begin(&th);
	maker_schema(&th.host, &m);
	section = maker_section(&th.host, &m);
	shape = shape_of(&m);
	trees = wf_trees_open(&th.host, section.data, section.length, &shape);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
	{
		for (int f = 0; f < 10; f++)
			x[f] = odd[i];
		wf_trees_bin_row(trees, x, bins);
		for (int f = 0; f < 10; f++)
			WF_CHECK_EQ(bins[f], WF_MISSING_BIN);
		wf_trees_predict(trees, x, &a);
		wf_ensemble_score_bins(wf_trees_ensemble(trees), bins, &b);
		WF_CHECK(a == b);
	}
	test_host_end(&th);
}

/* Last: the tests before it went through every form. */
WF_TEST(all_forms_were_seen)
{
	WF_CHECK(forms_seen[0] > 0 || wf_simd() < WF_SIMD_AVX512_VBMI);
	WF_CHECK(forms_seen[1] > 0 || wf_simd() < WF_SIMD_AVX512);
	WF_CHECK(forms_seen[2] > 0);
	WF_CHECK(forms_seen[3] > 0);
}
