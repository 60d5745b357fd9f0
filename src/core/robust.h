/*-------------------------------------------------------------------------
 * robust.h
 *	  Sorted values: quantiles, and medians with quartiles by group.
 *
 * A value is scaled as (x - median) / IQR of its group, clipped to
 * +-WF_ROBUST_CLIP.  Quantiles interpolate between neighbours like NumPy's
 * default.  Groups of fewer than WF_ROBUST_ROWS rows, and rows without a
 * group, use median and IQR of all rows; an IQR of 0 counts as 1.
 *
 * A group may have no value of a feature at all (a step that reads no file has
 * no bytes read).  Missing is then what is ordinary, and counts as the median;
 * a value that turns up there is scaled like all rows together.
 *-------------------------------------------------------------------------
 */
#ifndef WF_ROBUST_H
#define WF_ROBUST_H

#include "core/dataset.h"
#include "core/team.h"

#define WF_ROBUST_CLIP 50.0f
#define WF_ROBUST_ROWS 8

/* z = (x - centre) * inverse; inverse is never 0 */
typedef struct WfScale
{
	float		centre;
	float		inverse;		/* negative: its amount, and a missing value counts as 0 */
} WfScale;

static inline float
wf_scale_apply(const WfScale *scale, float x)
{
	float		inverse = scale->inverse;
	float		z;

	if (inverse < 0)
	{
		if (x != x)
			return 0;
		inverse = -inverse;
	}
	z = (x - scale->centre) * inverse;
	/* NaN stays NaN */
	return z > WF_ROBUST_CLIP ? WF_ROBUST_CLIP : z < -WF_ROBUST_CLIP ? -WF_ROBUST_CLIP : z;
}

/* Ascending order; scratch holds n too.  Checks the host on the way. */
void		wf_sort_keys(WfHost *host, uint32_t *keys, uint32_t *scratch, size_t n);

/* Keys whose integer order is that of the floats; infinities become the largest finite floats. */
uint32_t	wf_float_key(float x);
float		wf_key_float(uint32_t key);

/* Quantile p in [0, 1] of n > 0 sorted values, value(arg, i) being the i-th. */
double		wf_sorted_quantile(double (*value) (const void *arg, size_t i), const void *arg, size_t n, double p);

/*
 * Collective.  The feature "group" of the data holds each row's group (0 …
 * n_groups - 1, or NaN); scales gets (n_groups + 1) × n_features of them, the
 * last row for all rows together, and must be shared memory.
 */
void		wf_robust_scales(WfTeam *team, const WfDataset *data, uint32_t group, uint32_t n_groups,
							 const uint32_t *features, uint32_t n_features, WfScale *scales);

#endif							/* WF_ROBUST_H */
