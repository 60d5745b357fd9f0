/*-------------------------------------------------------------------------
 * rec_section.h
 *	  The section "RECM": a recommender in bytes.
 *
 *	OFFSET  SIZE  WHAT
 *	0       4     version of this layout (1)
 *	4       4     method (WfRecommendMethod)
 *	8       4     number of users
 *	12      4     number of items that some user has, n
 *	16      4     number of items in all, with those known by attributes only
 *	20      4     number of items with dense rows, d (0: none); at most n
 *	24      4     numbers in a dense row: d rounded up to 16
 *	28      4     0
 *	32      8     number of interactions
 *	40      8     number of entries in sparse rows
 *	48      16×13 offset and length of each part, by WfRecPart; length 0: absent
 *
 *	Parts, 64-byte aligned from the start of the section:
 *	SUPPORT        uint32[n]: users of each item
 *	POPULAR        uint32[<= n]: items that have users, by falling support
 *	HISTORY_START  uint64[users + 1]: where each user's history starts
 *	HISTORY_ITEM   uint32[interactions]: rising within a user
 *	DENSE_SCALE    float[d]: factor of each dense row
 *	DENSE          int16[d × numbers]: weights of item i for items j < d
 *	ROW_START      uint64[n + 1]: where each sparse row starts
 *	ROW_ITEM       uint32[entries]
 *	ROW_WEIGHT     float[entries]: falling within a row
 *	FACTORS        factors.h
 *	VALUE          float[interactions]: value of each interaction (only with factors)
 *	RATINGS        ratings.h
 *	CONTENT        content.h
 *-------------------------------------------------------------------------
 */
#ifndef WF_REC_SECTION_H
#define WF_REC_SECTION_H

#include <stdint.h>

#define WF_REC_VERSION 1

typedef enum WfRecPart			/* stored: never renumber */
{
	WF_REC_SUPPORT = 0,
	WF_REC_HISTORY_START = 1,
	WF_REC_HISTORY_ITEM = 2,
	WF_REC_DENSE_SCALE = 3,
	WF_REC_DENSE = 4,
	WF_REC_ROW_START = 5,
	WF_REC_ROW_ITEM = 6,
	WF_REC_ROW_WEIGHT = 7,
	WF_REC_FACTORS = 8,
	WF_REC_VALUE = 9,
	WF_REC_RATINGS = 10,
	WF_REC_CONTENT = 11,
	WF_REC_POPULAR = 12,
	WF_REC_PARTS = 13
} WfRecPart;

typedef struct WfRecHeader
{
	uint32_t	version;
	uint32_t	method;
	uint32_t	n_users;
	uint32_t	n_items;
	uint32_t	n_catalogue;
	uint32_t	n_dense;
	uint32_t	dense_row;
	uint32_t	reserved;
	uint64_t	n_interactions;
	uint64_t	n_entries;
	struct
	{
		uint64_t	offset;
		uint64_t	length;
	}			part[WF_REC_PARTS];
} WfRecHeader;

/* Numbers in a dense row of d items. */
static inline uint32_t
wf_rec_dense_row(uint32_t d)
{
	return (d + 15) / 16 * 16;
}

#endif							/* WF_REC_SECTION_H */
