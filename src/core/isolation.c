/*-------------------------------------------------------------------------
 * isolation.c
 *	  Parameters of isolation forests, reading and predicting.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "core/isolation_forms.h"
#include "core/mathx.h"

#define LN2 0.693147180559945309417
#define EULER 0.577215664901532860607
#define CHECK_NODES 65536
/* Path sums kept on the stack while a block is predicted. */
#define BLOCK_ROWS 1024

const WfParam wf_isolation_params[] = {
	{"trees", WF_PARAM_INT, 1, WF_ISOLATION_MAX_TREES, "100", NULL,
	"Number of trees; more make scores steadier."},
	{"sample_size", WF_PARAM_INT, 2, WF_ISOLATION_MAX_SAMPLE, "256", NULL,
	"Rows that each tree is grown from; all rows when there are fewer."},
	{"contamination", WF_PARAM_REAL, 0.0001, 0.5, "auto", "auto",
	"Share of the training rows to flag as anomalies; \"auto\" flags scores above 0.5."},
	{"scale_by", WF_PARAM_COLUMN, 0, 0, NULL, NULL,
	"Column of groups: numbers are scaled by the median and interquartile range of the row's group, so that rows are odd for their group; it is no feature."},
	{"validation", WF_PARAM_WORD, 0, 0, "none", "none",
	"Without a target there is nothing to hold out; wfml.evaluate() measures against labels."},
	{.name = NULL}
};

size_t
wf_isolation_payload(const WfSpec *spec, int n_classes, bool weighted)
{
	(void) spec;
	(void) n_classes;
	(void) weighted;
	return 0;
}

void
wf_isolation_estimate(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes,
					  size_t *memory, size_t *artifact)
{
	size_t		sample = (size_t) wf_spec_number(spec, "sample_size");
	size_t		trees = (size_t) wf_spec_number(spec, "trees");

	(void) n_classes;
	if (sample > n)
		sample = (size_t) n;
	/* About half of the nodes that a tree could have, and twice while they are put together. */
	*artifact = sizeof(WfIsolationHeader) + trees * (sizeof(WfIsolationTree) + sample * sizeof(WfIsolationNode));
	*memory = 3 * *artifact + sample * d * sizeof(float) + (size_t) n * 3 * sizeof(uint32_t);
}

/* c(n): 0 of one row, 1 of two; then 2 H(n - 1) - 2 (n - 1) / n. */
uint32_t
wf_isolation_average_path(uint32_t n)
{
	double		c;

	if (n <= 2)
		return n == 2 ? WF_PATH_UNIT : 0;
	c = 2 * (wf_log(n - 1.0) + EULER) - 2 * (n - 1.0) / n;
	return (uint32_t) (c * WF_PATH_UNIT + 0.5);
}

/* ---- verifying ---- */

static void fail_corrupt(WfHost *host) __attribute__((noreturn));

static void
fail_corrupt(WfHost *host)
{
	host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "isolation forest is damaged");
}

static void
verify_header(WfHost *host, const WfIsolationHeader *h, const WfShape *shape)
{
	double		last = 0;

	if (h->n_features != shape->n_features || shape->n_outputs != 1 || shape->n_classes != 0 ||
		h->n_trees < 1 || h->n_trees > WF_ISOLATION_MAX_TREES ||
		h->sample < 1 || h->sample > WF_ISOLATION_MAX_SAMPLE ||
		h->n_nodes < h->n_trees || h->n_bitsets > h->n_nodes || h->n_scaled > h->n_features)
		fail_corrupt(host);
	if (h->group_feature == WF_NO_GROUP ? h->n_groups != 0 || h->n_scaled != 0 :
		h->group_feature >= h->n_features || shape->is_category[h->group_feature] ||
		h->n_groups > WF_IDMAP_MAX || shape->ids[0] == NULL || shape->ids[0]->n != h->n_groups)
		fail_corrupt(host);
	/* Written so that NaN fails too. */
	if (!(h->threshold >= 0 && h->threshold <= 1) || !(h->flagged >= 0 && h->flagged <= 1) ||
		!(h->mean >= 0 && h->mean <= 1))
		fail_corrupt(host);
	for (int q = 0; q <= WF_ISOLATION_QUANTILES; q++)
	{
		if (!(h->quantile[q] >= last && h->quantile[q] <= 1))
			fail_corrupt(host);
		last = h->quantile[q];
	}
}

/* Where the parts lie; the header's counts must be those of the length. */
static void
find_parts(WfHost *host, WfIsolation *m, size_t length)
{
	const WfIsolationHeader *h = m->header;
	uint64_t	n_scales = ((uint64_t) h->n_groups + 1) * h->n_scaled;	/* below 2^47 */
	uint64_t	want = sizeof(*h) + h->n_trees * (uint64_t) sizeof(WfIsolationTree) +
		h->n_scaled * (uint64_t) sizeof(uint32_t) + n_scales * sizeof(WfScale) +
		h->n_bitsets * (uint64_t) sizeof(WfIsolationBitset) + h->n_nodes * (uint64_t) sizeof(WfIsolationNode);

	if (want != length)
		fail_corrupt(host);
	m->trees = (const WfIsolationTree *) (h + 1);
	m->scaled = (const uint32_t *) (m->trees + h->n_trees);
	m->scales = (const WfScale *) (m->scaled + h->n_scaled);
	m->bitsets = (const WfIsolationBitset *) (m->scales + n_scales);
	m->nodes = (const WfIsolationNode *) (m->bitsets + h->n_bitsets);
}

static void
verify_scales(WfHost *host, const WfIsolation *m, const WfShape *shape)
{
	const WfIsolationHeader *h = m->header;
	size_t		n = ((size_t) h->n_groups + 1) * h->n_scaled;

	for (uint32_t j = 0; j < h->n_scaled; j++)
		if (m->scaled[j] >= h->n_features || shape->is_category[m->scaled[j]] ||
			m->scaled[j] == h->group_feature || (j > 0 && m->scaled[j] <= m->scaled[j - 1]))
			fail_corrupt(host);
	for (size_t i = 0; i < n; i++)
	{
		if (!isfinite(m->scales[i].centre) || !isfinite(m->scales[i].inverse) || m->scales[i].inverse == 0)
			fail_corrupt(host);
		if (i % CHECK_NODES == 0)
			host->check(host);
	}
}

static void
verify_cut(WfHost *host, const WfIsolation *m, const WfIsolationNode *node)
{
	if (node->feature >= m->header->n_features || node->feature == m->header->group_feature ||
		(m->is_category[node->feature] ? node->bitset >= m->header->n_bitsets : !isfinite(node->threshold)))
		fail_corrupt(host);
}

/*
 * Breadth first with siblings adjacent, so the children of the k-th cut are
 * the (2 k + 1)-th and the next node.  depth is scratch.
 */
static void
verify_tree(WfHost *host, const WfIsolation *m, const WfIsolationTree *tree, uint8_t *depth)
{
	const WfIsolationNode *node = m->nodes + tree->first_node;
	uint32_t	next = 1;

	depth[0] = 0;
	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		if (i >= next || node[i].rows < 1 || node[i].rows > m->header->sample)
			fail_corrupt(host);
		if (node[i].feature == WF_ISOLATION_LEAF)
		{
			if (node[i].path > WF_PATH_MAX)
				fail_corrupt(host);
			continue;
		}
		verify_cut(host, m, &node[i]);
		if (node[i].left != next || next + 2 > tree->n_nodes || depth[i] >= WF_ISOLATION_MAX_DEPTH ||
			(uint64_t) node[next].rows + node[next + 1].rows != node[i].rows)
			fail_corrupt(host);
		depth[next] = depth[next + 1] = (uint8_t) (depth[i] + 1);
		next += 2;
	}
	if (next != tree->n_nodes || node[0].rows != m->header->sample)
		fail_corrupt(host);
}

static void
verify_trees(WfHost *host, const WfIsolation *m)
{
	uint8_t    *depth = wf_alloc(host, 2 * (size_t) WF_ISOLATION_MAX_SAMPLE, 1);
	uint32_t	at = 0;
	uint32_t	seen = 0;

	for (uint32_t t = 0; t < m->header->n_trees; t++)
	{
		const WfIsolationTree *tree = &m->trees[t];

		if (tree->first_node != at || tree->n_nodes < 1 || tree->n_nodes > m->header->n_nodes - at ||
			tree->n_nodes >= 2 * WF_ISOLATION_MAX_SAMPLE)
			fail_corrupt(host);
		verify_tree(host, m, tree, depth);
		at += tree->n_nodes;
		seen += tree->n_nodes;
		if (seen >= CHECK_NODES)
		{
			seen = 0;
			host->check(host);
		}
	}
	if (at != m->header->n_nodes)
		fail_corrupt(host);
	wf_release(host, depth);
}

/* By feature, where its scale is among those of a group. */
static void
find_scales(WfHost *host, WfIsolation *m)
{
	uint32_t   *scale_of;

	if (m->header->n_scaled == 0)
		return;
	scale_of = wf_alloc(host, m->header->n_features, sizeof(uint32_t));
	memset(scale_of, 0xff, m->header->n_features * sizeof(uint32_t));
	for (uint32_t j = 0; j < m->header->n_scaled; j++)
		scale_of[m->scaled[j]] = j;
	m->scale_of = scale_of;
}

void *
wf_isolation_open(WfHost *host, const void *section, size_t length, const WfShape *shape)
{
	const WfIsolationHeader *h = section;
	WfIsolation *m;
	uint32_t	average;

	if (length < sizeof(*h) || (uintptr_t) section % 8 != 0)
		fail_corrupt(host);
	verify_header(host, h, shape);
	m = wf_alloc_zero(host, 1, sizeof(*m));
	m->header = h;
	m->is_category = shape->is_category;
	find_parts(host, m, length);
	verify_scales(host, m, shape);
	verify_trees(host, m);
	find_scales(host, m);
	average = wf_isolation_average_path(h->sample);
	if (average > 0)
		m->factor = -LN2 / ((double) h->n_trees * average);
	else
		m->raw_alone = -LN2;	/* one row tells nothing: 0.5 */
	wf_isolation_make_program(host, m);
	return m;
}

/* ---- predicting ---- */

void
wf_isolation_predict(const void *opened, const float *x, double *out)
{
	wf_isolation_predict_block(opened, x, 1, out);
}

void
wf_isolation_predict_block(const void *opened, const float *x, size_t n, double *out)
{
	const WfIsolation *m = opened;
	uint32_t	paths[BLOCK_ROWS];

	while (n > 0)
	{
		size_t		some = n < BLOCK_ROWS ? n : BLOCK_ROWS;

		wf_isolation_paths(NULL, m, x, some, paths);
		for (size_t i = 0; i < some; i++)
			out[i] = wf_isolation_raw(m, paths[i]);
		x += some * m->header->n_features;
		out += some;
		n -= some;
	}
}

void
wf_isolation_score_row(const void *opened, const WfDataset *data, const uint8_t *record, uint32_t id, double *out)
{
	(void) record;
	wf_isolation_predict_block(opened, data->values + (size_t) id * data->d, 1, out);
}

const WfIsolationHeader *
wf_isolation_facts(const void *opened)
{
	return ((const WfIsolation *) opened)->header;
}

const WfScale *
wf_isolation_scales(const void *opened, uint32_t group, const uint32_t **features)
{
	const WfIsolation *m = opened;

	*features = m->scaled;
	return m->header->n_scaled ? m->scales + (size_t) group * m->header->n_scaled : NULL;
}

double
wf_isolation_confidence(const void *opened, double score)
{
	const double *q = wf_isolation_facts(opened)->quantile;
	int			low = 0;
	int			high = WF_ISOLATION_QUANTILES + 1;

	/* the first quantile that is not below the score */
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (q[middle] < score)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return 0;
	if (low > WF_ISOLATION_QUANTILES)
		return 1;
	return (low - 1 + (score - q[low - 1]) / (q[low] - q[low - 1])) / WF_ISOLATION_QUANTILES;
}
