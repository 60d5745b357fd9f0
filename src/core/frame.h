/*-------------------------------------------------------------------------
 * frame.h
 *	  The rows of a training source: typed cells, target, weight, hash.
 *
 * Rows arrive one at a time and are kept in blocks of at most WF_FRAME_BLOCK rows,
 * column by column inside a block.  Cells past the memory limit go to the
 * host's spool and are read back block by block, in order.  What every row
 * needs until the end (hash, target, weight, group, time) stays in memory.
 *
 * A row's 128-bit hash is taken over its converted cells (categories and
 * tags by the hash of their bytes, not their code; -0 as 0; one NaN), its
 * target, weight, group and time.  It gives rows a canonical order, so that
 * the same rows give the same model however they were read.
 *-------------------------------------------------------------------------
 */
#ifndef WF_FRAME_H
#define WF_FRAME_H

#include "core/dict.h"
#include "core/host.h"
#include "core/team.h"

#define WF_FRAME_BLOCK 4096
#define WF_FRAME_MAX_ROWS UINT32_C(0x7fffffff)

typedef enum WfCellKind
{
	WF_CELL_NUMBER,				/* float, NaN = missing */
	WF_CELL_CODE,				/* code of a WfDict, WF_CODE_MISSING = missing */
	WF_CELL_TAGS				/* code of a tag list (wf_frame_tag_list), WF_CODE_MISSING = NULL array */
} WfCellKind;

typedef union WfCell
{
	float		number;
	uint32_t	code;
} WfCell;

/* What a row has besides its cells; unused parts stay 0 (weight 1). */
typedef struct WfRowExtra
{
	double		target;			/* regression: the value; classification: code in the label dictionary */
	/*
	 * What stands for the target in the row's hash: the hash of a label's
	 * bytes, because codes depend on the order of rows; 0: the target itself.
	 */
	uint64_t	target_hash;
	double		weight;
	uint64_t	group;			/* hash of the group column's value */
	double		time;			/* order under validation "time" */
	uint64_t	identity;		/* hash of what tells rows apart that are otherwise equal (a key) */
} WfRowExtra;

typedef struct WfFrame WfFrame;

/*
 * memory_limit: bytes of cells kept in memory before they are spooled.
 * with_*: which extras are kept.
 */
WfFrame    *wf_frame_create(WfHost *host, size_t memory_limit,
							bool with_weight, bool with_group, bool with_time);

/* Keep identities, too; before the first row.  They are no part of a row's hash. */
void		wf_frame_keep_identity(WfFrame *frame);

/*
 * Add a cell column and return its index.  dict is needed for WF_CELL_CODE
 * and WF_CELL_TAGS.  May be called after rows were appended: these rows read
 * as missing there.
 */
int			wf_frame_add_column(WfFrame *frame, WfCellKind kind, WfDict *dict);
/*
 * Rows are hashed by cell index.  Columns added late may come in another order
 * when the rows do; give them a key of their own (column and element, upper
 * bit clear, none that is an index of a cell), before the first row with a
 * value there, and hashes stay the same in any order.
 */
void		wf_frame_set_key(WfFrame *frame, int cell, uint64_t key);
int			wf_frame_n_cells(const WfFrame *frame);
WfCellKind	wf_frame_cell_kind(const WfFrame *frame, int cell);

/*
 * Code of a list of tags (codes of dict), the same for equal lists.  codes is
 * sorted and freed of doubles in place.
 */
uint32_t	wf_frame_tag_list(WfFrame *frame, int cell, uint32_t *codes, int n);
const uint32_t *wf_frame_tags(const WfFrame *frame, int cell, uint32_t list, int *n);
/* Number of distinct lists of a cell column, and how many rows have each. */
uint32_t	wf_frame_n_tag_lists(const WfFrame *frame, int cell);
uint64_t	wf_frame_tag_list_rows(const WfFrame *frame, int cell, uint32_t list);

/* cells: wf_frame_n_cells() of them. */
void		wf_frame_append(WfFrame *frame, const WfCell *cells, const WfRowExtra *extra);
uint64_t	wf_frame_n_rows(const WfFrame *frame);

/* Bytes now in memory, spooled bytes not counted. */
size_t		wf_frame_memory(const WfFrame *frame);
bool		wf_frame_spooled(const WfFrame *frame);

/* True when a cell column holds at least two different values (missing is one). */
bool		wf_frame_varies(const WfFrame *frame, int cell);
/* True when some (all) rows are missing in that cell column. */
uint64_t	wf_frame_n_missing(const WfFrame *frame, int cell);

/* Extras of row r, in order of arrival. */
double		wf_frame_target(const WfFrame *frame, uint64_t row);
/*
 * Replace a target (codes by values, once an integer target turns out to have
 * more than two distinct values); the row's hash stays as it is.
 */
void		wf_frame_set_target(WfFrame *frame, uint64_t row, double target);
double		wf_frame_weight(const WfFrame *frame, uint64_t row);
uint64_t	wf_frame_group(const WfFrame *frame, uint64_t row);
double		wf_frame_time(const WfFrame *frame, uint64_t row);
/* 0 when not kept */
uint64_t	wf_frame_identity(const WfFrame *frame, uint64_t row);
bool		wf_frame_has_weight(const WfFrame *frame);
bool		wf_frame_has_group(const WfFrame *frame);
bool		wf_frame_has_time(const WfFrame *frame);
/*
 * A mark for each row (n_rows of them, kept by the caller while the frame is
 * used), handed on to the data set; it is no part of the row's hash.
 */
void		wf_frame_set_marks(WfFrame *frame, const uint32_t *mark);
const uint32_t *wf_frame_marks(const WfFrame *frame);
/* Upper 64 bits of the row's hash. */
uint64_t	wf_frame_hash(const WfFrame *frame, uint64_t row);

/*
 * Canonical order: rank[row] = position of the row by its 128-bit hash, equal
 * hashes (equal rows) in order of arrival.  From the host, n_rows entries.
 * Appending is over once it was called.
 */
uint32_t   *wf_frame_ranks(WfFrame *frame);

/*
 * Walk over the cells, a block of rows at a time (spooled blocks are read
 * back).  cells[c] points to count cells of column c.  Returns the number of
 * rows, 0 at the end.
 */
typedef struct WfFrameScan
{
	WfFrame    *frame;
	uint64_t	first_row;		/* of the block now shown */
	uint32_t	count;
	const WfCell **cells;		/* one pointer per cell column */
	/* private */
	uint32_t	next_block;
	void	   *buffer;
	WfCell	   *missing[3];		/* a block of missing cells of each kind */
} WfFrameScan;

void		wf_frame_scan_begin(WfFrame *frame, WfFrameScan *scan);
uint32_t	wf_frame_scan_next(WfFrameScan *scan);
void		wf_frame_scan_end(WfFrameScan *scan);

/*
 * Give back what is no longer needed: cells, hashes, extras (target, weight,
 * group, time, identity).  Counts, varies and n_missing stay.
 */
void		wf_frame_drop_cells(WfFrame *frame);
void		wf_frame_drop_hashes(WfFrame *frame);
void		wf_frame_drop_extras(WfFrame *frame);
void		wf_frame_destroy(WfFrame *frame);

#endif							/* WF_FRAME_H */
