/*-------------------------------------------------------------------------
 * fuzz_model.c
 *	  libFuzzer: any bytes as a model.
 *
 * The first byte of an input chooses: with bit 0 set, magic, length and
 * checksum are made right, so that changes get past them; with bit 1 the
 * scalar forms predict.  The rest are the model's bytes.  A model that opens
 * must be usable: rows are predicted and explained, levels looked up.
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "core/model.h"
#include "core/rng.h"
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

static void
use(FuzzHost *fh, const WfModel *model)
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
