/*-------------------------------------------------------------------------
 * interactions.h
 *	  Users and items as they are read, and the matrix that they give.
 *
 * Rank 0 adds rows one by one; then all members of the team build the matrix
 * in memory that they share.  Numbers do not depend on the order of rows:
 * users are numbered by their ids' bytes; items by falling support (number of
 * users), ties by bytes.  Items that occur only in the catalogue (add_item)
 * come after the others, by bytes.
 *
 * A pair that comes more than once is one entry: without ratings its value is
 * how often it came, with ratings their mean (a sum would leave the scale),
 * and its time is the latest.
 *
 * About 8 bytes a row while reading (12 with ratings, 8 more with times) and
 * the ids; the same again while the matrix is built, block by block, so that
 * 10 million rows need 200 to 500 MB.
 *-------------------------------------------------------------------------
 */
#ifndef WF_INTERACTIONS_H
#define WF_INTERACTIONS_H

#include "core/dict.h"
#include "core/matrix.h"

/* At most so many different users, and so many items. */
#define WF_INTERACTIONS_MAX_IDS UINT32_C(100000000)

typedef struct WfInteractions WfInteractions;

/* Ratings and times are kept only if asked for. */
WfInteractions *wf_interactions_create(WfHost *host, bool with_rating, bool with_time);

/*
 * One row.  Ids are any bytes without NUL, kept as they are; longer than
 * WF_DICT_KEY_BYTES: WF_E_LIMIT.  A rating must be finite (WF_E_DATA).  time:
 * any number that rises with time; NaN (not known) counts as the earliest.
 */
void		wf_interactions_add(WfInteractions *in, const char *user, size_t user_length,
								const char *item, size_t item_length, double rating, double time);

/*
 * The next row (0, 1, 2, …) of the items' catalogue describes this item; before
 * or after the interactions, and an item may have several rows.
 */
void		wf_interactions_add_item(WfInteractions *in, const char *item, size_t item_length);

/* What has been added; users and items are distinct ids, n_items with the catalogue's. */
uint64_t	wf_interactions_n_rows(const WfInteractions *in);
uint32_t	wf_interactions_n_users(const WfInteractions *in);
uint32_t	wf_interactions_n_items(const WfInteractions *in);
/* Rows of the catalogue. */
uint32_t	wf_interactions_n_catalogue(const WfInteractions *in);
bool		wf_interactions_has_rating(const WfInteractions *in);
bool		wf_interactions_has_time(const WfInteractions *in);
/* Bytes of memory held by rows (without ids). */
size_t		wf_interactions_bytes(const WfInteractions *in);

/* The matrix; what is "rank 0" is NULL in other members. */
typedef struct WfInteractionData
{
	WfMatrix	matrix;			/* users × n_items, shared */
	double	   *time;			/* by entry, shared; NULL: no times */
	uint32_t	n_users;
	uint32_t	n_items;		/* that some user has; the columns of the matrix */
	uint32_t	n_catalogue;	/* items in all: n_items and those known only from the catalogue */
	bool		has_rating;
	uint64_t	n_rows;			/* read, with repetitions */
	uint32_t   *user_code;		/* rank 0: code in users, by number */
	uint32_t   *item_code;		/* rank 0: code in items, by number (n_catalogue) */
	uint32_t   *catalogue_item;	/* rank 0: number of the item, by row of the catalogue */
	uint32_t	n_catalogue_rows;
	const WfDict *users;		/* rank 0 */
	const WfDict *items;		/* rank 0 */
} WfInteractionData;

/*
 * Collective: the matrix of what rank 0 has read (in is NULL elsewhere); the
 * rows are given back on the way, the ids stay.  Without any row: WF_E_DATA.
 */
void		wf_interactions_build(WfTeam *team, WfInteractions *in, WfInteractionData *data);
/* Collective: give back what is shared; ids can still be written. */
void		wf_interactions_matrix_free(WfTeam *team, WfInteractionData *data);
/* Collective: that, and all the rest. */
void		wf_interactions_data_free(WfTeam *team, WfInteractionData *data);

/* Sections of ids for a model (idmap.h), on rank 0: users and items by number. */
void		wf_interactions_write_users(WfHost *host, const WfInteractionData *data, WfBytes *out);
void		wf_interactions_write_items(WfHost *host, const WfInteractionData *data, WfBytes *out);

#endif							/* WF_INTERACTIONS_H */
