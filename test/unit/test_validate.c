/* Which rows report: shares, equal rows, classes, groups, time, tiny tables. */
#include "wf_test.h"

#include "core/rng.h"
#include "core/validate.h"

#define TRAINING 255

typedef struct Rows
{
	TestHost	th;
	WfSpec		spec;
	WfDataset	data;
	uint64_t   *group;
	double	   *time;
	uint8_t    *fold;
	int			n_folds;
} Rows;

static int
by_value(const void *a, const void *b)
{
	uint64_t	x = *(const uint64_t *) a;
	uint64_t	y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

/* n rows of which each "copies" are equal; classes drawn by hash; sorted by hash as in a dataset. */
static void
begin(Rows *r, WfValidation validation, uint32_t n, uint32_t copies, int n_classes)
{
	memset(r, 0, sizeof(*r));
	test_host_begin(&r->th);
	r->spec.validation = validation;
	r->spec.test_fraction = 0.2;
	r->spec.folds = 5;
	r->data.n = n;
	r->data.n_classes = n_classes;
	r->data.hash = wf_alloc(&r->th.host, n, sizeof(uint64_t));
	r->data.label = n_classes ? wf_alloc(&r->th.host, n, sizeof(uint16_t)) : NULL;
	r->group = wf_alloc(&r->th.host, n, sizeof(uint64_t));
	r->time = wf_alloc(&r->th.host, n, sizeof(double));
	r->fold = wf_alloc(&r->th.host, n, 1);
	for (uint32_t i = 0; i < n; i++)
		r->data.hash[i] = wf_mix(i / copies);
	qsort(r->data.hash, n, sizeof(uint64_t), by_value);
	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t	h = r->data.hash[i];

		if (n_classes)
			r->data.label[i] = (uint16_t) wf_rng_below(wf_rng(h, 5), (uint32_t) n_classes);
		r->group[i] = wf_rng(h, 6) % 40;
		r->time[i] = wf_rng_unit(wf_rng(h, 7)) * 1000 - 500;
	}
}

static void
run(Rows *r)
{
	wf_validate_folds(&r->th.host, &r->spec, &r->data, r->group, r->time, r->fold, &r->n_folds);
}

/* A function of its own, as longjmp may clobber the locals of a caller's loop. */
static void
expect_refusal(Rows *r)
{
	WF_EXPECT_FAIL(&r->th, WF_E_DATA, run(r));
}

static uint32_t
rows_in(const Rows *r, int fold)
{
	uint32_t	n = 0;

	for (uint32_t i = 0; i < r->data.n; i++)
		n += r->fold[i] == fold;
	return n;
}

WF_TEST(hold_out_takes_its_share_of_each_class)
{
	Rows		r;

	begin(&r, WF_VALIDATE_HOLDOUT, 20000, 1, 4);
	run(&r);
	WF_CHECK_EQ(r.n_folds, 1);
	WF_CHECK_NEAR(rows_in(&r, 0), 4000, 4 * 57);	/* four standard deviations */
	for (int c = 0; c < 4; c++)
	{
		double		all = 0;
		double		test = 0;

		for (uint32_t i = 0; i < r.data.n; i++)
			if (r.data.label[i] == c)
			{
				all++;
				test += r.fold[i] == 0;
			}
		WF_CHECK_NEAR(test / all, 0.2, 0.025);
	}
	/* the canonical order must not show: both halves of it hold about as much */
	{
		uint32_t	first = 0;

		for (uint32_t i = 0; i < r.data.n / 2; i++)
			first += r.fold[i] == 0;
		WF_CHECK_NEAR(first, 2000, 180);
	}
	test_host_end(&r.th);
}

WF_TEST(equal_rows_share_a_side)
{
	WfValidation kinds[] = {WF_VALIDATE_HOLDOUT, WF_VALIDATE_CV};

	for (int k = 0; k < 2; k++)
	{
		Rows		r;

		begin(&r, kinds[k], 3000, 3, 3);
		run(&r);
		for (uint32_t i = 1; i < r.data.n; i++)
			WF_CHECK(r.data.hash[i] != r.data.hash[i - 1] || r.fold[i] == r.fold[i - 1]);
		test_host_end(&r.th);
	}
}

WF_TEST(assignments_survive_growth)
{
	WfValidation kinds[] = {WF_VALIDATE_HOLDOUT, WF_VALIDATE_CV};

	for (int k = 0; k < 2; k++)
	{
		Rows		few;
		Rows		many;
		uint32_t	at = 0;

		begin(&few, kinds[k], 1000, 1, 2);
		begin(&many, kinds[k], 3000, 1, 2);
		run(&few);
		run(&many);
		for (uint32_t i = 0; i < few.data.n; i++)
		{
			while (many.data.hash[at] != few.data.hash[i])
				at++;
			WF_CHECK_EQ(many.fold[at], few.fold[i]);
		}
		test_host_end(&few.th);
		test_host_end(&many.th);
	}
}

WF_TEST(cross_validation_covers_every_row)
{
	Rows		r;

	begin(&r, WF_VALIDATE_CV, 10000, 1, 2);
	run(&r);
	WF_CHECK_EQ(r.n_folds, 5);
	for (int f = 0; f < 5; f++)
		WF_CHECK_NEAR(rows_in(&r, f), 2000, 160);
	test_host_end(&r.th);

	begin(&r, WF_VALIDATE_CV, 10000, 1, 0);
	r.spec.folds = 100;
	run(&r);
	WF_CHECK_EQ(r.n_folds, 100);
	WF_CHECK_EQ(rows_in(&r, TRAINING), 0);
	test_host_end(&r.th);
}

/* Whatever the classes of a few rows: each side has rows, training has every class. */
WF_TEST(tiny_tables_have_both_sides)
{
	for (uint32_t n = 2; n <= 12; n++)
		for (int n_classes = 0; n_classes <= 3; n_classes++)
			for (int variant = 0; variant < 60; variant++)
			{
				Rows		r;
				bool		possible = n_classes == 0;
				int			count[3] = {0};

				begin(&r, variant & 1 ? WF_VALIDATE_CV : WF_VALIDATE_HOLDOUT, n, 1, n_classes);
				for (uint32_t i = 0; n_classes && i < n; i++)
				{
					r.data.label[i] = (uint16_t) wf_rng_below(wf_rng((uint64_t) variant, i), (uint32_t) n_classes);
					possible |= ++count[r.data.label[i]] > 1;
				}
				if (!possible)
				{
					expect_refusal(&r);
					WF_CHECK(strstr(r.th.hint, "\"none\"") != NULL);
				}
				else
				{
					run(&r);
					for (int f = 0; f < r.n_folds; f++)
					{
						bool		trained[3] = {false};

						WF_CHECK(rows_in(&r, f) > 0);
						WF_CHECK(rows_in(&r, f) < n);
						for (uint32_t i = 0; n_classes && i < n; i++)
							trained[r.data.label[i]] |= r.fold[i] != f;
						for (int c = 0; c < n_classes; c++)
							WF_CHECK(trained[c] == (count[c] > 0));
					}
				}
				test_host_end(&r.th);
			}
}

WF_TEST(too_few_rows_are_refused)
{
	WfValidation kinds[] = {WF_VALIDATE_HOLDOUT, WF_VALIDATE_CV, WF_VALIDATE_TIME, WF_VALIDATE_GROUP};

	for (int k = 0; k < 4; k++)
	{
		Rows		r;

		begin(&r, kinds[k], 1, 1, 0);
		expect_refusal(&r);
		test_host_end(&r.th);

		/* many rows, all equal */
		begin(&r, kinds[k], 50, 50, 0);
		expect_refusal(&r);
		test_host_end(&r.th);
	}
}

WF_TEST(few_units_make_fewer_folds)
{
	Rows		r;

	begin(&r, WF_VALIDATE_CV, 3, 1, 0);
	run(&r);
	WF_CHECK_EQ(r.n_folds, 3);
	WF_CHECK(strstr(r.th.notices, "3 folds instead of 5") != NULL);
	for (int f = 0; f < 3; f++)
		WF_CHECK_EQ(rows_in(&r, f), 1);
	test_host_end(&r.th);
}

WF_TEST(groups_stay_together)
{
	for (int n_groups = 2; n_groups <= 40; n_groups += 3)
	{
		Rows		r;
		int			of_group[40];

		begin(&r, WF_VALIDATE_GROUP, 2000, 1, 2);
		for (uint32_t i = 0; i < r.data.n; i++)
			r.group[i] %= (uint64_t) n_groups;
		memset(of_group, -1, sizeof(of_group));
		run(&r);
		WF_CHECK_EQ(r.n_folds, n_groups < 5 ? n_groups : 5);
		for (uint32_t i = 0; i < r.data.n; i++)
		{
			int		   *g = &of_group[r.group[i]];

			WF_CHECK(*g == -1 || *g == r.fold[i]);
			*g = r.fold[i];
		}
		for (int f = 0; f < r.n_folds; f++)
			WF_CHECK(rows_in(&r, f) > 0);
		test_host_end(&r.th);
	}
}

WF_TEST(a_class_within_one_group_is_refused)
{
	Rows		r;

	begin(&r, WF_VALIDATE_GROUP, 500, 1, 2);
	for (uint32_t i = 0; i < r.data.n; i++)
		r.data.label[i] = r.group[i] == 3;
	expect_refusal(&r);
	WF_CHECK(strstr(r.th.message, "only among the rows held out") != NULL);
	test_host_end(&r.th);
}

WF_TEST(time_holds_out_the_latest)
{
	Rows		r;
	double		latest_training = -INFINITY;
	double		first_test = INFINITY;

	begin(&r, WF_VALIDATE_TIME, 1000, 1, 2);
	run(&r);
	WF_CHECK_EQ(r.n_folds, 1);
	WF_CHECK_EQ(rows_in(&r, 0), 200);
	for (uint32_t i = 0; i < r.data.n; i++)
		if (r.fold[i] == 0)
			first_test = fmin(first_test, r.time[i]);
		else
			latest_training = fmax(latest_training, r.time[i]);
	WF_CHECK(latest_training < first_test);
	test_host_end(&r.th);
}

WF_TEST(rows_of_one_time_stay_together)
{
	Rows		r;

	/* times 0, 1, 2 in thirds: a fifth is nearest to the last third */
	begin(&r, WF_VALIDATE_TIME, 300, 1, 0);
	for (uint32_t i = 0; i < r.data.n; i++)
		r.time[i] = (double) (i % 3) - 1;
	run(&r);
	WF_CHECK_EQ(rows_in(&r, 0), 100);
	for (uint32_t i = 0; i < r.data.n; i++)
		WF_CHECK((r.fold[i] == 0) == (r.time[i] == 1));

	/* nearly all at the latest time: they are the test, so that something trains */
	for (uint32_t i = 0; i < r.data.n; i++)
		r.time[i] = i < 10 ? NAN : 5;
	run(&r);
	WF_CHECK_EQ(rows_in(&r, 0), 290);
	/* few later than a big block: they alone are the test */
	for (uint32_t i = 0; i < r.data.n; i++)
		r.time[i] = i < 10 ? 6 : 5;
	run(&r);
	WF_CHECK_EQ(rows_in(&r, 0), 10);
	test_host_end(&r.th);
}

WF_TEST(no_validation_leaves_every_row_in_training)
{
	Rows		r;

	begin(&r, WF_VALIDATE_NONE, 10, 1, 2);
	run(&r);
	WF_CHECK_EQ(r.n_folds, 0);
	WF_CHECK_EQ(rows_in(&r, TRAINING), 10);
	test_host_end(&r.th);
}
