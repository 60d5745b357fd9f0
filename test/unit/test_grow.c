/* Trees of a forest against brute force, against the known tree of the golf data, and against themselves. */
#include "forest_maker.h"

#include "core/simd.h"

static void
grow_and_check(uint64_t seed, uint32_t n, uint32_t d, int k, uint32_t n_bins,
			   bool categories, bool missing, bool weighted, uint32_t min_leaf, uint32_t max_depth)
{
	TestHost	th;
	Made		made;
	WfGrower   *g;

	test_host_begin(&th);
	made_create(&made, &th.host, seed, n, d, k, n_bins, categories, missing, weighted);
	made.plan.min_leaf = min_leaf;
	made.plan.max_depth = max_depth;
	g = wf_grower_create(&th.host, &made.plan);
	for (uint64_t tree = 0; tree < 3; tree++)
	{
		WfGrownTree grown;

		wf_grower_grow(g, tree, &grown);
		WF_CHECK(grown.n_nodes >= 3);
		truth_check(&made, tree, &grown, false);
	}
	wf_grower_free(g);
	test_host_end(&th);
}

WF_TEST(classes_split_best)
{
	static const int classes[] = {2, 3, 5, 30};

	for (int i = 0; i < 4; i++)
	{
		grow_and_check(11 + (uint64_t) i, 150, 6, classes[i], 20, false, false, false, 1, UINT32_MAX);
		grow_and_check(21 + (uint64_t) i, 150, 6, classes[i], 8, false, true, false, 4, 6);
		grow_and_check(31 + (uint64_t) i, 150, 6, classes[i], 20, false, true, true, 1, UINT32_MAX);
	}
}

WF_TEST(regression_splits_best)
{
	grow_and_check(41, 150, 7, 0, 20, false, false, false, 1, UINT32_MAX);
	grow_and_check(42, 150, 7, 0, 8, false, true, false, 3, 5);
	grow_and_check(43, 150, 7, 0, 20, false, true, true, 1, UINT32_MAX);
}

/* With two classes and in regression the ordering finds the best of all subsets. */
WF_TEST(categories_split_best)
{
	grow_and_check(51, 120, 6, 2, 8, true, false, false, 1, UINT32_MAX);
	grow_and_check(52, 120, 6, 2, 8, true, true, true, 1, UINT32_MAX);
	grow_and_check(53, 120, 6, 0, 8, true, true, false, 1, UINT32_MAX);
	grow_and_check(54, 120, 6, 0, 8, true, true, true, 1, 4);
}

/* Many rows: dense scans, references at the top; vector and scalar code alike. */
WF_TEST(vector_code_grows_the_same)
{
	for (int k = 0; k <= 5; k += k ? 1 : 2)
	{
		TestHost	th;
		Made		made;
		WfGrower   *g;
		WfGrownTree a;
		WfGrownTree b;
		WfGrownNode *kept;

		test_host_begin(&th);
		made_create(&made, &th.host, 61, 6000, 9, k, 255, true, true, false);
		g = wf_grower_create(&th.host, &made.plan);
		wf_grower_grow(g, 0, &a);
		kept = wf_alloc(&th.host, a.n_nodes, sizeof(WfGrownNode));
		memcpy(kept, a.nodes, a.n_nodes * sizeof(WfGrownNode));
		wf_simd_limit(WF_SIMD_SCALAR);
		wf_grower_grow(g, 0, &b);
		wf_simd_limit(WF_SIMD_AVX512);
		WF_CHECK_EQ(a.n_nodes, b.n_nodes);
		if (a.n_nodes == b.n_nodes)
			WF_CHECK(memcmp(kept, b.nodes, a.n_nodes * sizeof(WfGrownNode)) == 0);
		test_host_end(&th);
	}
}

/* Wide rows make the record buffer small: it holds only a part of the data. */
WF_TEST(large_bags_start_as_references)
{
	for (int k = 0; k <= 4; k += 2)
	{
		TestHost	th;
		Made		made;
		WfGrower   *g;
		WfGrownTree grown;
		uint64_t	key;
		uint32_t	right = 0;

		test_host_begin(&th);
		made_create(&made, &th.host, 71, 5000, 4200, 0, 4, false, false, false);
		if (k)
		{
			made.data.n_classes = k;
			made.data.label = wf_alloc(&th.host, made.data.n, sizeof(uint16_t));
			for (uint32_t i = 0; i < made.data.n; i++)
				made.data.label[i] = (uint16_t) ((int) fabs(made.data.target[i]) / 8 % k);
			made.data.target = NULL;
		}
		made.plan.max_features = 10;
		made.plan.max_depth = 6;
		g = wf_grower_create(&th.host, &made.plan);
		wf_grower_grow(g, 3, &grown);
		/* every row lands in a leaf, and leaves count their rows */
		key = wf_bag_key(&made.plan, 3);
		{
			double	   *seen = wf_alloc_zero(&th.host, grown.n_nodes, sizeof(double));

			for (uint32_t i = 0; i < made.data.n; i++)
			{
				uint32_t	at = 0;

				while (grown.nodes[at].left)
				{
					const WfGrownNode *node = &grown.nodes[at];

					seen[at] += wf_bag_draws(&made.plan, key, i);
					at = made.data.rows[i * made.data.stride + node->feature] <= node->bin
						? node->left : node->right;
				}
				seen[at] += wf_bag_draws(&made.plan, key, i);
			}
			for (uint32_t i = 0; i < grown.n_nodes; i++)
				right += (float) seen[i] == grown.nodes[i].weight;
		}
		WF_CHECK_EQ(right, grown.n_nodes);
		WF_CHECK(grown.n_nodes > 30);
		test_host_end(&th);
	}
}

WF_TEST(best_first_stops_at_its_leaves)
{
	for (int k = 0; k <= 2; k += 2)
	{
		TestHost	th;
		Made		made;
		WfGrower   *g;
		WfGrownTree grown;
		uint32_t	leaves = 0;

		test_host_begin(&th);
		made_create(&made, &th.host, 81, 400, 6, k, 30, true, true, false);
		made.plan.max_leaves = 9;
		g = wf_grower_create(&th.host, &made.plan);
		wf_grower_grow(g, 0, &grown);
		for (uint32_t i = 0; i < grown.n_nodes; i++)
			leaves += grown.nodes[i].left == 0;
		WF_CHECK_EQ(leaves, 9);
		truth_check(&made, 0, &grown, false);
		/* with room for every leaf both orders end in trees of the same size */
		made.plan.max_leaves = 100000;
		wf_grower_grow(g, 0, &grown);
		leaves = grown.n_nodes;
		made.plan.max_leaves = 0;
		wf_grower_grow(g, 0, &grown);
		WF_CHECK_EQ(leaves, grown.n_nodes);
		test_host_end(&th);
	}
}

/* Whole weights without bootstrap are rows given several times. */
WF_TEST(weights_are_repeated_rows)
{
	for (int k = 0; k <= 4; k += 2)
	{
		TestHost	th;
		Made		once;
		Made		repeated;
		WfGrower   *g;
		WfGrownTree a;
		WfGrownTree b;
		uint32_t	n = 0;

		test_host_begin(&th);
		made_create(&once, &th.host, 91, 200, 5, k, 12, true, true, true);
		made_create(&repeated, &th.host, 91, 900, 5, k, 12, true, true, false);
		for (uint32_t i = 0; i < once.data.n; i++)
		{
			once.data.weight[i] = (float) (1 + i % 4);
			for (uint32_t j = 0; j < 1 + i % 4; j++, n++)
			{
				memcpy(repeated.data.rows + n * repeated.data.stride,
					   once.data.rows + i * once.data.stride, once.data.stride);
				if (k)
					repeated.data.label[n] = once.data.label[i];
				else
					repeated.data.target[n] = once.data.target[i];
			}
		}
		repeated.data.n = n;
		once.plan.bootstrap = repeated.plan.bootstrap = false;
		once.plan.max_features = repeated.plan.max_features = 5;
		once.plan.cat_smooth = repeated.plan.cat_smooth = 0;
		wf_bag_prepare(&once.plan, &th.host);
		wf_bag_prepare(&repeated.plan, &th.host);
		g = wf_grower_create(&th.host, &once.plan);
		wf_grower_grow(g, 0, &a);
		truth_check(&once, 0, &a, true);
		wf_grower_grow(wf_grower_create(&th.host, &repeated.plan), 0, &b);
		WF_CHECK_EQ(a.n_nodes, b.n_nodes);
		for (uint32_t i = 0; i < a.n_nodes && i < b.n_nodes; i++)
		{
			WF_CHECK_EQ(a.nodes[i].left, b.nodes[i].left);
			WF_CHECK_EQ(a.nodes[i].feature, b.nodes[i].feature);
			WF_CHECK_EQ(a.nodes[i].bin, b.nodes[i].bin);
			WF_CHECK_EQ(a.nodes[i].payload, b.nodes[i].payload);
			WF_CHECK_NEAR(a.nodes[i].weight, b.nodes[i].weight, 1e-3);
			WF_CHECK_NEAR(a.nodes[i].value, b.nodes[i].value, 1e-4);
		}
		test_host_end(&th);
	}
}

/* Order of rows must not matter: reverse the records but keep their ids' draws. */
WF_TEST(rows_of_no_draw_do_not_matter)
{
	TestHost	th;
	Made		made;
	WfGrower   *g;
	WfGrownTree a;
	WfGrownTree b;
	WfGrownNode *kept;

	test_host_begin(&th);
	made_create(&made, &th.host, 101, 500, 6, 3, 30, true, true, false);
	made.data.fold = wf_alloc_zero(&th.host, made.data.n, 1);
	for (uint32_t i = 0; i < made.data.n; i++)
		made.data.fold[i] = i % 5 == 0 ? 2 : 1;
	made.plan.out_fold = 2;
	g = wf_grower_create(&th.host, &made.plan);
	wf_grower_grow(g, 0, &a);
	truth_check(&made, 0, &a, false);
	kept = wf_alloc(&th.host, a.n_nodes, sizeof(WfGrownNode));
	memcpy(kept, a.nodes, a.n_nodes * sizeof(WfGrownNode));
	/* what stays out may be anything */
	for (uint32_t i = 0; i < made.data.n; i += 5)
		memset(made.data.rows + i * made.data.stride, 3, made.data.stride);
	wf_grower_grow(g, 0, &b);
	WF_CHECK_EQ(a.n_nodes, b.n_nodes);
	WF_CHECK(memcmp(kept, b.nodes, b.n_nodes * sizeof(WfGrownNode)) == 0);
	test_host_end(&th);
}

/* ---- the golf data ---- */

/* outlook: sunny, overcast, rainy; temperature: hot, mild, cool; humidity: high, normal; windy */
static const uint8_t golf[14][5] = {
	{0, 0, 0, 0, 0}, {0, 0, 0, 1, 0}, {1, 0, 0, 0, 1}, {2, 1, 0, 0, 1}, {2, 2, 1, 0, 1},
	{2, 2, 1, 1, 0}, {1, 2, 1, 1, 1}, {0, 1, 0, 0, 0}, {0, 2, 1, 0, 1}, {2, 1, 1, 0, 1},
	{0, 1, 1, 1, 1}, {1, 1, 0, 1, 1}, {1, 0, 1, 0, 1}, {2, 1, 0, 1, 0}
};

/*
 * CART by Gini: overcast alone first (0.459 → 0.357); then humidity (0.5 →
 * 0.32); high: sunny against rainy, then windy; normal: windy, then outlook.
 * Seven pure leaves.
 */
WF_TEST(golf_gives_the_known_tree)
{
	TestHost	th;
	Made		made;
	WfGrownTree grown;
	const WfGrownNode *root;
	const WfGrownNode *rest;
	bool		overcast_left;

	test_host_begin(&th);
	made_create(&made, &th.host, 1, 14, 4, 2, 3, false, false, false);
	for (int i = 0; i < 14; i++)
	{
		memcpy(made.data.rows + (size_t) i * made.data.stride, golf[i], 4);
		made.data.label[i] = golf[i][4];
	}
	made.data.is_category[0] = made.data.is_category[1] = 1;
	made.data.n_bins[2] = made.data.n_bins[3] = 2;
	made.slots = wf_slots_create(&th.host, 4, made.data.is_category, made.data.has_missing);
	made.plan.slots = made.slots;
	made.plan.bootstrap = false;
	made.plan.cat_smooth = 10;
	wf_grower_grow(wf_grower_create(&th.host, &made.plan), 0, &grown);
	truth_check(&made, 0, &grown, true);
	WF_CHECK_EQ(grown.n_nodes, 13);
	root = &grown.nodes[0];
	WF_CHECK_EQ(root->feature, 0);
	overcast_left = (grown.bitsets[root->bitset][0] >> 1) & 1;
	WF_CHECK_EQ((grown.bitsets[root->bitset][0] & 1), !overcast_left);
	WF_CHECK_EQ((grown.bitsets[root->bitset][0] >> 2) & 1, !overcast_left);
	WF_CHECK_EQ(grown.nodes[overcast_left ? root->left : root->right].left, 0);
	WF_CHECK_EQ(grown.nodes[overcast_left ? root->left : root->right].payload, 1);
	rest = &grown.nodes[overcast_left ? root->right : root->left];
	WF_CHECK_EQ(rest->feature, 2);
	WF_CHECK_EQ(grown.nodes[rest->left].feature, 0);	/* humidity high: outlook */
	WF_CHECK_EQ(grown.nodes[rest->right].feature, 3);	/* normal: windy */
	WF_CHECK_EQ(grown.n_distributions, 0);
	test_host_end(&th);
}

/* A bag that drew nothing takes every row; a single class gives one leaf. */
WF_TEST(tiny_data)
{
	TestHost	th;
	Made		made;
	WfGrower   *g;
	WfGrownTree grown;
	int			all = 0;

	test_host_begin(&th);
	made_create(&made, &th.host, 1, 2, 2, 2, 3, false, false, false);
	made.data.label[0] = 0;
	made.data.label[1] = 1;
	g = wf_grower_create(&th.host, &made.plan);
	for (uint64_t t = 0; t < 100; t++)
	{
		wf_grower_grow(g, t, &grown);
		WF_CHECK(grown.n_nodes >= 1);
		all += wf_grower_drew_all(g);
	}
	WF_CHECK(all > 2 && all < 35);		/* exp(-2) of them: 13 */
	test_host_end(&th);
}

/* Identical rows of different classes: one distribution, kept once. */
WF_TEST(distributions_are_kept_once)
{
	TestHost	th;
	Made		made;
	WfGrownTree grown;

	test_host_begin(&th);
	made_create(&made, &th.host, 1, 800, 2, 3, 20, false, false, false);
	for (uint32_t i = 0; i < 800; i++)
	{
		made.data.rows[i * made.data.stride] = (uint8_t) (i / 40);
		made.data.rows[i * made.data.stride + 1] = 0;
		made.data.label[i] = (uint16_t) (i % 4 == 0 ? 1 : 2 * (i / 40 % 2));
	}
	made.plan.bootstrap = false;
	wf_grower_grow(wf_grower_create(&th.host, &made.plan), 0, &grown);
	truth_check(&made, 0, &grown, true);
	WF_CHECK_EQ(grown.n_nodes, 39);
	WF_CHECK_EQ(grown.n_distributions, 2);
	test_host_end(&th);
}
