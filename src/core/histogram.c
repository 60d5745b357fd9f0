/*-------------------------------------------------------------------------
 * histogram.c
 *	  Filling histograms from records, adding and subtracting them.
 *
 * The kernels are plain C: the time goes into dependent loads and stores of
 * cells, which vector instructions do not shorten (gather and scatter take
 * 2.5 times as long).  What matters is that cells stay in the first-level
 * cache, hence blocks of features over chunks of rows that stay in the
 * second.
 *-------------------------------------------------------------------------
 */
#include "core/histogram.h"

#include <string.h>

#include "core/loss.h"
#include "core/simd.h"

#ifdef WF_HAVE_X86_SIMD
#include <immintrin.h>
#endif

/* Words of 4 features in a block, rows in a chunk.  12 bits count the rows of a chunk. */
#define BLOCK_WORDS 3
#define CHUNK_ROWS 2048
/* Below this many rows the flush of packed cells costs more than it saves. */
#define DIRECT_ROWS 192

#define PACKED_COUNT_BITS 12
#define PACKED_HESSIAN_BITS 25
#define PACKED_G_SHIFT (PACKED_COUNT_BITS + PACKED_HESSIAN_BITS)

bool
wf_histogram_shape(WfHistogramShape *shape, uint64_t n, bool unit_hessian, bool fine)
{
	shape->unit = unit_hessian && !fine && n < (UINT64_C(1) << 24);
	shape->fine = fine;
	shape->count_bits = 24;
	shape->hessian_bits = 14;
	if (n >= (UINT64_C(1) << 29))
		return false;
	while (n >> shape->count_bits)
		shape->count_bits++;
	/* sums of n hessians must fit beside the count, below the sign */
	if (shape->hessian_bits > 63 - 2 * shape->count_bits)
		shape->hessian_bits = 63 - 2 * shape->count_bits;
	return true;
}

static inline uint32_t
load_word(const uint8_t *p)
{
	uint32_t	w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* 4 bins, the first in the lowest byte. */
static inline uint32_t
load_bins(const uint8_t *p)
{
	uint32_t	w = load_word(p);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap32(w);
#endif
	return w;
}

static inline void
add_word(int64_t *cells, uint32_t word, int64_t value)
{
	cells[word & 255] += value;
	cells[256 + ((word >> 8) & 255)] += value;
	cells[512 + ((word >> 16) & 255)] += value;
	cells[768 + (word >> 24)] += value;
}

/* n rows × n_words words of 4 features into one plane.  bins: of the first word in the first record. */
static inline __attribute__((always_inline)) void
add_block(int64_t *cells, const uint8_t *bins, const uint8_t *gh, size_t n,
		  size_t stride, int n_words, bool unit)
{
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	w = load_word(gh);
		int64_t		value = (int64_t) wf_gh_gradient(w);

		if (unit)
			value = value * (1 << 24) + 1;
		else
			value = value * (INT64_C(1) << PACKED_G_SHIFT) +
				((int64_t) wf_gh_hessian(w) << PACKED_COUNT_BITS) + 1;
		for (int j = 0; j < n_words; j++)
			add_word(cells + j * 1024, load_bins(bins + 4 * j), value);
		bins += stride;
		gh += stride;
	}
}

/* The same with n_words known to the compiler. */
static inline __attribute__((always_inline)) void
add_words(int64_t *cells, const uint8_t *bins, const uint8_t *gh, size_t n,
		  size_t stride, int n_words, bool unit)
{
	switch (n_words)
	{
		case 1:
			add_block(cells, bins, gh, n, stride, 1, unit);
			break;
		case 2:
			add_block(cells, bins, gh, n, stride, 2, unit);
			break;
		case 3:
			add_block(cells, bins, gh, n, stride, 3, unit);
			break;
		default:
			add_block(cells, bins, gh, n, stride, n_words, unit);
			break;
	}
}

static void
add_unit(const WfHistogramShape *shape, int64_t *histogram, const uint8_t *rows, size_t n)
{
	const int	n_words = (int) ((shape->d + 3) / 4);

	for (size_t first = 0; first < n; first += CHUNK_ROWS)
	{
		size_t		m = n - first < CHUNK_ROWS ? n - first : CHUNK_ROWS;
		const uint8_t *chunk = rows + first * shape->stride;

		for (int word = 0; word < n_words; word += BLOCK_WORDS)
		{
			int			k = n_words - word < BLOCK_WORDS ? n_words - word : BLOCK_WORDS;

			add_words(histogram + (size_t) word * 1024, chunk + 4 * word, chunk + shape->gh_at,
					  m, shape->stride, k, true);
		}
	}
}

/* ---- two planes ---- */

/* Few rows: straight into both planes. */
static void
add_direct(const WfHistogramShape *shape, int64_t *histogram, const uint8_t *rows, size_t n)
{
	for (size_t i = 0; i < n; i++, rows += shape->stride)
	{
		uint32_t	w = load_word(rows + shape->gh_at);
		int64_t		g = wf_gh_gradient(w);
		int64_t		hc = ((int64_t) wf_gh_hessian(w) << shape->count_bits) + 1;
		int64_t    *cells = histogram;

		for (uint32_t f = 0; f < shape->d; f++, cells += 512)
		{
			cells[rows[f]] += g;
			cells[256 + rows[f]] += hc;
		}
	}
}

static void
flush_scalar(int64_t *to, const int64_t *packed, int count_bits)
{
	for (int b = 0; b < 256; b++)
	{
		int64_t		p = packed[b];

		to[b] += p >> PACKED_G_SHIFT;
		to[256 + b] += (((p >> PACKED_COUNT_BITS) & ((1 << PACKED_HESSIAN_BITS) - 1)) << count_bits) +
			(p & ((1 << PACKED_COUNT_BITS) - 1));
	}
}

#ifdef WF_HAVE_X86_SIMD
WF_TARGET_AVX512 static void
flush_avx512(int64_t *to, const int64_t *packed, int count_bits)
{
	const __m512i count_mask = _mm512_set1_epi64((1 << PACKED_COUNT_BITS) - 1);
	const __m512i hessian_mask = _mm512_set1_epi64((1 << PACKED_HESSIAN_BITS) - 1);
	const __m128i shift = _mm_cvtsi32_si128(count_bits);

	for (int b = 0; b < 256; b += 8)
	{
		__m512i		p = _mm512_loadu_si512(packed + b);
		__m512i		h = _mm512_and_si512(_mm512_srli_epi64(p, PACKED_COUNT_BITS), hessian_mask);
		__m512i		hc = _mm512_add_epi64(_mm512_sll_epi64(h, shift), _mm512_and_si512(p, count_mask));

		_mm512_storeu_si512(to + b, _mm512_add_epi64(_mm512_loadu_si512(to + b),
													 _mm512_srai_epi64(p, PACKED_G_SHIFT)));
		_mm512_storeu_si512(to + 256 + b, _mm512_add_epi64(_mm512_loadu_si512(to + 256 + b), hc));
	}
}
#endif

static void
flush(int64_t *to, const int64_t *packed, int count_bits)
{
#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX512)
	{
		flush_avx512(to, packed, count_bits);
		return;
	}
#endif
	flush_scalar(to, packed, count_bits);
}

static void
add_wide(const WfHistogramShape *shape, int64_t *histogram, const uint8_t *rows, size_t n,
		 int64_t *scratch)
{
	const int	n_words = (int) ((shape->d + 3) / 4);

	for (size_t first = 0; first < n; first += CHUNK_ROWS)
	{
		size_t		m = n - first < CHUNK_ROWS ? n - first : CHUNK_ROWS;
		const uint8_t *chunk = rows + first * shape->stride;

		for (int word = 0; word < n_words; word += BLOCK_WORDS)
		{
			int			k = n_words - word < BLOCK_WORDS ? n_words - word : BLOCK_WORDS;

			memset(scratch, 0, (size_t) k * 1024 * sizeof(int64_t));
			add_words(scratch, chunk + 4 * word, chunk + shape->gh_at, m, shape->stride, k, false);
			for (int f = 0; f < 4 * k; f++)
				flush(histogram + ((size_t) word * 4 + (size_t) f) * 512, scratch + f * 256, shape->count_bits);
		}
	}
}

/* Gradients of 32 bits: both planes, a few features at a time. */
static void
add_fine(const WfHistogramShape *shape, int64_t *histogram, const uint8_t *rows, size_t n)
{
	const int64_t one = (INT64_C(1) << shape->count_bits) + 1;

	for (size_t first = 0; first < n; first += CHUNK_ROWS)
	{
		size_t		m = n - first < CHUNK_ROWS ? n - first : CHUNK_ROWS;

		for (uint32_t f = 0; f < shape->d; f += 4)
		{
			int64_t    *cells = histogram + (size_t) f * 512;
			const uint8_t *row = rows + first * shape->stride;

			for (size_t i = 0; i < m; i++, row += shape->stride)
			{
				uint32_t	w = load_bins(row + f);
				int64_t		g = (int32_t) load_word(row + shape->gh_at);

				for (int k = 0; k < 4; k++)
				{
					int64_t    *cell = cells + k * 512 + ((w >> (8 * k)) & 255);

					cell[0] += g;
					cell[256] += one;
				}
			}
		}
	}
}

void
wf_histogram_add(const WfHistogramShape *shape, int64_t *histogram,
				 const uint8_t *rows, size_t n, int64_t *scratch)
{
	if (shape->unit)
		add_unit(shape, histogram, rows, n);
	else if (shape->fine)
		add_fine(shape, histogram, rows, n);
	else if (n < DIRECT_ROWS)
		add_direct(shape, histogram, rows, n);
	else
		add_wide(shape, histogram, rows, n, scratch);
}

/* ---- whole features ---- */

/* The compiler vectorises these loops well enough with what every x86-64 has. */
void
wf_histogram_merge(const WfHistogramShape *shape, uint32_t feature, int64_t *to, const int64_t *from)
{
	size_t		width = wf_histogram_width(shape);

	to += feature * width;
	from += feature * width;
	for (size_t i = 0; i < width; i++)
		to[i] += from[i];
}

void
wf_histogram_copy(const WfHistogramShape *shape, uint32_t feature, int64_t *to, const int64_t *from)
{
	size_t		width = wf_histogram_width(shape);

	memcpy(to + feature * width, from + feature * width, width * sizeof(int64_t));
}

void
wf_histogram_subtract(const WfHistogramShape *shape, uint32_t feature, int64_t *to, const int64_t *from)
{
	size_t		width = wf_histogram_width(shape);

	to += feature * width;
	from += feature * width;
	for (size_t i = 0; i < width; i++)
		to[i] -= from[i];
}
