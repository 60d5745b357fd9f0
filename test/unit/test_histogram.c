/* Histogram kernels against adding one by one. */
#include "wf_test.h"

#include "core/histogram.h"
#include "core/loss.h"
#include "core/rng.h"
#include "core/simd.h"

#define MAX_D 30

typedef struct Table
{
	WfHistogramShape shape;
	uint16_t	n_bins[MAX_D];
	size_t		n;
	uint8_t    *rows;
} Table;

static void
fill_table(Table *t, size_t n, uint32_t d, bool unit)
{
	memset(t, 0, sizeof(*t));
	t->n = n;
	t->shape.d = d;
	t->shape.n_bins = t->n_bins;
	t->shape.gh_at = (d + 3) / 4 * 4 + 8;
	t->shape.stride = t->shape.gh_at + 4;
	WF_CHECK(wf_histogram_shape(&t->shape, n, unit, false));
	t->rows = calloc(n + 1, t->shape.stride);
	for (size_t i = 0; i < n; i++)
	{
		uint8_t    *row = t->rows + i * t->shape.stride;
		uint64_t	r = wf_rng(n + d, i);
		uint32_t	gh = (uint32_t) (uint16_t) (int16_t) ((int) (r % 65535) - 32767);

		gh |= (unit ? 1u : 1 + (uint32_t) (r >> 32) % WF_HESSIAN_MAX) << 16;
		memcpy(row + t->shape.gh_at, &gh, 4);
		for (uint32_t f = 0; f < d; f++)
			row[f] = (uint8_t) (wf_rng(r, f) >> (f % 3 == 0 ? 56 : 62));
	}
}

/* Is every cell the sum of the rows [0, n) in it? */
static bool
is_right(const Table *t, const int64_t *histogram, size_t begin, size_t end)
{
	bool		right = true;

	for (uint32_t f = 0; f < t->shape.d; f++)
	{
		WfSums		sums[256] = {{0}};

		for (size_t i = begin; i < end; i++)
		{
			const uint8_t *row = t->rows + i * t->shape.stride;
			uint32_t	gh;

			memcpy(&gh, row + t->shape.gh_at, 4);
			sums[row[f]].g += (int16_t) (gh & 0xffff);
			sums[row[f]].h += gh >> 16;
			sums[row[f]].n++;
		}
		for (int b = 0; b < 256; b++)
		{
			WfSums		s = wf_histogram_cell(&t->shape, histogram + f * wf_histogram_width(&t->shape), b);

			right &= s.g == sums[b].g && s.h == sums[b].h && s.n == sums[b].n;
		}
	}
	return right;
}

WF_TEST(cells_are_the_sums_of_their_rows)
{
	static const size_t sizes[] = {0, 1, 191, 192, 2048, 2049, 5000};
	static const uint32_t widths[] = {1, 4, 5, 13, 21};
	static int64_t scratch[WF_HISTOGRAM_SCRATCH];

	for (int kind = 0; kind < 4; kind++)
		for (size_t s = 0; s < 7; s++)
			for (size_t w = 0; w < 5; w++)
			{
				Table		t;
				int64_t    *histogram;

				wf_simd_limit(kind & 1 ? WF_SIMD_AVX512 : WF_SIMD_SCALAR);
				fill_table(&t, sizes[s], widths[w], kind < 2);
				histogram = calloc(wf_histogram_cells(&t.shape), sizeof(int64_t));
				wf_histogram_add(&t.shape, histogram, t.rows, t.n, scratch);
				WF_CHECK(is_right(&t, histogram, 0, t.n));
				free(histogram);
				free(t.rows);
			}
	wf_simd_limit(WF_SIMD_AVX512);
}

WF_TEST(fine_cells_are_the_sums_of_their_rows)
{
	static int64_t scratch[WF_HISTOGRAM_SCRATCH];
	Table		t;
	int64_t    *histogram;
	bool		right = true;

	fill_table(&t, 3000, 6, true);
	WF_CHECK(wf_histogram_shape(&t.shape, t.n, true, true));
	for (size_t i = 0; i < t.n; i++)
	{
		uint32_t	g = (uint32_t) wf_rng(8, i);

		memcpy(t.rows + i * t.shape.stride + t.shape.gh_at, &g, 4);
	}
	histogram = calloc(wf_histogram_cells(&t.shape), sizeof(int64_t));
	wf_histogram_add(&t.shape, histogram, t.rows, t.n, scratch);
	for (uint32_t f = 0; f < 6; f++)
	{
		WfSums		sums[256] = {{0}};

		for (size_t i = 0; i < t.n; i++)
		{
			uint8_t		bin = t.rows[i * t.shape.stride + f];

			sums[bin].g += (int32_t) (uint32_t) wf_rng(8, i);
			sums[bin].h++;
			sums[bin].n++;
		}
		for (int b = 0; b < 256; b++)
		{
			WfSums		s = wf_histogram_cell(&t.shape, histogram + f * wf_histogram_width(&t.shape), b);

			right &= memcmp(&s, &sums[b], sizeof(s)) == 0;
		}
	}
	WF_CHECK(right);
	free(histogram);
	free(t.rows);
}

WF_TEST(extreme_gradients_do_not_overflow)
{
	static int64_t scratch[WF_HISTOGRAM_SCRATCH];

	for (int kind = 0; kind < 4; kind++)
	{
		Table		t;
		int64_t    *histogram;

		fill_table(&t, 4096, 4, kind < 2);
		for (size_t i = 0; i < t.n; i++)
		{
			uint8_t    *row = t.rows + i * t.shape.stride;
			uint32_t	gh = (uint32_t) (uint16_t) (kind & 1 ? -WF_GRADIENT_MAX : WF_GRADIENT_MAX);

			gh |= (kind < 2 ? 1u : (uint32_t) WF_HESSIAN_MAX) << 16;
			memset(row, 255, 4);
			memcpy(row + t.shape.gh_at, &gh, 4);
		}
		histogram = calloc(wf_histogram_cells(&t.shape), sizeof(int64_t));
		wf_histogram_add(&t.shape, histogram, t.rows, t.n, scratch);
		WF_CHECK(is_right(&t, histogram, 0, t.n));
		free(histogram);
		free(t.rows);
	}
}

WF_TEST(a_sibling_is_its_parent_less_the_other)
{
	static int64_t scratch[WF_HISTOGRAM_SCRATCH];

	for (int unit = 0; unit < 2; unit++)
	{
		Table		t;
		int64_t    *parent;
		int64_t    *child;
		size_t		cells;

		fill_table(&t, 3000, 6, unit);
		cells = wf_histogram_cells(&t.shape);
		parent = calloc(cells, sizeof(int64_t));
		child = calloc(cells, sizeof(int64_t));
		wf_histogram_add(&t.shape, parent, t.rows, 3000, scratch);
		wf_histogram_add(&t.shape, child, t.rows, 1000, scratch);
		for (uint32_t f = 0; f < 6; f++)
			wf_histogram_subtract(&t.shape, f, parent, child);
		WF_CHECK(is_right(&t, parent, 1000, 3000));
		for (uint32_t f = 0; f < 6; f++)
			wf_histogram_merge(&t.shape, f, parent, child);
		WF_CHECK(is_right(&t, parent, 0, 3000));
		for (uint32_t f = 0; f < 6; f++)
			wf_histogram_copy(&t.shape, f, parent, child);
		WF_CHECK(is_right(&t, parent, 0, 1000));
		free(parent);
		free(child);
		free(t.rows);
	}
}

WF_TEST(many_rows_leave_fewer_bits_for_hessians)
{
	WfHistogramShape shape;

	WF_CHECK(wf_histogram_shape(&shape, (1 << 24) - 1, true, false));
	WF_CHECK(shape.unit && shape.count_bits == 24 && shape.hessian_bits == 14);
	WF_CHECK(wf_histogram_shape(&shape, 1 << 24, true, false));
	WF_CHECK(!shape.unit && shape.count_bits == 25 && shape.hessian_bits == 13);
	for (uint64_t n = 1; n < UINT64_C(1) << 29; n = n * 2 + 1)
	{
		WF_CHECK(wf_histogram_shape(&shape, n, false, false));
		WF_CHECK(n < UINT64_C(1) << shape.count_bits);
		WF_CHECK(2 * shape.count_bits + shape.hessian_bits <= 63 && shape.hessian_bits >= 5);
	}
	WF_CHECK(!wf_histogram_shape(&shape, UINT64_C(1) << 29, false, false));
}
