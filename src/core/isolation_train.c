/*-------------------------------------------------------------------------
 * isolation_train.c
 *	  Training an isolation forest by a team: scales, trees, and what the
 *	  training rows score.
 *
 * Members grow trees into memory of their own and put them together in the
 * shared section, in the order of the trees.  The section is then opened and
 * every training row scored once: its sum of path lengths is a whole number,
 * so sorting them gives quantiles, threshold and mean without any rounding
 * that depends on the team.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "core/isolation_forms.h"
#include "core/mathx.h"

#define SCORE_ROWS 256
#define CHECK_EVERY 4096
/* Rows whose explanations tell how much a column matters, and what they may cost. */
#define IMPORTANCE_ROWS 64
#define IMPORTANCE_NODES 4000000
#define AUTO_THRESHOLD 0.5

/* What a member keeps of a tree until it is put in place. */
typedef struct Grown
{
	uint32_t	tree;
	size_t		node_at;		/* bytes */
	size_t		bitset_at;
} Grown;

typedef struct Train
{
	const WfTraining *training;
	WfTeam	   *team;
	WfHost	   *host;
	const WfDataset *data;
	WfIsolationPlan plan;
	uint32_t	n_trees;		/* wanted */
	uint32_t	n_grown;		/* fewer when time was up */
	/* shared */
	WfScale    *scales;
	uint32_t   *n_nodes;		/* by tree wanted; 0: time was up */
	uint32_t   *n_bitsets;
	uint8_t    *section;
	size_t		length;
	uint32_t   *paths;			/* by row */
	/* this member's */
	WfBytes		nodes;
	WfBytes		bitsets;
	WfBytes		grown;
} Train;

/* ---- scales ---- */

static bool
is_scaled(uint8_t kind)
{
	return kind == WF_COL_NUMBER || kind == WF_COL_VECTOR;
}

/* Every member finds the same. */
static void
find_scaled(Train *t)
{
	const WfDataset *data = t->data;
	uint32_t   *scaled;

	t->plan.group_feature = WF_NO_GROUP;
	for (uint32_t f = 0; data->kind && f < data->d; f++)
		if (data->kind[f] == WF_COL_GROUP)
			t->plan.group_feature = f;
	if (t->plan.group_feature == WF_NO_GROUP)
		return;
	scaled = wf_alloc(t->host, data->d, sizeof(uint32_t));
	for (uint32_t f = 0; f < data->d; f++)
		if (is_scaled(data->kind[f]))
			scaled[t->plan.n_scaled++] = f;
	t->plan.scaled = scaled;
	for (uint32_t row = 0; row < data->n; row++)
	{
		float		group = data->values[(size_t) row * data->d + t->plan.group_feature];

		if (group >= (float) t->plan.n_groups)
			t->plan.n_groups = (uint32_t) group + 1;
		if (row % CHECK_EVERY == 0)
			t->host->check(t->host);
	}
}

static void
make_scales(Train *t)
{
	size_t		n = wf_size_mul(t->host, (size_t) t->plan.n_groups + 1, t->plan.n_scaled);

	if (t->plan.n_scaled == 0)
		return;
	if (n > t->training->size_limit / sizeof(WfScale))
		t->host->fail(t->host, WF_E_LIMIT, "Scale by a column with fewer values, use fewer columns, or raise wfml.max_model_size.",
					  "medians of %u columns in %u groups take more than wfml.max_model_size allows (%zu bytes)",
					  t->plan.n_scaled, t->plan.n_groups, t->training->size_limit);
	t->scales = wf_team_alloc(t->team, n, sizeof(WfScale));
	wf_robust_scales(t->team, t->data, t->plan.group_feature, t->plan.n_groups,
					 t->plan.scaled, t->plan.n_scaled, t->scales);
	t->plan.scales = t->scales;
}

/* ---- trees ---- */

static uint32_t
depth_limit(uint32_t sample)
{
	uint32_t	depth = 0;

	while ((UINT32_C(1) << depth) < sample)
		depth++;
	return depth;
}

static void
grow_trees(Train *t)
{
	WfIsolationGrower *grower = wf_isolation_grower_create(t->host, &t->plan);
	const WfTraining *training = t->training;

	wf_bytes_init(&t->nodes, t->host);
	wf_bytes_init(&t->bitsets, t->host);
	wf_bytes_init(&t->grown, t->host);
	for (uint32_t tree = (uint32_t) t->team->rank; tree < t->n_trees; tree += (uint32_t) t->team->size)
	{
		Grown		g = {tree, t->nodes.length, t->bitsets.length};

		if (tree > 0 && training->deadline > 0 && t->host->now(t->host) > training->deadline)
			break;
		wf_isolation_grow(grower, tree, &t->nodes, &t->bitsets);
		t->n_nodes[tree] = (uint32_t) ((t->nodes.length - g.node_at) / sizeof(WfIsolationNode));
		t->n_bitsets[tree] = (uint32_t) ((t->bitsets.length - g.bitset_at) / sizeof(WfIsolationBitset));
		wf_bytes_append(&t->grown, &g, sizeof(g));
		t->host->check(t->host);
		if (training->report && t->team->rank == 0)
			t->host->progress(t->host, WF_PHASE_TRAIN, tree, t->n_trees);
	}
	wf_isolation_grower_free(grower);
	wf_team_barrier(t->team);
}

/* The parts of the section; every member finds the same places. */
typedef struct Places
{
	WfIsolationHeader *header;
	WfIsolationTree *trees;
	uint32_t   *scaled;
	WfScale    *scales;
	WfIsolationBitset *bitsets;
	WfIsolationNode *nodes;
} Places;

static void
fill_header(const Train *t, WfIsolationHeader *h)
{
	h->n_features = t->data->d;
	h->n_trees = t->n_grown;
	h->sample = t->plan.sample;
	h->group_feature = t->plan.group_feature;
	h->n_groups = t->plan.n_groups;
	h->n_scaled = t->plan.n_scaled;
	h->threshold = AUTO_THRESHOLD;
}

/* Put this member's trees where they belong; rank 0 also what comes before. */
static void
place_trees(Train *t, const Places *p)
{
	uint32_t	at = 0;
	uint32_t	bitset = 0;
	uint32_t	tree = 0;
	size_t		n_mine = t->grown.length / sizeof(Grown);
	const Grown *mine = (const Grown *) t->grown.data;

	for (uint32_t wanted = 0; wanted < t->n_trees; wanted++)
	{
		uint32_t	n = t->n_nodes[wanted];

		if (n == 0)
			continue;
		if (t->team->rank == 0)
			p->trees[tree] = (WfIsolationTree) {at, n};
		if (n_mine > 0 && mine->tree == wanted)
		{
			memcpy(p->nodes + at, t->nodes.data + mine->node_at, n * sizeof(WfIsolationNode));
			if (t->n_bitsets[wanted])
				memcpy(p->bitsets + bitset, t->bitsets.data + mine->bitset_at,
					   t->n_bitsets[wanted] * sizeof(WfIsolationBitset));
			for (uint32_t i = at; i < at + n; i++)
				if (p->nodes[i].feature != WF_ISOLATION_LEAF && t->data->is_category[p->nodes[i].feature])
					p->nodes[i].bitset += bitset;
			mine++;
			n_mine--;
		}
		at += n;
		bitset += t->n_bitsets[wanted];
		tree++;
		if (wanted % 64 == 0)
			t->host->check(t->host);
	}
}

/* Collective: the section in shared memory, but for what the training rows score. */
static void
put_together(Train *t)
{
	WfHost	   *host = t->host;
	WfIsolationHeader h;
	size_t		n_nodes = 0;
	size_t		n_bitsets = 0;
	size_t		n_scales = t->plan.n_scaled ? ((size_t) t->plan.n_groups + 1) * t->plan.n_scaled : 0;
	Places		p;

	memset(&h, 0, sizeof(h));
	for (uint32_t i = 0; i < t->n_trees; i++)
	{
		t->n_grown += t->n_nodes[i] > 0;
		n_nodes += t->n_nodes[i];
		n_bitsets += t->n_bitsets[i];
	}
	fill_header(t, &h);
	h.n_nodes = (uint32_t) n_nodes;
	h.n_bitsets = (uint32_t) n_bitsets;
	t->length = sizeof(h) + t->n_grown * sizeof(WfIsolationTree) + t->plan.n_scaled * sizeof(uint32_t) +
		n_scales * sizeof(WfScale) + n_bitsets * sizeof(WfIsolationBitset) + n_nodes * sizeof(WfIsolationNode);
	t->section = wf_team_alloc(t->team, t->length, 1);
	p.header = (WfIsolationHeader *) t->section;
	p.trees = (WfIsolationTree *) (p.header + 1);
	p.scaled = (uint32_t *) (p.trees + t->n_grown);
	p.scales = (WfScale *) (p.scaled + t->plan.n_scaled);
	p.bitsets = (WfIsolationBitset *) (p.scales + n_scales);
	p.nodes = (WfIsolationNode *) (p.bitsets + n_bitsets);
	if (t->team->rank == 0)
	{
		memcpy(p.header, &h, sizeof(h));
		if (t->plan.n_scaled)
		{
			memcpy(p.scaled, t->plan.scaled, t->plan.n_scaled * sizeof(uint32_t));
			memcpy(p.scales, t->scales, n_scales * sizeof(WfScale));
		}
	}
	place_trees(t, &p);
	wf_bytes_free(&t->nodes);
	wf_bytes_free(&t->bitsets);
	wf_bytes_free(&t->grown);
	wf_team_barrier(t->team);
	host->check(host);
}

/* ---- scores of the training rows ---- */

/* Collective: sums of path lengths of every row. */
static WfIsolation *
score_rows(Train *t)
{
	WfHost	   *host = t->host;
	const WfDataset *data = t->data;
	WfIdMap		groups = {.n = t->plan.n_groups};
	WfShape		shape = {.n_features = data->d, .n_outputs = 1, .is_category = data->is_category,
	.ids = {&groups}};
	WfIsolation *m = wf_isolation_open(host, t->section, t->length, &shape);
	size_t		begin,
				end;

	t->paths = wf_team_alloc(t->team, data->n, sizeof(uint32_t));
	wf_team_part(t->team, data->n, &begin, &end);
	for (size_t i = begin; i < end; i += SCORE_ROWS)
	{
		size_t		some = end - i < SCORE_ROWS ? end - i : SCORE_ROWS;

		wf_isolation_paths(host, m, data->values + i * data->d, some, t->paths + i);
		host->check(host);
	}
	wf_team_barrier(t->team);
	return m;
}

/* Sorted path sums; the longest path is the lowest score. */
typedef struct Scores
{
	const WfIsolation *m;
	const uint32_t *paths;
	size_t		n;
} Scores;

static double
score_of(const WfIsolation *m, uint32_t path)
{
	return wf_exp(wf_isolation_raw(m, path));
}

static double
score_at(const void *arg, size_t i)
{
	const Scores *s = arg;

	return score_of(s->m, s->paths[s->n - 1 - i]);
}

/* Rows that score above the threshold. */
static size_t
count_above(const Scores *s, double threshold)
{
	size_t		low = 0;
	size_t		high = s->n;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (score_of(s->m, s->paths[middle]) > threshold)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static double
mean_score(WfHost *host, const Scores *s)
{
	double		sum = 0;
	double		score = 0;

	for (size_t i = 0; i < s->n; i++)
	{
		if (i == 0 || s->paths[i] != s->paths[i - 1])
			score = score_of(s->m, s->paths[i]);
		sum += score;
		if (i % CHECK_EVERY == 0)
			host->check(host);
	}
	return sum / (double) s->n;
}

/* Rank 0: quantiles, threshold, share flagged, mean. */
static void
settle(Train *t, const WfIsolation *m)
{
	const WfSpec *spec = t->training->spec;
	WfIsolationHeader *h = (WfIsolationHeader *) t->section;
	uint32_t   *scratch = wf_alloc(t->host, t->data->n, sizeof(uint32_t));
	Scores		s = {m, t->paths, t->data->n};

	wf_sort_keys(t->host, t->paths, scratch, s.n);
	wf_release(t->host, scratch);
	for (int q = 0; q <= WF_ISOLATION_QUANTILES; q++)
		h->quantile[q] = wf_sorted_quantile(score_at, &s, s.n, (double) q / WF_ISOLATION_QUANTILES);
	if (!wf_spec_is(spec, "contamination", "auto"))
		h->threshold = wf_sorted_quantile(score_at, &s, s.n, 1 - wf_spec_number(spec, "contamination"));
	h->flagged = (double) count_above(&s, h->threshold) / (double) s.n;
	h->mean = mean_score(t->host, &s);
}

/* ---- the result ---- */

/* Cuts by feature. */
static void
count_cuts(const Train *t, const WfIsolation *m, double *splits)
{
	for (uint32_t i = 0; i < m->header->n_nodes; i++)
		if (m->nodes[i].feature != WF_ISOLATION_LEAF)
			splits[m->nodes[i].feature]++;
	t->host->check(t->host);
}

/* Mean size of a feature's contribution to the raw output, over rows spread over the canonical order. */
static void
weigh_features(const Train *t, const WfIsolation *m, double *gain)
{
	uint32_t	d = t->data->d;
	uint32_t	n = IMPORTANCE_NODES / m->header->n_nodes;
	double	   *phi = wf_alloc(t->host, (size_t) d + 1, sizeof(double));

	n = n > IMPORTANCE_ROWS ? IMPORTANCE_ROWS : n;
	n = n > t->data->n ? t->data->n : n;
	for (uint32_t i = 0; i < n; i++)
	{
		size_t		row = (size_t) i * t->data->n / n;

		wf_isolation_explain(t->host, m, t->data->values + row * d, 0, phi);
		for (uint32_t f = 0; f < d; f++)
			gain[f] += fabs(phi[f]) / n;
	}
	wf_release(t->host, phi);
}

static void
give_result(Train *t, const WfIsolation *m, WfFitted *fitted)
{
	WfHost	   *host = t->host;
	const WfIsolationHeader *h = (const WfIsolationHeader *) t->section;
	uint32_t	d = t->data->d;

	wf_bytes_init(&fitted->section, host);
	wf_bytes_append(&fitted->section, t->section, t->length);
	fitted->gain = wf_alloc_zero(host, d, sizeof(double));
	fitted->splits = wf_alloc_zero(host, d, sizeof(double));
	count_cuts(t, m, fitted->splits);
	weigh_features(t, m, fitted->gain);
	fitted->rounds = (int) t->n_grown;
	fitted->time_limited = t->n_grown < t->n_trees;
	fitted->facts[fitted->n_facts++] = (WfFact) {"flagged", h->flagged};
	fitted->facts[fitted->n_facts++] = (WfFact) {"threshold", h->threshold};
	fitted->facts[fitted->n_facts++] = (WfFact) {"mean_score", h->mean};
	if (t->training->report && wf_spec_is(t->training->spec, "contamination", "auto"))
		host->notice(host, "%.2f %% of the training rows score above 0.5 and count as anomalies", 100 * h->flagged);
	if (t->training->report)
		host->progress(host, WF_PHASE_TRAIN, t->n_trees, t->n_trees);
}

void
wf_isolation_train(const WfTraining *training, WfFitted *fitted)
{
	Train		t = {.training = training, .team = training->team, .host = training->team->host,
	.data = training->data};
	WfIsolation *m;

	t.n_trees = (uint32_t) wf_spec_number(training->spec, "trees");
	t.plan.data = t.data;
	t.plan.seed = training->spec->seed;
	t.plan.sample = (uint32_t) wf_spec_number(training->spec, "sample_size");
	if (t.plan.sample > t.data->n)
		t.plan.sample = t.data->n;
	t.plan.depth = depth_limit(t.plan.sample);
	find_scaled(&t);
	make_scales(&t);
	t.n_nodes = wf_team_alloc(t.team, t.n_trees, sizeof(uint32_t));
	t.n_bitsets = wf_team_alloc(t.team, t.n_trees, sizeof(uint32_t));
	grow_trees(&t);
	put_together(&t);
	m = score_rows(&t);
	memset(fitted, 0, sizeof(*fitted));
	fitted->link = WF_LINK_EXP;
	if (t.team->rank == 0)
	{
		settle(&t, m);
		give_result(&t, m, fitted);
	}
	wf_team_barrier(t.team);
	wf_team_free(t.team, t.paths);
	wf_team_free(t.team, t.section);
	wf_team_free(t.team, t.n_bitsets);
	wf_team_free(t.team, t.n_nodes);
	if (t.scales)
		wf_team_free(t.team, t.scales);
}
