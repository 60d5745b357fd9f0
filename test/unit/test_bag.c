/* What a tree draws: Poisson(1), a function of seed, tree and row; weights and targets as integers. */
#include "forest_maker.h"

WF_TEST(draws_are_poisson)
{
	TestHost	th;
	Made		made;
	double		count[8] = {0};
	double		p = exp(-1.0);
	double		mean = 0;
	double		both = 0;
	uint32_t	n = 200000;

	test_host_begin(&th);
	made_create(&made, &th.host, 3, 10, 3, 2, 5, false, false, false);
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	a = wf_bag_draws(&made.plan, wf_bag_key(&made.plan, 0), i);
		uint32_t	b = wf_bag_draws(&made.plan, wf_bag_key(&made.plan, 1), i);

		WF_CHECK(a < 8);
		count[a & 7]++;
		mean += a;
		both += (double) a * b;
	}
	for (int k = 0; k < 5; k++)
	{
		WF_CHECK_NEAR(count[k] / n, p, 0.004);
		p /= k + 1;
	}
	WF_CHECK_NEAR(mean / n, 1, 0.01);
	WF_CHECK_NEAR(both / n, 1, 0.02);	/* trees are independent */
	test_host_end(&th);
}

WF_TEST(both_forms_hold_the_same_rows)
{
	for (int k = 0; k <= 2; k += 2)
	{
		TestHost	th;
		Made		made;
		WfBagLayout layout;
		uint8_t    *records;
		WfRowRef   *refs;
		size_t		n;

		test_host_begin(&th);
		made_create(&made, &th.host, 3, 500, 6, k, 5, false, true, true);
		made.data.weight[7] = 0;
		layout = wf_bag_layout(&made.plan);
		WF_CHECK_EQ(layout.size % 8, 0);
		records = wf_alloc(&th.host, 501, layout.size);
		refs = wf_alloc(&th.host, 501, sizeof(WfRowRef));
		n = wf_bag_fill_refs(&made.plan, &th.host, 4, false, refs);
		WF_CHECK_EQ(wf_bag_fill_records(&made.plan, &th.host, &layout, 4, false, records), n);
		WF_CHECK(n > 270 && n < 360);	/* 63 % of 500 */
		for (size_t i = 0; i < n; i++)
		{
			const uint8_t *at = records + i * layout.size;
			uint32_t	word;
			uint32_t	w;

			WF_CHECK(refs[i].row != 7);
			WF_CHECK(memcmp(at, wf_dataset_row(&made.data, refs[i].row), 6) == 0);
			memcpy(&word, at + layout.word_at, 4);
			WF_CHECK_EQ(word, refs[i].word);
			WF_CHECK_EQ(word >> 16, wf_bag_draws(&made.plan, wf_bag_key(&made.plan, 4), refs[i].row));
			memcpy(&w, at + layout.weight_at, 4);
			WF_CHECK_NEAR(w / made.plan.weight_scale, made.data.weight[refs[i].row], 1e-6);
			if (k == 0)
			{
				int32_t		y;

				memcpy(&y, at + layout.target_at, 4);
				WF_CHECK_NEAR(y / made.plan.scale + made.plan.center, made.data.target[refs[i].row], 1e-5);
			}
		}
		WF_CHECK_EQ(wf_bag_fill_refs(&made.plan, &th.host, 4, true, refs), 499);
		test_host_end(&th);
	}
}

WF_TEST(odd_targets_and_weights_scale)
{
	TestHost	th;
	Made		made;

	test_host_begin(&th);
	made_create(&made, &th.host, 3, 50, 3, 0, 5, false, false, true);
	for (uint32_t i = 0; i < 50; i++)
	{
		made.data.target[i] = i == 0 ? -1e308 : 1e308;
		made.data.weight[i] = i == 0 ? 1e30f : 1e-30f;
	}
	wf_bag_prepare(&made.plan, &th.host);
	WF_CHECK(wf_bag_target(&made.plan, 0) < -(1 << 25) && wf_bag_target(&made.plan, 1) > 1 << 25);
	WF_CHECK_EQ(wf_bag_weight(&made.plan, 1), 1);	/* small, but there */
	WF_CHECK(wf_bag_weight(&made.plan, 0) > 1 << 26);
	for (uint32_t i = 0; i < 50; i++)
	{
		made.data.target[i] = 7;
		made.data.weight[i] = 0;
	}
	wf_bag_prepare(&made.plan, &th.host);
	WF_CHECK_EQ(wf_bag_target(&made.plan, 3), 0);
	WF_CHECK_EQ(wf_bag_weight(&made.plan, 3), 0);
	WF_EXPECT_FAIL(&th, WF_E_DATA,
				   {
					   WfGrownTree grown;

					   wf_grower_grow(wf_grower_create(&th.host, &made.plan), 0, &grown);
				   });
	test_host_end(&th);
}
