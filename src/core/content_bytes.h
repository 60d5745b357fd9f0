/*-------------------------------------------------------------------------
 * content_bytes.h
 *	  The bytes of item content; for content_*.c only.
 *-------------------------------------------------------------------------
 */
#ifndef WF_CONTENT_BYTES_H
#define WF_CONTENT_BYTES_H

#include "core/content.h"

/* Items' vectors whose terms are hashes still, rising within an item. */
typedef struct WfContentVectors
{
	uint32_t	n_items;
	const uint64_t *start;		/* n_items + 1 */
	const uint64_t *hash;
	const float *weight;
} WfContentVectors;

/* Number the terms by hash, and append the content, 64-byte aligned. */
void		wf_content_write(WfHost *host, const WfContentVectors *v, WfBytes *out);

#endif							/* WF_CONTENT_BYTES_H */
