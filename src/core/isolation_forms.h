/*-------------------------------------------------------------------------
 * isolation_forms.h
 *	  What the rooms of the isolation forest share: the run-time form.
 *
 * Trees without categories are also kept as a straight program of selections
 * ("value = x <= threshold ? a : b"), children before parents, that computes
 * the paths of many rows at once without a branch.  An isolation tree has few
 * nodes (about 60 of a sample of 256), and a selection for 32 rows takes as
 * long as one step of one row down a tree.  For a row or two the same trees
 * are kept as jumps ("at = left + (x > threshold)", a leaf leads to itself),
 * of which several trees are walked abreast.  Rows with a missing value, and
 * other trees, walk the stored nodes.
 *-------------------------------------------------------------------------
 */
#ifndef WF_ISOLATION_FORMS_H
#define WF_ISOLATION_FORMS_H

#include "core/isolation.h"

/* Rows that a program computes at once. */
#define WF_LANES 32
/* Trees whose results are added up together. */
#define WF_PROGRAM_TREES 16
/* Limits of what lies on the stack, a vector of WF_LANES numbers each. */
#define WF_PROGRAM_CONSTANTS 384
#define WF_PROGRAM_PLACES 384
#define WF_PROGRAM_SLOTS 512
/* Where the results of a segment's trees begin. */
#define WF_PROGRAM_RESULTS (WF_PROGRAM_CONSTANTS + WF_PROGRAM_PLACES)
/* Trees of more cuts are faster walked. */
#define WF_PROGRAM_CUTS 300

/* Vectors are told by where they start, in units of 8 bytes, which an address can count in. */
#define WF_VECTOR_STEP (WF_LANES * 4 / 8)

typedef struct WfSelect
{
	float		threshold;
	uint16_t	slot;			/* whose value is compared */
	uint16_t	a;				/* values: constants, then results that are held, then those of trees */
	uint16_t	b;
	uint16_t	to;
} WfSelect;

/* A node for walking without a branch. */
typedef struct WfJump
{
	float		threshold;
	uint16_t	slot;
	uint16_t	left;
} WfJump;

#define WF_JUMP_TREES 8

/* Trees that are walked abreast; the last group repeats its last tree, which does not count then. */
typedef struct WfJumpGroup
{
	uint32_t	depth;			/* of the deepest */
	uint32_t	n;
	uint32_t	first_node[WF_JUMP_TREES];	/* in jumps and in nodes */
} WfJumpGroup;

/* Selections of up to WF_PROGRAM_TREES trees. */
typedef struct WfSegment
{
	uint32_t	end;			/* of its selections */
	uint32_t	n_trees;
} WfSegment;

typedef struct WfIsolation
{
	const WfIsolationHeader *header;
	const WfIsolationTree *trees;
	const uint32_t *scaled;
	const WfScale *scales;
	const WfIsolationBitset *bitsets;
	const WfIsolationNode *nodes;
	double		factor;			/* sum of path lengths → raw output */
	double		raw_alone;		/* raw output when the sample has one row only */
	const uint8_t *is_category; /* by feature */
	const uint32_t *scale_of;	/* by feature: place among the scaled, UINT32_MAX: as it is; NULL: nothing is scaled */
	/* features that some tree looks at */
	uint32_t	n_slots;
	const uint32_t *slots;
	/* the program; no segments: there is none */
	uint32_t	n_segments;
	const WfSegment *segments;
	const WfSelect *selects;
	uint32_t	n_constants;
	const uint32_t *constants;
	/* trees that are not in it */
	uint32_t	n_walked;
	const uint32_t *walked;
	/* trees as jumps, and those that cannot be */
	uint32_t	n_groups;
	const WfJumpGroup *groups;
	const WfJump *jumps;		/* by node */
	uint32_t	n_stepped;
	const uint32_t *stepped;
} WfIsolation;

/* A row, and the scales of its group. */
typedef struct WfIsolationRow
{
	const float *x;
	const WfScale *scales;
} WfIsolationRow;

static inline WfIsolationRow
wf_isolation_row(const WfIsolation *m, const float *x)
{
	WfIsolationRow row = {x, NULL};

	if (m->scale_of)
	{
		float		group = x[m->header->group_feature];
		size_t		known = group >= 0 && group < (float) m->header->n_groups ? (size_t) group : m->header->n_groups;

		row.scales = m->scales + known * m->header->n_scaled;
	}
	return row;
}

/* A feature as the trees see it. */
static inline float
wf_isolation_value(const WfIsolation *m, const WfIsolationRow *row, uint32_t feature)
{
	if (m->scale_of == NULL || m->scale_of[feature] == UINT32_MAX)
		return row->x[feature];
	return wf_scale_apply(&row->scales[m->scale_of[feature]], row->x[feature]);
}

static inline bool
wf_isolation_goes_left(const WfIsolation *m, const WfIsolationNode *node, float x)
{
	uint32_t	code;

	if (!m->is_category[node->feature])
		return x <= node->threshold;
	code = x >= 0 && x < 256 ? (uint32_t) x : 0;
	return m->bitsets[node->bitset].word[code >> 5] >> (code & 31) & 1;
}

/*
 * Sums of path lengths over all trees for n rows of raw features, row-major
 * n × n_features.  host may be NULL; else it is checked.
 */
void		wf_isolation_paths(WfHost *host, const WfIsolation *m, const float *x, size_t n, uint32_t *paths);

/* Fill in slots, program and walked trees. */
void		wf_isolation_make_program(WfHost *host, WfIsolation *m);

static inline double
wf_isolation_raw(const WfIsolation *m, uint32_t path)
{
	return m->factor * path + m->raw_alone;
}

/* ---- isolation_grow.c ---- */

/* A forest being grown by one member. */
typedef struct WfIsolationGrower WfIsolationGrower;

typedef struct WfIsolationPlan
{
	const WfDataset *data;
	uint64_t	seed;
	uint32_t	sample;
	uint32_t	depth;
	uint32_t	group_feature;
	uint32_t	n_scaled;
	const uint32_t *scaled;
	const WfScale *scales;		/* NULL: nothing is scaled */
	uint32_t	n_groups;
} WfIsolationPlan;

WfIsolationGrower *wf_isolation_grower_create(WfHost *host, const WfIsolationPlan *plan);
/* Append a tree's nodes and bitsets; indexes of bitsets count from the tree's first. */
void		wf_isolation_grow(WfIsolationGrower *grower, uint32_t tree, WfBytes *nodes, WfBytes *bitsets);
void		wf_isolation_grower_free(WfIsolationGrower *grower);

#endif							/* WF_ISOLATION_FORMS_H */
