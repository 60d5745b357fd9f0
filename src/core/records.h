/*-------------------------------------------------------------------------
 * records.h
 *	  Boosting's records: what stands behind the bins, and moving them.
 *
 * A record is moved as a whole, so that the rows of a leaf always lie
 * together: histograms and updates of scores run through memory in order.
 * Neither order nor stability matters, since all sums are exact.
 *-------------------------------------------------------------------------
 */
#ifndef WF_RECORDS_H
#define WF_RECORDS_H

#include <string.h>

#include "core/host.h"
#include "core/tree.h"

/* A member's part of the records; positions of fields, 0: not there. */
typedef struct WfRecords
{
	uint8_t    *rows;
	size_t		n;
	size_t		stride;
	size_t		id_at;			/* uint32 row id */
	size_t		gh_at;			/* uint32 gradient and hessian, as wf_loss_quantise() makes them */
	size_t		score_at;		/* float */
	size_t		target_at;		/* float */
	size_t		weight_at;		/* float */
} WfRecords;

static inline uint8_t *
wf_record(const WfRecords *r, size_t i)
{
	return r->rows + i * r->stride;
}

static inline float
wf_record_float(const uint8_t *record, size_t at)
{
	float		x;

	memcpy(&x, record + at, sizeof(x));
	return x;
}

static inline void
wf_record_set_float(uint8_t *record, size_t at, float x)
{
	memcpy(record + at, &x, sizeof(x));
}

static inline uint32_t
wf_record_word(const uint8_t *record, size_t at)
{
	uint32_t	x;

	memcpy(&x, record + at, sizeof(x));
	return x;
}

static inline void
wf_record_set_word(uint8_t *record, size_t at, uint32_t x)
{
	memcpy(record + at, &x, sizeof(x));
}

/*
 * Move the records [begin, begin + n) whose bin of that feature has left[bin]
 * = 1 before those that have 0; how many there are.  Polls the host.
 */
size_t		wf_records_split(WfHost *host, const WfRecords *r, size_t begin, size_t n,
							 uint32_t feature, const uint8_t *left);

/* The same by a property of the row id: 1 goes to the front. */
typedef bool (*WfRowTest) (const void *arg, uint32_t id);
size_t		wf_records_select(WfHost *host, const WfRecords *r, size_t begin, size_t n,
							  WfRowTest test, const void *arg);

/* Leaf that a record reaches: index into the nodes. */
uint32_t	wf_record_leaf(const WfGrownTree *tree, const uint8_t *is_category, const uint8_t *record);

#endif							/* WF_RECORDS_H */
