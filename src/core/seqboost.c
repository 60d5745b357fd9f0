/*-------------------------------------------------------------------------
 * seqboost.c
 *	  Training the boosting expert, its block in a model, and its answers.
 *-------------------------------------------------------------------------
 */
#include "core/seqboost.h"

#include <math.h>
#include <string.h>

#include "core/boosting.h"
#include "core/mathx.h"
#include "core/output.h"
#include "core/seqboost_private.h"
#include "core/trees.h"

/*
 * The block: this, then uint16 n_bins by feature, uint32 first cut by feature,
 * the cuts, and, at a multiple of 64, a "TREE" section.
 */
typedef struct BlockHeader
{
	uint32_t	n_features;
	uint32_t	n_named;
	uint32_t	has_other;
	uint32_t	for_gaps;
	uint32_t	n_cuts;
	uint32_t	reserved;
	uint64_t	trees_at;
	uint64_t	trees_length;
} BlockHeader;

struct WfSeqBoost
{
	const BlockHeader *header;
	WfShape		shape;
	void	   *trees;
	WfOutputRule rule;
};

/* Learning rate up to that many classes, and at most. */
#define RATE 0.07
#define RATE_MAX 0.2
#define FEW_CLASSES 20
/* Log of the longest gap that makes sense: 30,000 years. */
#define LOG_GAP_MAX 27.6

/* ---- training ---- */

static void
set_number(WfHost *host, WfSpec *spec, const char *name, double number)
{
	WfParamInput input = {.kind = WF_INPUT_NUMBER,.number = number};

	wf_params_set(host, spec, name, &input);
}

/* Settings found good by cross-validation within the training cases of three logs. */
static void
boosting_spec(WfHost *host, const WfSpec *outer, bool for_gaps, int n_classes, WfSpec *spec)
{
	/* With many classes a round is many trees, which cost time to grow and to ask: longer steps, fewer rounds. */
	double		rate = n_classes > FEW_CLASSES ? RATE * n_classes / FEW_CLASSES : RATE;
	WfParamInput absolute = {.kind = WF_INPUT_TEXT,.text = "absolute"};

	memset(spec, 0, sizeof(*spec));
	spec->algorithm = wf_algorithm_find("gradient_boosting");
	spec->task = for_gaps ? WF_REGRESSION : WF_CLASSIFICATION;
	wf_params_defaults(spec);
	set_number(host, spec, "rounds", wf_spec_number(outer, "rounds"));
	set_number(host, spec, "learning_rate", rate < RATE_MAX ? rate : RATE_MAX);
	set_number(host, spec, "max_depth", 4);
	set_number(host, spec, "max_leaves", 16);
	set_number(host, spec, "min_samples_leaf", 5);
	set_number(host, spec, "min_child_weight", 1);
	set_number(host, spec, "l2", 2);
	set_number(host, spec, "subsample", 0.8);
	set_number(host, spec, "colsample", 0.5);
	set_number(host, spec, "early_stopping_rounds", 30);
	if (for_gaps)
		wf_params_set(host, spec, "loss", &absolute);
	spec->seed = outer->seed;
}

static void
write_block(WfHost *host, const WfSeqRows *rows, const WfFitted *fitted, WfBytes *out)
{
	const WfDataset *data = rows->data;
	BlockHeader header = {.n_features = data->d,.n_named = rows->n_named,.has_other = rows->has_other,
	.for_gaps = rows->for_gaps,.n_cuts = data->n_cuts,.trees_length = fitted->section.length};
	size_t		start;

	wf_bytes_align(out, 64);
	start = out->length;
	wf_bytes_append(out, &header, sizeof(header));
	wf_bytes_append(out, data->first_cut, data->d * sizeof(uint32_t));
	wf_bytes_append(out, data->cuts, data->n_cuts * sizeof(float));
	wf_bytes_append(out, data->n_bins, data->d * sizeof(uint16_t));
	wf_bytes_align(out, 64);
	header.trees_at = out->length - start;
	memcpy(out->data + start, &header, sizeof(header));
	wf_bytes_append(out, fitted->section.data, fitted->section.length);
	(void) host;
}

int
wf_seqboost_train(WfTeam *team, const WfSpec *spec, const WfSeqRows *rows, bool all, int rounds,
				  double deadline, size_t size_limit, WfBytes *out, bool *time_limited)
{
	WfSpec	   *own = wf_alloc(team->host, 1, sizeof(WfSpec));
	WfTraining	training = {.team = team,.spec = own,.data = rows->data,.deadline = deadline,
	.size_limit = size_limit,.fixed_rounds = rounds,.report = false};
	WfFitted	fitted = {0};

	boosting_spec(team->host, spec, rows->for_gaps, rows->data->n_classes, own);
	training.out_fold = all ? -1 : WF_CASE_REPORTS;
	training.inner_fold = WF_CASE_JUDGES;
	wf_boosting_train(&training, &fitted);
	wf_release(team->host, own);
	if (team->rank != 0)
		return 0;
	write_block(team->host, rows, &fitted, out);
	*time_limited |= fitted.time_limited;
	wf_bytes_free(&fitted.section);
	return fitted.rounds;
}

/* ---- opening ---- */

static void __attribute__((noreturn))
corrupt(WfHost *host)
{
	host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "the model is damaged: bad boosting of sequences");
}

/* The shape of the features from the block; everything is checked. */
static void
open_shape(WfHost *host, const BlockHeader *h, size_t length, const WfSeqLayout *layout, WfShape *shape)
{
	size_t		d = h->n_features;
	const uint32_t *first_cut = (const uint32_t *) (h + 1);
	const float *cuts = (const float *) (first_cut + d);
	const uint16_t *n_bins = (const uint16_t *) (cuts + h->n_cuts);
	uint8_t    *is_category;

	if (sizeof(*h) + d * 6 + (uint64_t) h->n_cuts * sizeof(float) > length)
		corrupt(host);
	is_category = wf_alloc(host, d, 1);
	for (uint32_t f = 0; f < d; f++)
	{
		is_category[f] = wf_seq_is_category(layout, f);
		if (is_category[f])
		{
			if (n_bins[f] != layout->n_levels + layout->has_other)
				corrupt(host);
			continue;
		}
		if (n_bins[f] < 1 || n_bins[f] > WF_MISSING_BIN || first_cut[f] > h->n_cuts ||
			n_bins[f] - 1u > h->n_cuts - first_cut[f])
			corrupt(host);
		for (uint32_t i = 0; i + 1 < n_bins[f]; i++)
		{
			const float *cut = cuts + first_cut[f] + i;

			/* Wrong also for NaN. */
			if (i == 0 ? isnan(cut[0]) : !(cut[-1] < cut[0]))
				corrupt(host);
		}
	}
	*shape = (WfShape) {.n_features = h->n_features,.is_category = is_category,.n_bins = n_bins,
	.first_cut = first_cut,.cuts = cuts};
}

WfSeqBoost *
wf_seqboost_open(WfHost *host, const void *block, size_t length, const WfSeqLayout *layout, bool for_gaps)
{
	const BlockHeader *h = block;
	WfSeqBoost *boost;

	if (length < sizeof(*h) || h->n_features != layout->n_features || h->for_gaps != for_gaps ||
		h->has_other > 1 || h->trees_at % 64 != 0 || h->trees_at > length || h->trees_length > length - h->trees_at ||
		(!for_gaps && (h->n_named < 1 || h->n_named > WF_SEQBOOST_MAX_NAMED ||
					   (h->has_other ? h->n_named >= layout->n_kinds : h->n_named != layout->n_kinds))))
		corrupt(host);
	boost = wf_alloc_zero(host, 1, sizeof(*boost));
	boost->header = h;
	open_shape(host, h, h->trees_at, layout, &boost->shape);
	boost->shape.n_classes = for_gaps ? 0 : (int) (h->n_named + 1 + h->has_other);
	boost->shape.n_outputs = wf_n_outputs(boost->shape.n_classes);
	boost->rule = (WfOutputRule) {.n_classes = boost->shape.n_classes,.a = 1,
	.link = for_gaps ? WF_LINK_IDENTITY : boost->shape.n_classes > 2 ? WF_LINK_SOFTMAX : WF_LINK_LOGISTIC};
	boost->trees = wf_trees_open(host, (const uint8_t *) block + h->trees_at, h->trees_length, &boost->shape);
	return boost;
}

/* ---- answers ---- */

uint32_t
wf_seqboost_n_named(const WfSeqBoost *boost)
{
	return boost->header->n_named;
}

void
wf_seqboost_probabilities(const WfSeqBoost *boost, const float *x, double *p)
{
	double		raw[WF_SEQBOOST_ROOM];

	wf_trees_predict(boost->trees, x, raw);
	wf_output_finish(&boost->rule, raw, p);
	if (!boost->header->has_other)
		p[boost->header->n_named + 1] = 0;
}

double
wf_seqboost_gap(const WfSeqBoost *boost, const float *x)
{
	double		log_gap;

	wf_trees_predict(boost->trees, x, &log_gap);
	if (!(log_gap > 0))
		return 0;
	return wf_exp(log_gap < LOG_GAP_MAX ? log_gap : LOG_GAP_MAX) - 1;
}

void
wf_seqboost_estimate(uint64_t n_events, uint32_t n_kinds, bool for_gaps,
					 size_t *shared, size_t *memory, size_t *artifact)
{
	WfSeqLayout layout;
	uint32_t	n_classes = n_kinds < WF_SEQBOOST_MAX_NAMED ? n_kinds + 1 : WF_SEQBOOST_MAX_NAMED + 2;
	double		rows;

	wf_seq_layout(n_kinds, &layout);
	if (for_gaps)
		n_classes = 1;
	rows = wf_seqboost_max_rows(layout.n_features, n_classes);
	rows = (double) n_events < rows ? (double) n_events : rows;
	*shared = (size_t) (rows * ((double) layout.n_features + 32 + (n_classes > 2 ? 8 * n_classes : 0)));
	*artifact = (size_t) 100 * n_classes * 16 * 16;
	*memory = 4 * *artifact + (size_t) layout.n_features * (20000 * sizeof(float) + (size_t) 16 * 256 * 16);
}
