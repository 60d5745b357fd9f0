/*-------------------------------------------------------------------------
 * model.h
 *	  A trained model as one block of bytes, and reading it.
 *
 * The bytes are position-independent, little-endian, aligned, and used where
 * they lie: opening a model verifies them once (magic, format, length,
 * CRC-32C, every offset, count and index) and derives small run-time tables;
 * prediction then needs no checks.  Stored bytes are untrusted input.
 *
 *	OFFSET  SIZE  WHAT
 *	0       8     magic "WFMODEL\n"
 *	8       4     format version (WF_MODEL_FORMAT)
 *	12      4     CRC-32C of bytes 16 .. length-1
 *	16      8     length of the whole model in bytes
 *	24      4     number of sections
 *	28      4     number of features
 *	32      4     number of columns
 *	36      4     number of classes (0: regression)
 *	40      4     number of raw outputs
 *	44      1     task (WfTask)
 *	45      1     link (WfLink)
 *	46      1     calibration (WfCalibration)
 *	47      1     flags (WF_MODEL_*)
 *	48      8     calibration a (Platt slope, or temperature)
 *	56      8     calibration b (Platt intercept)
 *	64      8     lower residual of the 90 % interval (regression; NaN: none)
 *	72      8     upper residual
 *	80      32    algorithm, NUL-padded
 *	112     8     seed
 *	120     8     training rows
 *	128     …     section table: WfSectionEntry each
 *
 *	Sections (64-byte aligned, any order, unknown tags are ignored):
 *	"COLS"  WfColumnRecord[columns]
 *	"FEAT"  WfFeatureRecord[features]
 *	"CUTS"  float[]: cut points of number features
 *	"DICT"  WfStringRecord[]: levels of categories and elements of tags
 *	"LOOK"  uint16[]: hash tables over DICT, one per column that has entries:
 *	        size a power of two, entry = 1 + index in the column's strings, 0 = empty,
 *	        first place hash & (size - 1), then the next ones
 *	"LABL"  WfStringRecord[classes]
 *	"STRS"  bytes of all strings, each followed by a NUL
 *	"IMPO"  WfImportance[columns]
 *	"HIST"  drift histograms: uint32[12 × features], see WfHistogram
 *	"CWGT"  double[classes]: class weights of training (absent: none)
 *	"ZONE"  name of the training time zone
 *	"SEEN"  filter of the training rows' hashes (seen.h); models of 0.1.0 have none
 *	"IDS0" "IDS1"  tables of ids (idmap.h): users and items, events, groups
 *	and the algorithm's own ("TREE", "LINR").
 *
 *	Models of other families than tables have no features, columns, classes or
 *	outputs, and none of the sections COLS to CWGT.
 *-------------------------------------------------------------------------
 */
#ifndef WF_MODEL_H
#define WF_MODEL_H

#include "core/algorithm.h"
#include "core/host.h"
#include "core/output.h"
#include "core/schema.h"
#include "core/seen.h"

#define WF_MODEL_MAGIC "WFMODEL\n"
#define WF_MODEL_FORMAT 1

typedef enum WfCalibration		/* stored: never renumber */
{
	WF_CALIBRATE_NONE = 0,
	WF_CALIBRATE_PLATT = 1,		/* P = 1 / (1 + exp(-(a * logit(p) + b))) of class 1 */
	WF_CALIBRATE_TEMPERATURE = 2	/* P ∝ p^(1/a) */
} WfCalibration;

/* Probabilities are clipped to [WF_P_MIN, 1 - WF_P_MIN] when a calibration is set. */
#define WF_P_MIN 1e-4

typedef struct WfModelHeader
{
	char		magic[8];
	uint32_t	format;
	uint32_t	crc;
	uint64_t	length;
	uint32_t	n_sections;
	uint32_t	n_features;
	uint32_t	n_columns;
	uint32_t	n_classes;
	uint32_t	n_outputs;
	uint8_t		task;
	uint8_t		link;
	uint8_t		calibration;
	uint8_t		flags;
	double		calibration_a;
	double		calibration_b;
	double		lower;
	double		upper;
	char		algorithm[32];
	uint64_t	seed;
	uint64_t	training_rows;
} WfModelHeader;

typedef struct WfSectionEntry
{
	char		tag[4];
	uint32_t	reserved;
	uint64_t	offset;
	uint64_t	length;
} WfSectionEntry;

typedef struct WfStringRecord
{
	uint32_t	offset;			/* into STRS */
	uint32_t	length;
} WfStringRecord;

typedef struct WfColumnRecord
{
	WfStringRecord name;
	uint8_t		kind;			/* WfColumnKind */
	uint8_t		reserved[3];
	uint32_t	parts;			/* time columns: mask of WfPart */
	uint32_t	first_feature;
	uint32_t	n_features;
	uint32_t	first_string;	/* into DICT: levels of the category, or the elements of the tags */
	uint32_t	n_strings;
	uint32_t	look_at;		/* into LOOK */
	uint32_t	look_size;
} WfColumnRecord;

typedef struct WfFeatureRecord
{
	uint32_t	column;
	uint32_t	element;		/* vector: index of the element; tag: index into the column's strings */
	uint8_t		part;			/* WfPart */
	uint8_t		category;
	uint8_t		has_other;		/* categories: bin n_bins - 1 is "other" */
	uint8_t		has_missing;
	uint16_t	n_bins;			/* without missing */
	uint16_t	reserved;
	uint32_t	first_cut;		/* numbers: n_bins - 1 cuts */
} WfFeatureRecord;

typedef struct WfImportance
{
	double		gain;
	double		splits;
	double		permutation;	/* loss of the metric when the column is shuffled; NaN: not measured */
} WfImportance;

/*
 * Per feature: counts of training rows in 10 groups of bins (bin b is in group
 * b * 10 / n_bins), then missing, then rows in all.
 */
#define WF_HISTOGRAM_GROUPS 10

typedef struct WfModel
{
	const uint8_t *bytes;
	size_t		length;
	const WfModelHeader *header;
	const WfAlgorithm *algorithm;
	const WfColumnRecord *columns;
	const WfFeatureRecord *features;
	const float *cuts;
	const WfStringRecord *dict;
	const uint16_t *look;
	const WfStringRecord *labels;
	const char *strings;
	const WfImportance *importance; /* NULL when absent */
	WfIdMap		ids[WF_MAX_IDMAPS]; /* n is 0 when absent */
	WfSeen		seen;			/* n_blocks is 0 when absent */
	WfOutputRule output;		/* link, class weights (section CWGT), calibration */
	WfShape		shape;
	void	   *opened;			/* the algorithm's run-time form */
} WfModel;

/* ---- writing ---- */

/* What fit hands over; everything is copied into out. */
typedef struct WfModelParts
{
	const WfSchema *schema;
	const WfDataset *data;
	const WfSpec *spec;
	const WfFitted *fitted;
	WfCalibration calibration;
	double		calibration_a;
	double		calibration_b;
	const double *class_weight; /* n_classes, or NULL */
	double		lower;			/* NaN: none */
	double		upper;
	uint64_t	training_rows;
	const WfImportance *importance; /* by column that is kept, in order; NULL: none */
	const uint32_t *histograms; /* 12 × features or NULL */
	const WfBytes *ids;			/* section "IDS0", or NULL */
	const WfBytes *seen;		/* section "SEEN", or NULL */
} WfModelParts;

void		wf_model_write(WfHost *host, const WfModelParts *parts, WfBytes *out);

/* A section that is ready; bytes are copied. */
typedef struct WfModelSection
{
	char		tag[5];			/* 4 characters and a NUL */
	const void *bytes;
	size_t		length;
} WfModelSection;

/* A model without a table's schema: spec->task, and these sections in this order. */
void		wf_model_write_sections(WfHost *host, const WfSpec *spec, uint64_t training_rows,
									const WfModelSection *sections, int n, WfBytes *out);

/* ---- reading ---- */

/*
 * Verify and open.  bytes must be 8-byte aligned and outlive the model;
 * everything else comes from the host.  Never allocates more than twice
 * length.  Any defect: WF_E_CORRUPT.
 */
WfModel    *wf_model_open(WfHost *host, const void *bytes, size_t length);
/*
 * Open bytes that this very code has opened before, in whatever process, and
 * that nobody can have changed since: takes the time of the derived tables only.
 */
WfModel    *wf_model_open_verified(WfHost *host, const void *bytes, size_t length);

/* The bytes of a section, or NULL. */
const void *wf_model_section(const WfModel *model, const char tag[4], size_t *length);

static inline const char *
wf_model_string(const WfModel *model, WfStringRecord s)
{
	return model->strings + s.offset;
}

/*
 * Code of a category's level as a feature value (0, 1, …), of "other" when
 * training had it, else NaN.  Of a group: its number, NaN when it has none.
 * The column must be a category or groups.
 */
float		wf_model_level(const WfModel *model, uint32_t column, const char *bytes, size_t length);
/* Index of a tag or level among the column's strings, -1 when not known; of groups likewise. */
int			wf_model_tag(const WfModel *model, uint32_t column, const char *bytes, size_t length);

/*
 * Predict one row of features.  out: regression, the value; classification,
 * K probabilities (two classes too: out[0], out[1]) after calibration.
 */
void		wf_model_predict(const WfModel *model, const float *x, double *out);
/* n rows; out n × (n_classes ? n_classes : 1). */
void		wf_model_predict_block(const WfModel *model, const float *x, size_t n, double *out);
/* Raw outputs to what wf_model_predict() gives. */
void		wf_model_finish(const WfModel *model, const double *raw, double *out);

/* Values of a prediction call need this many doubles. */
static inline int
wf_model_n_values(const WfModel *model)
{
	return model->header->n_classes ? (int) model->header->n_classes : 1;
}

/* Largest probability; ties go to the lower class. */
static inline int
wf_best_class(const double *p, int n_classes)
{
	int			best = 0;

	for (int c = 1; c < n_classes; c++)
		if (p[c] > p[best])
			best = c;
	return best;
}

/* CRC-32C (Castagnoli) of bytes, start with 0. */
uint32_t	wf_crc32c(uint32_t crc, const void *bytes, size_t length);

#endif							/* WF_MODEL_H */
