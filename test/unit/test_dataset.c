/* The training matrix: against the rows it came from, and the same bytes however they came. */
#include "wf_test.h"

#include "core/dataset.h"
#include "core/rng.h"
#include "core/simd.h"

#define NOTHING __builtin_nanf("")

/* ---- a made-up table: two numbers, a category, tags, a late vector of two ---- */

typedef struct Source
{
	uint32_t	n;
	uint32_t	shuffle;		/* 0: as they are */
	size_t		limit;			/* of the frame */
	bool		weighted;
	bool		classes;
	bool		with_time;
} Source;

typedef struct Row
{
	float		x;
	float		few;
	int			word;			/* -1: NULL */
	int			tags;			/* bit mask; -1: NULL */
	bool		vector;
	int			label;
} Row;

static Row
row_of(uint32_t i)
{
	uint64_t	r = wf_mix(i % 4000);	/* the rest are equal rows */
	Row			row;

	row.x = (float) wf_rng_unit(r) * 10 - 3;
	row.few = r % 9 == 0 ? NOTHING : (float) (r % 9);
	row.word = r / 16 % 13 == 0 ? -1 : (int) (wf_rng_unit(wf_mix(r)) * wf_rng_unit(wf_mix(r + 1)) * 400);
	row.tags = r / 256 % 17 == 0 ? -1 : (int) (r / 4096 % 32);
	row.vector = r / 64 % 10 != 0;
	row.label = (int) (r / 1024 % 3);
	return row;
}

typedef struct Loaded
{
	WfSchema   *schema;
	WfFrame    *frame;
	uint32_t   *order;			/* row of arrival → number i of row_of() */
	uint16_t	class_of_code[3];
} Loaded;

static uint32_t
word_code(WfDict *dict, char letter, int number)
{
	char		word[16];

	snprintf(word, sizeof(word), "%c%d", letter, number);
	return wf_dict_add(dict, word, strlen(word));
}

static void
add_columns(WfHost *host, Loaded *l)
{
	static const WfColumnKind kinds[] = {WF_COL_NUMBER, WF_COL_NUMBER, WF_COL_CATEGORY, WF_COL_TAGS, WF_COL_VECTOR};

	for (int i = 0; i < 5; i++)
	{
		int			index = wf_schema_add(l->schema, "c", kinds[i]);
		WfColumn   *c = &l->schema->columns[index];

		if (kinds[i] == WF_COL_VECTOR)
			continue;
		if (i >= 2)
			c->dict = wf_dict_create(host);
		c->first_cell = wf_frame_add_column(l->frame, i < 2 ? WF_CELL_NUMBER : i == 2 ? WF_CELL_CODE : WF_CELL_TAGS, c->dict);
		c->n_cells = 1;
	}
}

static void
append_row(Loaded *l, WfDict *labels, const Source *source, uint32_t i)
{
	WfColumn   *c = l->schema->columns;
	Row			row = row_of(i);
	WfCell		cells[6];
	uint32_t	tags[5];
	int			n_tags = 0;
	WfRowExtra	extra = {.weight = 1 + i % 4000 % 3, .group = i % 4000 % 5, .time = i % 4000};

	if (row.vector && c[4].n_cells == 0)
	{
		c[4].first_cell = wf_frame_add_column(l->frame, WF_CELL_NUMBER, NULL);
		wf_frame_add_column(l->frame, WF_CELL_NUMBER, NULL);
		c[4].n_cells = 2;
	}
	cells[0].number = row.x;
	cells[1].number = row.few;
	cells[2].code = row.word < 0 ? WF_CODE_MISSING : word_code(c[2].dict, 'w', row.word);
	for (int t = 4; t >= 0; t--)
		if (row.tags >= 0 && row.tags & 1 << t)
			tags[n_tags++] = word_code(c[3].dict, 't', t);
	cells[3].code = row.tags < 0 ? WF_CODE_MISSING : wf_frame_tag_list(l->frame, 3, tags, n_tags);
	cells[4].number = row.vector ? row.x * 2 : NOTHING;
	cells[5].number = row.vector ? 1 : NOTHING;
	if (source->classes)
	{
		uint32_t	code = word_code(labels, 'l', row.label);

		extra.target = code;
		extra.target_hash = wf_dict_hash(labels, code);
		l->class_of_code[code] = (uint16_t) row.label;
	}
	else
		extra.target = row.x * row.x;
	wf_frame_append(l->frame, cells, &extra);
}

static Loaded
load(WfHost *host, const Source *source)
{
	Loaded		l;
	WfDict	   *labels = wf_dict_create(host);

	l.schema = wf_schema_create(host);
	l.frame = wf_frame_create(host, source->limit, source->weighted, source->with_time, source->with_time);
	l.order = wf_alloc(host, source->n, sizeof(uint32_t));
	for (uint32_t i = 0; i < source->n; i++)
		l.order[i] = i;
	for (uint32_t i = source->n - 1; source->shuffle && i > 0; i--)
	{
		uint32_t	j = wf_rng_below(wf_rng(i, source->shuffle), i + 1);
		uint32_t	swap = l.order[i];

		l.order[i] = l.order[j];
		l.order[j] = swap;
	}
	add_columns(host, &l);
	for (uint32_t i = 0; i < source->n; i++)
		append_row(&l, labels, source, l.order[i]);
	wf_schema_finish(l.schema, l.frame);
	return l;
}

/* ---- everything in a data set as one run of bytes ---- */

static void
put(WfBytes *b, const void *data, size_t n, size_t size)
{
	uint8_t		there = data != NULL;

	wf_bytes_append(b, &there, 1);
	if (data)
		wf_bytes_append(b, data, n * size);
}

static void
put_all(WfBytes *b, const WfDataset *data, bool leads)
{
	uint64_t	shape[] = {data->n, data->d, (uint64_t) data->n_classes, data->layout, data->stride, data->payload_at, data->n_cuts};

	put(b, shape, sizeof(shape), 1);
	put(b, data->rows, data->n, data->stride);
	put(b, data->values, data->n, data->d * sizeof(float));
	put(b, data->target, data->n, sizeof(double));
	put(b, data->label, data->n, sizeof(uint16_t));
	put(b, data->weight, data->n, sizeof(float));
	put(b, data->hash, data->n, sizeof(uint64_t));
	if (leads)
	{
		put(b, data->group, data->n, sizeof(uint64_t));
		put(b, data->time, data->n, sizeof(double));
	}
	else
		WF_CHECK(data->group == NULL && data->time == NULL);
	put(b, data->n_bins, data->d, sizeof(uint16_t));
	put(b, data->is_category, data->d, 1);
	put(b, data->has_missing, data->d, 1);
	put(b, data->monotone, data->d, 1);
	put(b, data->first_cut, data->d, sizeof(uint32_t));
	put(b, data->cuts, data->n_cuts, sizeof(float));
}

typedef struct Job
{
	Source		source;
	WfLayout	layout;
	size_t		payload;
	int			max_bins;
	const double *class_weight;
	Loaded	   *loaded;			/* of rank 0 */
	WfBytes		bytes;			/* of rank 0 */
	bool		members_agree;
	size_t		frame_left;		/* bytes that the frame kept */
} Job;

static void
build(WfTeam *team, void *arg)
{
	Job		   *job = arg;
	Loaded	   *l = team->rank == 0 ? job->loaded : NULL;
	WfDataset  *data;
	uint64_t	mine[2];
	WfBytes		b;

	data = wf_dataset_build(team, l ? l->schema : NULL, l ? l->frame : NULL, job->layout, job->payload, job->max_bins,
							l ? l->class_of_code : NULL, job->source.classes ? 3 : 0, job->class_weight, true);
	wf_bytes_init(&b, team->host);
	put_all(&b, data, team->rank == 0);
	mine[0] = mine[1] = wf_hash_bytes(data->cuts, data->n_cuts * sizeof(float),
									  wf_hash_bytes(data->hash, data->n * sizeof(uint64_t), data->stride));
	wf_team_broadcast(team, &mine[0], sizeof(mine[0]));
	if (mine[0] != mine[1])
		job->members_agree = false;
	if (team->rank == 0)
	{
		job->bytes = b;
		job->frame_left = wf_frame_memory(l->frame);
	}
	wf_dataset_free(team, data);
}

/* The data set of a source, built by a team of that size, as bytes to be freed by the caller. */
static char *
bytes_of(Source source, WfLayout layout, int team_size, size_t *length)
{
	static const double weights[] = {1, 2.5, 0.5};
	TestHost	th;
	Loaded		l;
	Job			job = {.source = source, .layout = layout, .payload = 12, .max_bins = 64, .members_agree = true};
	char	   *copy;

	if (source.classes && source.weighted)
		job.class_weight = weights;
	test_host_begin(&th);
	l = load(&th.host, &source);
	job.loaded = &l;
	WF_CHECK(test_team_run(&th, team_size, build, &job));
	WF_CHECK(job.members_agree);
	WF_CHECK(job.frame_left < 70000);	/* tag lists */
	*length = job.bytes.length;
	copy = malloc(*length);
	memcpy(copy, job.bytes.data, *length);
	test_host_end(&th);
	return copy;
}

WF_TEST(same_rows_same_bytes)
{
	Source		variants[] = {
		{.shuffle = 1, .limit = SIZE_MAX}, {.shuffle = 2, .limit = 0}, {.shuffle = 3, .limit = 100000},
		{.limit = SIZE_MAX}, {.limit = SIZE_MAX}, {.limit = SIZE_MAX}
	};

	for (int kind = 0; kind < 6; kind++)
	{
		Source		base = {.n = 9000, .limit = SIZE_MAX, .weighted = kind % 2 == 0, .classes = kind < 3, .with_time = kind == 2};
		WfLayout	layout = kind == 4 ? WF_LAYOUT_VALUES : WF_LAYOUT_BINS;
		size_t		length,
					length2;
		char	   *bytes = bytes_of(base, layout, 1, &length);

		for (int v = 0; v < 6; v++)
		{
			Source		s = base;
			char	   *other;

			s.shuffle = variants[v].shuffle;
			s.limit = variants[v].limit;
			wf_simd_limit(v == 5 ? WF_SIMD_SCALAR : WF_SIMD_AVX512);
			other = bytes_of(s, layout, v == 3 ? 2 : v == 4 ? 3 : 1, &length2);
			wf_simd_limit(WF_SIMD_AVX512);
			WF_CHECK_EQ(length2, length);
			if (length != length2 || memcmp(bytes, other, length) != 0)
				wf_test_failed(__FILE__, __LINE__, "kind %d, variant %d: bytes differ", kind, v);
			free(other);
		}
		free(bytes);
	}
}

/* ---- against the rows themselves ---- */

static int
count_below(const WfDataset *data, uint32_t f, float x)
{
	int			bin = 0;

	if (isnan(x))
		return WF_MISSING_BIN;
	for (int k = 0; k < data->n_bins[f] - 1; k++)
		bin += data->cuts[data->first_cut[f] + (uint32_t) k] < x;
	return bin;
}

/* The bin that feature f of row i should have, and its value. */
static int
expected_bin(const Loaded *l, const WfDataset *data, uint32_t f, uint32_t i, float *value)
{
	const WfFeature *feature = &l->schema->features[f];
	const WfColumn *column = &l->schema->columns[feature->column];
	Row			row = row_of(i);
	int			bin = WF_MISSING_BIN;
	size_t		length;

	if (feature->column == 2)
	{
		if (row.word >= 0)
			bin = feature->bin_of_code[word_code(column->dict, 'w', row.word)];
	}
	else if (feature->column == 3)
	{
		if (row.tags >= 0)
			bin = row.tags >> (wf_dict_string(column->dict, feature->element, &length)[1] - '0') & 1;
	}
	else
	{
		*value = feature->column == 0 ? row.x : feature->column == 1 ? row.few
			: !row.vector ? NOTHING : feature->element ? 1 : row.x * 2;
		return count_below(data, f, *value);
	}
	*value = bin == WF_MISSING_BIN ? NOTHING : (float) bin;
	return bin;
}

static void
check_row(const Loaded *l, const WfDataset *data, uint32_t id, uint32_t i)
{
	const uint8_t *record = data->rows ? wf_dataset_row(data, id) : NULL;
	uint32_t	number = 0;

	for (uint32_t f = 0; f < data->d; f++)
	{
		float		value = 0;
		int			bin = expected_bin(l, data, f, i, &value);

		if (record)
			WF_CHECK_EQ(record[f], bin);
		else
		{
			float		x = data->values[(size_t) id * data->d + f];

			WF_CHECK(isnan(value) ? isnan(x) : x == value);
		}
		if (bin == WF_MISSING_BIN)
			WF_CHECK_EQ(data->has_missing[f], 1);
		else
			WF_CHECK(bin < data->n_bins[f]);
	}
	if (record)
	{
		for (size_t k = data->d; k < data->payload_at; k++)
			WF_CHECK_EQ(record[k], 0);
		memcpy(&number, record + data->payload_at, 4);
		WF_CHECK_EQ(number, id);
		for (size_t k = data->payload_at + 4; k < data->stride; k++)
			WF_CHECK_EQ(record[k], 0);
	}
}

WF_TEST(records_hold_what_rows_held)
{
	static const double weights[] = {1, 2.5, 0.5};

	for (int kind = 0; kind < 4; kind++)
	{
		Source		source = {.n = 9000, .limit = SIZE_MAX, .weighted = kind == 1, .classes = kind < 2, .with_time = kind == 1};
		TestHost	th;
		WfTeam		team;
		WfTeamShared shared;
		Loaded		l;
		WfDataset  *data;
		uint32_t   *rank;
		uint64_t   *hash;

		test_host_begin(&th);
		wf_team_alone(&team, &shared, &th.host);
		l = load(&th.host, &source);
		rank = wf_frame_ranks(l.frame);
		hash = wf_alloc(&th.host, source.n, sizeof(uint64_t));
		for (uint32_t r = 0; r < source.n; r++)
			hash[r] = wf_frame_hash(l.frame, r);
		data = wf_dataset_build(&team, l.schema, l.frame, kind == 3 ? WF_LAYOUT_VALUES : WF_LAYOUT_BINS, kind == 2 ? 0 : 8, 255,
								l.class_of_code, source.classes ? 3 : 0, kind == 1 ? weights : NULL, true);
		WF_CHECK_EQ(data->n, source.n);
		WF_CHECK_EQ(data->d, 2 + 1 + 5 + 2);
		WF_CHECK_EQ(data->payload_at, 12);
		WF_CHECK_EQ(data->stride, kind == 2 ? 12 : 20);
		WF_CHECK(th.n_progress > 0);
		for (uint32_t r = 0; r < source.n; r++)
		{
			uint32_t	i = l.order[r];
			uint32_t	id = rank[r];
			Row			row = row_of(i);

			if (kind == 2)
			{
				float		value;

				for (uint32_t f = 0; f < data->d; f++)
					WF_CHECK_EQ(wf_dataset_row(data, id)[f], expected_bin(&l, data, f, i, &value));
				continue;
			}
			check_row(&l, data, id, i);
			WF_CHECK_EQ(data->hash[id], hash[r]);
			if (data->label)
				WF_CHECK_EQ(data->label[id], row.label);
			else
				WF_CHECK(data->target[id] == row.x * row.x);
			if (kind == 1)
			{
				WF_CHECK(data->weight[id] == (float) ((1 + i % 4000 % 3) * weights[row.label]));
				WF_CHECK_EQ(data->group[id], i % 4000 % 5);
				WF_CHECK(data->time[id] == i % 4000);
			}
			else
				WF_CHECK(data->weight == NULL && data->group == NULL && data->time == NULL);
		}
		for (uint32_t f = 0; f < data->d; f++)
		{
			WF_CHECK_EQ(data->has_missing[f], l.schema->features[f].column != 0);
			WF_CHECK_EQ(data->is_category[f], l.schema->features[f].column == 2);
			for (int k = 1; k < data->n_bins[f] - 1 && !data->is_category[f]; k++)
				WF_CHECK(data->cuts[data->first_cut[f] + (uint32_t) k] > data->cuts[data->first_cut[f] + (uint32_t) k - 1]);
		}
		WF_CHECK_EQ(data->n_bins[0], 255);
		WF_CHECK_EQ(data->n_bins[1], 8);
		WF_CHECK_EQ(data->n_bins[2], 255);
		WF_CHECK_EQ(data->n_bins[3], 2);
		WF_CHECK(wf_dataset_bytes(data->n, data->d, kind == 2 ? 0 : 8, data->layout, data->n_classes, data->weight != NULL) >=
				 data->n * (data->rows ? data->stride : 4 * data->d) + data->n * 8 + data->n_cuts * 4);
		wf_dataset_free(&team, data);
		test_host_end(&th);
	}
}

/* A schema of so many number columns over a frame of its own. */
static Loaded
numbers(WfHost *host, uint32_t n, int d)
{
	Loaded		l = {wf_schema_create(host), wf_frame_create(host, SIZE_MAX, false, false, false), NULL, {0}};
	WfCell	   *cells = wf_alloc(host, (size_t) d, sizeof(WfCell));

	for (int c = 0; c < d; c++)
	{
		int			index = wf_schema_add(l.schema, "x", WF_COL_NUMBER);

		l.schema->columns[index].first_cell = wf_frame_add_column(l.frame, WF_CELL_NUMBER, NULL);
		l.schema->columns[index].n_cells = 1;
	}
	for (uint32_t r = 0; r < n; r++)
	{
		WfRowExtra	extra = {.weight = 1};

		for (int c = 0; c < d; c++)
			cells[c].number = (float) (int32_t) wf_rng(r, (uint64_t) c);
		wf_frame_append(l.frame, cells, &extra);
	}
	wf_schema_finish(l.schema, l.frame);
	return l;
}

/* Of many rows, or many columns, those of smallest hash give the cuts. */
WF_TEST(cuts_come_from_the_rows_of_smallest_hash)
{
	static const struct
	{
		uint32_t	n;
		int			d;
		uint32_t	sample;		/* 200,000 rows and 32 MB at most */
	}			shapes[] = {{210000, 1, 200000}, {3000, 4000, 2097}};

	for (int k = 0; k < 2; k++)
	{
		TestHost	th;
		WfTeam		team;
		WfTeamShared shared;
		Loaded		l;
		WfDataset  *data;
		uint32_t   *rank;
		float	   *values;
		float		cuts[255];
		int			column = shapes[k].d * 3 / 4;
		size_t		count = 0;

		test_host_begin(&th);
		wf_team_alone(&team, &shared, &th.host);
		l = numbers(&th.host, shapes[k].n, shapes[k].d);
		rank = wf_frame_ranks(l.frame);
		data = wf_dataset_build(&team, l.schema, l.frame, WF_LAYOUT_BINS, 4, 255, NULL, 0, NULL, true);
		values = wf_alloc(&th.host, shapes[k].n, sizeof(float));
		for (uint32_t r = 0; r < shapes[k].n; r++)
			if (rank[r] < shapes[k].sample)
				values[count++] = (float) (int32_t) wf_rng(r, (uint64_t) column);
		WF_CHECK_EQ(wf_cuts_find(values, count, 255, cuts), data->n_bins[column] - 1);
		WF_CHECK(memcmp(cuts, data->cuts + data->first_cut[column], (size_t) (data->n_bins[column] - 1) * sizeof(float)) == 0);
		wf_dataset_free(&team, data);
		test_host_end(&th);
	}
}

/* Weights that are all 1 are no weights. */
WF_TEST(weights_of_one_are_none)
{
	static const double ones[] = {1, 1, 1};
	TestHost	th;
	WfTeam		team;
	WfTeamShared shared;
	WfSchema   *schema;
	WfFrame    *frame;
	WfDataset  *data;
	uint16_t	classes[] = {1, 0};

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	schema = wf_schema_create(&th.host);
	frame = wf_frame_create(&th.host, SIZE_MAX, true, false, false);
	wf_schema_add(schema, "x", WF_COL_NUMBER);
	schema->columns[0].first_cell = wf_frame_add_column(frame, WF_CELL_NUMBER, NULL);
	schema->columns[0].n_cells = 1;
	for (int r = 0; r < 2; r++)
	{
		WfRowExtra	extra = {.target = r, .target_hash = 77 + (uint64_t) r, .weight = 1};

		wf_frame_append(frame, &(WfCell) {.number = (float) r}, &extra);
	}
	wf_schema_finish(schema, frame);
	schema->features[0].monotone = -1;
	data = wf_dataset_build(&team, schema, frame, WF_LAYOUT_BINS, 4, 2, classes, 2, ones, true);
	WF_CHECK(data->weight == NULL && data->target == NULL);
	WF_CHECK_EQ(data->monotone[0], -1);
	WF_CHECK_EQ(data->n_bins[0], 2);
	WF_CHECK(data->cuts[0] == 0.5f);
	for (uint32_t id = 0; id < 2; id++)
		WF_CHECK_EQ(wf_dataset_row(data, id)[0], 1 - data->label[id]);
	wf_dataset_free(&team, data);
	test_host_end(&th);
}

WF_TEST(no_rows_is_an_error)
{
	TestHost	th;
	WfTeam		team;
	WfTeamShared shared;

	test_host_begin(&th);
	wf_team_alone(&team, &shared, &th.host);
	WF_EXPECT_FAIL(&th, WF_E_DATA, wf_dataset_build(&team, wf_schema_create(&th.host), wf_frame_create(&th.host, 0, false, false, false),
													WF_LAYOUT_BINS, 4, 255, NULL, 0, NULL, true));
	WF_CHECK_EQ(wf_dataset_bytes(UINT64_MAX / 2, 60000, 12, WF_LAYOUT_VALUES, 0, true), (long long) SIZE_MAX);
	test_host_end(&th);
}

/* ---- failures ---- */

static void
small_build(WfHost *host)
{
	Source		source = {.n = 600, .limit = 0, .weighted = true, .classes = true, .with_time = true};
	WfTeam		team;
	WfTeamShared shared;
	Loaded		l = load(host, &source);

	wf_team_alone(&team, &shared, host);
	wf_dataset_free(&team, wf_dataset_build(&team, l.schema, l.frame, WF_LAYOUT_BINS, 4, 255, l.class_of_code, 3, NULL, true));
	wf_frame_destroy(l.frame);
}

static bool
fails_at(uint64_t alloc_at, uint64_t check_at)
{
	TestHost	th;
	jmp_buf		jb;
	bool		failed;

	test_host_begin(&th);
	th.on_fail = &jb;
	th.fail_alloc_at = alloc_at;
	th.cancel_check_at = check_at;
	if (setjmp(jb) == 0)
		small_build(&th.host);
	failed = th.failed;
	test_host_end(&th);
	return failed;
}

WF_TEST(failures_at_any_point)
{
	uint64_t	at = 1;

	while (fails_at(at, 0))
		at++;
	WF_CHECK(at > 40);
	for (at = 1; fails_at(0, at);)
		at++;
	WF_CHECK(at > 8);
}

/* A member that fails while the leader works ends the team. */
static void
build_but_one_fails(WfTeam *team, void *arg)
{
	if (team->rank == 1)
		team->host->fail(team->host, WF_E_DATA, NULL, "enough");
	build(team, arg);
}

WF_TEST(a_failing_member_ends_the_build)
{
	TestHost	th;
	Loaded		l;
	Job			job = {.source = {.n = 3000, .limit = SIZE_MAX}, .payload = 4, .max_bins = 255};

	test_host_begin(&th);
	l = load(&th.host, &job.source);
	job.loaded = &l;
	WF_CHECK(!test_team_run(&th, 2, build_but_one_fails, &job));
	test_host_end(&th);
}
