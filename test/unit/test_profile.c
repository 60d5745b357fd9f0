/* What a look at the columns tells: distinct values and leaks. */
#include "wf_test.h"

#include "core/profile.h"
#include "core/rng.h"

enum
{
	FEW, MANY, LEAK, CODES, LEAK_CODES, UNIQUE, N_COLUMNS
};

static const WfColumnKind kinds[N_COLUMNS] = {
	WF_COL_NUMBER, WF_COL_NUMBER, WF_COL_NUMBER, WF_COL_CATEGORY, WF_COL_CATEGORY, WF_COL_CATEGORY
};

static WfSchema *
make_schema(WfHost *host, WfFrame *frame)
{
	WfSchema   *schema = wf_schema_create(host);

	for (int c = 0; c < N_COLUMNS; c++)
	{
		int			at = wf_schema_add(schema, "c", kinds[c]);
		WfColumn   *column = &schema->columns[at];

		column->dict = kinds[c] == WF_COL_CATEGORY ? wf_dict_create(host) : NULL;
		column->first_cell = wf_frame_add_column(frame, column->dict ? WF_CELL_CODE : WF_CELL_NUMBER, column->dict);
		column->n_cells = 1;
	}
	return schema;
}

static uint32_t
code_of(WfSchema *schema, int column, unsigned value)
{
	char		text[16];
	int			length = snprintf(text, sizeof(text), "%u", value);

	return wf_dict_add(schema->columns[column].dict, text, (size_t) length);
}

/* Row r has class r % 3 == 0; code 1 of the label dictionary stands for class 0. */
static WfProfile *
profile_of(WfHost *host, uint64_t n, int n_classes)
{
	static const uint16_t class_of_code[2] = {1, 0};
	WfFrame    *frame = wf_frame_create(host, 1 << 20, false, false, false);
	WfSchema   *schema = make_schema(host, frame);

	for (uint64_t r = 0; r < n; r++)
	{
		bool		positive = r % 3 == 0;
		WfRowExtra	extra = {.target = positive ? 0 : 1, .target_hash = positive ? 5 : 7, .weight = 1};
		WfCell		cells[N_COLUMNS];

		cells[FEW].number = r % 5 == 0 ? NAN : r % 7 == 0 ? -0.0f : (float) (wf_rng(r, 1) % 40);
		cells[MANY].number = (float) r;
		cells[LEAK].number = (float) (wf_rng(r, 2) % 1000) - (positive ? 1000 : 0);
		cells[CODES].code = r % 11 == 0 ? WF_CODE_MISSING : code_of(schema, CODES, (unsigned) (wf_rng(r, 3) % 9));
		cells[LEAK_CODES].code = code_of(schema, LEAK_CODES, positive ? 1 : (unsigned) (2 + wf_rng(r, 4) % 3));
		cells[UNIQUE].code = code_of(schema, UNIQUE, (unsigned) r);
		wf_frame_append(frame, cells, &extra);
	}
	return wf_profile(host, schema, frame, class_of_code, n_classes);
}

WF_TEST(profile_distinct)
{
	TestHost	th;
	WfProfile  *p;

	test_host_begin(&th);
	p = profile_of(&th.host, 3000, 0);
	WF_CHECK_EQ(p[FEW].distinct, 40);
	WF_CHECK_EQ(p[MANY].distinct, 3000);
	WF_CHECK(p[MANY].exact);
	WF_CHECK_EQ(p[CODES].distinct, 9);
	WF_CHECK(isnan(p[LEAK].auc));
	p = profile_of(&th.host, 100000, 0);
	WF_CHECK_EQ(p[FEW].distinct, 40);
	WF_CHECK(!p[MANY].exact);
	WF_CHECK_NEAR((double) p[MANY].distinct, 100000, 7000);
	p = profile_of(&th.host, 5000, 0);
	WF_CHECK(!p[MANY].exact);
	WF_CHECK_NEAR((double) p[MANY].distinct, 5000, 500);
	WF_CHECK_EQ(p[UNIQUE].distinct, 5000);
	test_host_end(&th);
}

WF_TEST(profile_leaks)
{
	TestHost	th;
	WfProfile  *p;

	test_host_begin(&th);
	for (uint64_t n = 2000; n <= 40000; n *= 20)
	{
		p = profile_of(&th.host, n, 2);
		WF_CHECK_NEAR(p[FEW].auc, 0.5, 0.05);
		WF_CHECK_NEAR(p[MANY].auc, 0.5, 0.05);
		WF_CHECK_NEAR(p[LEAK].auc, 1, 1e-9);
		WF_CHECK_NEAR(p[CODES].auc, 0.5, 0.05);
		WF_CHECK_NEAR(p[LEAK_CODES].auc, 1, 1e-9);
		WF_CHECK(p[UNIQUE].auc < 0.6);
	}
	p = profile_of(&th.host, 20, 2);
	WF_CHECK(isnan(p[LEAK].auc));
	test_host_end(&th);
}

static void
profile_again(TestHost *th)
{
	(void) profile_of(&th->host, 6000, 2);
}

WF_TEST(profile_failures)
{
	TestHost	th;
	uint64_t	allocs;

	test_host_begin(&th);
	profile_again(&th);
	allocs = th.n_allocs;
	test_host_end(&th);
	for (uint64_t i = allocs - 20; i <= allocs; i++)
	{
		test_host_begin(&th);
		th.fail_alloc_at = i;
		WF_EXPECT_FAIL(&th, WF_E_MEMORY, profile_again(&th));
		test_host_end(&th);
	}
}
