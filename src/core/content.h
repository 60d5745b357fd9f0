/*-------------------------------------------------------------------------
 * content.h
 *	  What items are made of: attributes as sparse vectors, and which items are
 *	  alike.
 *
 * Columns of a catalogue become weighted terms.
 *
 *	text		its words (runs of ASCII letters and digits and of bytes from
 *				0x80 on, in lower case), and the whole when it is short
 *	category	one term: the value
 *	tags		one term for each
 *	number		its place in the distribution, between two of eight points, which
 *				are its terms: equal numbers have the likeness 1, near ones
 *				something, distant ones nothing
 *
 * A term weighs (1 + log tf) · idf.  Each column of an item has length 1, so
 * that a long text does not drown a category; then the item has length 1.
 * Terms that no other item has count in that length and are then dropped, as
 * are all but the strongest 64.  Likeness is the cosine (Salton, McGill 1983),
 * found through an inverted index.
 *-------------------------------------------------------------------------
 */
#ifndef WF_CONTENT_H
#define WF_CONTENT_H

#include "core/host.h"

#define WF_CONTENT_TERMS 64		/* at most, for one item */
#define WF_CONTENT_MAX_COLUMNS 1600

typedef enum WfContentKind
{
	WF_CONTENT_TEXT,			/* words, and the whole when it is short */
	WF_CONTENT_CATEGORY,		/* categories, booleans, enums: the value as it is */
	WF_CONTENT_NUMBER,
	WF_CONTENT_TAGS				/* text[]: call add_text once per element */
} WfContentKind;

/* ---- gathering a catalogue, row by row ---- */

typedef struct WfContentReader WfContentReader;

/* kinds is copied; columns are called by their places in it. */
WfContentReader *wf_content_begin(WfHost *host, int n_columns, const WfContentKind *kinds);
/* Start the next row (0, 1, 2, …); the calls below add to it.  NULL values are not added. */
void		wf_content_row(WfContentReader *reader);
/* A text, a category, or one tag. */
void		wf_content_add_text(WfContentReader *reader, int column, const char *bytes, size_t length);
/* A number; NaN and infinite ones are left out like NULL. */
void		wf_content_add_number(WfContentReader *reader, int column, double value);

uint32_t	wf_content_n_rows(const WfContentReader *reader);
/* Bytes held by the reader now, and at most while it is finished, the result included. */
size_t		wf_content_bytes(const WfContentReader *reader);
size_t		wf_content_finish_bytes(const WfContentReader *reader);

/*
 * Append the content of n_items items, 64-byte aligned.  place[r] is the number
 * of the item that row r describes.  Rows with the same place are one item,
 * whatever their order: their terms are joined, its number is the mean of
 * theirs.  Items without a row have no terms.  The result does not depend on
 * the order of rows.  Gives back what the reader holds.
 */
void		wf_content_finish(WfContentReader *reader, const uint32_t *place, uint32_t n_items, WfBytes *out);

/* ---- using it ---- */

typedef struct WfContent
{
	uint32_t	n_items;
	uint32_t	n_terms;
	uint64_t	n;				/* entries */
	const uint64_t *item_start; /* n_items + 1 */
	const uint32_t *item_term;	/* n: rising within an item */
	const float *item_weight;	/* n: an item's squares sum to 1 at most */
	const uint64_t *term_start; /* n_terms + 1 */
	const uint32_t *term_item;	/* n: rising within a term */
	const float *term_weight;	/* n */
} WfContent;

/* Verify and open; bytes are 8-byte aligned and outlive c.  false on any defect.  Checks host. */
bool		wf_content_open(WfHost *host, const void *bytes, size_t length, WfContent *c);

/* Has the item any terms? */
static inline bool
wf_content_has(const WfContent *c, uint32_t item)
{
	return item < c->n_items && c->item_start[item + 1] > c->item_start[item];
}

/*
 * score[i] = cosine of item i and the profile made of n items with weights, for
 * all n_items (the array is overwritten).  profile: n_terms floats that are zero
 * before and after the call.  Returns false, with zeros, when nothing in the
 * profile has any terms.
 */
bool		wf_content_score(const WfContent *c, const uint32_t *items, const float *weights,
							 size_t n, float *profile, float *score);

#endif							/* WF_CONTENT_H */
