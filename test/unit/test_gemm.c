/*
 * The matrix kernels against plain loops in double, in every width that this
 * processor has; shapes with every remainder, both orders of A, and nothing
 * written outside.
 */
#include "wf_test.h"

#include "core/gemm.h"
#include "core/rng.h"

static const WfSimd levels[] = {WF_SIMD_SCALAR, WF_SIMD_AVX2, WF_SIMD_AVX512};

static float
draw(uint64_t key, size_t i)
{
	return (float) (wf_rng_unit(wf_rng(key, i)) * 2 - 1);
}

static void
check_product(const WfGemmKernels *kernels, size_t m, size_t n, size_t k, int transposed)
{
	size_t		b_row = n + 5;
	size_t		c_row = n + 3;
	float	   *a = malloc((m * k + 1) * sizeof(float));
	float	   *b = malloc((k * b_row + 1) * sizeof(float));
	float	   *c = malloc(m * c_row * sizeof(float));
	WfScalars	s = {a, transposed ? 1 : k, transposed ? m : 1};
	double		worst = 0;
	int			spilled = 0;

	for (size_t i = 0; i < m * k; i++)
		a[i] = draw(1, i);
	for (size_t i = 0; i < k * b_row; i++)
		b[i] = draw(2, i);
	for (size_t i = 0; i < m * c_row; i++)
		c[i] = draw(3, i);
	kernels->multiply(m, n, k, s, b, b_row, c, c_row);
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < c_row; j++)
		{
			double		sum = draw(3, i * c_row + j);

			if (j >= n)
			{
				spilled += c[i * c_row + j] != draw(3, i * c_row + j);
				continue;
			}
			for (size_t l = 0; l < k; l++)
				sum += (double) a[i * s.row + l * s.column] * b[l * b_row + j];
			worst = fmax(worst, fabs(sum - c[i * c_row + j]));
		}
	WF_CHECK_EQ(spilled, 0);
	WF_CHECK_NEAR(worst, 0, 1e-7 * (8 + (double) k));
	free(a);
	free(b);
	free(c);
}

WF_TEST(products)
{
	static const size_t ks[] = {0, 1, 2, 7, 64};

	for (int l = 0; l < 3; l++)
	{
		wf_simd_limit(levels[l]);
		for (size_t m = 1; m <= 13; m++)
			for (size_t n = 16; n <= 176; n += 16)
				for (int k = 0; k < 5; k++)
					check_product(wf_gemm_kernels(), m, n, ks[k], (int) (m + n / 16) % 2);
		check_product(wf_gemm_kernels(), 1, 400, 103, 0);
		check_product(wf_gemm_kernels(), 400, 64, 103, 1);
		check_product(wf_gemm_kernels(), 100, 64, 400, 0);
	}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
}

/* Cutting rows or columns changes no bit. */
WF_TEST(products_in_parts)
{
	enum { M = 23, N = 144, K = 37 };
	static float a[M * K];
	static float b[K * N];
	static float whole[M * N];
	static float parts[M * N];

	for (size_t i = 0; i < M * K; i++)
		a[i] = draw(4, i);
	for (size_t i = 0; i < K * N; i++)
		b[i] = draw(5, i);
	for (int l = 0; l < 3; l++)
	{
		const WfGemmKernels *kernels;

		wf_simd_limit(levels[l]);
		kernels = wf_gemm_kernels();
		memset(whole, 0, sizeof(whole));
		memset(parts, 0, sizeof(parts));
		kernels->multiply(M, N, K, (WfScalars) {a, K, 1}, b, N, whole, N);
		for (size_t i = 0; i < M; i++)
		{
			kernels->multiply(1, 48, K, (WfScalars) {a + i * K, K, 1}, b, N, parts + i * N, N);
			kernels->multiply(1, N - 48, K, (WfScalars) {a + i * K, K, 1}, b + 48, N, parts + i * N + 48, N);
		}
		WF_CHECK(memcmp(whole, parts, sizeof(whole)) == 0);
	}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
}

WF_TEST(transposes)
{
	enum { ROWS = 24, COLUMNS = 40, WIDE = 45 };
	static float from[ROWS * WIDE];
	static float to[COLUMNS * WIDE];
	uint32_t	pick[ROWS];

	for (size_t i = 0; i < ROWS * WIDE; i++)
		from[i] = (float) i;
	for (uint32_t i = 0; i < ROWS; i++)
		pick[i] = i * 7 % ROWS;
	for (int l = 0; l < 3; l++)
		for (int picked = 0; picked < 2; picked++)
		{
			int			wrong = 0;

			wf_simd_limit(levels[l]);
			for (size_t i = 0; i < COLUMNS * WIDE; i++)
				to[i] = -1;
			wf_gemm_kernels()->transpose(ROWS, COLUMNS, from, WIDE, picked ? pick : NULL, to, WIDE);
			for (size_t j = 0; j < COLUMNS; j++)
				for (size_t i = 0; i < WIDE; i++)
					wrong += to[j * WIDE + i] != (i < ROWS ? (float) ((picked ? pick[i] : i) * WIDE + j) : -1);
			WF_CHECK_EQ(wrong, 0);
		}
	wf_simd_limit(WF_SIMD_AVX512_VBMI);
}
