/* Packing trees, opening sections, the plain walk, and bytes that lie. */
#include "wf_test.h"

#include "tree_maker.h"

static WfEnsemble
open_section(WfHost *host, Maker *m, const WfBytes *section)
{
	WfEnsemble	e;

	wf_ensemble_open(host, section->data, section->length, m->d, m->is_category, m->n_classes, &e);
	return e;
}

/* Pack, open, and compare with the grown nodes on random rows. */
static void
round_trip(Maker m)
{
	TestHost	th;
	WfBytes		section;
	WfEnsemble	e;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	section = maker_section(&th.host, &m);
	e = open_section(&th.host, &m, &section);
	WF_CHECK_EQ(e.header->wide, m.slots->n_slots > WF_NARROW_SLOTS);
	for (int r = 0; r < 50; r++)
	{
		uint8_t		bins[MAKER_MAX_FEATURES];
		double		truth[16];
		double		got[16];

		maker_bins(&m, bins);
		/* Features without missing values in training have no slot for "missing left". */
		maker_score(&m, bins, truth);
		wf_ensemble_score_bins(&e, bins, got);
		WF_CHECK(memcmp(truth, got, sizeof(double) * (size_t) maker_outputs(&m)) == 0);
	}
	test_host_end(&th);
}

static const Maker small = {.seed = 1,.d = 10,.max_bins = 255,.combine = WF_COMBINE_SUM,.n_trees = 20,.n_leaves = 31};

WF_TEST(values_of_narrow_trees)
{
	Maker		m = small;

	round_trip(m);
	m.missing = 0.5;
	m.categories = 0.4;
	round_trip(m);
	m.n_classes = 5;
	m.n_trees = 35;
	round_trip(m);
}

WF_TEST(means_and_classes)
{
	Maker		m = small;

	m.combine = WF_COMBINE_MEAN;
	m.missing = 0.5;
	m.categories = 0.3;
	round_trip(m);
	m.leaf = WF_LEAF_CLASS;
	m.distributions = 0.5;
	for (m.n_classes = 2; m.n_classes < 8; m.n_classes++)
		round_trip(m);
}

WF_TEST(wide_trees)
{
	Maker		m = small;

	m.d = 300;
	m.missing = 0.2;
	m.n_leaves = 500;
	round_trip(m);
	m.categories = 0.3;
	round_trip(m);
	m.leaf = WF_LEAF_CLASS;
	m.combine = WF_COMBINE_MEAN;
	m.n_classes = 3;
	m.distributions = 0.5;
	round_trip(m);
}

WF_TEST(long_skips)
{
	Maker		m = small;

	m.n_trees = 2;
	m.n_leaves = 200000;
	m.missing = 0.3;
	m.seed = 8;
	round_trip(m);
	m.categories = 0.5;
	round_trip(m);
}

WF_TEST(chains)
{
	Maker		m = small;

	m.chain = true;
	m.n_leaves = 100000;
	m.n_trees = 2;
	round_trip(m);
}

/* The skip at which the escape begins, from both sides. */
WF_TEST(skip_of_exactly_16_bits)
{
	for (uint32_t leaves = 32766; leaves <= 32769; leaves++)
		for (int category = 0; category < 2; category++)
		{
			TestHost	th;
			Maker		m = {.seed = 3,.d = 2,.max_bins = 4,.combine = WF_COMBINE_SUM,.n_trees = 1};
			WfGrownNode *nodes;
			uint32_t	n = 2 * leaves - 1;
			WfGrownTree tree = {.n_nodes = n};
			uint64_t	bits[1][4] = {{5}};
			WfBytes		packed;
			WfBytes		section;
			WfEnsemble	e;
			const uint8_t *block;
			double		out;

			test_host_begin(&th);
			maker_schema(&th.host, &m);
			m.is_category[0] = (uint8_t) category;
			m.slots = wf_slots_create(&th.host, 2, m.is_category, m.has_missing);
			nodes = wf_alloc_zero(&th.host, n, sizeof(WfGrownNode));
			/* Root 0 on feature 0; its right child is a leaf, its left one a right-leaning chain on feature 1. */
			for (uint32_t i = 0; i + 2 < n; i += 2)
			{
				nodes[i].left = i ? i + 1 : 2;
				nodes[i].right = i ? i + 2 : 1;
				nodes[i].feature = i ? 1 : 0;
			}
			nodes[1].value = 7;
			nodes[n - 1].value = 9;
			tree.nodes = nodes;
			tree.bitsets = (const uint64_t (*)[4]) bits;
			tree.n_bitsets = 1;
			wf_bytes_init(&packed, &th.host);
			wf_bytes_init(&section, &th.host);
			WF_CHECK_EQ(wf_tree_pack(&packed, m.slots, WF_LEAF_VALUE, 0, &tree), packed.length);
			block = packed.data;
			wf_ensemble_write(&section, m.slots, WF_LEAF_VALUE, WF_COMBINE_SUM, 0, 1, NULL, 1, &block);
			e = open_section(&th.host, &m, &section);
			wf_ensemble_score_bins(&e, (const uint8_t[]) {1, 1}, &out);
			WF_CHECK_EQ(out, 7);
			wf_ensemble_score_bins(&e, (const uint8_t[]) {0, 1}, &out);
			WF_CHECK_EQ(out, 9);
			/* words: nodes, the category's bitset, the escape */
			WF_CHECK_EQ(e.header->n_words, n + category + (n - 2 + 1 + category > 65535));
			test_host_end(&th);
		}
}

WF_TEST(slots_of_features)
{
	TestHost	th;
	WfSlots    *s;
	uint8_t		zeros[65534] = {0};
	uint8_t		ones[65534];

	test_host_begin(&th);
	s = wf_slots_create(&th.host, 4, (const uint8_t[]) {0, 1, 0, 0}, (const uint8_t[]) {1, 1, 0, 1});
	WF_CHECK_EQ(s->n_slots, 6);
	WF_CHECK(!s->wide);
	WF_CHECK_EQ(s->left_slot[0], 4);
	WF_CHECK_EQ(s->left_slot[1], WF_NO_SLOT);
	WF_CHECK_EQ(s->left_slot[2], WF_NO_SLOT);
	WF_CHECK_EQ(s->left_slot[3], 5);
	WF_CHECK_EQ(s->slot_feature[5], 3);
	WF_CHECK_EQ(s->slot_flags[5], WF_SLOT_MISSING_LEFT);
	WF_CHECK_EQ(s->slot_flags[1], WF_SLOT_CATEGORY);
	memset(ones, 1, sizeof(ones));
	WF_CHECK(!wf_slots_create(&th.host, 254, zeros, zeros)->wide);
	WF_CHECK(wf_slots_create(&th.host, 255, zeros, zeros)->wide);
	/* More slots than numbers for them: the last features do without. */
	s = wf_slots_create(&th.host, 65000, zeros, ones);
	WF_CHECK_EQ(s->n_slots, 65534);
	WF_CHECK_EQ(s->left_slot[533], 65533);
	WF_CHECK_EQ(s->left_slot[534], WF_NO_SLOT);
	WF_EXPECT_FAIL(&th, WF_E_LIMIT, wf_slots_create(&th.host, 65535, zeros, zeros));
	test_host_end(&th);
}

/* wf_node_read() agrees with the grown nodes, and ratios with their weights. */
WF_TEST(nodes_and_ratios)
{
	TestHost	th;
	Maker		m = small;
	WfBytes		section;
	WfEnsemble	e;

	m.categories = 0.3;
	m.missing = 0.6;
	m.n_leaves = 300;
	test_host_begin(&th);
	maker_schema(&th.host, &m);
	section = maker_section(&th.host, &m);
	e = open_section(&th.host, &m, &section);
	for (uint32_t t = 0; t < m.n_trees; t++)
	{
		const WfTreeEntry *tree = &e.directory[t];
		const WfGrownNode *nodes = m.trees[t].nodes;
		uint32_t	stack[600][2];
		uint32_t	top = 0;
		uint32_t	split = 0;

		stack[top][0] = stack[top][1] = 0;
		top++;
		while (top > 0)
		{
			uint32_t	at = stack[--top][0];
			const WfGrownNode *g = &nodes[stack[top][1]];
			WfNode		node;
			double		value;

			wf_node_read(&e, tree, at, &node);
			WF_CHECK_EQ(node.leaf, g->left == 0);
			if (node.leaf)
			{
				wf_leaf_outputs(&e, tree, node.payload, &value);
				WF_CHECK(value == g->value);
				continue;
			}
			WF_CHECK_EQ(node.feature, g->feature);
			WF_CHECK_EQ(node.category, m.is_category[g->feature] != 0);
			if (node.category)
				WF_CHECK(memcmp(node.bitset, m.trees[t].bitsets[g->bitset], 32) == 0);
			else
			{
				WF_CHECK_EQ(node.bin, g->bin);
				WF_CHECK_EQ(node.missing_left, g->missing_left);
			}
			WF_CHECK_NEAR(e.ratios[tree->first_split + split] / 65536.0, nodes[g->left].weight / g->weight, 1e-5);
			split++;
			stack[top][0] = node.right;
			stack[top++][1] = g->right;
			stack[top][0] = node.left;
			stack[top++][1] = g->left;
		}
		WF_CHECK_EQ(split, tree->n_splits);
	}
	test_host_end(&th);
}

/* Categories of few levels: the same sets come again, and are stored once. */
WF_TEST(equal_bitsets_once)
{
	TestHost	th;
	Maker		m = small;
	WfBytes		packed;
	WfTreeEntry entry;
	WfGrownTree tree;
	uint64_t	(*bitsets)[4];

	m.categories = 1;
	m.n_leaves = 200;
	m.full = true;
	test_host_begin(&th);
	maker_schema(&th.host, &m);
	maker_tree(&th.host, &m, &tree);
	bitsets = wf_alloc_zero(&th.host, tree.n_bitsets, sizeof(*bitsets));
	for (uint32_t i = 0; i < tree.n_bitsets; i++)
		bitsets[i][3] = i % 5;
	tree.bitsets = (const uint64_t (*)[4]) bitsets;
	wf_bytes_init(&packed, &th.host);
	wf_tree_pack(&packed, m.slots, WF_LEAF_VALUE, 0, &tree);
	memcpy(&entry, packed.data, sizeof(entry));
	WF_CHECK_EQ(tree.n_bitsets, 199);
	WF_CHECK_EQ(entry.n_bitsets, 5);
	for (uint32_t i = 0; i < 5; i++)
		WF_CHECK(memcmp(packed.data + sizeof(entry) + i * sizeof(*bitsets), bitsets[i], sizeof(*bitsets)) == 0);
	test_host_end(&th);
}

WF_TEST(grown_trees_that_are_none)
{
	TestHost	th;
	Maker		m = small;
	WfGrownNode nodes[5] = {{.left = 1,.right = 2,.weight = 1}, {.weight = 1}, {.weight = 1}, {.weight = 1}, {.weight = 1}};
	WfGrownTree tree = {.n_nodes = 3,.nodes = nodes};
	WfBytes		out;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	wf_bytes_init(&out, &th.host);
	wf_tree_pack(&out, m.slots, WF_LEAF_VALUE, 0, &tree);
	tree.n_nodes = 0;
	WF_EXPECT_FAIL(&th, WF_E_INTERNAL, wf_tree_pack(&out, m.slots, WF_LEAF_VALUE, 0, &tree));
	tree.n_nodes = 5;			/* nodes that nobody reaches */
	WF_EXPECT_FAIL(&th, WF_E_INTERNAL, wf_tree_pack(&out, m.slots, WF_LEAF_VALUE, 0, &tree));
	tree.n_nodes = 4;
	nodes[2].left = 1;			/* a node reached twice */
	nodes[2].right = 3;
	WF_EXPECT_FAIL(&th, WF_E_INTERNAL, wf_tree_pack(&out, m.slots, WF_LEAF_VALUE, 0, &tree));
	nodes[2].right = 9;
	WF_EXPECT_FAIL(&th, WF_E_INTERNAL, wf_tree_pack(&out, m.slots, WF_LEAF_VALUE, 0, &tree));
	nodes[2].left = 0;
	nodes[1].payload = 2;
	tree.n_nodes = 3;
	WF_EXPECT_FAIL(&th, WF_E_INTERNAL, wf_tree_pack(&out, m.slots, WF_LEAF_CLASS, 2, &tree));
	test_host_end(&th);
}

/* Open bytes that may lie: an error, or a section that can be walked. */
static bool
opens(const Maker *m, const uint8_t *bytes, size_t length, const uint8_t *bins)
{
	TestHost	th;
	jmp_buf		jb;
	WfEnsemble	e;
	double		out[16];
	bool		ok;

	test_host_begin(&th);
	th.on_fail = &jb;
	if (setjmp(jb) == 0)
	{
		wf_ensemble_open(&th.host, bytes, length, m->d, m->is_category, m->n_classes, &e);
		wf_ensemble_score_bins(&e, bins, out);
	}
	else
		WF_CHECK_EQ(th.code, WF_E_CORRUPT);
	WF_CHECK(th.bytes_peak <= 2 * length + 65536);
	ok = !th.failed;
	test_host_end(&th);
	return ok;
}

static void
mutate(Maker m, int n, uint64_t seed)
{
	TestHost	th;
	WfBytes		section;
	int			opened = 0;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	section = maker_section(&th.host, &m);
	for (int i = 0; i < n; i++)
	{
		/* A block of its own length, so that reading past it is seen. */
		uint64_t	r = wf_rng(seed, (uint64_t) i);
		size_t		length = i % 16 ? section.length : wf_rng_below(wf_rng(r, 7), (uint32_t) section.length);
		uint8_t    *copy = malloc(length + 1);
		uint8_t		bins[MAKER_MAX_FEATURES];

		memcpy(copy, section.data, length);
		for (uint64_t j = 0; j <= (r & 3) && length; j++)
		{
			/* Half of the changes go to the header and the directory. */
			uint32_t	range = j % 2 && length > 1200 ? 1200 : (uint32_t) length;
			uint32_t	at = wf_rng_below(wf_rng(r, 10 + j), range);

			copy[at] = (uint8_t) (i % 3 == 0 ? wf_rng(r, 20 + j) : copy[at] + 1 - 2 * (j & 1));
		}
		maker_bins(&m, bins);
		opened += opens(&m, copy, length, bins);
		free(copy);
	}
	WF_CHECK(opened > 0 && opened < n);
	test_host_end(&th);
}

WF_TEST(changed_bytes)
{
	Maker		m = small;

	m.n_leaves = 8;
	m.n_trees = 5;
	m.categories = 0.3;
	m.missing = 0.5;
	mutate(m, 4000, 11);
	m.leaf = WF_LEAF_CLASS;
	m.combine = WF_COMBINE_MEAN;
	m.n_classes = 3;
	m.distributions = 0.5;
	mutate(m, 2000, 12);
	m.d = 300;
	mutate(m, 2000, 13);
}
