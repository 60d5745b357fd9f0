/* Which columns features become, and what a row has in them. */
#include "wf_test.h"

#include "core/design.h"

static uint16_t n_bins[] = {10, 3, 1, 2};
static uint8_t is_category[] = {0, 1, 0, 1};
static uint8_t has_missing[] = {1, 1, 0, 0};

static const WfDataset shape = {
	.d = 4, .n_bins = n_bins, .is_category = is_category, .has_missing = has_missing
};

WF_TEST(columns_are_numbered_in_groups)
{
	TestHost	th;
	WfDesign	d;

	test_host_begin(&th);
	wf_design_create(&th.host, &shape, &d);
	WF_CHECK_EQ(d.n_numbers, 2);
	WF_CHECK_EQ(d.n_columns, 9);
	WF_CHECK_EQ(d.features[0].first, 0);
	WF_CHECK_EQ(d.features[2].first, 1);
	WF_CHECK_EQ(d.features[0].missing, 2);
	WF_CHECK_EQ(d.features[2].missing, WF_NO_COLUMN);
	WF_CHECK_EQ(d.features[1].first, 3);
	WF_CHECK_EQ(d.features[1].n_levels, 3);
	WF_CHECK_EQ(d.features[1].missing, 6);
	WF_CHECK_EQ(d.features[3].first, 7);
	WF_CHECK_EQ(d.features[3].missing, WF_NO_COLUMN);
	test_host_end(&th);
}

WF_TEST(rows_are_expanded)
{
	TestHost	th;
	WfDesign	d;
	double		z[2];
	uint32_t	active[4];

	test_host_begin(&th);
	wf_design_create(&th.host, &shape, &d);
	d.features[0].mean = 2;
	d.features[0].inverse = 0.5;
	d.features[0].low = -4;
	d.features[0].high = 8;
	d.features[2].inverse = 1;

	WF_CHECK_EQ(wf_design_expand(&d, (float[]) {6, 2, -3, 1}, z, active), 2);
	WF_CHECK(z[0] == 2 && z[1] == -3);
	WF_CHECK_EQ(active[0], 5);
	WF_CHECK_EQ(active[1], 8);

	/* missing: the mean and a column that says so, if training had it */
	WF_CHECK_EQ(wf_design_expand(&d, (float[]) {NAN, NAN, NAN, NAN}, z, active), 2);
	WF_CHECK(z[0] == 0 && z[1] == 0);
	WF_CHECK_EQ(active[0], 2);
	WF_CHECK_EQ(active[1], 6);

	/* codes that are no level are missing */
	WF_CHECK_EQ(wf_design_expand(&d, (float[]) {0, 3, 0, -1}, z, active), 1);
	WF_CHECK_EQ(active[0], 6);

	/* infinities are the ends of the range; a finite value beyond it stays */
	wf_design_expand(&d, (float[]) {INFINITY, 0, 0, 0}, z, active);
	WF_CHECK(z[0] == 3);
	wf_design_expand(&d, (float[]) {-INFINITY, 0, 0, 0}, z, active);
	WF_CHECK(z[0] == -3);
	wf_design_expand(&d, (float[]) {100, 0, 0, 0}, z, active);
	WF_CHECK(z[0] == 49);
	test_host_end(&th);
}
