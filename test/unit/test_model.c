/* Models as bytes: written, opened, looked up, predicted with, damaged. */
#include "wf_test.h"

#include "core/mathx.h"
#include "core/simd.h"
#include "model_maker.h"

static const Maker boosting = {.seed = 5,.d = 14,.max_bins = 40,.combine = WF_COMBINE_SUM,
.n_trees = 10,.n_leaves = 16,.categories = 0.4,.missing = 0.4};

WF_TEST(crc32c_known_values)
{
	uint8_t		bytes[100000];

	for (int level = WF_SIMD_SCALAR; level <= WF_SIMD_AVX512; level++)
	{
		wf_simd_limit((WfSimd) level);
		WF_CHECK_EQ(wf_crc32c(0, "123456789", 9), 0xe3069283u);
		memset(bytes, 0, 32);
		WF_CHECK_EQ(wf_crc32c(0, bytes, 32), 0x8a9136aau);
		memset(bytes, 0xff, 32);
		WF_CHECK_EQ(wf_crc32c(0, bytes, 32), 0x62a8ab43u);
		WF_CHECK_EQ(wf_crc32c(0, "", 0), 0);
	}
}

WF_TEST(crc32c_forms_agree)
{
	uint8_t		bytes[150001];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t) wf_rng(1, i);
	for (size_t n = sizeof(bytes); n > 0; n = n * 2 / 3)
	{
		uint32_t	crc[2];

		for (int level = 0; level < 2; level++)
		{
			wf_simd_limit(level ? WF_SIMD_AVX512 : WF_SIMD_SCALAR);
			crc[level] = wf_crc32c(77, bytes + 1, n - 1);
			/* in two pieces */
			WF_CHECK_EQ(wf_crc32c(wf_crc32c(77, bytes + 1, n / 3), bytes + 1 + n / 3, n - 1 - n / 3), crc[level]);
		}
		WF_CHECK_EQ(crc[0], crc[1]);
	}
	wf_simd_limit(WF_SIMD_AVX512);
}

/* A row as features, and the probabilities or the value that it must get. */
static void
check_rows(Maker *m, const WfModel *model)
{
	for (int r = 0; r < 40; r++)
	{
		float		x[MAKER_MAX_FEATURES];
		uint8_t		bins[MAKER_MAX_FEATURES];
		double		raw[16];
		double		truth[16];
		double		out[16];
		double		sum = 0;

		maker_row(m, x, bins);
		maker_score(m, bins, raw);
		wf_model_finish(model, raw, truth);
		wf_model_predict(model, x, out);
		WF_CHECK(memcmp(out, truth, sizeof(double) * (size_t) wf_model_n_values(model)) == 0);
		for (int c = 0; c < m->n_classes; c++)
		{
			sum += out[c];
			WF_CHECK(out[c] >= 0 && out[c] <= 1);
		}
		if (m->n_classes)
			WF_CHECK_NEAR(sum, 1, 1e-6);
	}
}

static void
round_trip(Maker m, WfCalibration calibration)
{
	TestHost	th;
	WfBytes		bytes;
	WfModel    *model;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	bytes = maker_model(&th.host, &m, calibration);
	model = wf_model_open(&th.host, bytes.data, bytes.length);
	WF_CHECK_EQ(model->header->n_features, m.d);
	WF_CHECK_EQ(model->header->training_rows, 1234);
	WF_CHECK_EQ(model->header->seed, m.seed);
	WF_CHECK(isnan(model->header->lower) == (m.n_classes != 0));
	WF_CHECK_STR(wf_model_string(model, model->columns[0].name), "column 0");
	for (int c = 0; c < m.n_classes; c++)
	{
		char		name[32];

		snprintf(name, sizeof(name), "class %d", c);
		WF_CHECK_STR(wf_model_string(model, model->labels[c]), name);
	}
	check_rows(&m, model);
	check_rows(&m, wf_model_open_verified(&th.host, bytes.data, bytes.length));
	test_host_end(&th);
}

WF_TEST(round_trips)
{
	Maker		m = boosting;

	round_trip(m, WF_CALIBRATE_NONE);
	m.n_classes = 2;
	round_trip(m, WF_CALIBRATE_NONE);
	round_trip(m, WF_CALIBRATE_PLATT);
	m.n_classes = 4;
	round_trip(m, WF_CALIBRATE_TEMPERATURE);
	m.leaf = WF_LEAF_CLASS;
	m.combine = WF_COMBINE_MEAN;
	m.distributions = 0.5;
	round_trip(m, WF_CALIBRATE_NONE);
	m.n_classes = 2;
	round_trip(m, WF_CALIBRATE_NONE);
	m.leaf = WF_LEAF_VALUE;
	m.n_classes = 0;
	round_trip(m, WF_CALIBRATE_NONE);
	m.d = 350;
	round_trip(m, WF_CALIBRATE_NONE);
}

WF_TEST(blocks_are_rows)
{
	TestHost	th;
	Maker		m = boosting;
	enum {ROWS = 3000};
	WfBytes		bytes;
	WfModel    *model;
	float	   *x;
	double	   *block;
	double		one[4];
	uint8_t		bins[MAKER_MAX_FEATURES];

	m.n_classes = 4;
	test_host_begin(&th);
	maker_schema(&th.host, &m);
	bytes = maker_model(&th.host, &m, WF_CALIBRATE_NONE);
	model = wf_model_open(&th.host, bytes.data, bytes.length);
	x = wf_alloc(&th.host, ROWS * m.d, sizeof(float));
	block = wf_alloc(&th.host, ROWS * 4, sizeof(double));
	for (uint32_t i = 0; i < ROWS; i++)
		maker_row(&m, x + i * m.d, bins);
	wf_model_predict_block(model, x, ROWS, block);
	for (uint32_t i = 0; i < ROWS; i += 7)
	{
		wf_model_predict(model, x + i * m.d, one);
		WF_CHECK(memcmp(one, block + i * 4, sizeof(one)) == 0);
	}
	test_host_end(&th);
}

WF_TEST(levels_and_tags)
{
	TestHost	th;
	Maker		m = boosting;
	WfBytes		bytes;
	WfModel    *model;
	char		name[32];
	char		longer[2 * WF_DICT_KEY_BYTES];
	int			categories = 0;
	int			others = 0;
	int			tags = 0;

	memset(longer, 'x', sizeof(longer));
	test_host_begin(&th);
	maker_schema(&th.host, &m);
	bytes = maker_model(&th.host, &m, WF_CALIBRATE_NONE);
	model = wf_model_open(&th.host, bytes.data, bytes.length);
	for (uint32_t c = 0; c < model->header->n_columns; c++)
	{
		const WfColumnRecord *column = &model->columns[c];

		if (column->kind == WF_COL_CATEGORY)
		{
			const WfFeatureRecord *f = &model->features[column->first_feature];
			float		unknown = wf_model_level(model, c, "unheard of", 10);

			categories++;
			for (uint32_t l = 0; l < column->n_strings; l++)
			{
				snprintf(name, sizeof(name), "level %u", l);
				WF_CHECK_EQ(wf_model_level(model, c, name, strlen(name)), l);
			}
			others += f->has_other;
			WF_CHECK(f->has_other ? unknown == f->n_bins - 1 : isnan(unknown));
			unknown = wf_model_level(model, c, longer, sizeof(longer));
			WF_CHECK(f->has_other ? unknown == f->n_bins - 1 : isnan(unknown));
		}
		else if (column->kind == WF_COL_TAGS)
		{
			tags++;
			for (uint32_t t = 0; t < column->n_features; t++)
			{
				snprintf(name, sizeof(name), "tag %u", t);
				WF_CHECK_EQ(wf_model_tag(model, c, name, strlen(name)), t);
				WF_CHECK_EQ(model->features[column->first_feature + t].element, t);
			}
			WF_CHECK_EQ(wf_model_tag(model, c, "tag", 3), -1);
			WF_CHECK_EQ(wf_model_tag(model, c, "", 0), -1);
		}
	}
	WF_CHECK(categories > 1 && others > 0 && tags > 0);
	test_host_end(&th);
}

WF_TEST(same_bytes_twice)
{
	TestHost	th;
	Maker		m = boosting;
	WfBytes		a;
	WfBytes		b;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	a = maker_model(&th.host, &m, WF_CALIBRATE_NONE);
	m = boosting;
	maker_schema(&th.host, &m);
	b = maker_model(&th.host, &m, WF_CALIBRATE_NONE);
	WF_CHECK_EQ(a.length, b.length);
	WF_CHECK(memcmp(a.data, b.data, a.length) == 0);
	test_host_end(&th);
}

/* Open bytes in a host of their own; true when they open and a row can be scored. */
static bool
opens(const uint8_t *bytes, size_t length, WfCode expected)
{
	static const float zeros[MAKER_MAX_FEATURES];
	TestHost	th;
	jmp_buf		jb;
	bool		ok;

	test_host_begin(&th);
	th.on_fail = &jb;
	if (setjmp(jb) == 0)
	{
		WfModel    *model = wf_model_open(&th.host, bytes, length);
		double		out[16];
		double		phi[MAKER_MAX_FEATURES + 1];

		wf_model_predict(model, zeros, out);
		wf_model_predict_block(model, zeros, 1, out);
		model->algorithm->explain(&th.host, model->opened, zeros, 0, phi);
		for (uint32_t c = 0; c < model->header->n_columns; c++)
			if (model->columns[c].kind == WF_COL_CATEGORY)
				wf_model_level(model, c, "level 1", 7);
			else
				wf_model_tag(model, c, "tag 1", 5);
	}
	else
		WF_CHECK(th.code == expected || th.code == WF_E_UNSUPPORTED);
	WF_CHECK(th.bytes_peak <= 2 * length + 65536);
	ok = !th.failed;
	test_host_end(&th);
	return ok;
}

WF_TEST(damaged_bytes_are_noticed)
{
	TestHost	th;
	Maker		m = boosting;
	WfBytes		bytes;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	bytes = maker_model(&th.host, &m, WF_CALIBRATE_NONE);
	WF_CHECK(opens(bytes.data, bytes.length, WF_E_CORRUPT));
	for (size_t i = 0; i < bytes.length; i += i < 200 ? 1 : 97)
	{
		bytes.data[i] ^= 0x10;
		WF_CHECK(!opens(bytes.data, bytes.length, WF_E_CORRUPT));
		bytes.data[i] ^= 0x10;
	}
	for (size_t n = 0; n < bytes.length; n += n < 200 ? 1 : 97)
		WF_CHECK(!opens(bytes.data, n, WF_E_CORRUPT));
	/* a later format is named as such */
	((WfModelHeader *) bytes.data)->format = 99;
	WF_EXPECT_FAIL(&th, WF_E_UNSUPPORTED, wf_model_open(&th.host, bytes.data, bytes.length));
	WF_CHECK(strstr(th.message, "99") != NULL);
	test_host_end(&th);
}

/* Changes with a checksum that fits: an error, or a model that can be used. */
static void
mutate(Maker m, int n, uint64_t seed)
{
	TestHost	th;
	WfBytes		bytes;
	int			opened = 0;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	bytes = maker_model(&th.host, &m, WF_CALIBRATE_NONE);
	for (int i = 0; i < n; i++)
	{
		uint64_t	r = wf_rng(seed, (uint64_t) i);
		uint8_t    *copy = malloc(bytes.length);
		uint32_t	range = (uint32_t) bytes.length - 16;

		memcpy(copy, bytes.data, bytes.length);
		for (uint64_t j = 0; j <= (r & 3); j++)
		{
			uint32_t	at = 16 + wf_rng_below(wf_rng(r, 10 + j), j % 2 ? 500 : range);

			copy[at] = (uint8_t) (i % 3 == 0 ? wf_rng(r, 20 + j) : copy[at] + 1 - 2 * (j & 1));
		}
		((WfModelHeader *) copy)->crc = wf_crc32c(0, copy + 16, bytes.length - 16);
		opened += opens(copy, bytes.length, WF_E_CORRUPT);
		free(copy);
	}
	WF_CHECK(opened > 0 && opened < n);
	test_host_end(&th);
}

WF_TEST(lying_bytes_are_harmless)
{
	Maker		m = boosting;

	m.n_trees = 3;
	m.n_leaves = 6;
	m.max_bins = 5;
	mutate(m, 1500, 1);
	m.n_classes = 3;
	m.leaf = WF_LEAF_CLASS;
	m.combine = WF_COMBINE_MEAN;
	m.distributions = 0.5;
	mutate(m, 1500, 2);
}

WF_TEST(allocation_may_fail_anywhere)
{
	TestHost	th;
	Maker		m = boosting;
	WfBytes		bytes;
	uint64_t	needed;

	test_host_begin(&th);
	maker_schema(&th.host, &m);
	bytes = maker_model(&th.host, &m, WF_CALIBRATE_NONE);
	needed = th.n_allocs;
	wf_model_open(&th.host, bytes.data, bytes.length);
	needed = th.n_allocs - needed;
	for (uint64_t i = 1; i <= needed; i++)
	{
		th.fail_alloc_at = th.n_allocs + i;
		WF_EXPECT_FAIL(&th, WF_E_MEMORY, wf_model_open(&th.host, bytes.data, bytes.length));
	}
	test_host_end(&th);
}
