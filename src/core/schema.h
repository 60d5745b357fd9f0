/*-------------------------------------------------------------------------
 * schema.h
 *	  Columns of a source and the features they become.
 *
 * A column is what the user sees (one column of the table); a feature is
 * what an algorithm sees: a number (float, NaN = missing) or a category
 * (a small code).  A timestamp becomes several features, an array one for
 * each element.  wf_schema_finish() turns columns into features once all
 * rows are read, because only then categories and constants are known.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SCHEMA_H
#define WF_SCHEMA_H

#include "core/dict.h"
#include "core/host.h"

/* Stored in artifacts: never renumber. */
typedef enum WfColumnKind
{
	WF_COL_NUMBER = 0,			/* integers, floats, numeric; interval in seconds */
	WF_COL_BOOLEAN = 1,			/* 0 or 1 */
	WF_COL_CATEGORY = 2,		/* text, enum, uuid … through the output function */
	WF_COL_TIMESTAMP = 3,		/* timestamp; timestamptz in the model's time zone */
	WF_COL_DATE = 4,
	WF_COL_TIME = 5,			/* time of day */
	WF_COL_TAGS = 6,			/* text[]: one indicator for each frequent element */
	WF_COL_VECTOR = 7,			/* numeric array of fixed length */
	WF_COL_GROUP = 8			/* any number of groups, by their text; one feature, the group's number */
} WfColumnKind;

/* What of a column a feature holds.  Stored in artifacts: never renumber. */
typedef enum WfPart
{
	WF_PART_VALUE = 0,
	WF_PART_HOUR = 1,			/* 0..23 */
	WF_PART_WEEKDAY = 2,		/* 0 = Monday .. 6 = Sunday */
	WF_PART_DAY = 3,			/* of month, 1..31 */
	WF_PART_MONTH = 4,			/* 1..12 */
	WF_PART_MINUTE = 5,			/* of day, 0..1439 */
	WF_PART_HOUR_SIN = 6,
	WF_PART_HOUR_COS = 7,
	WF_PART_WEEKDAY_SIN = 8,
	WF_PART_WEEKDAY_COS = 9,
	WF_PART_WEEKEND = 10,		/* 0 or 1 */
	WF_PART_EPOCH = 11,			/* days since 2000-01-01, on request only */
	WF_PART_TAG = 12,			/* 0 or 1: the element is in the array */
	WF_PART_ELEMENT = 13		/* element of a vector */
} WfPart;
#define WF_N_PARTS 14

/* Word for a part as shown to users ("hour"), NULL for WF_PART_VALUE. */
const char *wf_part_name(WfPart part);

/* The parts of a time column of that kind, in the order of their cells; returns how many. */
int			wf_time_parts(WfColumnKind kind, uint32_t wanted, WfPart parts[WF_N_PARTS]);
#define WF_TIME_PARTS_DEFAULT ((uint32_t) 0x7fe)	/* all but WF_PART_EPOCH */

/*
 * Values of those parts.  days: days since 2000-01-01 in local time;
 * usec: microseconds of the day, 0 for dates.
 */
void		wf_time_values(const WfPart *parts, int n, int64_t days, int64_t usec, float *out);

typedef enum WfLeftOut
{
	WF_KEPT = 0,
	WF_LEFT_UNSUPPORTED,		/* a type that is no feature */
	WF_LEFT_KEY,				/* primary key or single unique column */
	WF_LEFT_CONSTANT,			/* one value only */
	WF_LEFT_IDENTIFIER,			/* text with over 254 values, distinct in over half of the rows */
	WF_LEFT_ROLE,				/* target, weight, group: used otherwise */
	WF_LEFT_OUTPUT,				/* written by an attachment of the model */
	WF_LEFT_EMPTY				/* NULL in every row */
} WfLeftOut;

/* Codes 0..253 are levels by frequency; then, if any rows are in it, "other". */
#define WF_MAX_LEVELS 254
#define WF_MAX_TAGS 254
/* Groups of fewer rows have no number. */
#define WF_GROUP_ROWS 8
#define WF_MISSING_BIN 255

typedef struct WfColumn
{
	char	   *name;
	WfColumnKind kind;
	WfLeftOut	left_out;
	bool		by_user;		/* named in features: never left out silently */
	int			first_cell;		/* of the frame */
	int			n_cells;
	uint32_t	parts;			/* time columns: bit mask of WfPart */
	WfDict	   *dict;			/* categories, tags, groups */
	uint64_t	n_missing;		/* rows where it is NULL, counted by the reader */
	/* set by wf_schema_finish() */
	int			first_feature;
	int			n_features;
	double		other_share;	/* categories: share of rows in "other" */
} WfColumn;

typedef struct WfFeature
{
	int			column;
	int			cell;			/* of the frame */
	WfPart		part;
	uint32_t	element;		/* vector: its index; tag: its dictionary code */
	bool		category;		/* else a number */
	int8_t		monotone;		/* -1, 0, 1 */
	/* categories: n_levels dictionary codes by frequency; bins are their indexes */
	uint32_t	n_levels;
	bool		has_other;		/* bin n_levels holds the rare ones */
	uint32_t   *levels;
	uint8_t    *bin_of_code;	/* dictionary code → bin */
	/* groups: n_levels of them by their bytes, the others count as missing */
	bool		group;
	uint32_t   *group_of_code;	/* dictionary code → number, or WF_CODE_MISSING */
} WfFeature;

typedef struct WfSchema
{
	WfHost	   *host;
	int			n_columns;
	int			columns_capacity;
	WfColumn   *columns;
	int			n_features;
	WfFeature  *features;
	/* the label of each class in the model's order; NULL for regression */
	int			n_classes;
	char	  **labels;
	const char *time_zone;		/* of training, for timestamptz; never NULL */
} WfSchema;

WfSchema   *wf_schema_create(WfHost *host);
/* Returns the new column's index; name is copied. */
int			wf_schema_add(WfSchema *schema, const char *name, WfColumnKind kind);

struct WfFrame;

/*
 * Decide which columns stay (constant, empty and identifier columns are left
 * out unless by_user; then a constant stays) and make the features.  Fails
 * with WF_E_DATA when no feature is left.
 */
void		wf_schema_finish(WfSchema *schema, const struct WfFrame *frame);

#endif							/* WF_SCHEMA_H */
