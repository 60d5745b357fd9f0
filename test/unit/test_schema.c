/* Which columns stay, and the features they become. */
#include "wf_test.h"

#include "core/frame.h"
#include "core/rng.h"
#include "core/schema.h"

#define NOTHING __builtin_nanf("")

/* A table under construction: every column has one cell. */
typedef struct Table
{
	TestHost	th;
	WfSchema   *schema;
	WfFrame    *frame;
	WfCell		row[32];
} Table;

static void
table_begin(Table *t)
{
	test_host_begin(&t->th);
	t->schema = wf_schema_create(&t->th.host);
	t->frame = wf_frame_create(&t->th.host, SIZE_MAX, false, false, false);
}

static WfColumn *
column_of(Table *t, int i)
{
	return &t->schema->columns[i];
}

static int
add_column(Table *t, const char *name, WfColumnKind kind)
{
	int			i = wf_schema_add(t->schema, name, kind);
	WfColumn   *column = column_of(t, i);
	WfCellKind	cell = WF_CELL_NUMBER;

	if (kind == WF_COL_CATEGORY || kind == WF_COL_TAGS)
	{
		column->dict = wf_dict_create(&t->th.host);
		cell = kind == WF_COL_TAGS ? WF_CELL_TAGS : WF_CELL_CODE;
	}
	column->first_cell = wf_frame_add_column(t->frame, cell, column->dict);
	column->n_cells = 1;
	return i;
}

static void
set_word(Table *t, int column, const char *word)
{
	WfColumn   *c = column_of(t, column);

	t->row[c->first_cell].code = word ? wf_dict_add(c->dict, word, strlen(word)) : WF_CODE_MISSING;
}

/* Letters of word are the tags. */
static void
set_tags(Table *t, int column, const char *word)
{
	WfColumn   *c = column_of(t, column);
	uint32_t	codes[16];
	int			n = 0;

	for (; word && word[n]; n++)
		codes[n] = wf_dict_add(c->dict, &word[n], 1);
	t->row[c->first_cell].code = word ? wf_frame_tag_list(t->frame, c->first_cell, codes, n) : WF_CODE_MISSING;
}

static void
append(Table *t)
{
	WfRowExtra	extra = {.weight = 1};

	wf_frame_append(t->frame, t->row, &extra);
}

WF_TEST(columns_that_tell_nothing_are_left_out)
{
	for (int by_user = 0; by_user < 2; by_user++)
	{
		Table		t;
		WfLeftOut	expected[2][8] = {
			{WF_KEPT, WF_LEFT_CONSTANT, WF_LEFT_EMPTY, WF_LEFT_IDENTIFIER, WF_LEFT_EMPTY, WF_LEFT_CONSTANT, WF_LEFT_KEY, WF_KEPT},
			{WF_KEPT, WF_KEPT, WF_KEPT, WF_KEPT, WF_LEFT_EMPTY, WF_KEPT, WF_LEFT_KEY, WF_KEPT}
		};
		char		word[16];

		table_begin(&t);
		add_column(&t, "value", WF_COL_NUMBER);
		add_column(&t, "constant", WF_COL_NUMBER);
		add_column(&t, "empty", WF_COL_BOOLEAN);
		add_column(&t, "name", WF_COL_CATEGORY);
		add_column(&t, "no word", WF_COL_CATEGORY);
		add_column(&t, "one word", WF_COL_CATEGORY);
		add_column(&t, "id", WF_COL_NUMBER);
		add_column(&t, "sometimes", WF_COL_NUMBER);
		WF_CHECK_EQ(t.schema->n_columns, 8);
		for (int i = 0; i < 8; i++)
			column_of(&t, i)->by_user = by_user != 0;
		column_of(&t, 6)->left_out = WF_LEFT_KEY;
		for (int r = 0; r < 1000; r++)
		{
			t.row[0].number = (float) (r % 3);
			t.row[1].number = 4;
			t.row[2].number = NOTHING;
			snprintf(word, sizeof(word), "name %d", r % 501);
			set_word(&t, 3, word);
			set_word(&t, 4, NULL);
			set_word(&t, 5, "x");
			t.row[6].number = (float) r;
			t.row[7].number = r % 2 ? 4 : NOTHING;
			append(&t);
		}
		wf_schema_finish(t.schema, t.frame);
		for (int i = 0; i < 8; i++)
		{
			WfColumn   *c = column_of(&t, i);

			if (c->left_out != expected[by_user][i])
				wf_test_failed(__FILE__, __LINE__, "%s (by user %d): %d, expected %d",
							   c->name, by_user, (int) c->left_out, (int) expected[by_user][i]);
			WF_CHECK_EQ(c->n_features, c->left_out == WF_KEPT);
			if (c->n_features)
				WF_CHECK_EQ(t.schema->features[c->first_feature].column, i);
		}
		test_host_end(&t.th);
	}
}

WF_TEST(text_seen_twice_a_value_is_no_identifier)
{
	for (int kinds = 254; kinds <= 502; kinds += 62)
	{
		Table		t;
		char		word[16];
		int			c;

		table_begin(&t);
		c = add_column(&t, "code", WF_COL_CATEGORY);
		for (int r = 0; r < 1000; r++)
		{
			snprintf(word, sizeof(word), "%d", r % kinds);
			set_word(&t, c, r < 300 && kinds < 300 ? NULL : word);
			append(&t);
		}
		if (kinds > 500)
			WF_EXPECT_FAIL(&t.th, WF_E_DATA, wf_schema_finish(t.schema, t.frame));
		else
		{
			wf_schema_finish(t.schema, t.frame);
			WF_CHECK_EQ(column_of(&t, c)->left_out, WF_KEPT);
			WF_CHECK_EQ(t.schema->features[0].n_levels, 254);
			WF_CHECK_EQ(t.schema->features[0].has_other, kinds > 254);
		}
		test_host_end(&t.th);
	}
}

/* 300 words, the k-th k % 7 + 1 times: levels by count, then by bytes, the same in any order of rows. */
WF_TEST(levels_by_frequency)
{
	char		first[254][16];

	for (int turn = 0; turn < 3; turn++)
	{
		Table		t;
		WfFeature  *f;
		int			c;
		uint64_t	rare = 0;
		uint64_t	all = 0;

		table_begin(&t);
		c = add_column(&t, "word", WF_COL_CATEGORY);
		for (int i = 0; i < 300 * 7; i++)
		{
			int			k = (i * (turn == 1 ? 11 : 13) + turn) % 300;
			char		word[16];

			if (i / 300 > k % 7)
				continue;
			snprintf(word, sizeof(word), "w%d", k);
			set_word(&t, c, word);
			append(&t);
		}
		wf_schema_finish(t.schema, t.frame);
		f = &t.schema->features[0];
		WF_CHECK(f->category && f->has_other && f->n_levels == 254);
		for (uint32_t l = 0; l < 254; l++)
		{
			size_t		length;
			const char *s = wf_dict_string(column_of(&t, c)->dict, f->levels[l], &length);
			char		word[16];

			snprintf(word, sizeof(word), "%.*s", (int) length, s);
			if (turn == 0)
				strcpy(first[l], word);
			else
				WF_CHECK_STR(word, first[l]);
			WF_CHECK_EQ(f->bin_of_code[f->levels[l]], l);
			if (l)
			{
				uint64_t	before = wf_dict_count(column_of(&t, c)->dict, f->levels[l - 1]);
				uint64_t	count = wf_dict_count(column_of(&t, c)->dict, f->levels[l]);

				WF_CHECK(before > count || (before == count && strcmp(first[l - 1], first[l]) < 0));
			}
		}
		for (uint32_t code = 0; code < 300; code++)
		{
			uint64_t	count = wf_dict_count(column_of(&t, c)->dict, code);

			all += count;
			if (f->bin_of_code[code] == 254)
				rare += count;
		}
		WF_CHECK_EQ(all, wf_frame_n_rows(t.frame));
		WF_CHECK_NEAR(column_of(&t, c)->other_share, (double) rare / (double) all, 1e-12);
		WF_CHECK(rare > 40);
		test_host_end(&t.th);
	}
}

WF_TEST(tags_that_vary_become_indicators)
{
	static const char *const rows[] = {"abx", "xa", NULL, "xcaa", "xb", "x", "xxxxxxxx"};
	static const char expected[] = "xabc";	/* x is missing in one row only */
	Table		t;
	int			c;

	table_begin(&t);
	c = add_column(&t, "tags", WF_COL_TAGS);
	add_column(&t, "empty arrays", WF_COL_TAGS);
	add_column(&t, "always", WF_COL_TAGS);
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
	{
		set_tags(&t, c, rows[r]);
		set_tags(&t, c + 1, "");
		set_tags(&t, c + 2, r % 2 ? "kk" : "k");
		append(&t);
	}
	wf_schema_finish(t.schema, t.frame);
	WF_CHECK_EQ(t.schema->n_features, 4);
	for (int i = 0; i < 4; i++)
	{
		size_t		length;
		WfFeature  *f = &t.schema->features[i];

		WF_CHECK(f->part == WF_PART_TAG && !f->category);
		WF_CHECK_EQ(*wf_dict_string(column_of(&t, c)->dict, f->element, &length), expected[i]);
	}
	WF_CHECK_EQ(column_of(&t, c + 1)->left_out, WF_LEFT_CONSTANT);
	WF_CHECK_EQ(column_of(&t, c + 2)->left_out, WF_LEFT_CONSTANT);
	test_host_end(&t.th);
}

/* A tags column that the user names stays, though its elements are in every row; without elements it cannot. */
WF_TEST(constant_tags_by_user)
{
	Table		t;

	table_begin(&t);
	add_column(&t, "always", WF_COL_TAGS);
	add_column(&t, "no rows", WF_COL_TAGS);
	for (int i = 0; i < 2; i++)
		column_of(&t, i)->by_user = true;
	wf_dict_add(column_of(&t, 1)->dict, "unused", 6);
	for (int r = 0; r < 3; r++)
	{
		set_tags(&t, 0, "qp");
		set_tags(&t, 1, "");
		append(&t);
	}
	wf_schema_finish(t.schema, t.frame);
	WF_CHECK_EQ(t.schema->n_features, 2);
	WF_CHECK_EQ(t.schema->features[0].element, 1);	/* ties by bytes: p before q */
	WF_CHECK_EQ(column_of(&t, 1)->left_out, WF_LEFT_CONSTANT);
	WF_CHECK_EQ(column_of(&t, 1)->n_features, 0);
	test_host_end(&t.th);
}

WF_TEST(vectors_and_times_have_a_feature_each_cell)
{
	Table		t;
	WfColumn   *c;
	WfPart		parts[WF_N_PARTS];
	int			n;

	table_begin(&t);
	wf_schema_add(t.schema, "v", WF_COL_VECTOR);
	wf_schema_add(t.schema, "at", WF_COL_DATE);
	wf_schema_add(t.schema, "never", WF_COL_VECTOR);
	for (int i = 0; i < 3; i++)
		wf_frame_add_column(t.frame, WF_CELL_NUMBER, NULL);
	column_of(&t, 0)->n_cells = 3;
	c = column_of(&t, 1);
	c->parts = WF_TIME_PARTS_DEFAULT;
	n = wf_time_parts(c->kind, c->parts, parts);
	c->n_cells = n;
	c->first_cell = 3;
	for (int i = 0; i < n; i++)
		wf_frame_add_column(t.frame, WF_CELL_NUMBER, NULL);
	for (int r = 0; r < 10; r++)
	{
		float		out[WF_N_PARTS];

		t.row[0].number = 1;
		t.row[1].number = (float) r;
		t.row[2].number = NOTHING;
		wf_time_values(parts, n, r, 0, out);
		for (int i = 0; i < n; i++)
			t.row[3 + i].number = out[i];
		append(&t);
	}
	wf_schema_finish(t.schema, t.frame);
	WF_CHECK_EQ(t.schema->n_features, 3 + n);
	for (int i = 0; i < 3; i++)
		WF_CHECK(t.schema->features[i].part == WF_PART_ELEMENT && t.schema->features[i].element == (uint32_t) i);
	for (int i = 0; i < n; i++)
		WF_CHECK(t.schema->features[3 + i].part == parts[i] && t.schema->features[3 + i].cell == 3 + i);
	WF_CHECK_EQ(column_of(&t, 2)->left_out, WF_LEFT_EMPTY);
	test_host_end(&t.th);
}

WF_TEST(nothing_usable_is_an_error)
{
	Table		t;

	table_begin(&t);
	add_column(&t, "constant", WF_COL_NUMBER);
	t.row[0].number = 1;
	append(&t);
	append(&t);
	WF_EXPECT_FAIL(&t.th, WF_E_DATA, wf_schema_finish(t.schema, t.frame));
	WF_CHECK(strstr(t.th.message, "no usable feature column") != NULL);
	WF_CHECK_STR(t.schema->columns[0].name, "constant");
	test_host_end(&t.th);
}

WF_TEST(too_many_features_are_an_error)
{
	Table		t;

	table_begin(&t);
	wf_schema_add(t.schema, "v", WF_COL_VECTOR);
	column_of(&t, 0)->n_cells = 65001;
	column_of(&t, 0)->by_user = true;
	WF_EXPECT_FAIL(&t.th, WF_E_LIMIT, wf_schema_finish(t.schema, t.frame));
	test_host_end(&t.th);
}
