/*-------------------------------------------------------------------------
 * fuzz_model.c
 *	  libFuzzer: any bytes as a model.
 *
 * The first byte of an input chooses: with bit 0 set, magic, length and
 * checksum are made right, so that changes get past them; with bit 1 the
 * scalar forms predict.  The rest are the model's bytes.  A model that opens
 * must be usable: rows are predicted, explained and compared with those of the
 * training, levels looked up, users get recommendations, cases their next event.
 * Opened again as verified bytes, it is the same model.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "core/drift.h"
#include "core/model.h"
#include "core/recommender.h"
#include "core/rng.h"
#include "core/sequence.h"
#include "core/simd.h"
#include "fuzz_host.h"

#define ROWS 20

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static float
some_value(uint64_t seed, uint64_t i)
{
	uint64_t	r = wf_rng(seed, i);

	switch (r & 7)
	{
		case 0:
			return NAN;
		case 1:
			return INFINITY;
		case 2:
			return -INFINITY;
		case 3:
			return (float) (r >> 8 & 255);
		default:
			return (float) (wf_rng_unit(r) * 60 - 30);
	}
}

/* Rows held against the histograms of the training, twice in parts. */
static void
use_histograms(FuzzHost *fh, const WfModel *model, const float *x)
{
	WfDrift    *drift = wf_drift_create(&fh->host, model);
	uint32_t	n_columns = model->header->n_columns;
	WfDriftColumn *columns = wf_alloc(&fh->host, n_columns, sizeof(WfDriftColumn));

	if (drift == NULL)
		return;
	for (int sample = 0; sample < 2; sample++)
	{
		wf_drift_columns(drift, sample * 1000, columns);
		wf_drift_add(drift, x, ROWS);
		wf_drift_columns(drift, sample * 1000, columns);
		for (uint32_t c = 0; c < n_columns; c++)
			if (columns[c].feature >= model->header->n_features || columns[c].psi < 0 ||
				columns[c].p < 0 || columns[c].p > 1 || wf_drift_word(columns[c].verdict) == NULL)
				abort();
	}
}

/* Bytes that were verified need not be again; the answers stay. */
static void
use_verified(FuzzHost *fh, const WfModel *model, const float *x, const double *out)
{
	WfModel    *again = wf_model_open_verified(&fh->host, model->bytes, model->length);
	double		one[WF_MAX_CLASSES];

	wf_model_predict(again, x, one);
	if (memcmp(one, out, (size_t) wf_model_n_values(model) * sizeof(double)) != 0)
		abort();
}

static void
use_table(FuzzHost *fh, const WfModel *model)
{
	uint32_t	d = model->header->n_features;
	size_t		n_values = (size_t) wf_model_n_values(model);
	float	   *x = wf_alloc(&fh->host, (size_t) d * ROWS, sizeof(float));
	double	   *out = wf_alloc(&fh->host, n_values * ROWS, sizeof(double));
	double	   *phi = wf_alloc(&fh->host, (size_t) d + 1, sizeof(double));
	double		one[WF_MAX_CLASSES];

	for (size_t i = 0; i < (size_t) d * ROWS; i++)
		x[i] = some_value(d, i);
	wf_model_predict_block(model, x, ROWS, out);
	for (size_t r = 0; r < 3; r++)
	{
		wf_model_predict(model, x + r * d, one);
		/* NaN differs from itself, so bytes are compared. */
		if (memcmp(one, out + r * n_values, n_values * sizeof(double)) != 0)
			abort();
		model->algorithm->explain(&fh->host, model->opened, x + r * d,
								  (int) (r % model->header->n_outputs), phi);
	}
	use_verified(fh, model, x, out);
	use_histograms(fh, model, x);
	for (uint32_t c = 0; c < model->header->n_columns; c++)
	{
		const WfColumnRecord *column = &model->columns[c];
		const char *name = wf_model_string(model, column->name);

		if (column->kind == WF_COL_CATEGORY)
		{
			wf_model_level(model, c, name, column->name.length);
			wf_model_level(model, c, "level 1", 7);
		}
		else
			wf_model_tag(model, c, "tag 1", 5);
	}
}

/* What a recommender may answer: its own numbers, each once. */
static void
check_list(const WfRecommendation *list, uint32_t n, uint32_t n_items)
{
	for (uint32_t i = 0; i < n; i++)
	{
		if (list[i].item >= n_items)
			abort();
		for (uint32_t j = 0; j < i; j++)
			if (list[j].item == list[i].item)
				abort();
	}
}

#define LIST 25

static void
use_recommender(FuzzHost *fh, const WfModel *model)
{
	WfRecommenderInfo info = wf_recommender_info(model->opened);
	WfRecommendation list[LIST];

	for (uint32_t q = 0; q < ROWS; q++)
	{
		uint64_t	r = wf_rng(q, info.n_users);
		uint32_t	history[3];
		WfRecommendQuery query = {.user = WF_CODE_MISSING,.history = history,.exclude_seen = r & 1};
		uint32_t	item = info.n_catalogue ? wf_rng_below(wf_rng(r, 1), info.n_catalogue) : WF_CODE_MISSING;

		if (info.n_users > 0 && (r & 6) != 0)
			query.user = wf_rng_below(wf_rng(r, 2), info.n_users);
		for (uint32_t h = 0; info.n_catalogue > 0 && h < (r >> 4) % 4; h++)
			history[query.n_history++] = wf_rng_below(wf_rng(r, 3 + h), info.n_catalogue);
		check_list(list, wf_recommend(&fh->host, model->opened, &query, 1 + q % LIST, list), info.n_catalogue);
		if (item != WF_CODE_MISSING)
			check_list(list, wf_similar_items(&fh->host, model->opened, item, 1 + q % LIST, list), info.n_catalogue);
		if (info.has_ratings && !isfinite(wf_predict_rating(&fh->host, model->opened, query.user, item)))
			abort();
	}
}

static void
use_sequence(FuzzHost *fh, const WfModel *model)
{
	const WfSequence *sequence = model->opened;
	uint32_t	n = wf_sequence_n_events(sequence);
	WfSequenceState *state = wf_sequence_begin(&fh->host, sequence);
	double	   *p = wf_alloc(&fh->host, (size_t) n + 1, sizeof(double));

	for (uint32_t step = 0; step < ROWS; step++)
	{
		uint64_t	r = wf_rng(step, n);
		double		sum = 0;

		(void) wf_sequence_next(state, p);
		for (uint32_t e = 0; e <= n; e++)
		{
			if (!(p[e] >= 0))
				abort();
			sum += p[e];
		}
		if (!(fabs(sum - 1) < 1e-6))
			abort();
		(void) wf_sequence_next_gap(state);
		if (!isfinite(wf_sequence_logp(state, n)))
			abort();
		wf_sequence_push(state, n > 0 && r % 8 ? wf_rng_below(r, n) : WF_EVENT_UNKNOWN,
						 some_value(n, step), (r >> 8 & 3) != 0);
		if (step == ROWS / 2)
			wf_sequence_restart(state);
	}
	wf_sequence_end(state);
}

static void
use(FuzzHost *fh, const WfModel *model)
{
	switch (model->algorithm->family)
	{
		case WF_FAMILY_TABLE:
			use_table(fh, model);
			break;
		case WF_FAMILY_INTERACTIONS:
			use_recommender(fh, model);
			break;
		case WF_FAMILY_EVENTS:
			use_sequence(fh, model);
			break;
	}
	for (int m = 0; m < WF_MAX_IDMAPS; m++)
		if (model->ids[m].n > 0)
		{
			size_t		length;
			const char *id = wf_idmap_string(&model->ids[m], model->ids[m].n - 1, &length);

			(void) wf_idmap_find(&model->ids[m], id, length);
		}
	for (uint64_t r = 0; r < ROWS; r++)
		(void) wf_seen_has(&model->seen, wf_rng(r, model->length));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FuzzHost	fh;
	uint8_t    *bytes;
	size_t		length;

	if (size < 1)
		return 0;
	length = size - 1;
	bytes = malloc(length ? length : 1);
	memcpy(bytes, data + 1, length);
	if ((data[0] & 1) && length >= sizeof(WfModelHeader))
	{
		WfModelHeader *h = (WfModelHeader *) bytes;

		memcpy(h->magic, WF_MODEL_MAGIC, sizeof(h->magic));
		h->format = WF_MODEL_FORMAT;
		h->length = length;
		h->crc = wf_crc32c(0, bytes + 16, length - 16);
	}
	wf_simd_limit(data[0] & 2 ? WF_SIMD_SCALAR : data[0] & 4 ? WF_SIMD_AVX512 : WF_SIMD_AVX512_VBMI);

	/* Opening must do with twice the input; what comes after may be refused memory. */
	fuzz_host_begin(&fh, 2 * length + 65536);
	fh.strict = true;
	if (setjmp(fh.out) == 0)
	{
		WfModel    *model = wf_model_open(&fh.host, bytes, length);

		fh.strict = false;
		fh.limit = (size_t) 256 << 20;
		use(&fh, model);
	}
	else if (fh.strict && fh.code != WF_E_CORRUPT && fh.code != WF_E_UNSUPPORTED)
		abort();
	fuzz_host_end(&fh);
	free(bytes);
	return 0;
}
