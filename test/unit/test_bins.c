/* Bins against counting, the scalar kernel against the vector one. */
#include "wf_test.h"

#include "core/dataset.h"
#include "core/rng.h"
#include "core/simd.h"

#define N 1500

static void
check_assign(const float *x, size_t n, const float *cuts, int n_cuts, size_t stride)
{
	uint8_t		out[2][N * 3];
	WfSimd		level[2] = {WF_SIMD_SCALAR, WF_SIMD_AVX512};

	for (int k = 0; k < 2; k++)
	{
		memset(out[k], 0xee, sizeof(out[k]));
		wf_simd_limit(level[k]);
		wf_bins_assign(x, n, cuts, n_cuts, out[k], stride);
		for (size_t i = 0; i < n; i++)
		{
			int			bin = 0;

			for (int c = 0; c < n_cuts; c++)
				bin += cuts[c] < x[i];
			WF_CHECK_EQ(out[k][i * stride], isnan(x[i]) ? WF_MISSING_BIN : bin);
		}
		/* nothing else is touched */
		for (size_t i = 0; i < sizeof(out[k]); i++)
			if (i % stride != 0 || i >= n * stride)
				WF_CHECK_EQ(out[k][i], 0xee);
	}
	WF_CHECK(memcmp(out[0], out[1], sizeof(out[0])) == 0);
}

WF_TEST(bins_count_the_cuts_below)
{
	float		x[N];
	float		cuts[254];

	for (int n_cuts = 0; n_cuts <= 254; n_cuts += n_cuts < 20 ? 1 : 13)
	{
		float		at = -50;

		for (int k = 0; k < n_cuts; k++)
			cuts[k] = at += (float) (1 + wf_rng_below(wf_rng((uint64_t) k, 5), 100)) / 64.0f;
		for (size_t i = 0; i < N; i++)
		{
			uint64_t	r = wf_rng(i, (uint64_t) n_cuts);

			x[i] = (float) wf_rng_unit(r) * 300 - 60;
			if (r % 5 == 0 && n_cuts)
				x[i] = cuts[r / 8 % (uint64_t) n_cuts];	/* a value on a cut is not above it */
			else if (r % 5 == 1)
				x[i] = r % 3 == 0 ? __builtin_nanf("") : r % 3 == 1 ? __builtin_inff() : -__builtin_inff();
		}
		check_assign(x, N, cuts, n_cuts, 1);
		check_assign(x, N / 2 + 1, cuts, n_cuts, 3);
		for (size_t n = 0; n < 20; n++)
			check_assign(x, n, cuts, n_cuts, 1 + n % 3);
	}
}

WF_TEST(extreme_cuts)
{
	float		inf = __builtin_inff();
	float		x[] = {-inf, -3.4e38f, -0.0f, 0, 1e-45f, 3.4e38f, inf, __builtin_nanf("")};
	float		cuts[] = {-inf, 0, 3.40282347e38f};

	check_assign(x, 8, cuts, 3, 1);
	check_assign(x, 8, cuts, 1, 1);
	check_assign(x, 8, cuts, 0, 1);
}
