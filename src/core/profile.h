/*-------------------------------------------------------------------------
 * profile.h
 *	  What a look at the columns tells before anything is trained.
 *-------------------------------------------------------------------------
 */
#ifndef WF_PROFILE_H
#define WF_PROFILE_H

#include "core/frame.h"
#include "core/schema.h"

typedef struct WfProfile
{
	/*
	 * Distinct values, missing not counted: exact up to WF_PROFILE_EXACT and
	 * for categories and tags (distinct elements), an estimate with about 2 %
	 * of error beyond.  Times and vectors: 0, they are many features.
	 */
	uint64_t	distinct;
	bool		exact;
	/*
	 * Two classes: how well the column alone orders them, the larger of AUC
	 * and 1 - AUC, on at most WF_PROFILE_ROWS rows of smallest hash; NaN when
	 * there are too few rows or the column is a list of tags.
	 */
	double		auc;
} WfProfile;

#define WF_PROFILE_EXACT 4096
#define WF_PROFILE_ROWS 10000
/* A column with this AUC says the answer. */
#define WF_PROFILE_LEAK 0.99

/*
 * One profile for each column of the schema, in its order, from the host.
 * class_of_code: as for fitting, or NULL (then every auc is NaN); n_classes 2
 * for AUCs.  The frame's cells must still be there.
 */
WfProfile  *wf_profile(WfHost *host, const WfSchema *schema, WfFrame *frame,
					   const uint16_t *class_of_code, int n_classes);

#endif							/* WF_PROFILE_H */
