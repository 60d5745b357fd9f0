/* Losses: gradients against finite differences, both forms of the kernels, starting values. */
#include "wf_test.h"

#include "core/loss.h"
#include "core/rng.h"
#include "core/simd.h"

static double
uniform(uint64_t i, double low, double high)
{
	return low + (high - low) * wf_rng_unit(wf_rng(7, i));
}

/* Negative first and second derivative by the margin, from values. */
static void
differences(const WfLoss *loss, double score, double y, double *g, double *h)
{
	const double e = 1e-4;
	double		sign = wf_loss_on_residual(loss) ? -1 : 1;	/* a residual falls as the margin rises */
	double		up = wf_loss_value(loss, score + sign * e, y);
	double		down = wf_loss_value(loss, score - sign * e, y);

	*g = -(up - down) / (2 * e);
	*h = (up - 2 * wf_loss_value(loss, score, y) + down) / (e * e);
}

WF_TEST(gradients_agree_with_finite_differences)
{
	static const WfLossKind kinds[] = {
		WF_LOSS_SQUARED, WF_LOSS_ABSOLUTE, WF_LOSS_HUBER, WF_LOSS_QUANTILE, WF_LOSS_LOGISTIC, WF_LOSS_POISSON
	};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
	{
		WfLoss		loss = {.kind = kinds[k], .alpha = 0.3, .delta = 1.5, .n_outputs = 1};

		for (uint64_t i = 0; i < 200; i++)
		{
			float		score = (float) uniform(i, -4, 4);
			float		y = (float) uniform(i + 1000, 0, kinds[k] == WF_LOSS_POISSON ? 9 : 1);
			float		g;
			float		h;
			double		dg;
			double		dh;

			if (fabs(score) < 0.01 || fabs(fabs(score) - loss.delta) < 0.01)
				continue;		/* kinks */
			wf_loss_gradients(&loss, &score, &y, 1, &g, &h);
			differences(&loss, score, y, &dg, &dh);
			WF_CHECK_NEAR(g, dg, 1e-5 * (1 + fabs(dg)));
			if (!wf_loss_unit_hessian(&loss))
				WF_CHECK_NEAR(h, dh, 1e-4 * (1 + fabs(dh)));
			else
				WF_CHECK(h == 1.0f);
		}
	}
}

WF_TEST(softmax_gradients_agree_with_finite_differences)
{
	for (uint64_t i = 0; i < 100; i++)
	{
		const double e = 1e-2;	/* margins are floats */
		float		margin[4];
		float		g[4];
		float		h[4];
		int			label = (int) (i % 4);

		for (uint64_t k = 0; k < 4; k++)
			margin[k] = (float) uniform(i * 4 + k, -3, 3);
		wf_softmax_gradients(margin, 4, label, g, h);
		for (int k = 0; k < 4; k++)
		{
			float		keep = margin[k];
			double		at = wf_softmax_value(margin, 4, label);
			double		up;
			double		down;

			margin[k] = (float) (keep + e);
			up = wf_softmax_value(margin, 4, label);
			margin[k] = (float) (keep - e);
			down = wf_softmax_value(margin, 4, label);
			margin[k] = keep;
			WF_CHECK_NEAR(g[k], -(up - down) / (2 * e), 1e-4);
			WF_CHECK_NEAR(h[k], 4.0 / 3.0 * (up - 2 * at + down) / (e * e), 2e-3);
		}
	}
}

WF_TEST(scalar_and_vector_kernels_give_the_same_bits)
{
	enum { N = 1003 };
	static float score[N], y[N], g[2][N], h[2][N];
	static uint32_t gh[2][N];
	static const WfLossKind kinds[] = {WF_LOSS_LOGISTIC, WF_LOSS_POISSON, WF_LOSS_SQUARED};

	for (uint64_t i = 0; i < N; i++)
	{
		score[i] = (float) uniform(i, -40, 40);
		y[i] = (float) (i % 2);
	}
	score[0] = 0.0f;
	score[1] = 1e30f;
	score[2] = -1e30f;
	for (size_t k = 0; k < 3; k++)
	{
		WfLoss		loss = {.kind = kinds[k], .n_outputs = 1};

		for (int form = 0; form < 2; form++)
		{
			wf_simd_limit(form ? WF_SIMD_AVX512 : WF_SIMD_SCALAR);
			wf_loss_gradients(&loss, score, y, N, g[form], h[form]);
			for (int i = 0; i < N; i++)
			{
				g[form][i] = g[form][i] > 1 ? 1 : g[form][i] < -1 ? -1 : g[form][i];
				h[form][i] = h[form][i] > 1 ? 1 : h[form][i];
			}
			wf_loss_quantise(g[form], h[form], N, 32767.0f, 16383.0f, gh[form]);
		}
		WF_CHECK(memcmp(g[0], g[1], sizeof(g[0])) == 0);
		WF_CHECK(memcmp(h[0], h[1], sizeof(h[0])) == 0);
		WF_CHECK(memcmp(gh[0], gh[1], sizeof(gh[0])) == 0);
	}
	wf_simd_limit(WF_SIMD_AVX512);
}

WF_TEST(quantising_rounds_to_nearest)
{
	static const float g[] = {1, -1, 0, 0.5f, -0.25f, 1e-9f};
	static const float h[] = {1, 0, 0.5f, 1e-9f, 0.25f, 0.75f};
	static const int gq[] = {32767, -32767, 0, 16384, -8192, 0};
	static const int hq[] = {16383, 1, 8192, 1, 4096, 12287};
	uint32_t	gh[6];

	wf_loss_quantise(g, h, 6, 32767.0f, 16383.0f, gh);
	for (int i = 0; i < 6; i++)
	{
		WF_CHECK_EQ(wf_gh_gradient(gh[i]), gq[i]);
		WF_CHECK_EQ(wf_gh_hessian(gh[i]), hq[i]);
	}
	wf_loss_quantise_fine(g, 6, 1e9, gh);
	WF_CHECK_EQ((int32_t) gh[1], -1000000000);
	WF_CHECK_EQ((int32_t) gh[5], 1);
	wf_loss_quantise(g, NULL, 6, 32767.0f, 1.0f, gh);
	WF_CHECK_EQ(wf_gh_hessian(gh[0]), 1);
	WF_CHECK_EQ(wf_gh_gradient(gh[1]), -32767);
}

WF_TEST(gradients_stay_within_their_bounds)
{
	for (int kind = WF_LOSS_SQUARED; kind <= WF_LOSS_POISSON; kind++)
	{
		WfLoss		loss = {.kind = (WfLossKind) kind, .alpha = 0.8, .delta = 2, .n_outputs = 3};
		double		g_max;
		double		h_max;
		bool		bounded = wf_loss_bounds(&loss, &g_max, &h_max);

		WF_CHECK_EQ(bounded, kind != WF_LOSS_SQUARED && kind != WF_LOSS_POISSON);
		if (!bounded)
			continue;
		for (uint64_t i = 0; i < 1000; i++)
		{
			float		score[3] = {(float) uniform(i, -9, 9), (float) uniform(i + 1, -9, 9), 0};
			float		y = (float) (i % 2);
			float		g[3] = {0};
			float		h[3] = {0};

			if (kind == WF_LOSS_SOFTMAX)
				wf_softmax_gradients(score, 3, (int) (i % 3), g, h);
			else
				wf_loss_gradients(&loss, score, &y, 1, g, h);
			for (int k = 0; k < 3; k++)
				WF_CHECK(fabs(g[k]) <= g_max * (1 + 1e-6) && h[k] >= 0 && h[k] <= h_max * (1 + 1e-6));
		}
	}
}

WF_TEST(the_base_has_no_gradient)
{
	static const float y[] = {0, 1, 1, 0, 1};
	static const WfLossKind kinds[] = {WF_LOSS_LOGISTIC, WF_LOSS_POISSON};

	for (int k = 0; k < 2; k++)
	{
		WfLoss		loss = {.kind = kinds[k], .n_outputs = 1};
		float		base = (float) wf_loss_base(&loss, 0.6);
		double		sum = 0;

		for (int i = 0; i < 5; i++)
		{
			float		g;
			float		h;

			wf_loss_gradients(&loss, &base, &y[i], 1, &g, &h);
			sum += g;
		}
		WF_CHECK_NEAR(sum, 0, 1e-6);
		WF_CHECK(isfinite(wf_loss_base(&loss, 0.0)) && isfinite(wf_loss_base(&loss, 1.0)));
	}
}
