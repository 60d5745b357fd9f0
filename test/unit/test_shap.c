/* TreeSHAP against the definition of the Shapley value, over all subsets. */
#include "wf_test.h"

#include "core/simd.h"
#include "core/trees.h"
#include "tree_maker.h"

static WfShape
shape_of(const Maker *m)
{
	return (WfShape) {.n_features = m->d,.n_classes = m->n_classes,.n_outputs = maker_outputs(m),
		.is_category = m->is_category,.n_bins = m->n_bins,.first_cut = m->first_cut,.cuts = m->cuts};
}

/* Expected output of a tree when only the features of the set are known. */
static double
expected(const WfEnsemble *e, const WfTreeEntry *tree, uint32_t at, uint32_t *split,
		 const uint8_t *bins, uint32_t set, int output)
{
	WfNode		node;
	double		share;
	double		left;
	double		right;
	double		leaf[16];
	uint8_t		bin;
	bool		goes_left;

	wf_node_read(e, tree, at, &node);
	if (node.leaf)
	{
		wf_leaf_outputs(e, tree, node.payload, leaf);
		return leaf[e->header->leaf == WF_LEAF_VALUE ? 0 : output];
	}
	share = e->ratios[tree->first_split + (*split)++] / 65536.0;
	left = expected(e, tree, node.left, split, bins, set, output);
	right = expected(e, tree, node.right, split, bins, set, output);
	if ((set >> node.feature & 1) == 0)
		return share * left + (1 - share) * right;
	bin = bins[node.feature];
	goes_left = node.category ? node.bitset[bin / 64] >> (bin % 64) & 1 :
		bin == WF_MISSING_BIN ? node.missing_left : bin <= node.bin;
	return goes_left ? left : right;
}

static void
brute_force(const WfEnsemble *e, uint32_t d, const uint8_t *bins, int output, double *phi)
{
	double		value[256];
	double		factorial[10] = {1};
	double		scale = e->header->combine == WF_COMBINE_MEAN ? 1.0 / e->header->n_trees : 1;

	for (int i = 1; i < 10; i++)
		factorial[i] = factorial[i - 1] * i;
	for (uint32_t set = 0; set < 1u << d; set++)
	{
		value[set] = 0;
		for (uint32_t t = 0; t < e->header->n_trees; t++)
			if (e->header->combine == WF_COMBINE_MEAN || (int) (t % e->header->n_outputs) == output)
			{
				uint32_t	split = 0;

				value[set] += scale * expected(e, &e->directory[t], 0, &split, bins, set, output);
			}
	}
	for (uint32_t j = 0; j < d; j++)
	{
		phi[j] = 0;
		for (uint32_t set = 0; set < 1u << d; set++)
		{
			int			size = __builtin_popcount(set);

			if ((set >> j & 1) == 0)
				phi[j] += factorial[size] * factorial[(int) d - size - 1] / factorial[d] *
					(value[set | 1u << j] - value[set]);
		}
	}
	phi[d] = value[0] + e->base[output];
}

static void
against_definition(Maker m)
{
	TestHost	th;
	WfBytes		section;
	WfShape		shape;
	WfTrees    *trees;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	section = maker_section(&th.host, &m);
	shape = shape_of(&m);
	trees = wf_trees_open(&th.host, section.data, section.length, &shape);
	for (int r = 0; r < 8; r++)
	{
		float		x[MAKER_MAX_FEATURES];
		uint8_t		bins[MAKER_MAX_FEATURES];
		double		truth[9];
		double		phi[9];
		int			output = r % maker_outputs(&m);

		maker_row(&m, x, bins);
		brute_force(wf_trees_ensemble(trees), m.d, bins, output, truth);
		wf_trees_explain(&th.host, trees, x, output, phi);
		for (uint32_t j = 0; j <= m.d; j++)
			WF_CHECK_NEAR(phi[j], truth[j], 1e-11);
	}
	test_host_end(&th);
}

static const Maker base = {.seed = 40,.d = 6,.max_bins = 20,.missing = 0.5,.categories = 0.3,
.combine = WF_COMBINE_SUM,.n_trees = 6,.n_leaves = 24};

WF_TEST(boosting_against_definition)
{
	Maker		m = base;

	for (m.d = 1; m.d <= 8; m.d++)
		against_definition(m);
	m.d = 4;
	m.n_classes = 3;
	against_definition(m);
	m.chain = true;				/* features come again and again on a path */
	against_definition(m);
	m.n_leaves = 1;
	against_definition(m);
}

WF_TEST(forests_against_definition)
{
	Maker		m = base;

	m.combine = WF_COMBINE_MEAN;
	against_definition(m);
	m.leaf = WF_LEAF_CLASS;
	m.distributions = 0.5;
	for (m.n_classes = 2; m.n_classes < 5; m.n_classes++)
		against_definition(m);
}

/* Contributions and base sum to the raw output; both forms give the same bits. */
static void
adds_up(Maker m)
{
	TestHost	th;
	WfBytes		section;
	WfShape		shape;
	WfTrees    *trees;
	size_t		before;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	section = maker_section(&th.host, &m);
	shape = shape_of(&m);
	trees = wf_trees_open(&th.host, section.data, section.length, &shape);
	before = th.bytes_now;
	for (int r = 0; r < 6; r++)
	{
		float		x[MAKER_MAX_FEATURES];
		uint8_t		bins[MAKER_MAX_FEATURES];
		double		phi[2][MAKER_MAX_FEATURES + 1];
		double		out[16];
		double		sum = 0;
		int			output = r % maker_outputs(&m);

		maker_row(&m, x, bins);
		wf_trees_predict(trees, x, out);
		for (int level = 0; level < 2; level++)
		{
			wf_simd_limit(level ? WF_SIMD_AVX512 : WF_SIMD_SCALAR);
			wf_trees_explain(&th.host, trees, x, output, phi[level]);
		}
		WF_CHECK(memcmp(phi[0], phi[1], (m.d + 1) * sizeof(double)) == 0);
		for (uint32_t f = 0; f <= m.d; f++)
			sum += phi[0][f];
		WF_CHECK_NEAR(sum, out[output], 1e-9 * (1 + fabs(out[output])));
	}
	WF_CHECK_EQ(th.bytes_now, before);
	test_host_end(&th);
}

WF_TEST(sums)
{
	Maker		m = base;

	m.max_bins = 255;
	m.d = 30;
	m.n_leaves = 2000;
	adds_up(m);
	m.d = 300;					/* paths of many features, wide words */
	m.chain = true;
	m.n_leaves = 120;
	adds_up(m);
	m.n_leaves = 500;			/* more features on a path than the points are exact for */
	adds_up(m);
	m.d = 3;					/* shares of one feature multiplied until they vanish */
	m.n_leaves = 5000;
	adds_up(m);
	m = base;
	m.combine = WF_COMBINE_MEAN;
	m.leaf = WF_LEAF_CLASS;
	m.n_classes = 4;
	m.distributions = 0.3;
	m.n_leaves = 3000;
	adds_up(m);
}

/*
 * A stump and a tree of two features by hand: two rows out of three go left at
 * the root.
 */
WF_TEST(by_hand)
{
	TestHost	th;
	Maker		m = {.seed = 1,.d = 2,.max_bins = 3,.combine = WF_COMBINE_SUM,.n_trees = 1};
	WfGrownNode nodes[5] = {
		{.left = 1,.right = 2,.feature = 0,.weight = 3},
		{.value = 1,.weight = 2},
		{.left = 3,.right = 4,.feature = 1,.weight = 1},
		{.value = 2,.weight = 0.5},
		{.value = 10,.weight = 0.5}
	};
	WfGrownTree tree = {.n_nodes = 5,.nodes = nodes};
	WfBytes		packed;
	WfBytes		section;
	WfShape		shape;
	const uint8_t *block;
	double		phi[3];

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	shape = shape_of(&m);
	wf_bytes_init(&packed, &th.host);
	wf_bytes_init(&section, &th.host);
	wf_tree_pack(&packed, m.slots, WF_LEAF_VALUE, 0, &tree);
	block = packed.data;
	wf_ensemble_write(&section, m.slots, WF_LEAF_VALUE, WF_COMBINE_SUM, 0, 1, (double[]) {100}, 1, &block);
	wf_trees_explain(&th.host, wf_trees_open(&th.host, section.data, section.length, &shape),
					 (float[]) {1000, 1000}, 0, phi);
	/* E = 1 * 2/3 + 6 * 1/3; knowing 0: 6; knowing 1: 2/3 + 10/3; both: 10 */
	WF_CHECK_NEAR(phi[2], 100 + 8.0 / 3, 1e-4);
	WF_CHECK_NEAR(phi[0], ((6 - 8.0 / 3) + (10 - 4)) / 2, 1e-4);
	WF_CHECK_NEAR(phi[1], ((4 - 8.0 / 3) + (10 - 6)) / 2, 1e-4);
	test_host_end(&th);
}
