/*-------------------------------------------------------------------------
 * design.h
 *	  The columns that a linear model multiplies.
 *
 * A number gives one column (x - mean) / deviation, and, where training rows
 * lack it, a 0/1 column "is missing"; a missing number itself counts as the
 * mean.  A category gives a 0/1 column for each level and for "missing" where
 * that occurs.  Columns of numbers come first, then their "missing" columns,
 * then the categories', each in order of the features, so a row is a dense
 * part and a short list of rising column numbers whose value is 1.
 *-------------------------------------------------------------------------
 */
#ifndef WF_DESIGN_H
#define WF_DESIGN_H

#include <float.h>

#include "core/dataset.h"

#define WF_NO_COLUMN UINT32_MAX

/* How a feature becomes columns; stored in the section "LINR", see linear.h. */
typedef struct WfDesignFeature
{
	uint32_t	first;			/* its column, or that of its first level */
	uint32_t	missing;		/* column "is missing", or WF_NO_COLUMN */
	uint32_t	n_levels;		/* 0: a number */
	uint32_t	reserved;
	double		mean;
	double		inverse;		/* 1 / standard deviation; 0 for a constant */
	float		low;			/* finite range in training; infinities become its ends */
	float		high;
} WfDesignFeature;

typedef struct WfDesign
{
	uint32_t	n_features;
	uint32_t	n_numbers;		/* columns of numbers: 0 .. n_numbers - 1 */
	uint32_t	n_columns;
	WfDesignFeature *features;
} WfDesign;

/* Columns by the shape of the data; means and deviations are left to the caller. */
void		wf_design_create(WfHost *host, const WfDataset *data, WfDesign *design);

/* Is the feature's value missing?  A code that is no level counts as missing. */
static inline bool
wf_design_missing(const WfDesignFeature *f, float x)
{
	/* false for NaN as well */
	return f->n_levels ? !(x >= 0 && x < (float) f->n_levels) : x != x;
}

/* Value in the column of a number that is not missing. */
static inline double
wf_design_number(const WfDesignFeature *f, float x)
{
	if (x < -FLT_MAX)
		x = f->low;
	else if (x > FLT_MAX)
		x = f->high;
	return ((double) x - f->mean) * f->inverse;
}

/*
 * A row of features: z gets n_numbers values, active the rising numbers of
 * the columns that are 1 (at most n_features); returns how many.
 */
uint32_t	wf_design_expand(const WfDesign *design, const float *x, double *z, uint32_t *active);

#endif							/* WF_DESIGN_H */
