/*-------------------------------------------------------------------------
 * forest.c
 *	  Random forest: parameters, trees handed out to members, size, model.
 *
 * A tree is grown by one member and depends on (plan, tree number) only, so
 * members take the next number whenever they are free, and the model is the
 * same for any team.
 *-------------------------------------------------------------------------
 */
#include "core/forest.h"

#include <math.h>
#include <string.h>

#include "core/grow.h"
#include "core/outofbag.h"
#include "core/tree.h"

/*
 * min_samples_leaf "auto": the size of the model is projected from this many
 * trees, the same for any team.
 */
#define FIRST_TREES 4
#define AUTO_LIMIT ((size_t) 256 << 20)
/* Trees differ a little in size; stay this much below a limit. */
#define MARGIN 0.97
#define TARGET_LIMIT 1e37

const WfParam wf_forest_params[] = {
	{"trees", WF_PARAM_INT, 1, 10000, "100", NULL,
	"Number of trees."},
	{"max_depth", WF_PARAM_INT, 1, 1000000, "none", "none",
	"Splits on the longest path of a tree."},
	{"min_samples_leaf", WF_PARAM_INT, 1, 1e9, "auto", "auto",
	"Rows drawn for a tree that a leaf holds at least; \"auto\" is 1, or more when the model would get larger than 256 MB."},
	{"max_leaf_nodes", WF_PARAM_INT, 2, 1e9, "none", "none",
	"Leaves of a tree at most; trees then grow best split first."},
	{"max_features", WF_PARAM_REAL, 0.001, 65000, "auto", "auto|sqrt|third|all",
	"Features tried at each split: a count, a fraction below 1, the square root of their number, a third or all of them; \"auto\" is sqrt for classification and third for regression."},
	{"bootstrap", WF_PARAM_BOOL, 0, 1, "true", NULL,
	"Give each tree its own draw of the rows, with replacement; otherwise all rows."},
	{"max_bins", WF_PARAM_INT, 2, 255, "255", NULL,
	"Bins that the values of a feature are put into."},
	{"cat_smooth", WF_PARAM_REAL, 0, 1e6, "10", NULL,
	"Rows of the node's average added to each level of a category before levels are ordered."},
	{.name = NULL}
};

/* A tree that is done, in memory that all members see. */
typedef struct Done
{
	uint64_t	size;			/* of the packed tree; 0: not done */
	uint32_t	owner;			/* rank of the member that has it */
} Done;

/* One training, in one member. */
typedef struct Forest
{
	const WfTraining *training;
	WfTeam	   *team;
	WfHost	   *host;
	WfForestPlan plan;
	WfSlots    *slots;
	WfLeafKind	leaf;
	WfGrower   *grower;
	WfOutOfBag *oob;			/* NULL without bootstrap */
	WfBytes		scratch;		/* one packed tree */
	uint32_t	n_trees;
	uint8_t   **tree;			/* packed trees of this member, NULL elsewhere */
	Done	   *done;			/* shared, n_trees */
} Forest;

size_t
wf_forest_payload(const WfSpec *spec, int n_classes, bool weighted)
{
	(void) spec;
	(void) n_classes;
	(void) weighted;
	return 0;
}

/* ---- parameters ---- */

static uint32_t
max_features(const WfSpec *spec, uint32_t d)
{
	const char *word = wf_spec_word(spec, "max_features");
	double		number = word ? 0 : wf_spec_number(spec, "max_features");

	if (word && strcmp(word, "auto") == 0)
		word = spec->task == WF_REGRESSION ? "third" : "sqrt";
	if (word && strcmp(word, "sqrt") == 0)
		number = floor(sqrt((double) d));
	else if (word && strcmp(word, "third") == 0)
		number = floor((double) d / 3);
	else if (word)
		number = d;
	else if (number < 1)
		number = floor(number * d);
	number = number < 1 ? 1 : number;
	return number > d ? d : (uint32_t) number;
}

static uint32_t
number_or(const WfSpec *spec, const char *name, uint32_t otherwise)
{
	return wf_spec_word(spec, name) ? otherwise : (uint32_t) wf_spec_number(spec, name);
}

/* Leaves are floats. */
static void
check_targets(const WfForestPlan *plan, WfHost *host)
{
	double		reach = fabs(plan->center) + 0x1.0p30 / plan->scale;

	if (plan->data->target && !(reach < TARGET_LIMIT))
		host->fail(host, WF_E_DATA, "Divide the target by a constant.",
				   "target values around %g are too large for a random forest", reach);
}

static void
make_plan(Forest *f)
{
	const WfTraining *training = f->training;
	const WfSpec *spec = training->spec;
	WfForestPlan *plan = &f->plan;

	memset(plan, 0, sizeof(*plan));
	plan->data = training->data;
	plan->out_fold = training->data->fold ? training->out_fold : -1;
	plan->seed = spec->seed;
	plan->bootstrap = wf_spec_bool(spec, "bootstrap");
	plan->max_features = max_features(spec, training->data->d);
	plan->max_depth = number_or(spec, "max_depth", UINT32_MAX);
	plan->min_leaf = number_or(spec, "min_samples_leaf", 1);
	plan->max_leaves = number_or(spec, "max_leaf_nodes", 0);
	plan->cat_smooth = wf_spec_number(spec, "cat_smooth");
	if (f->team->rank == 0)
	{
		wf_bag_prepare(plan, f->host);
		check_targets(plan, f->host);
	}
	wf_team_broadcast(f->team, plan, sizeof(*plan));
	plan->data = training->data;	/* shared memory may lie elsewhere here */
	plan->slots = f->slots;
}

/* ---- growing ---- */

static void
grow_tree(Forest *f, uint32_t t)
{
	WfGrownTree grown;
	size_t		size;

	wf_grower_grow(f->grower, t, &grown);
	if (f->oob && !wf_grower_drew_all(f->grower))
		wf_oob_add(f->oob, t, &grown);
	f->scratch.length = 0;
	size = wf_tree_pack(&f->scratch, f->slots, f->leaf, f->plan.data->n_classes, &grown);
	f->tree[t] = wf_alloc(f->host, size, 1);
	memcpy(f->tree[t], f->scratch.data + f->scratch.length - size, size);
	f->done[t].owner = (uint32_t) f->team->rank;
	f->done[t].size = size;
}

/*
 * Trees [first, last), taken by whoever is free.  Past the deadline no tree
 * is begun but the first one.  Ends with a barrier.
 */
static void
grow_trees(Forest *f, uint32_t first, uint32_t last)
{
	double		deadline = f->training->deadline;

	wf_team_restart(f->team);
	for (;;)
	{
		uint64_t	t = first + wf_team_next(f->team);

		if (t >= last)
			break;
		if (t > 0 && deadline > 0 && f->host->now(f->host) > deadline)
			break;
		grow_tree(f, (uint32_t) t);
		if (f->training->report && f->team->rank == 0)
			f->host->progress(f->host, WF_PHASE_TRAIN, t + 1, f->n_trees);
	}
	wf_team_barrier(f->team);
}

/* Trees done without a gap from the first. */
static uint32_t
trees_done(const Forest *f)
{
	uint32_t	n = 0;

	while (n < f->n_trees && f->done[n].size)
		n++;
	return n;
}

static void
forget_trees(Forest *f, uint32_t n)
{
	for (uint32_t t = 0; t < n; t++)
	{
		wf_release(f->host, f->tree[t]);
		f->tree[t] = NULL;
	}
	wf_team_barrier(f->team);
	if (f->team->rank == 0)
		memset(f->done, 0, f->n_trees * sizeof(Done));
	wf_team_barrier(f->team);
	wf_grower_reset(f->grower);
	if (f->oob)
		wf_oob_reset(f->oob);
}

/* Size of the model, were all trees like the first n. */
static double
projected_size(const Forest *f, uint32_t n)
{
	double		sum = 0;

	for (uint32_t t = 0; t < n; t++)
		sum += (double) f->done[t].size;
	return n ? sum / n * f->n_trees : 0;
}

static void
refuse(const Forest *f, double size, double limit)
{
	if (f->team->rank == 0)
		f->host->fail(f->host, WF_E_LIMIT,
					  "Raise \"min_samples_leaf\", set \"max_depth\" or use fewer \"trees\".",
					  "the forest would take about %.0f MB, more than the limit of %.0f MB",
					  size / 1048576, limit / 1048576);
	wf_team_barrier(f->team);	/* where the others hear of it */
}

/*
 * The first trees decide whether the model fits.  With "auto" leaves are made
 * larger until it does; the leaves' number goes about with 1/min_leaf once
 * that is larger than the purest leaves.
 */
static void
settle_size(Forest *f, uint32_t first)
{
	const WfSpec *spec = f->training->spec;
	bool		by_rule = wf_spec_word(spec, "min_samples_leaf") != NULL;
	size_t		size_limit = f->training->size_limit ? f->training->size_limit : SIZE_MAX;
	double		limit = MARGIN * (double) (by_rule && size_limit > AUTO_LIMIT ? AUTO_LIMIT : size_limit);
	double		full = projected_size(f, trees_done(f));
	double		size = full;

	while (size > limit)
	{
		double		min_leaf = ceil(f->plan.min_leaf * size / limit);

		if (!by_rule || min_leaf > f->plan.data->n || trees_done(f) < first)
			refuse(f, size, limit / MARGIN);
		f->plan.min_leaf = min_leaf > f->plan.min_leaf ? (uint32_t) min_leaf : f->plan.min_leaf + 1;
		forget_trees(f, first);
		grow_trees(f, 0, first);
		size = projected_size(f, trees_done(f));
	}
	if (size < full && f->team->rank == 0 && f->training->report)
		f->host->notice(f->host, "\"min_samples_leaf\" is %u, so that the forest takes about %.0f MB instead of %.0f MB",
						f->plan.min_leaf, size / 1048576, full / 1048576);
}

/* ---- the model ---- */

/*
 * Rank 0 needs every tree; it has its own, the others copy theirs into one
 * shared block.  Returns the block (NULL for a team of one).
 */
static uint8_t *
collect_trees(Forest *f, uint32_t n, const uint8_t **trees)
{
	uint8_t    *block;
	size_t		total = 0;

	if (f->team->size > 1)
	{
		for (uint32_t t = 0; t < n; t++)
			if (f->done[t].owner != 0)
				total = wf_size_add(f->host, total, f->done[t].size);
		block = wf_team_alloc(f->team, total ? total : 1, 1);
	}
	else
		block = NULL;
	total = 0;
	for (uint32_t t = 0; t < n; t++)
	{
		trees[t] = f->tree[t];
		if (f->done[t].owner == 0)
			continue;
		trees[t] = block + total;
		if (f->tree[t])
		{
			memcpy(block + total, f->tree[t], f->done[t].size);
			wf_release(f->host, f->tree[t]);
			f->tree[t] = NULL;
		}
		total += f->done[t].size;
	}
	wf_team_barrier(f->team);
	return block;
}

/* Collective: gains and numbers of splits of all members, on rank 0. */
static void
collect_importance(Forest *f, WfFitted *fitted)
{
	uint32_t	d = f->plan.data->d;
	int64_t    *all = wf_team_alloc(f->team, (size_t) f->team->size, (size_t) d * 2 * sizeof(int64_t));
	int64_t    *mine = all + (size_t) f->team->rank * d * 2;
	double		unit = 0x1.0p-40;

	/* regression: from fixed-point variance to the target's unit, squared */
	if (f->plan.data->n_classes == 0)
		unit *= 0x1.0p60 / f->plan.scale / f->plan.scale;
	memcpy(mine, wf_grower_gain(f->grower), d * sizeof(int64_t));
	memcpy(mine + d, wf_grower_splits(f->grower), d * sizeof(int64_t));
	wf_team_barrier(f->team);
	if (f->team->rank == 0)
	{
		fitted->gain = wf_alloc(f->host, d, sizeof(double));
		fitted->splits = wf_alloc(f->host, d, sizeof(double));
		for (uint32_t j = 0; j < d; j++)
		{
			int64_t		gain = 0;
			int64_t		splits = 0;

			for (int r = 0; r < f->team->size; r++)
			{
				gain += all[(size_t) r * d * 2 + j];
				splits += all[(size_t) r * d * 2 + d + j];
			}
			fitted->gain[j] = (double) gain * unit;
			fitted->splits[j] = (double) splits;
		}
	}
	wf_team_free(f->team, all);
}

static void
write_model(Forest *f, WfFitted *fitted)
{
	uint32_t	n = trees_done(f);
	const uint8_t **trees = wf_alloc(f->host, n, sizeof(*trees));
	uint8_t    *block = collect_trees(f, n, trees);
	int			k = f->plan.data->n_classes;

	if (f->team->rank == 0)
	{
		wf_bytes_init(&fitted->section, f->host);
		wf_ensemble_write(&fitted->section, f->slots, f->leaf, WF_COMBINE_MEAN, k, wf_n_outputs(k),
						  k ? NULL : &f->plan.base, n, trees);
		fitted->link = k ? WF_LINK_PROBABILITY : WF_LINK_IDENTITY;
		fitted->rounds = (int) n;
		fitted->time_limited = n < f->n_trees;
	}
	for (uint32_t t = 0; t < f->n_trees; t++)
		wf_release(f->host, f->tree[t]);
	if (f->team->size > 1)
		wf_team_free(f->team, block);
	wf_release(f->host, trees);
}

void
wf_forest_train(const WfTraining *training, WfFitted *fitted)
{
	Forest		f = {.training = training, .team = training->team, .host = training->team->host};
	const WfDataset *data = training->data;
	uint32_t	first;

	memset(fitted, 0, sizeof(*fitted));
	f.n_trees = (uint32_t) wf_spec_number(training->spec, "trees");
	f.leaf = data->n_classes ? WF_LEAF_CLASS : WF_LEAF_VALUE;
	f.slots = wf_slots_create(f.host, data->d, data->is_category, data->has_missing);
	make_plan(&f);
	f.grower = wf_grower_create(f.host, &f.plan);
	if (f.plan.bootstrap)
		f.oob = wf_oob_create(f.host, &f.plan);
	wf_bytes_init(&f.scratch, f.host);
	f.tree = wf_alloc_zero(f.host, f.n_trees, sizeof(*f.tree));
	f.done = wf_team_alloc(f.team, f.n_trees, sizeof(Done));

	first = f.n_trees < FIRST_TREES ? f.n_trees : FIRST_TREES;
	grow_trees(&f, 0, first);
	settle_size(&f, first);
	if (trees_done(&f) == first)
		grow_trees(&f, first, f.n_trees);

	collect_importance(&f, fitted);
	if (f.oob)
		wf_oob_finish(f.team, f.oob, fitted);
	wf_grower_free(f.grower);
	wf_bytes_free(&f.scratch);
	write_model(&f, fitted);
	wf_team_free(f.team, f.done);
}

/* ---- estimates ---- */

/*
 * Words and ratios of trees on noisy data: about 0.3 leaves a row, 10 bytes a
 * leaf; clean data need less.  Limits on leaves count where they are tighter.
 */
void
wf_forest_estimate(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes,
				   size_t *memory, size_t *artifact)
{
	double		trees = wf_spec_number(spec, "trees");
	double		leaves = 0.3 * (double) n / number_or(spec, "min_samples_leaf", 1);
	double		depth = number_or(spec, "max_depth", 64);
	double		most = number_or(spec, "max_leaf_nodes", UINT32_MAX);
	double		bytes;

	leaves = leaves < most ? leaves : most;
	if (depth < 32 && leaves > ldexp(1.0, (int) depth))
		leaves = ldexp(1.0, (int) depth);
	bytes = trees * (10 * leaves + 128);
	if (wf_spec_word(spec, "min_samples_leaf") && bytes > AUTO_LIMIT)
		bytes = AUTO_LIMIT;
	*artifact = (size_t) bytes;
	*memory = wf_grower_bytes(n, d, n_classes, false) + wf_oob_bytes(n, n_classes) +
		(size_t) (leaves * 2 * sizeof(WfGrownNode)) + 2 * *artifact;
}
