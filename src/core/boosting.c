/*-------------------------------------------------------------------------
 * boosting.c
 *	  Gradient boosting: parameters, the loop over rounds, the ensemble.
 *-------------------------------------------------------------------------
 */
#include "core/boosting.h"

#include "core/booster.h"

const WfParam wf_boosting_params[] = {
	{"rounds", WF_PARAM_INT, 1, 100000, "100", NULL,
	"Number of trees (per class when there are more than two), or the most with early stopping."},
	{"learning_rate", WF_PARAM_REAL, 1e-6, 1, "0.1", NULL,
	"Share of its best step that each tree takes."},
	{"max_leaves", WF_PARAM_INT, 2, 8192, "31", NULL,
	"Most leaves of a tree."},
	{"max_depth", WF_PARAM_INT, 1, 64, "none", "none",
	"Most splits between root and leaf."},
	{"min_samples_leaf", WF_PARAM_INT, 1, 1e9, "20", NULL,
	"Fewest rows of a leaf."},
	{"min_child_weight", WF_PARAM_REAL, 0, 1e9, "0.001", NULL,
	"Smallest sum of the loss's second derivatives in a leaf."},
	{"l2", WF_PARAM_REAL, 0, 1e9, "0", NULL,
	"Ridge penalty on the values of leaves."},
	{"l1", WF_PARAM_REAL, 0, 1e9, "0", NULL,
	"Lasso penalty on the values of leaves."},
	{"subsample", WF_PARAM_REAL, 0.01, 1, "1", NULL,
	"Share of the rows drawn for each round."},
	{"colsample", WF_PARAM_REAL, 0.001, 1, "1", NULL,
	"Share of the features drawn for each round."},
	{"max_bins", WF_PARAM_INT, 2, 255, "255", NULL,
	"Most bins of a number."},
	{"loss", WF_PARAM_WORD, 0, 0, "auto", "auto|squared|absolute|huber|quantile|logistic|softmax|poisson|bounded",
	"What is minimised; \"auto\": squared, logistic or softmax; \"bounded\" is logistic loss on targets from 0 to 1."},
	{"quantile_alpha", WF_PARAM_REAL, 0.001, 0.999, "0.5", NULL,
	"Level of loss \"quantile\"."},
	{"huber_delta", WF_PARAM_REAL, 1e-12, 1e12, "auto", "auto",
	"Residual at which loss \"huber\" turns linear; \"auto\": the 0.9 quantile of their sizes in each round."},
	{"early_stopping_rounds", WF_PARAM_INT, 0, 100000, "0", NULL,
	"Stop when an inner tenth of the training rows has not improved for so many rounds; 0: never."},
	{"monotone", WF_PARAM_NUMBERS, -1, 1, "none", "none",
	"Object {column: 1 or -1}: the prediction may only rise or only fall with the column."},
	{"cat_smooth", WF_PARAM_REAL, 0, 1e9, "10", NULL,
	"Smoothing of the statistics that order the levels of a category."},
	{"cat_l2", WF_PARAM_REAL, 0, 1e9, "10", NULL,
	"Added to l2 in splits by a category of more than four levels."},
	{0}
};

/* ---- loss and layout of a record ---- */

static WfLossKind
loss_kind(const WfSpec *spec, int n_classes)
{
	static const struct
	{
		const char *word;
		WfLossKind	kind;
	}			kinds[] = {
		{"absolute", WF_LOSS_ABSOLUTE}, {"huber", WF_LOSS_HUBER}, {"quantile", WF_LOSS_QUANTILE},
		{"poisson", WF_LOSS_POISSON}, {"bounded", WF_LOSS_LOGISTIC}
	};

	if (spec->task == WF_CLASSIFICATION)
		return n_classes > 2 ? WF_LOSS_SOFTMAX : WF_LOSS_LOGISTIC;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (wf_spec_is(spec, "loss", kinds[i].word))
			return kinds[i].kind;
	return WF_LOSS_SQUARED;
}

/* Is the loss chosen one for this task? */
static void
check_loss(WfHost *host, const WfSpec *spec, int n_classes)
{
	bool		logistic = wf_spec_is(spec, "loss", "logistic");
	bool		softmax = wf_spec_is(spec, "loss", "softmax");

	if (wf_spec_is(spec, "loss", "auto"))
		return;
	if (spec->task == WF_REGRESSION && (logistic || softmax))
		host->fail(host, WF_E_PARAM, "For a number use squared, absolute, huber, quantile, poisson or bounded.",
				   "loss \"%s\" needs a target of classes", wf_spec_word(spec, "loss"));
	if (spec->task == WF_CLASSIFICATION && !logistic && !softmax)
		host->fail(host, WF_E_PARAM, "For classes use logistic or softmax.",
				   "loss \"%s\" needs a numeric target", wf_spec_word(spec, "loss"));
	if (logistic && n_classes > 2)
		host->fail(host, WF_E_PARAM, "Use loss \"softmax\".",
				   "loss \"logistic\" needs two classes, but there are %d", n_classes);
}

/* Fields of a record behind its bins; returns the bytes they take. */
static size_t
lay_out(WfLossKind kind, bool weighted, size_t start, WfRecords *r)
{
	WfLoss		loss = {.kind = kind};
	size_t		at = start;

	r->id_at = at;
	r->gh_at = at + 4;
	at += 8;
	r->score_at = r->target_at = r->weight_at = 0;
	if (kind == WF_LOSS_SOFTMAX)
		return at - start;
	r->score_at = at;
	at += 4;
	if (!wf_loss_on_residual(&loss))
	{
		r->target_at = at;
		at += 4;
	}
	if (weighted)
	{
		r->weight_at = at;
		at += 4;
	}
	return at - start;
}

size_t
wf_boosting_payload(const WfSpec *spec, int n_classes, bool weighted)
{
	WfRecords	r;

	return lay_out(loss_kind(spec, n_classes), weighted, 0, &r);
}

void
wf_boosting_estimate(const WfSpec *spec, uint64_t n, uint32_t d, int n_classes,
					 size_t *memory, size_t *artifact)
{
	size_t		k = (size_t) wf_n_outputs(n_classes);
	size_t		leaves = (size_t) wf_spec_number(spec, "max_leaves");
	double		trees = wf_spec_number(spec, "rounds") * (double) k;
	WfLossKind	kind = loss_kind(spec, n_classes);
	double		bytes;

	if ((double) leaves * wf_spec_number(spec, "min_samples_leaf") > (double) n)
		leaves = 1 + (size_t) ((double) n / wf_spec_number(spec, "min_samples_leaf"));
	/* a directory entry, and per leaf a split, a leaf, a ratio and a value */
	bytes = trees * (double) (64 + leaves * 16);
	*artifact = bytes < 1e18 ? (size_t) bytes : (size_t) 1e18;
	/* the packed trees while they double their room, or beside the section */
	*memory = wf_leafwise_bytes(d, kind <= WF_LOSS_QUANTILE, (uint32_t) leaves + 1, 2) + 4 * *artifact +
		leaves * (sizeof(WfLeafwiseLeaf) + 2 * sizeof(WfGrownNode) + 32) +
		(kind == WF_LOSS_SOFTMAX ? (size_t) n * k * 8 : 0);
}

/* ---- training ---- */

/* What rank 0 gathers. */
typedef struct Ensemble
{
	WfBytes		packed;
	WfBytes		starts;			/* size_t of each tree in packed */
	WfSlots    *slots;
	uint32_t	n_trees;
	double	   *gain;			/* with all trees so far, and as of the best round */
	double	   *splits;
	int			best_round;
	int64_t		best_loss;
} Ensemble;

static void
read_parameters(WfBooster *b)
{
	const WfSpec *spec = b->training->spec;
	int			n_classes = b->data->n_classes;

	check_loss(b->host, spec, n_classes);
	b->loss.kind = loss_kind(spec, n_classes);
	b->loss.alpha = wf_spec_number(spec, "quantile_alpha");
	b->loss.n_outputs = wf_n_outputs(n_classes);
	b->bounded = spec->task == WF_REGRESSION && b->loss.kind == WF_LOSS_LOGISTIC;
	if (b->loss.kind == WF_LOSS_HUBER)
	{
		b->auto_delta = wf_spec_is(spec, "huber_delta", "auto");
		b->loss.delta = b->auto_delta ? 1.0 : wf_spec_number(spec, "huber_delta");
	}
	b->rounds = (int) wf_spec_number(spec, "rounds");
	b->patience = (int) wf_spec_number(spec, "early_stopping_rounds");
	if (b->training->fixed_rounds > 0)
	{
		b->rounds = b->training->fixed_rounds;
		b->patience = 0;
	}
	b->learning_rate = wf_spec_number(spec, "learning_rate");
	b->subsample = wf_spec_number(spec, "subsample");
	b->colsample = wf_spec_number(spec, "colsample");
	b->seed = spec->seed;
	b->rules = (WfLeafwiseRules)
	{
		.max_leaves = (uint32_t) wf_spec_number(spec, "max_leaves"),
		.max_depth = wf_spec_is(spec, "max_depth", "none") ? 0 : (uint32_t) wf_spec_number(spec, "max_depth"),
		.min_rows = (int64_t) wf_spec_number(spec, "min_samples_leaf"),
		.min_hessian = wf_spec_number(spec, "min_child_weight"),
		.l1 = wf_spec_number(spec, "l1"),
		.l2 = wf_spec_number(spec, "l2"),
		.cat_smooth = wf_spec_number(spec, "cat_smooth"),
		.cat_l2 = wf_spec_number(spec, "cat_l2")
	};
}

/* Fewer leaves than allowed when depth or rows do not permit them: less memory. */
static void
limit_leaves(WfBooster *b)
{
	WfLeafwiseRules *rules = &b->rules;
	uint64_t	by_rows = b->all_train / (uint64_t) rules->min_rows;

	if (rules->max_depth > 0 && rules->max_depth < 16 && rules->max_leaves > 1u << rules->max_depth)
		rules->max_leaves = 1u << rules->max_depth;
	if (rules->max_leaves > by_rows)
		rules->max_leaves = by_rows < 2 ? 2 : (uint32_t) by_rows;
}

/* Collective. */
static WfBooster *
booster_create(const WfTraining *training)
{
	WfTeam	   *team = training->team;
	WfHost	   *host = team->host;
	WfBooster  *b = wf_alloc_zero(host, 1, sizeof(WfBooster));
	WfHistogramShape shape;

	b->training = training;
	b->team = team;
	b->host = host;
	b->data = training->data;
	read_parameters(b);
	b->base = wf_alloc_zero(host, (size_t) b->loss.n_outputs, sizeof(double));
	b->cells = wf_team_alloc(team, (size_t) team->size, sizeof(WfBoosterCell));
	b->records.stride = b->data->stride;
	lay_out(b->loss.kind, b->data->weight != NULL, b->data->payload_at, &b->records);
	wf_booster_place(b);
	wf_booster_start(b);
	wf_booster_look_at_scales(b);
	limit_leaves(b);

	memset(&shape, 0, sizeof(shape));
	shape.d = b->data->d;
	shape.n_bins = b->data->n_bins;
	shape.stride = b->data->stride;
	shape.gh_at = b->records.gh_at;
	if (!wf_histogram_shape(&shape, b->all_train, wf_loss_unit_hessian(&b->loss) && b->weight_max == 0, b->fine))
		host->fail(host, WF_E_LIMIT, "Train on a sample of the rows.", "too many rows to train on");
	b->grower = wf_leafwise_create(team, b->data, &shape, &b->rules);
	if (b->colsample < 1)
	{
		b->use = wf_alloc(host, b->data->d, 1);
		b->grower->use = b->use;
	}
	if (wf_loss_refits(&b->loss))
		b->groups = wf_alloc(host, b->rules.max_leaves, sizeof(WfRefitGroup));
	return b;
}

static void
booster_free(WfBooster *b)
{
	wf_leafwise_free(b->grower);
	if (wf_loss_refits(&b->loss))
		wf_refit_free(&b->refit);
	if (b->margins)
	{
		wf_team_free(b->team, b->margins);
		wf_team_free(b->team, b->gradients);
	}
	wf_team_free(b->team, b->cells);
	wf_release(b->host, b->groups);
	wf_release(b->host, b->use);
	wf_release(b->host, b->base);
	wf_release(b->host, b);
}

static void
ensemble_begin(Ensemble *e, const WfBooster *b)
{
	const WfDataset *data = b->data;

	memset(e, 0, sizeof(*e));
	if (b->team->rank != 0)
		return;
	wf_bytes_init(&e->packed, b->host);
	wf_bytes_init(&e->starts, b->host);
	e->slots = wf_slots_create(b->host, data->d, data->is_category, data->has_missing);
	e->gain = wf_alloc_zero(b->host, data->d, 2 * sizeof(double));
	e->splits = wf_alloc_zero(b->host, data->d, 2 * sizeof(double));
	b->grower->gain = e->gain;
	b->grower->splits = e->splits;
}

/* Rank 0 keeps the tree. */
static void
ensemble_add(Ensemble *e, const WfBooster *b)
{
	const WfGrownTree tree = wf_leafwise_tree(b->grower);
	size_t		start;

	if (b->team->rank != 0)
		return;
	wf_bytes_align(&e->packed, 8);
	start = e->packed.length;
	wf_bytes_append(&e->starts, &start, sizeof(start));
	wf_tree_pack(&e->packed, e->slots, WF_LEAF_VALUE, b->data->n_classes, &tree);
	e->n_trees++;
	if (b->training->size_limit > 0 && e->packed.length > b->training->size_limit)
		b->host->fail(b->host, WF_E_LIMIT,
					  "Lower \"rounds\" or \"max_leaves\", or raise wfml.max_model_size.",
					  "the model exceeds %zu bytes after %u trees", b->training->size_limit, e->n_trees);
}

/* The round just done is the best so far. */
static void
ensemble_mark(Ensemble *e, const WfBooster *b, int round)
{
	size_t		d = b->data->d;

	e->best_round = round + 1;
	if (b->team->rank != 0)
		return;
	memcpy(e->gain + d, e->gain, d * sizeof(double));
	memcpy(e->splits + d, e->splits, d * sizeof(double));
}

/* The section of the trees up to the best round. */
static void
ensemble_finish(Ensemble *e, const WfBooster *b, WfFitted *fitted)
{
	uint32_t	n_trees = (uint32_t) e->best_round * (uint32_t) b->loss.n_outputs;
	const size_t *starts = (const size_t *) (const void *) e->starts.data;
	const uint8_t **trees;

	if (b->team->rank != 0)
		return;
	trees = wf_alloc(b->host, n_trees, sizeof(*trees));
	for (uint32_t t = 0; t < n_trees; t++)
		trees[t] = e->packed.data + starts[t];
	wf_bytes_init(&fitted->section, b->host);
	wf_ensemble_write(&fitted->section, e->slots, WF_LEAF_VALUE, WF_COMBINE_SUM, b->data->n_classes,
					  b->loss.n_outputs, b->base, n_trees, trees);
	fitted->rounds = e->best_round;
	fitted->link = b->loss.kind == WF_LOSS_SOFTMAX ? WF_LINK_SOFTMAX
		: b->loss.kind == WF_LOSS_LOGISTIC ? WF_LINK_LOGISTIC
		: b->loss.kind == WF_LOSS_POISSON ? WF_LINK_EXP : WF_LINK_IDENTITY;
	fitted->gain = e->gain + b->data->d;
	fitted->splits = e->splits + b->data->d;
	wf_release(b->host, trees);
	wf_bytes_free(&e->packed);
	wf_bytes_free(&e->starts);
}

/* All trees of a round; did any of them split? */
static bool
boost_once(WfBooster *b, Ensemble *e, int round)
{
	bool		split = false;

	wf_booster_begin_round(b, round);
	for (int k = 0; k < b->loss.n_outputs; k++)
	{
		wf_booster_grow(b, k);
		wf_booster_set_values(b);
		wf_booster_update(b, k);
		ensemble_add(e, b);
		split |= b->grower->n_leaves > 1;
	}
	return split;
}

/* Rank 0 looks at the clock, all obey. */
static bool
out_of_time(WfBooster *b)
{
	bool		late = b->team->rank == 0 && b->training->deadline > 0 &&
		b->host->now(b->host) > b->training->deadline;

	/* Also keeps members from running a round ahead of each other. */
	return wf_booster_sum(b, late) > 0;
}

void
wf_boosting_train(const WfTraining *training, WfFitted *fitted)
{
	WfBooster  *b = booster_create(training);
	Ensemble	e;
	bool		sampling = b->subsample < 1 || b->colsample < 1;

	memset(fitted, 0, sizeof(*fitted));
	ensemble_begin(&e, b);
	if (b->patience > 0)
		e.best_loss = wf_booster_inner_loss(b);
	for (int round = 0; round < b->rounds; round++)
	{
		bool		split = boost_once(b, &e, round);

		if (b->patience > 0)
		{
			int64_t		loss = wf_booster_inner_loss(b);

			if (round == 0 || loss < e.best_loss)
			{
				e.best_loss = loss;
				ensemble_mark(&e, b, round);
			}
		}
		else
			ensemble_mark(&e, b, round);
		if (b->team->rank == 0 && training->report)
			b->host->progress(b->host, WF_PHASE_TRAIN, (uint64_t) round + 1, (uint64_t) b->rounds);
		if (b->patience > 0 && round + 1 - e.best_round >= b->patience)
			break;
		fitted->time_limited = out_of_time(b);
		/* Without anything left to learn, and nothing drawn, all further trees are this one. */
		if (fitted->time_limited || (!split && !sampling))
			break;
	}
	ensemble_finish(&e, b, fitted);
	if (b->team->rank != 0)
		fitted->time_limited = false;
	booster_free(b);
}
