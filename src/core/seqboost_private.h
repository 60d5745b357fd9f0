/*-------------------------------------------------------------------------
 * seqboost_private.h
 *	  What seqboost.c and seqboost_rows.c share.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SEQBOOST_PRIVATE_H
#define WF_SEQBOOST_PRIVATE_H

#include <stdint.h>

/* Most histories that become rows. */
double		wf_seqboost_max_rows(uint32_t d, uint32_t n_classes);

#endif							/* WF_SEQBOOST_PRIVATE_H */
