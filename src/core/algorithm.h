/*-------------------------------------------------------------------------
 * algorithm.h
 *	  The table of algorithms: one row each, and nothing else in wfml
 *	  switches on an algorithm's name.
 *
 * Outputs.  A table algorithm's raw outputs are: regression, 1 value; two classes,
 * 1 number for class 1 (the positive class); K > 2 classes, K numbers.  What
 * they mean stands in the model's link: margins or probabilities.
 *-------------------------------------------------------------------------
 */
#ifndef WF_ALGORITHM_H
#define WF_ALGORITHM_H

#include "core/dataset.h"
#include "core/idmap.h"
#include "core/params.h"
#include "core/team.h"

typedef enum WfTask				/* stored in artifacts: never renumber */
{
	WF_REGRESSION = 0,
	WF_CLASSIFICATION = 1,
	WF_ANOMALY = 2,				/* rows without a target: how odd is each */
	WF_RECOMMENDATION = 3,		/* users and items */
	WF_SEQUENCE = 4				/* cases and their events */
} WfTask;

/* What an algorithm learns from. */
typedef enum WfFamily
{
	WF_FAMILY_TABLE = 0,		/* rows of columns: WfFitInput, wf_fit() */
	WF_FAMILY_INTERACTIONS = 1, /* users and items: recommender.h */
	WF_FAMILY_EVENTS = 2		/* event logs: sequence.h */
} WfFamily;

typedef enum WfLink				/* stored in artifacts: never renumber */
{
	WF_LINK_IDENTITY = 0,		/* value = raw output */
	WF_LINK_LOGISTIC = 1,		/* P(class 1) = 1 / (1 + exp(-raw)); regression "bounded": value */
	WF_LINK_SOFTMAX = 2,
	WF_LINK_PROBABILITY = 3,	/* raw outputs are probabilities */
	WF_LINK_EXP = 4				/* poisson: value = exp(raw) */
} WfLink;

typedef enum WfValidation
{
	WF_VALIDATE_NONE,
	WF_VALIDATE_HOLDOUT,
	WF_VALIDATE_CV,
	WF_VALIDATE_TIME,
	WF_VALIDATE_GROUP,
	WF_VALIDATE_FRESH			/* no word of a user: the rows that are marked judge (WfJudges) */
} WfValidation;

#define WF_MAX_CLASSES 1000

/* What to train.  Flat but for the leader-only texts, so members get a copy. */
typedef struct WfSpec
{
	int			algorithm;		/* index into the table */
	WfTask		task;
	uint64_t	seed;
	WfValidation validation;
	double		test_fraction;
	int			folds;
	bool		refit;
	double		max_seconds;	/* 0: no limit */
	WfParamValue value[WF_MAX_PARAMS];	/* by index as in wf_params_get() */
} WfSpec;

/* One call of train(): a data set, without the rows of one fold. */
typedef struct WfTraining
{
	WfTeam	   *team;
	const WfSpec *spec;
	WfDataset  *data;
	int			out_fold;		/* rows with data->fold[id] == out_fold stay out; -1: all rows */
	int			inner_fold;		/* boosting: rows of this fold choose the number of rounds; 0: a tenth drawn by key */
	double		deadline;		/* host->now() after which to stop early; 0: none */
	size_t		size_limit;		/* bytes the artifact may take */
	int			fixed_rounds;	/* boosting: do exactly these rounds (refit after early stopping); 0: by parameters */
	bool		report;			/* call host->progress(WF_PHASE_TRAIN) */
} WfTraining;

/* A figure that training tells of itself. */
typedef struct WfFact
{
	const char *metric;			/* a constant */
	double		value;
} WfFact;

#define WF_MAX_FACTS 4

/* What train() leaves; filled on rank 0, zeros elsewhere. */
typedef struct WfFitted
{
	WfBytes		section;		/* body of the algorithm's section */
	WfLink		link;
	double	   *gain;			/* by feature: total gain of its splits (linear: |standardised coefficient|; isolation: mean |contribution|) */
	double	   *splits;			/* by feature: number of splits */
	int			rounds;			/* trees per output, or iterations */
	bool		time_limited;	/* stopped by the deadline */
	int			n_facts;		/* become scores of split "training", the first one the headline */
	WfFact		facts[WF_MAX_FACTS];
	/*
	 * Forest: outputs on rows that a tree did not see, for calibration and
	 * out-of-bag scores: n_oob row ids and n_oob × n_outputs raw outputs.
	 */
	uint32_t	n_oob;
	uint32_t   *oob_row;
	double	   *oob_out;
} WfFitted;

/* Tables of ids that a model may have: sections "IDS0" and "IDS1". */
#define WF_MAX_IDMAPS 2

/* The schema as an opened section may need it; without features but for tables. */
typedef struct WfShape
{
	uint32_t	n_features;
	int			n_classes;
	int			n_outputs;
	const uint8_t *is_category;	/* by feature */
	const uint16_t *n_bins;		/* by feature */
	const uint32_t *first_cut;	/* by feature, into cuts */
	const float *cuts;
	const WfIdMap *ids[WF_MAX_IDMAPS];	/* NULL: no such section */
	bool		verified;		/* the bytes were opened before: no need to look at all of them again */
} WfShape;

struct WfFitResult;

typedef struct WfAlgorithm
{
	const char *name;			/* "random_forest" */
	const char *title;			/* one line for wfml.algorithms */
	unsigned	tasks;			/* bit (1 << WfTask) */
	WfFamily	family;
	WfLayout	layout;			/* tables */
	char		section[4];		/* tag of its section: "TREE", "LINR" */
	const WfParam *params;		/* its own, ended by a name of NULL */
	/*
	 * The whole way from input to model, SPMD: every member of the team calls
	 * it.  input is the family's (tables: WfFitInput), NULL except on rank 0,
	 * where result is filled.
	 */
	void		(*fit) (WfTeam *team, const WfSpec *spec, const void *input, struct WfFitResult *result);
	/* Verify a section and make the run-time form, from the host. */
	void	   *(*open) (WfHost *host, const void *section, size_t length, const WfShape *shape);

	/* ---- the steps of wf_fit(); NULL in other families ---- */

	/* Extra bytes in a record beyond the bins, for K classes (0: regression). */
	size_t		(*payload) (const WfSpec *spec, int n_classes, bool weighted);
	/* SPMD: every member of the team calls it. */
	void		(*train) (const WfTraining *training, WfFitted *fitted);
	/* Bytes of memory while training beyond the dataset, and of the artifact. */
	void		(*estimate) (const WfSpec *spec, uint64_t n, uint32_t d, int n_classes,
							 size_t *memory, size_t *artifact);
	/* Raw outputs of one row of features (floats; category codes as floats; NaN = missing). */
	void		(*predict) (const void *opened, const float *x, double *out);
	/* n rows, row-major n × n_features; out n × n_outputs. */
	void		(*predict_block) (const void *opened, const float *x, size_t n, double *out);
	/*
	 * Raw outputs of a row of the data set, while training: record points to
	 * the row's bins, or, in layout VALUES, to its floats.
	 */
	void		(*score_row) (const void *opened, const WfDataset *data, const uint8_t *record, uint32_t id, double *out);
	/*
	 * Contributions of each feature to raw output "output" for the row x; phi
	 * has n_features + 1 entries, the last is the base; they sum to the raw
	 * output.
	 */
	void		(*explain) (WfHost *host, const void *opened, const float *x, int output, double *phi);
} WfAlgorithm;

/* NULL past the end. */
const WfAlgorithm *wf_algorithm_get(int i);
int			wf_algorithm_count(void);
/* -1 when there is none. */
int			wf_algorithm_find(const char *name);
/* Names separated by ", " for HINTs. */
const char *wf_algorithm_names(void);

static inline int
wf_n_outputs(int n_classes)
{
	return n_classes > 2 ? n_classes : 1;
}

#endif							/* WF_ALGORITHM_H */
