/*-------------------------------------------------------------------------
 * outofbag.c
 *	  Out-of-bag outputs of a forest.
 *-------------------------------------------------------------------------
 */
#include "core/outofbag.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* Sums kept at most: bounds memory when there are many classes. */
#define MAX_SUMS 2000000
/* Units of a probability and of a fixed-point target; 10,000 trees stay below 2^62. */
#define SHARE_UNIT 0x1.0p40
#define TARGET_UNIT 0x1.0p16
/* Rows walked side by side, to overlap cache misses. */
#define LANES 8
#define ROWS_PER_CHECK 4096

struct WfOutOfBag
{
	WfHost	   *host;
	const WfForestPlan *plan;
	uint32_t	n;
	uint32_t	n_outputs;
	uint32_t   *row;
	uint32_t   *count;			/* trees that did not draw the row */
	int64_t    *sum;			/* n × n_outputs */
};

static uint32_t
oob_rows(uint64_t n, uint32_t n_outputs)
{
	uint32_t	most = MAX_SUMS / n_outputs;

	most = most < WF_OOB_ROWS ? most : WF_OOB_ROWS;
	return n < most ? (uint32_t) n : most;
}

size_t
wf_oob_bytes(uint64_t n, int n_classes)
{
	uint32_t	n_outputs = (uint32_t) wf_n_outputs(n_classes);

	return (size_t) oob_rows(n, n_outputs) * (8 + 8 * (size_t) n_outputs);
}

WfOutOfBag *
wf_oob_create(WfHost *host, const WfForestPlan *plan)
{
	WfOutOfBag *oob = wf_alloc_zero(host, 1, sizeof(WfOutOfBag));
	const WfDataset *data = plan->data;
	uint32_t	most;

	oob->host = host;
	oob->plan = plan;
	oob->n_outputs = (uint32_t) wf_n_outputs(data->n_classes);
	most = oob_rows(data->n, oob->n_outputs);
	oob->row = wf_alloc(host, most, sizeof(uint32_t));
	for (uint32_t i = 0; i < data->n && oob->n < most; i++)
		if (wf_bag_takes_part(plan, i))
			oob->row[oob->n++] = i;
	oob->count = wf_alloc_zero(host, most, sizeof(uint32_t));
	oob->sum = wf_alloc_zero(host, (size_t) most * oob->n_outputs, sizeof(int64_t));
	return oob;
}

void
wf_oob_reset(WfOutOfBag *oob)
{
	memset(oob->count, 0, oob->n * sizeof(uint32_t));
	memset(oob->sum, 0, (size_t) oob->n * oob->n_outputs * sizeof(int64_t));
}

static inline uint32_t
step(const WfOutOfBag *oob, const WfGrownTree *tree, const WfGrownNode *node, const uint8_t *bins)
{
	uint8_t		bin = bins[node->feature];
	bool		left;

	if (oob->plan->data->is_category[node->feature])
		left = (tree->bitsets[node->bitset][bin >> 6] >> (bin & 63)) & 1;
	else
		left = (uint8_t) (bin + node->missing_left) <= (uint8_t) (node->bin + node->missing_left);
	return left ? node->left : node->right;
}

static void
add_leaf(WfOutOfBag *oob, uint32_t i, const WfGrownTree *tree, const WfGrownNode *leaf)
{
	uint32_t	k = (uint32_t) oob->plan->data->n_classes;
	int64_t    *sum = oob->sum + (size_t) i * oob->n_outputs;

	oob->count[i]++;
	if (k == 0)
		sum[0] += llrint(((double) leaf->value + oob->plan->base - oob->plan->center) * oob->plan->scale * TARGET_UNIT);
	else if (leaf->payload < k)
	{
		if (k > 2)
			sum[leaf->payload] += (int64_t) SHARE_UNIT;
		else if (leaf->payload == 1)
			sum[0] += (int64_t) SHARE_UNIT;
	}
	else
	{
		const float *p = tree->distributions + (size_t) (leaf->payload - k) * oob->n_outputs;

		for (uint32_t c = 0; c < oob->n_outputs; c++)
			sum[c] += llrint((double) p[c] * SHARE_UNIT);
	}
}

static void
walk_lanes(WfOutOfBag *oob, const WfGrownTree *tree, const uint32_t *which, int n)
{
	const uint8_t *bins[LANES];
	uint32_t	node[LANES] = {0};
	bool		moved = true;

	for (int j = 0; j < n; j++)
		bins[j] = wf_dataset_row(oob->plan->data, oob->row[which[j]]);
	while (moved)
	{
		moved = false;
		for (int j = 0; j < n; j++)
		{
			const WfGrownNode *at = &tree->nodes[node[j]];

			if (at->left == 0)
				continue;
			node[j] = step(oob, tree, at, bins[j]);
			moved = true;
		}
	}
	for (int j = 0; j < n; j++)
		add_leaf(oob, which[j], tree, &tree->nodes[node[j]]);
}

void
wf_oob_add(WfOutOfBag *oob, uint64_t tree, const WfGrownTree *grown)
{
	uint64_t	key = wf_bag_key(oob->plan, tree);
	uint32_t	which[LANES];
	int			n = 0;

	for (uint32_t i = 0; i < oob->n; i++)
	{
		if (wf_bag_draws(oob->plan, key, oob->row[i]) == 0)
			which[n++] = i;
		if (n == LANES)
		{
			walk_lanes(oob, grown, which, n);
			n = 0;
		}
		if (i % ROWS_PER_CHECK == ROWS_PER_CHECK - 1)
			oob->host->check(oob->host);
	}
	walk_lanes(oob, grown, which, n);
}

void
wf_oob_finish(WfTeam *team, WfOutOfBag *oob, WfFitted *fitted)
{
	size_t		n_sums = (size_t) oob->n * oob->n_outputs;
	_Atomic int64_t *sum = NULL;
	_Atomic int64_t *count = NULL;

	if (team->size > 1)
	{
		sum = wf_team_alloc(team, n_sums + oob->n, sizeof(int64_t));
		count = sum + n_sums;
		for (size_t i = 0; i < n_sums; i++)
			atomic_fetch_add_explicit(&sum[i], oob->sum[i], memory_order_relaxed);
		for (uint32_t i = 0; i < oob->n; i++)
			atomic_fetch_add_explicit(&count[i], oob->count[i], memory_order_relaxed);
		wf_team_barrier(team);
	}
	if (team->rank == 0)
	{
		bool		regression = oob->plan->data->n_classes == 0;
		double		unit = regression ? TARGET_UNIT * oob->plan->scale : SHARE_UNIT;

		fitted->oob_row = wf_alloc(oob->host, oob->n, sizeof(uint32_t));
		fitted->oob_out = wf_alloc(oob->host, n_sums, sizeof(double));
		fitted->n_oob = 0;
		for (uint32_t i = 0; i < oob->n; i++)
		{
			double		trees = (double) (count ? count[i] : oob->count[i]);
			double	   *out = fitted->oob_out + (size_t) fitted->n_oob * oob->n_outputs;

			if (trees <= 0)
				continue;
			for (uint32_t c = 0; c < oob->n_outputs; c++)
			{
				size_t		at = (size_t) i * oob->n_outputs + c;

				out[c] = (double) (sum ? sum[at] : oob->sum[at]) / (unit * trees) +
					(regression ? oob->plan->center : 0);
			}
			fitted->oob_row[fitted->n_oob++] = oob->row[i];
		}
	}
	if (team->size > 1)
		wf_team_free(team, (void *) sum);
}
