/*-------------------------------------------------------------------------
 * sample.h
 *	  A small frame drawn from a large one.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SAMPLE_H
#define WF_SAMPLE_H

#include "core/frame.h"

/*
 * A frame of at most n rows, those of smallest hash, so that the same rows
 * are drawn in any order of reading; all rows when there are no more than n.
 * Columns and codes are those of frame, whose dictionaries it shares.  The
 * frame's cells and hashes must still be there.
 */
WfFrame    *wf_frame_sample(WfHost *host, WfFrame *frame, uint32_t n);

#endif							/* WF_SAMPLE_H */
