/*-------------------------------------------------------------------------
 * grower.h
 *	  Inside a grower: shared by grow.c (the tree) and node.c (the best split
 *	  of a node); nobody else needs it.
 *-------------------------------------------------------------------------
 */
#ifndef WF_GROWER_H
#define WF_GROWER_H

#include "core/category.h"
#include "core/grow.h"

#include <string.h>

#define WF_GROUP 4				/* features histogrammed in one pass */
#define WF_FEW_CLASSES 3		/* classes that fit a packed cell */

/* A node whose rows are known and whose fate is not. */
typedef struct WfOpen
{
	uint32_t	node;
	uint32_t	depth;
	bool		refs;			/* rows are references, not records */
	size_t		begin;			/* first row, in g->refs or g->records */
	size_t		n;				/* rows, each counted once */
	uint64_t	key;
	uint32_t	count[WF_FEW_CLASSES];	/* few classes, no weights: draws of each */
} WfOpen;

/* What the rows of a node add up to. */
typedef struct WfNodeSums
{
	uint64_t	draws;
	double		weight;			/* in units, or draws */
	bool		pure;			/* one class, or one target */
	int64_t		moment;			/* regression: sum of weight * target */
	uint32_t	n_classes;		/* classes: how many are present, in g->present */
} WfNodeSums;

struct WfGrower
{
	WfHost	   *host;
	const WfForestPlan *plan;
	const WfDataset *data;
	WfBagLayout layout;
	WfImpurity	impurity;
	bool		few;			/* at most three classes, no weights: counts travel with nodes */

	WfRowRef   *refs;			/* NULL when every bag fits the records */
	uint8_t    *records;
	size_t		record_rows;	/* room in records */

	WfGrownNode *nodes;
	uint32_t	n_nodes;
	uint32_t	nodes_room;
	WfBytes		bitsets;
	WfBytes		distributions;
	uint32_t   *distribution_slots; /* hash table: index + 1 */
	uint32_t	distribution_room;
	uint32_t	n_distributions;

	/* features drawn at a node: a permutation, restored after use */
	uint32_t   *feature;
	uint32_t   *swapped;
	uint32_t	n_drawn;
	uint64_t	random;

	/* classes present in a node, and where their sums stand in cells */
	uint64_t   *class_weight;	/* by class */
	uint16_t   *present;
	uint16_t   *local;			/* class → place among the present */
	uint8_t    *shift;			/* class → shift in a packed cell */
	WfNodeSums		sums;			/* of the node at hand */

	uint64_t	(*cells)[256];	/* WF_GROUP packed histograms, zero between uses */
	uint64_t	masks[WF_GROUP][4];
	int64_t    *wide;			/* one wide histogram, zero between uses */
	int64_t    *wide_total;
	int64_t    *scratch;
	WfLevels   *levels;			/* NULL without categories */
	int			target_shift;	/* of fixed-point targets in packed cells */

	double	   *tree_gain;		/* by feature, of the tree at hand */
	int64_t    *gain;
	int64_t    *splits;
	bool		drew_all;
	double		root_weight;
	size_t		visits;			/* rows since the last poll of the host */
};

/* draws << 16 | class of a row */
static inline uint32_t
wf_row_word(const WfGrower *g, const WfOpen *open, size_t i)
{
	uint32_t	word;

	if (open->refs)
		return g->refs[open->begin + i].word;
	memcpy(&word, g->records + (open->begin + i) * g->layout.size + g->layout.word_at, 4);
	return word;
}

static inline const uint8_t *
wf_row_bins(const WfGrower *g, const WfOpen *open, size_t i)
{
	if (open->refs)
		return wf_dataset_row(g->data, g->refs[open->begin + i].row);
	return g->records + (open->begin + i) * g->layout.size;
}

static inline int32_t
wf_row_target(const WfGrower *g, const WfOpen *open, size_t i)
{
	int32_t		y;

	if (open->refs)
		return wf_bag_target(g->plan, g->refs[open->begin + i].row);
	memcpy(&y, g->records + (open->begin + i) * g->layout.size + g->layout.target_at, 4);
	return y;
}

/* Units of weight of one draw */
static inline uint32_t
wf_row_weight(const WfGrower *g, const WfOpen *open, size_t i)
{
	uint32_t	w;

	if (g->data->weight == NULL)
		return 1;
	if (open->refs)
		return wf_bag_weight(g->plan, g->refs[open->begin + i].row);
	memcpy(&w, g->records + (open->begin + i) * g->layout.size + g->layout.weight_at, 4);
	return w;
}

/* Poll the host now and then; rows: how many were just looked at. */
static inline void
wf_grower_visit(WfGrower *g, size_t rows)
{
	g->visits += rows + 16;
	if (g->visits >= 100000)
	{
		g->visits = 0;
		g->host->check(g->host);
	}
}

/* Fill g->sums (and, for classes, g->present, g->class_weight, g->local) of a node. */
void		wf_node_sums(WfGrower *g, const WfOpen *open);
/* The best split of a node whose sums are in g; false: every feature is constant or sides too small. */
bool		wf_node_split(WfGrower *g, const WfOpen *open, WfNodeSplit *split);

#endif							/* WF_GROWER_H */
