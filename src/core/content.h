/*-------------------------------------------------------------------------
 * content.h
 *	  What items are made of: attributes as sparse unit vectors, and which
 *	  items are alike.
 *
 * Columns of a catalogue become weighted terms: words of a text, one term for
 * a category, a boolean or a tag, one signed dimension for a number.  A term
 * weighs tf · idf; each column's block has length 1 before the blocks are joined, so that a
 * long text does not drown a category; the strongest 64 terms of an item stay
 * and are brought to length 1.  Likeness is the cosine, found through an
 * inverted index (Salton, McGill 1983).
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

typedef struct WfContentBuilder WfContentBuilder;

/* names and kinds are copied; the numbers of columns are their places here. */
WfContentBuilder *wf_content_begin(WfHost *host, int n_columns, const char *const *names,
								   const WfContentKind *kinds);
/*
 * Start the row of an item; the calls below add to it.  Rows with the same id
 * are one item: their terms are joined, a number is the mean of theirs.
 */
void		wf_content_item(WfContentBuilder *b, const char *id, size_t length);
/* NULL values are not added.  Text, category, or one tag. */
void		wf_content_add_text(WfContentBuilder *b, int column, const char *bytes, size_t length);
void		wf_content_add_number(WfContentBuilder *b, int column, double value);

/* Distinct items so far. */
uint32_t	wf_content_n_items(const WfContentBuilder *b);
/* The id of item i in order of arrival (i < n_items); not NUL-terminated. */
const char *wf_content_id(const WfContentBuilder *b, uint32_t i, size_t *length);
/* Bytes held by the builder now. */
size_t		wf_content_bytes(const WfContentBuilder *b);

/*
 * Append the finished content, 64-byte aligned.  place[i] says which number
 * item i (in order of arrival) has in the model; n_model_items of them exist,
 * those not in the catalogue have no terms.  Frees what the builder holds.
 */
void		wf_content_finish(WfContentBuilder *b, const uint32_t *place, uint32_t n_model_items,
							  WfBytes *out);

/* ---- using it ---- */

typedef struct WfContent
{
	uint32_t	n_items;
	uint32_t	n_terms;
	uint64_t	n;				/* entries */
	const uint64_t *item_start; /* n_items + 1 */
	const uint32_t *item_term;	/* n: rising within an item */
	const float *item_weight;	/* n: an item's squares sum to 1 */
	const uint64_t *term_start; /* n_terms + 1 */
	const uint32_t *term_item;	/* n: rising within a term */
	const float *term_weight;	/* n */
} WfContent;

/* Verify and open; bytes are 64-byte aligned and outlive c.  false on any defect. */
bool		wf_content_open(const void *bytes, size_t length, WfContent *c);

/* Has the item any terms? */
static inline bool
wf_content_has(const WfContent *c, uint32_t item)
{
	return item < c->n_items && c->item_start[item + 1] > c->item_start[item];
}

/*
 * score[i] = cosine of item i and the profile made of n items with weights, for
 * all n_items (the array is overwritten).  profile: n_terms floats of scratch,
 * overwritten too.  Returns false, with zeros, when nothing in the profile has
 * any terms.
 */
bool		wf_content_score(const WfContent *c, const uint32_t *items, const float *weights,
							 size_t n, float *profile, float *score);

#endif							/* WF_CONTENT_H */
