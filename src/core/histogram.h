/*-------------------------------------------------------------------------
 * histogram.h
 *	  Sums of gradients, hessians and counts by feature and bin, in exact
 *	  integers.
 *
 * Built from records (dataset.h): bins row-major, padded to a multiple of 4
 * and read as 32-bit words of 4, and a word of gradient and hessian
 * (loss.h: wf_loss_quantise) at gh_at.
 *
 * Two kinds.  Where every hessian is 1 a cell is one 64-bit number,
 * (sum of g << 24) + count: 0.25 ns an update, exact below 2^24 rows.
 * Otherwise a feature has two planes of 256 numbers, sum of g, and
 * (sum of h << count_bits) + count; rows are added in chunks to packed cells
 * g:27 | h:25 | count:12 that fit the first-level cache, and flushed.
 *
 * Where a few gradients dwarf the others 16 bits would round these to nothing.
 * The fine kind, for hessians of 1, takes all 32 bits of the word for the
 * gradient and has two planes; it costs half as much again.
 *
 * Feature f starts at f * wf_histogram_width(); bin WF_MISSING_BIN is a cell
 * as any other.  Adding and subtracting histograms is done cell by cell and
 * loses nothing.
 *-------------------------------------------------------------------------
 */
#ifndef WF_HISTOGRAM_H
#define WF_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct WfHistogramShape
{
	uint32_t	d;				/* features */
	bool		unit;			/* every hessian is 1: one plane */
	bool		fine;			/* every hessian is 1, gradients have 32 bits: two planes */
	int			count_bits;		/* two planes: lower bits that hold the count; unit: 24 */
	int			hessian_bits;	/* how large a row's integer hessian may be */
	const uint16_t *n_bins;		/* by feature, without the missing bin */
	size_t		stride;			/* bytes of a record */
	size_t		gh_at;			/* where its gradient and hessian stand */
} WfHistogramShape;

/* Cells that one call of the chunked kernel needs as scratch. */
#define WF_HISTOGRAM_SCRATCH 3072

/* Sums of a cell or of a set of rows. */
typedef struct WfSums
{
	int64_t		g;
	int64_t		h;
	int64_t		n;
} WfSums;

/*
 * Choose the kind for up to n rows.  fine only with unit_hessian.  False when
 * there are too many rows to count beside hessians (2^29).
 */
bool		wf_histogram_shape(WfHistogramShape *shape, uint64_t n, bool unit_hessian, bool fine);

/* Numbers per feature, and of a whole histogram. */
static inline size_t
wf_histogram_width(const WfHistogramShape *shape)
{
	return shape->unit ? 256 : 512;
}

static inline size_t
wf_histogram_cells(const WfHistogramShape *shape)
{
	return ((size_t) shape->d + 3) / 4 * 4 * wf_histogram_width(shape);
}

/* Add n records.  Not interruptible: hand in pieces. */
void		wf_histogram_add(const WfHistogramShape *shape, int64_t *histogram,
							 const uint8_t *rows, size_t n, int64_t *scratch);

/* Of one feature: to += from; to = from; to -= from. */
void		wf_histogram_merge(const WfHistogramShape *shape, uint32_t feature, int64_t *to, const int64_t *from);
void		wf_histogram_copy(const WfHistogramShape *shape, uint32_t feature, int64_t *to, const int64_t *from);
void		wf_histogram_subtract(const WfHistogramShape *shape, uint32_t feature, int64_t *to, const int64_t *from);

/* The sums of a cell of a feature's cells. */
static inline WfSums
wf_histogram_cell(const WfHistogramShape *shape, const int64_t *cells, int bin)
{
	WfSums		s;

	if (shape->unit)
	{
		s.n = cells[bin] & 0xffffff;
		s.g = cells[bin] >> 24;
		s.h = s.n;
	}
	else
	{
		s.n = cells[256 + bin] & ((INT64_C(1) << shape->count_bits) - 1);
		s.g = cells[bin];
		s.h = (int64_t) ((uint64_t) cells[256 + bin] >> shape->count_bits);
	}
	return s;
}

#endif							/* WF_HISTOGRAM_H */
