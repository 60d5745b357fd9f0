/*-------------------------------------------------------------------------
 * test_nmf.c
 *	  The half step of plain non-negative factorisation against one row at a
 *	  time in double.
 *-------------------------------------------------------------------------
 */
#include "interaction_maker.h"

#include "core/nmf.h"
#include "core/normal.h"
#include "core/simd.h"

#define MAX_K 40

static float
some_cell(uint32_t row, uint32_t col)
{
	uint64_t	key = wf_rng(wf_rng(31, row), col);

	/* row 3 is empty, row 4 full */
	return row == 4 || (row != 3 && key % 10 < 3) ? (float) (wf_rng_unit(wf_rng(key, 1)) + 0.1) : NAN;
}

/* Coordinate descent on one row, and what the result explains. */
static double
plain_row(const WfMatrix *m, uint32_t row, const float *other, const float *gram, uint32_t k, uint32_t stride,
		  int sweeps, double *w)
{
	double		num[MAX_K] = {0};
	double		explained = 0;

	for (uint64_t e = m->start[row]; e < m->start[row + 1]; e++)
		for (uint32_t j = 0; j < k; j++)
			num[j] += (double) m->value[e] * (double) other[m->col[e] * stride + j];
	for (int s = 0; s < sweeps; s++)
		for (uint32_t t = 0; t < k; t++)
		{
			double		gradient = -num[t];

			for (uint32_t r = 0; r < k; r++)
				gradient += (double) gram[t * k + r] * w[r];
			if (gram[t * k + t] > 0)
				w[t] = fmax(0, w[t] - gradient / (double) gram[t * k + t]);
		}
	for (uint32_t t = 0; t < k; t++)
	{
		explained += 2 * num[t] * w[t];
		for (uint32_t r = 0; r < k; r++)
			explained -= w[t] * (double) gram[t * k + r] * w[r];
	}
	return explained;
}

WF_TEST(rows_one_by_one)
{
	static const uint32_t sizes[] = {1, 7, 8, 16, 20, 33, 40};

	for (int s = 0; s < 7; s++)
	{
		uint32_t	k = sizes[s];
		uint32_t	stride = wf_normal_stride(k);
		TestHost	th;
		WfTeamShared shared;
		WfTeam		team;
		WfMatrix	m;
		WfMatrix	t;
		float		other[30 * MAX_K] = {0};
		float		gram[MAX_K * MAX_K] = {0};
		float	   *vector;
		float	   *result;
		float	   *first;
		void	   *room;

		test_host_begin(&th);
		wf_team_alone(&team, &shared, &th.host);
		make_matrix(&team, 21, 30, some_cell, &m, &t);
		vector = wf_alloc_zero(&th.host, 2 * 21 * stride, sizeof(float));
		result = vector + 21 * stride;
		first = wf_alloc(&th.host, 2 * 21 * stride, sizeof(float));
		room = wf_alloc(&th.host, wf_nmf_bytes(k), 1);
		for (uint32_t i = 0; i < 30; i++)
			for (uint32_t j = 0; j < k; j++)
				other[i * stride + j] = j == 5 ? 0 : (float) wf_rng_unit(wf_rng(i, j));
		for (uint32_t a = 0; a < k; a++)
			for (uint32_t b = 0; b < k; b++)
				for (uint32_t i = 0; i < 30; i++)
					gram[a * k + b] += other[i * stride + a] * other[i * stride + b];
		for (int level = WF_SIMD_SCALAR; level <= WF_SIMD_AVX512; level++)
		{
			WfNmfStep	step = {&m, other, vector, result, 0.5f, gram, k, stride, 2, true, room};
			double		explained = 0;

			wf_simd_limit((WfSimd) level);
			for (uint32_t r = 0; r < 21; r++)
				for (uint32_t j = 0; j < stride; j++)
				{
					vector[r * stride + j] = j < k ? 0.1f * (float) (j % 3) : 0;
					result[r * stride + j] = j < k ? 0.2f : 0;
				}
			explained = wf_nmf_rows(&th.host, &step, 0, 16);
			explained += wf_nmf_rows(&th.host, &step, 16, 21);
			for (uint32_t r = 0; r < 21 && level == WF_SIMD_SCALAR; r++)
			{
				double		w[MAX_K];

				for (uint32_t j = 0; j < k; j++)
					w[j] = (double) (0.1f * (float) (j % 3));
				explained -= plain_row(&m, r, other, gram, k, stride, 2, w);
				for (uint32_t j = 0; j < k; j++)
				{
					WF_CHECK_NEAR((double) result[r * stride + j], w[j], 2e-4);
					WF_CHECK_NEAR((double) vector[r * stride + j], fmax(0, w[j] + 0.5 * (w[j] - 0.2)), 3e-4);
				}
				for (uint32_t j = k; j < stride; j++)
					WF_CHECK(vector[r * stride + j] == 0 && result[r * stride + j] == 0);
			}
			if (level == WF_SIMD_SCALAR)
			{
				WF_CHECK_NEAR(explained, 0, 1e-2);
				memcpy(first, vector, 2 * 21 * stride * sizeof(float));
			}
			WF_CHECK(memcmp(first, vector, 2 * 21 * stride * sizeof(float)) == 0);
		}
		wf_simd_limit(WF_SIMD_AVX512_VBMI);
		test_host_end(&th);
	}
}

/* A row longer than what is gathered at once. */
static float
wide_cell(uint32_t row, uint32_t col)
{
	return row == 0 ? (float) (1 + col % 3) : NAN;
}

WF_TEST(long_row)
{
	TestHost	th;
	WfTeamShared shared;
	WfTeam		team;
	WfMatrix	m;
	WfMatrix	t;
	float	   *other;
	float		gram[1] = {70000};
	float		vector[8] = {0};
	float		result[8] = {0};
	WfNmfStep	step = {.gram = gram, .vector = vector, .result = result, .k = 1, .stride = 8, .sweeps = 1};

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	make_matrix(&team, 1, 70000, wide_cell, &m, &t);
	other = wf_alloc_zero(&th.host, 70000 * 8, sizeof(float));
	for (int i = 0; i < 70000; i++)
		other[i * 8] = 1;
	step.m = &m;
	step.other = other;
	step.room = wf_alloc(&th.host, wf_nmf_bytes(1), 1);
	WF_CHECK(wf_nmf_rows(&th.host, &step, 0, 1) == 0);
	WF_CHECK_NEAR((double) result[0], 2, 1e-4);
	WF_CHECK(th.n_checks > 0);
	test_host_end(&th);
}
