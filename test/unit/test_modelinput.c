/*
 * Rows of one frame as features of a model trained on another: the same
 * numbers as the model's own look-ups give, for every kind of column.
 */
#include "sample.h"

#include "core/modelinput.h"

static WfModel *
train(TestHost *th, Sample *s, const char *algorithm)
{
	WfTeam		team;
	WfTeamShared shared;
	WfFitResult r;

	sample_spec(&th->host, s, algorithm, "none");
	wf_team_alone(&team, &shared, &th->host);
	wf_fit(&team, &s->spec, &s->input, &r);
	return wf_model_open(&th->host, r.artifact.data, r.artifact.length);
}

static bool
same(float a, float b)
{
	return a == b || (isnan(a) && isnan(b));
}

WF_TEST(numbers_and_categories)
{
	TestHost	th;
	Sample		old;
	Sample		now;
	WfModel    *m;
	WfModelInput *input;
	WfFrameScan scan;
	bool		use[3];
	uint32_t	n = 5000;
	uint32_t	step = 1237;

	test_host_begin(&th);
	sample_make(&old, &th.host, 1000, 2, 1, (size_t) 1 << 30);
	m = train(&th, &old, "gradient_boosting");
	sample_make(&now, &th.host, n, 2, step, (size_t) 1 << 30);
	input = wf_model_input_create(&th.host, m, now.schema, now.frame, use);
	WF_CHECK(use[0] && use[1] && use[2]);
	wf_frame_scan_begin(now.frame, &scan);
	while (wf_frame_scan_next(&scan))
		for (uint32_t r = 0; r < scan.count; r++)
		{
			float		got[3];
			float		x[3];
			int			level;
			double		y;
			char		text[2] = {0};

			sample_row((scan.first_row + r) * step % n, 2, &x[0], &level, &x[2], &y);
			text[0] = (char) ('a' + level);
			x[1] = level < 0 ? NAN : wf_model_level(m, 1, text, 1);
			wf_model_input_row(input, &scan, r, got);
			for (int f = 0; f < 3; f++)
				WF_CHECK(same(got[f], x[f]));
		}
	wf_frame_scan_end(&scan);
	wf_model_input_destroy(input);
	test_host_end(&th);
}

/* ---- times, tags and vectors ---- */

static const char *const tag_text[] = {"red", "green", "blue"};

/* Rows i from first on; tags come in another order of codes when shifted. */
static void
make_rich(Sample *s, WfHost *host, uint64_t first, uint32_t n, WfColumnKind when, bool shifted)
{
	WfDict	   *tags = wf_dict_create(host);
	WfPart		parts[WF_N_PARTS];
	int			n_parts = wf_time_parts(when, WF_TIME_PARTS_DEFAULT, parts);
	WfCell		cells[WF_N_PARTS + 3];
	int			col;

	memset(s, 0, sizeof(*s));
	for (int i = 0; shifted && i < 3; i++)
		wf_dict_add(tags, tag_text[2 - i], strlen(tag_text[2 - i]));
	s->schema = wf_schema_create(host);
	s->frame = wf_frame_create(host, (size_t) 1 << 30, false, false, false);
	col = wf_schema_add(s->schema, "at", when);
	s->schema->columns[col].n_cells = n_parts;
	for (int i = 0; i < n_parts; i++)
	{
		wf_frame_add_column(s->frame, WF_CELL_NUMBER, NULL);
		s->schema->columns[col].parts |= UINT32_C(1) << parts[i];
	}
	col = wf_schema_add(s->schema, "tags", WF_COL_TAGS);
	s->schema->columns[col].dict = tags;
	s->schema->columns[col].first_cell = wf_frame_add_column(s->frame, WF_CELL_TAGS, tags);
	s->schema->columns[col].n_cells = 1;
	col = wf_schema_add(s->schema, "vec", WF_COL_VECTOR);
	s->schema->columns[col].first_cell = wf_frame_add_column(s->frame, WF_CELL_NUMBER, NULL);
	wf_frame_add_column(s->frame, WF_CELL_NUMBER, NULL);
	s->schema->columns[col].n_cells = 2;
	for (uint64_t i = first; i < first + n; i++)
	{
		WfRowExtra	extra = {.weight = 1, .target = (double) (i % 7)};
		uint32_t	codes[3];
		int			n_codes = 0;
		float		values[WF_N_PARTS];

		wf_time_values(parts, n_parts, (int64_t) i % 400, (int64_t) (i * 1234567) % 86400 * 1000000, values);
		for (int p = 0; p < n_parts; p++)
			cells[p].number = values[p];
		for (int t = 0; t < 3; t++)
			if (i >> t & 1)
				codes[n_codes++] = wf_dict_add(tags, tag_text[t], strlen(tag_text[t]));
		cells[n_parts].code = i % 10 == 9 ? WF_CODE_MISSING : wf_frame_tag_list(s->frame, n_parts, codes, n_codes);
		cells[n_parts + 1].number = (float) (i % 5);
		cells[n_parts + 2].number = i % 6 == 0 ? NAN : (float) (i % 11);
		wf_frame_append(s->frame, cells, &extra);
	}
	wf_schema_finish(s->schema, s->frame);
	s->schema->time_zone = "UTC";
	s->input = (WfFitInput) {.schema = s->schema, .frame = s->frame, .size_limit = (size_t) 64 << 20};
	s->spec.task = WF_REGRESSION;
}

/* What feature f of row i is. */
static float
rich_value(const WfModel *m, uint32_t f, uint64_t i, bool midnight)
{
	const WfFeatureRecord *record = &m->features[f];
	const WfColumnRecord *column = &m->columns[record->column];
	WfPart		part = (WfPart) record->part;
	const char *text;
	float		x;

	switch (column->kind)
	{
		case WF_COL_TAGS:
			if (i % 10 == 9)
				return NAN;
			text = wf_model_string(m, m->dict[column->first_string + record->element]);
			for (int t = 0; t < 3; t++)
				if (strcmp(text, tag_text[t]) == 0)
					return (float) (i >> t & 1);
			return -1;
		case WF_COL_VECTOR:
			return record->element == 0 ? (float) (i % 5) : i % 6 == 0 ? NAN : (float) (i % 11);
		default:
			wf_time_values(&part, 1, (int64_t) i % 400, midnight ? 0 : (int64_t) (i * 1234567) % 86400 * 1000000, &x);
			return x;
	}
}

static void
check_rich(WfColumnKind model_kind, WfColumnKind now_kind)
{
	TestHost	th;
	Sample		old;
	Sample		now;
	WfModel    *m;
	WfModelInput *input;
	WfFrameScan scan;

	test_host_begin(&th);
	make_rich(&old, &th.host, 0, 500, model_kind, false);
	m = train(&th, &old, "linear");
	make_rich(&now, &th.host, 300, 500, now_kind, true);
	input = wf_model_input_create(&th.host, m, now.schema, now.frame, NULL);
	wf_frame_scan_begin(now.frame, &scan);
	WF_CHECK_EQ(wf_frame_scan_next(&scan), 500);
	for (uint32_t r = 0; r < scan.count; r++)
	{
		float		x[64];

		wf_model_input_row(input, &scan, r, x);
		for (uint32_t f = 0; f < m->header->n_features; f++)
			WF_CHECK(same(x[f], rich_value(m, f, 300 + r, now_kind == WF_COL_DATE)));
	}
	wf_frame_scan_end(&scan);
	wf_model_input_destroy(input);
	test_host_end(&th);
}

WF_TEST(times_tags_and_vectors)
{
	check_rich(WF_COL_TIMESTAMP, WF_COL_TIMESTAMP);
	check_rich(WF_COL_DATE, WF_COL_DATE);
	/* a date is midnight to a model of timestamps; a timestamp has a date */
	check_rich(WF_COL_TIMESTAMP, WF_COL_DATE);
	check_rich(WF_COL_DATE, WF_COL_TIMESTAMP);
}

WF_TEST(columns_that_do_not_fit)
{
	TestHost	th;
	Sample		old;
	Sample		now;
	WfModel    *m;

	test_host_begin(&th);
	sample_make(&old, &th.host, 1000, 0, 1, (size_t) 1 << 30);
	m = train(&th, &old, "linear");
	sample_make(&now, &th.host, 1000, 0, 1, (size_t) 1 << 30);
	now.schema->columns[0].kind = WF_COL_BOOLEAN;
	wf_model_input_destroy(wf_model_input_create(&th.host, m, now.schema, now.frame, NULL));
	now.schema->columns[0].kind = WF_COL_VECTOR;
	WF_EXPECT_FAIL(&th, WF_E_DATA, wf_model_input_create(&th.host, m, now.schema, now.frame, NULL));
	WF_CHECK(strstr(th.message, "\"x\"") != NULL);
	now.schema->columns[0].kind = WF_COL_NUMBER;
	now.schema->columns[0].name = "y";
	WF_EXPECT_FAIL(&th, WF_E_DATA, wf_model_input_create(&th.host, m, now.schema, now.frame, NULL));
	WF_CHECK(strstr(th.message, "\"x\"") != NULL);
	make_rich(&old, &th.host, 0, 500, WF_COL_DATE, false);
	m = train(&th, &old, "linear");
	make_rich(&now, &th.host, 0, 500, WF_COL_DATE, false);
	now.schema->columns[2].n_cells = 1;
	WF_EXPECT_FAIL(&th, WF_E_DATA, wf_model_input_create(&th.host, m, now.schema, now.frame, NULL));
	test_host_end(&th);
}
