/*-------------------------------------------------------------------------
 * factors_row.h
 *	  One row of implicit feedback: the vector that fits it best while the other
 *	  side's vectors stay.  Training and folding in share it.
 *
 * Minimises the sum over seen pairs of weight (1 - x · w)² plus unseen times
 * the sum over all other pairs of (x · w)² plus a ridge.  The other side's
 * gram makes that a sum over the seen pairs only (Hu, Koren, Volinsky 2008).
 *-------------------------------------------------------------------------
 */
#ifndef WF_FACTORS_ROW_H
#define WF_FACTORS_ROW_H

#include "core/factors.h"
#include "core/normal.h"

typedef struct WfFactorRow
{
	WfFactorKind kind;
	double		unseen;
	double		regularization;
	uint32_t	n_other;
	const float *other;			/* n_other × stride */
	const double *gram;			/* k × k: sum of other's outer products */
	int			sweeps;			/* NMF */
} WfFactorRow;

void		wf_factor_row_begin(const WfFactorRow *row, WfNormal *s);
void		wf_factor_row_add(const WfFactorRow *row, WfNormal *s, const uint32_t *col, const float *value, size_t n);
/* n: entries in all.  NMF starts from vector. */
void		wf_factor_row_solve(const WfFactorRow *row, WfNormal *s, uint64_t n, float *vector);

#endif							/* WF_FACTORS_ROW_H */
