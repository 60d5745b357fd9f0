/*-------------------------------------------------------------------------
 * dataset.h
 *	  The training matrix that a team shares: rows in canonical order.
 *
 * For tree algorithms a row is a record of "stride" bytes: one bin per
 * feature (WF_MISSING_BIN = missing), padded to a multiple of 4, then
 * "payload" bytes that belong to the algorithm (boosting keeps row id,
 * margin and gradient there and moves records in place; the forest leaves
 * them where they are).  For algorithms that need values it is n × d floats.
 *
 * Everything here lies in shared memory and is the same for every member.
 * Arrays by row are indexed by row id = canonical position, which random
 * draws are keyed by as well.
 *-------------------------------------------------------------------------
 */
#ifndef WF_DATASET_H
#define WF_DATASET_H

#include "core/frame.h"
#include "core/schema.h"
#include "core/team.h"

typedef enum WfLayout
{
	WF_LAYOUT_BINS,				/* records of bins */
	WF_LAYOUT_VALUES			/* n × d floats; categories as float codes, NaN = missing */
} WfLayout;

#define WF_MAX_FEATURES 65000

typedef struct WfDataset
{
	uint32_t	n;				/* rows */
	uint32_t	d;				/* features */
	int			n_classes;		/* 0 for regression */
	WfLayout	layout;
	size_t		stride;			/* bytes of a record */
	size_t		payload_at;		/* where the payload starts in it */
	uint8_t    *rows;			/* n × stride, layout BINS */
	float	   *values;			/* n × d, layout VALUES */

	/* by row id */
	double	   *target;			/* regression: value; classification: NULL */
	uint16_t   *label;			/* classification: class 0..K-1; else NULL */
	float	   *weight;			/* NULL when all are 1; class weights included */
	uint8_t    *fold;			/* validation fold of each row, by wf_team_alloc (wf_fit), freed with the rest; NULL: none */
	uint64_t   *hash;			/* upper 64 bits of the row hash; NULL unless asked for, and once folds are made (wf_fit) */
	/* by row id, on rank 0 only and NULL when the frame has none */
	uint64_t   *group;
	double	   *time;
	uint32_t   *mark;

	/* by feature */
	uint16_t   *n_bins;			/* without the missing bin; 1..255 */
	uint8_t    *is_category;
	uint8_t    *kind;			/* WfColumnKind of its column */
	uint8_t    *has_missing;	/* a missing value is in some row */
	int8_t	   *monotone;		/* -1, 0, 1 */
	uint32_t   *first_cut;		/* into cuts */
	float	   *cuts;			/* number features: n_bins - 1 rising cut points; bin = number of cuts below x, so bin <= b means x <= cuts[b] */
	uint32_t	n_cuts;			/* in all */
} WfDataset;

/*
 * Collective.  Hashes, extras and cells of the frame are given back on the
 * way; its counts stay.  rank 0 hands in schema (finished) and frame and gets the rows
 * in canonical order; the other members pass NULL for both.  payload: bytes
 * per record beyond the bins (a multiple of 4); when it is not 0 its first 4
 * bytes are set to the row id (uint32), the rest to zero.  max_bins 2..255.
 * class_of_code maps label dictionary codes to classes (rank 0; NULL for
 * regression).  class_weight: K factors or NULL.
 */
WfDataset  *wf_dataset_build(WfTeam *team, WfSchema *schema, WfFrame *frame,
							 WfLayout layout, size_t payload, int max_bins,
							 const uint16_t *class_of_code, int n_classes,
							 const double *class_weight, bool with_hash);
void		wf_dataset_free(WfTeam *team, WfDataset *data);

/* Bytes of shared memory that a dataset of this shape takes, for estimates. */
size_t		wf_dataset_bytes(uint64_t n, uint32_t d, size_t payload, WfLayout layout,
							 int n_classes, bool weighted);

static inline const uint8_t *
wf_dataset_row(const WfDataset *data, uint32_t row)
{
	return data->rows + (size_t) row * data->stride;
}

/*
 * Cut points for n values (NaN left out by the caller; ±inf allowed), sorted
 * in place: at most max_bins - 1, midpoints between neighbours, quantiles when
 * there are more distinct values than bins.  Returns how many.
 */
int			wf_cuts_find(float *values, size_t n, int max_bins, float *cuts);

/* Bins of n values by n_cuts rising cuts: number of cuts below x; NaN → 255.  out is strided. */
void		wf_bins_assign(const float *x, size_t n, const float *cuts, int n_cuts,
						   uint8_t *out, size_t out_stride);

#endif							/* WF_DATASET_H */
