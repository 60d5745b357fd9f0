/*
 * Metrics against scikit-learn 1.9 (sklearn.metrics) on data made by the
 * formulas below, and against published examples.
 */
#include "wf_test.h"

#include "core/metric.h"

#define N 200

static uint16_t label[N];
static uint8_t positive[N];
static double p[N * 3];
static double p1[N];
static double tied[N];
static double p2[N * 2];
static uint16_t label2[N];
static float w[N];
static double y[N];
static double f[N];

static void
make_data(void)
{
	for (int i = 0; i < N; i++)
	{
		double		sum = 0;

		label[i] = (uint16_t) ((i * 7 + i / 5) % 3);
		for (int c = 0; c < 3; c++)
		{
			p[i * 3 + c] = (i * 13 + 5 * c * i + c * 3) % 17 + 1 + 4 * (label[i] == c && i % 4 > 0);
			sum += p[i * 3 + c];
		}
		for (int c = 0; c < 3; c++)
			p[i * 3 + c] /= sum;
		w[i] = (float) (1 + i % 3);
		positive[i] = label[i] == 1;
		p1[i] = p[i * 3 + 1];
		tied[i] = floor(p1[i] * 8) / 8;
		label2[i] = positive[i];
		p2[i * 2] = 1 - p1[i];
		p2[i * 2 + 1] = p1[i];
		y[i] = (i * 37 % 101) / 7.0;
		f[i] = y[i] + (i * 11 % 13 - 6) / 3.0;
	}
}

WF_TEST(classification_as_in_scikit_learn)
{
	TestHost	th;

	test_host_begin(&th);
	make_data();
	WF_CHECK_NEAR(wf_accuracy(label, p, NULL, N, 3), 0.54, 1e-12);
	WF_CHECK_NEAR(wf_accuracy(label, p, w, N, 3), 0.5513784461152882, 1e-12);
	WF_CHECK_NEAR(wf_log_loss(label, p, NULL, N, 3), 0.9907880645473206, 1e-12);
	WF_CHECK_NEAR(wf_log_loss(label, p, w, N, 3), 0.9973008256283565, 1e-12);
	WF_CHECK_NEAR(wf_macro_f1(&th.host, label, p, NULL, N, 3), 0.5235375735375736, 1e-12);
	WF_CHECK_NEAR(wf_macro_f1(&th.host, label, p, w, N, 3), 0.5351065740879998, 1e-12);
	WF_CHECK_NEAR(wf_brier(label, p, NULL, N, 3), 0.592343846693796, 1e-12);
	WF_CHECK_NEAR(wf_brier(label, p, w, N, 3), 0.5933549616560878, 1e-12);
	WF_CHECK_NEAR(wf_brier(label2, p2, NULL, N, 2), 0.2122459564649784, 1e-12);
	WF_CHECK_NEAR(wf_brier(label2, p2, w, N, 2), 0.211010819746978, 1e-12);
	/* numpy: bins of min(floor(10 top), 9), Σ |Σ w (top - right)| / Σ w */
	WF_CHECK_NEAR(wf_ece(label, p, NULL, N, 3, 10), 0.15444518761720058, 1e-12);
	WF_CHECK_NEAR(wf_ece(label, p, w, N, 3, 10), 0.1615194473652557, 1e-12);
	test_host_end(&th);
}

WF_TEST(ranking_as_in_scikit_learn)
{
	TestHost	th;

	test_host_begin(&th);
	make_data();
	WF_CHECK_NEAR(wf_auc(&th.host, positive, p1, NULL, N), 0.7314583333333332, 1e-12);
	WF_CHECK_NEAR(wf_auc(&th.host, positive, p1, w, N), 0.740428870292887, 1e-12);
	WF_CHECK_NEAR(wf_auc(&th.host, positive, tied, NULL, N), 0.71921875, 1e-12);
	WF_CHECK_NEAR(wf_auc(&th.host, positive, tied, w, N), 0.7226333682008369, 1e-12);
	WF_CHECK_NEAR(wf_average_precision(&th.host, positive, p1, NULL, N), 0.6497211665508926, 1e-12);
	WF_CHECK_NEAR(wf_average_precision(&th.host, positive, p1, w, N), 0.6630834351794261, 1e-12);
	WF_CHECK_NEAR(wf_average_precision(&th.host, positive, tied, NULL, N), 0.5945542982741778, 1e-12);
	WF_CHECK_NEAR(wf_average_precision(&th.host, positive, tied, w, N), 0.6022755116268763, 1e-12);
	WF_CHECK_EQ(th.bytes_now, 0);
	test_host_end(&th);
}

WF_TEST(auc_counts_pairs)
{
	TestHost	th;
	double		score[] = {-1.5, 0.0, -0.0, 2, INFINITY, -INFINITY, 1e-300, -1e-300};
	uint8_t		pos[] = {0, 1, 0, 1, 1, 0, 0, 1};
	double		pairs = 0;

	test_host_begin(&th);
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 8; j++)
			if (pos[i] && !pos[j])
				pairs += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
	WF_CHECK_NEAR(wf_auc(&th.host, pos, score, NULL, 8), pairs / 16, 1e-15);
	memset(pos, 1, sizeof(pos));
	WF_CHECK(isnan(wf_auc(&th.host, pos, score, NULL, 8)));
	WF_CHECK_NEAR(wf_average_precision(&th.host, pos, score, NULL, 8), 1, 1e-15);
	memset(pos, 0, sizeof(pos));
	WF_CHECK(isnan(wf_auc(&th.host, pos, score, NULL, 8)));
	WF_CHECK(isnan(wf_average_precision(&th.host, pos, score, NULL, 8)));
	WF_CHECK(isnan(wf_auc(&th.host, pos, score, NULL, 0)));
	test_host_end(&th);
}

WF_TEST(regression_as_in_scikit_learn)
{
	make_data();
	WF_CHECK_NEAR(wf_r2(y, f, NULL, N), 0.91077426834476, 1e-12);
	WF_CHECK_NEAR(wf_r2(y, f, w, N), 0.9118502481447063, 1e-12);
	WF_CHECK_NEAR(wf_mae(y, f, NULL, N), 1.0766666666666667, 1e-12);
	WF_CHECK_NEAR(wf_mae(y, f, w, N), 1.0760233918128657, 1e-12);
	WF_CHECK_NEAR(wf_rmse(y, f, NULL, N), 1.2476644848141933, 1e-12);
	WF_CHECK_NEAR(wf_rmse(y, f, w, N), 1.2461022493875495, 1e-12);
}

WF_TEST(published_regression_example)
{
	double		pred[] = {37.5, 12.3, 74.2, 91.1};
	double		truth[] = {53.1, 34.2, 65.4, 82.1};
	double		rmse = wf_rmse(truth, pred, NULL, 4);

	WF_CHECK_NEAR(wf_mae(truth, pred, NULL, 4), 13.825, 1e-12);
	WF_CHECK_NEAR(rmse * rmse, 220.3525, 1e-10);
	WF_CHECK_NEAR(wf_r2(truth, pred, NULL, 4), 0.279929, 5e-7);
}

WF_TEST(degenerate_input)
{
	TestHost	th;
	double		flat[] = {2, 2, 2};
	double		other[] = {2, 2, 3};
	uint16_t	one[] = {0, 0};
	double		sure[] = {1, 0, 0, 1};

	test_host_begin(&th);
	WF_CHECK(wf_r2(flat, flat, NULL, 3) == 1);
	WF_CHECK(wf_r2(flat, other, NULL, 3) == 0);
	WF_CHECK(isnan(wf_r2(flat, flat, NULL, 0)));
	WF_CHECK(isnan(wf_accuracy(one, sure, NULL, 0, 2)));
	/* a sure and wrong row costs -log(1e-15), not infinity */
	WF_CHECK_NEAR(wf_log_loss(one, sure, NULL, 2, 2), 34.538776394910684 / 2, 1e-12);
	/* classes 2.. are skipped, not counted as 0: F1 is 2/3 and 0 of two classes that occur */
	{
		double		wide[] = {1, 0, 0, 0, 0, 1, 0, 0};

		WF_CHECK_NEAR(wf_macro_f1(&th.host, one, wide, NULL, 2, 4), 1.0 / 3, 1e-12);
	}
	WF_CHECK_NEAR(wf_ece(one, sure, NULL, 2, 2, 0), 0.5, 1e-12);
	WF_CHECK_NEAR(wf_ece(one, sure, NULL, 2, 2, 1000000), 0.5, 1e-12);
	test_host_end(&th);
}

WF_TEST(ndcg_as_in_scikit_learn)
{
	/* ndcg_score([[3,2,3,0,1,2]], [[6,5,4,3,2,1]], k) */
	double		relevance[] = {3, 2, 3, 0, 1, 2};
	int64_t		rank[] = {1, 2, 3, 4, 5, 6};
	double		mixed[] = {2, 0, 3, 1, 2, 3};
	int64_t		mixed_rank[] = {6, 4, 3, 5, 2, 1};
	double		none[] = {0, 0};
	TestHost	th;

	test_host_begin(&th);
	WF_CHECK_NEAR(wf_ndcg(&th.host, relevance, rank, 6, 0), 0.9608081943360616, 1e-12);
	WF_CHECK_NEAR(wf_ndcg(&th.host, relevance, rank, 6, 3), 0.9777813616305048, 1e-12);
	WF_CHECK(wf_ndcg(&th.host, mixed, mixed_rank, 6, 0) == wf_ndcg(&th.host, relevance, rank, 6, 0));
	WF_CHECK(isnan(wf_ndcg(&th.host, none, rank, 2, 0)));
	WF_CHECK(isnan(wf_ndcg(&th.host, none, rank, 0, 5)));
	WF_CHECK_EQ(th.bytes_now, 0);
	test_host_end(&th);
}

WF_TEST(scores_of_class_counts)
{
	/* three classes, the last never occurs nor is predicted; and one only predicted */
	WfClassCount c[] = {{30, 40, 50}, {20, 35, 25}, {0, 0, 0}, {0, 10, 0}};

	WF_CHECK_NEAR(wf_class_score(&c[0], WF_PRECISION), 0.75, 1e-15);
	WF_CHECK_NEAR(wf_class_score(&c[0], WF_RECALL), 0.6, 1e-15);
	WF_CHECK_NEAR(wf_class_score(&c[0], WF_F1), 2 * 0.75 * 0.6 / 1.35, 1e-15);
	WF_CHECK_NEAR(wf_class_score(&c[3], WF_RECALL), 0, 0);
	WF_CHECK_NEAR(wf_classes_score(c, 4, WF_PRECISION, WF_AVERAGE_MACRO), (0.75 + 20 / 35.0) / 3, 1e-15);
	WF_CHECK_NEAR(wf_classes_score(c, 4, WF_RECALL, WF_AVERAGE_WEIGHTED), (50 * 0.6 + 25 * 0.8) / 75, 1e-15);
	WF_CHECK_NEAR(wf_classes_score(c, 4, WF_F1, WF_AVERAGE_MICRO), 50 / 80.0, 1e-15);
}

static void
sums_of(const double *a, const double *b, size_t n, WfTwofold s[3])
{
	memset(s, 0, 3 * sizeof(*s));
	for (size_t i = 0; i < n; i++)
	{
		wf_twofold_add(&s[0], a[i]);
		wf_twofold_add_product(&s[1], a[i], a[i]);
		wf_twofold_add_product(&s[2], a[i] - b[i], a[i] - b[i]);
	}
}

WF_TEST(r2_of_sums_does_not_cancel)
{
	WfTwofold	s[3];
	double		far[N];
	double		near[N];

	make_data();
	sums_of(y, f, N, s);
	WF_CHECK_NEAR(wf_r2_of_sums(N, &s[0], &s[1], &s[2]), 0.91077426834476, 1e-12);
	/* far from 0 plain sums of squares would lose everything */
	for (int i = 0; i < N; i++)
	{
		far[i] = 1e9 + floor(y[i] * 8) / 8;
		near[i] = 1e9 + floor(f[i] * 8) / 8;
	}
	sums_of(far, near, N, s);
	WF_CHECK_NEAR(wf_r2_of_sums(N, &s[0], &s[1], &s[2]), wf_r2(far, near, NULL, N), 1e-10);
	for (int i = 0; i < N; i++)
		far[i] = 0.1;
	sums_of(far, near, N, s);
	WF_CHECK(wf_r2_of_sums(N, &s[0], &s[1], &s[2]) == 0);
	sums_of(far, far, N, s);
	WF_CHECK(wf_r2_of_sums(N, &s[0], &s[1], &s[2]) == 1);
}

WF_TEST(twofold_sums_do_not_depend_on_order)
{
	WfTwofold	up = {0, 0};
	WfTwofold	down = {0, 0};
	WfTwofold	halves[2] = {{0, 0}, {0, 0}};
	WfTwofold	infinite = {1, 0};

	for (int i = 0; i < 1000; i++)
	{
		double		x = sin(i) * pow(10, i % 17);

		wf_twofold_add(&up, x);
		wf_twofold_add(&halves[i % 2], x);
		x = sin(999 - i) * pow(10, (999 - i) % 17);
		wf_twofold_add(&down, x);
	}
	wf_twofold_merge(&halves[0], &halves[1]);
	WF_CHECK(wf_twofold_value(&up) == wf_twofold_value(&down));
	WF_CHECK(wf_twofold_value(&up) == wf_twofold_value(&halves[0]));
	wf_twofold_add(&infinite, INFINITY);
	WF_CHECK(isinf(wf_twofold_value(&infinite)));
	wf_twofold_add_product(&infinite, 1e200, 1e200);
	WF_CHECK(isinf(wf_twofold_value(&infinite)));
	WF_CHECK_NEAR(wf_surprise(true, 0), 34.538776394910684, 1e-12);
	WF_CHECK_NEAR(wf_surprise(false, 0.25), -log(0.75), 1e-15);
}
