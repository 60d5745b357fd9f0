/*-------------------------------------------------------------------------
 * dataset.c
 *	  The shared training matrix: what every member sees, and its by-row
 *	  and by-feature arrays.  The cells are filled in by fill.c.
 *
 * Rank 0 gives the frame's memory back piece by piece, as soon as each piece
 * stands in the shared arrays, so that the two never exist in full together.
 *-------------------------------------------------------------------------
 */
#include "core/dataset.h"

#include <string.h>

#include "core/cuts.h"
#include "core/fill.h"

#define SAMPLE_ROWS 200000
#define SAMPLE_BYTES ((size_t) 32 << 20)
#define SAMPLE_ROWS_MIN 256
#define GROUP_BYTES ((size_t) 2 << 20)
#define CHECK_EVERY 65536

/* What the members must know before they can allocate. */
typedef struct Plan
{
	uint32_t	n;
	uint32_t	d;
	bool		weighted;
	size_t		stride;
	size_t		payload_at;
} Plan;

/* Where the arrays by feature lie in their one allocation. */
typedef struct Places
{
	size_t		first_cut;
	size_t		is_category;
	size_t		kind;
	size_t		has_missing;
	size_t		monotone;
	size_t		bytes;
} Places;

static size_t
pad_to(size_t size, size_t align)
{
	return (size + align - 1) & ~(align - 1);
}

/* n_bins comes first. */
static Places
places_for(uint32_t d)
{
	Places		p;

	p.first_cut = pad_to(d * sizeof(uint16_t), 4);
	p.is_category = p.first_cut + d * sizeof(uint32_t);
	p.kind = p.is_category + d;
	p.has_missing = p.kind + d;
	p.monotone = p.has_missing + d;
	p.bytes = p.monotone + d;
	return p;
}

static bool
is_weighted(WfHost *host, const WfFrame *frame, int n_classes, const double *class_weight)
{
	uint64_t	n = wf_frame_n_rows(frame);

	for (int k = 0; class_weight && k < n_classes; k++)
		if (class_weight[k] != 1)
			return true;
	for (uint64_t row = 0; wf_frame_has_weight(frame) && row < n; row++)
	{
		if (wf_frame_weight(frame, row) != 1)
			return true;
		if ((row & (CHECK_EVERY - 1)) == 0)
			host->check(host);
	}
	return false;
}

static void
make_plan(WfHost *host, const WfSchema *schema, const WfFrame *frame, size_t payload,
		  int n_classes, const double *class_weight, Plan *plan)
{
	if (wf_frame_n_rows(frame) == 0)
		host->fail(host, WF_E_DATA, WF_HINT_NONE, "training source has no rows");
	if (schema->n_features > WF_MAX_FEATURES)
		host->fail(host, WF_E_LIMIT, WF_HINT_NONE, "training source has more than %d features", WF_MAX_FEATURES);
	plan->n = (uint32_t) wf_frame_n_rows(frame);
	plan->d = (uint32_t) schema->n_features;
	plan->weighted = is_weighted(host, frame, n_classes, class_weight);
	plan->payload_at = pad_to(plan->d, 4);
	plan->stride = wf_size_add(host, plan->payload_at, payload);
}

/* ---- arrays by row ---- */

static void
fill_hashes(WfHost *host, WfFrame *frame, const uint32_t *rank, WfDataset *data)
{
	for (uint32_t row = 0; row < data->n; row++)
	{
		data->hash[rank[row]] = wf_frame_hash(frame, row);
		if ((row & (CHECK_EVERY - 1)) == 0)
			host->check(host);
	}
}

static void
fill_extras(WfHost *host, WfFrame *frame, const uint32_t *rank, WfDataset *data,
			const uint16_t *class_of_code, const double *class_weight)
{
	const uint32_t *mark = wf_frame_marks(frame);

	if (wf_frame_has_group(frame))
		data->group = wf_alloc(host, data->n, sizeof(uint64_t));
	if (wf_frame_has_time(frame))
		data->time = wf_alloc(host, data->n, sizeof(double));
	if (mark)
		data->mark = wf_alloc(host, data->n, sizeof(uint32_t));
	for (uint32_t row = 0; row < data->n; row++)
	{
		uint32_t	id = rank[row];
		double		weight = wf_frame_weight(frame, row);

		if (data->label)
		{
			data->label[id] = class_of_code[(uint32_t) wf_frame_target(frame, row)];
			if (class_weight)
				weight *= class_weight[data->label[id]];
		}
		else
			data->target[id] = wf_frame_target(frame, row);
		if (data->weight)
			data->weight[id] = (float) weight;
		if (data->group)
			data->group[id] = wf_frame_group(frame, row);
		if (data->time)
			data->time[id] = wf_frame_time(frame, row);
		if (mark)
			data->mark[id] = mark[row];
		if ((row & (CHECK_EVERY - 1)) == 0)
			host->check(host);
	}
	wf_frame_drop_extras(frame);
}

/* ---- cut points ---- */

/*
 * The rows of smallest rank, a few number features at a time while the cells
 * are in memory, all at once when reading them again would be dear.
 */
typedef struct Sample
{
	uint32_t	rows;
	uint32_t	group;			/* features at a time */
	float	   *values;			/* group × rows; missing values left out */
	uint32_t   *count;			/* by place in the group */
	float	   *scratch;
} Sample;

static bool
is_plain_number(const WfFeature *f)
{
	return !f->category && !f->group && f->part != WF_PART_TAG;
}

static void
sample_open(WfHost *host, const WfSchema *schema, const WfFrame *frame, Sample *s)
{
	size_t		n = (size_t) wf_frame_n_rows(frame);
	size_t		rows = n < SAMPLE_ROWS ? n : SAMPLE_ROWS;
	size_t		numbers = 0;
	size_t		group;

	for (int f = 0; f < schema->n_features; f++)
		numbers += is_plain_number(&schema->features[f]);
	if (numbers && rows > SAMPLE_BYTES / sizeof(float) / numbers)
		rows = SAMPLE_BYTES / sizeof(float) / numbers;
	if (rows < SAMPLE_ROWS_MIN)
		rows = n < SAMPLE_ROWS_MIN ? n : SAMPLE_ROWS_MIN;
	group = wf_frame_spooled(frame) ? numbers : GROUP_BYTES / sizeof(float) / rows;
	group = group < 1 ? 1 : group > numbers ? numbers : group;
	s->rows = (uint32_t) rows;
	s->group = (uint32_t) group;
	s->values = wf_alloc(host, group, rows * sizeof(float));
	s->count = wf_alloc(host, group, sizeof(uint32_t));
	s->scratch = wf_alloc(host, rows, sizeof(float));
}

/* Values of the number features in [from, to), at most s->group of them. */
static void
sample_read(WfHost *host, const WfSchema *schema, WfFrame *frame, const uint32_t *rank,
			Sample *s, uint32_t from, uint32_t to)
{
	WfFrameScan scan;
	uint32_t	chosen[WF_FRAME_BLOCK];
	double		n = (double) wf_frame_n_rows(frame);

	memset(s->count, 0, s->group * sizeof(uint32_t));
	wf_frame_scan_begin(frame, &scan);
	while (wf_frame_scan_next(&scan))
	{
		uint32_t	n_chosen = 0;
		uint32_t	place = 0;
		double		part;

		for (uint32_t r = 0; r < scan.count; r++)
		{
			chosen[n_chosen] = r;
			n_chosen += rank[scan.first_row + r] < s->rows;
		}
		for (uint32_t f = from; f < to; f++)
		{
			const WfCell *cells = scan.cells[schema->features[f].cell];
			float	   *values = s->values + (size_t) place * s->rows;
			uint32_t	count;

			if (!is_plain_number(&schema->features[f]))
				continue;
			count = s->count[place];
			for (uint32_t i = 0; i < n_chosen; i++)
			{
				float		x = cells[chosen[i]].number;

				if (x == x)
					values[count++] = x;
			}
			s->count[place++] = count;
		}
		host->check(host);
		part = (from + (to - from) * (double) (scan.first_row + scan.count) / n) / schema->n_features;
		host->progress(host, WF_PHASE_PREPARE, (uint64_t) (n / 2 * part), (uint64_t) n);
	}
	wf_frame_scan_end(&scan);
}

static void
describe_feature(const WfFeature *feature, int max_bins, Sample *s, uint32_t *place,
				 WfDataset *data, uint32_t f, WfBytes *cuts)
{
	float		own[256];
	int			n = 0;

	if (feature->part == WF_PART_TAG)
		own[n++] = 0.5f;
	else if (is_plain_number(feature))
	{
		n = wf_cuts_find_with(s->values + (size_t) *place * s->rows, s->scratch, s->count[*place], max_bins, own);
		(*place)++;
	}
	data->first_cut[f] = (uint32_t) (cuts->length / sizeof(float));
	data->n_bins[f] = (uint16_t) (feature->category ? (int) feature->n_levels + feature->has_other : n + 1);
	data->is_category[f] = feature->category;
	data->monotone[f] = feature->monotone;
	wf_bytes_append(cuts, own, (size_t) n * sizeof(float));
}

static void
find_cuts(WfHost *host, const WfSchema *schema, WfFrame *frame, const uint32_t *rank,
		  int max_bins, WfDataset *data, WfBytes *cuts)
{
	Sample		s;
	uint32_t	from,
				to;

	sample_open(host, schema, frame, &s);
	for (from = 0; from < data->d; from = to)
	{
		uint32_t	numbers = 0;
		uint32_t	place = 0;

		for (to = from; to < data->d && numbers + is_plain_number(&schema->features[to]) <= s.group; to++)
			numbers += is_plain_number(&schema->features[to]);
		if (numbers)
			sample_read(host, schema, frame, rank, &s, from, to);
		for (uint32_t f = from; f < to; f++)
		{
			data->kind[f] = (uint8_t) schema->columns[schema->features[f].column].kind;
			describe_feature(&schema->features[f], max_bins, &s, &place, data, f, cuts);
			host->check(host);
		}
	}
	wf_release(host, s.values);
	wf_release(host, s.count);
	wf_release(host, s.scratch);
}

/* ---- the whole ---- */

static void
alloc_small(WfTeam *team, WfDataset *data, bool weighted)
{
	Places		p = places_for(data->d);
	uint8_t    *by_feature = wf_team_alloc(team, p.bytes, 1);

	data->n_bins = (uint16_t *) by_feature;
	data->first_cut = (uint32_t *) (by_feature + p.first_cut);
	data->is_category = by_feature + p.is_category;
	data->kind = by_feature + p.kind;
	data->has_missing = by_feature + p.has_missing;
	data->monotone = (int8_t *) (by_feature + p.monotone);
	if (weighted)
		data->weight = wf_team_alloc(team, data->n, sizeof(float));
}

WfDataset *
wf_dataset_build(WfTeam *team, WfSchema *schema, WfFrame *frame,
				 WfLayout layout, size_t payload, int max_bins,
				 const uint16_t *class_of_code, int n_classes, const double *class_weight,
				 bool with_hash)
{
	WfHost	   *host = team->host;
	bool		leads = team->rank == 0;
	WfDataset  *data = wf_alloc_zero(host, 1, sizeof(WfDataset));
	Plan		plan = {0};
	WfBytes		cuts;
	uint32_t   *rank = NULL;

	if (leads)
		make_plan(host, schema, frame, payload, n_classes, class_weight, &plan);
	wf_team_broadcast(team, &plan, sizeof(plan));
	data->n = plan.n;
	data->d = plan.d;
	data->n_classes = n_classes;
	data->layout = layout;
	data->stride = plan.stride;
	data->payload_at = plan.payload_at;

	alloc_small(team, data, plan.weighted);
	if (leads)
		rank = wf_frame_ranks(frame);
	if (with_hash)
		data->hash = wf_team_alloc(team, data->n, sizeof(uint64_t));
	if (leads)
	{
		if (with_hash)
			fill_hashes(host, frame, rank, data);
		wf_frame_drop_hashes(frame);
	}
	if (n_classes > 0)
		data->label = wf_team_alloc(team, data->n, sizeof(uint16_t));
	else
		data->target = wf_team_alloc(team, data->n, sizeof(double));
	wf_bytes_init(&cuts, host);
	if (leads)
	{
		fill_extras(host, frame, rank, data, class_of_code, class_weight);
		find_cuts(host, schema, frame, rank, max_bins, data, &cuts);
		data->n_cuts = (uint32_t) (cuts.length / sizeof(float));
	}
	wf_team_broadcast(team, &data->n_cuts, sizeof(data->n_cuts));
	data->cuts = wf_team_alloc(team, data->n_cuts ? data->n_cuts : 1, sizeof(float));
	if (leads && data->n_cuts)
		memcpy(data->cuts, cuts.data, cuts.length);
	wf_bytes_free(&cuts);

	if (layout == WF_LAYOUT_BINS)
		data->rows = wf_team_alloc(team, data->n, data->stride);
	else
		data->values = wf_team_alloc(team, data->n, wf_size_mul(host, data->d, sizeof(float)));
	if (leads)
	{
		wf_dataset_fill(host, schema, frame, rank, data);
		wf_frame_drop_cells(frame);
		wf_release(host, rank);
	}
	wf_team_barrier(team);
	return data;
}

void
wf_dataset_free(WfTeam *team, WfDataset *data)
{
	wf_team_free(team, data->values ? (void *) data->values : data->rows);
	wf_team_free(team, data->cuts);
	wf_team_free(team, data->label ? (void *) data->label : data->target);
	if (data->fold)
		wf_team_free(team, data->fold);
	if (data->weight)
		wf_team_free(team, data->weight);
	if (data->hash)
		wf_team_free(team, data->hash);
	wf_team_free(team, data->n_bins);
	wf_release(team->host, data->group);
	wf_release(team->host, data->time);
	wf_release(team->host, data->mark);
	wf_release(team->host, data);
}

/* Sums and products that stay at the largest size instead of going round. */
static size_t
sat_add(size_t a, size_t b)
{
	size_t		r;

	return __builtin_add_overflow(a, b, &r) ? SIZE_MAX : r;
}

static size_t
sat_mul(size_t a, size_t b)
{
	size_t		r;

	return __builtin_mul_overflow(a, b, &r) ? SIZE_MAX : r;
}

size_t
wf_dataset_bytes(uint64_t n, uint32_t d, size_t payload, WfLayout layout, int n_classes, bool weighted)
{
	size_t		row = layout == WF_LAYOUT_BINS ? sat_add(pad_to(d, 4), payload) : sat_mul(d, sizeof(float));

	row = sat_add(row, sizeof(uint64_t));
	row = sat_add(row, n_classes > 0 ? sizeof(uint16_t) : sizeof(double));
	row = sat_add(row, weighted ? sizeof(float) : 0);
	/* by feature: bins and flags, and at most 254 cuts */
	return sat_add(sat_mul((size_t) n, row), sat_add(places_for(d).bytes, sat_mul(d, 254 * sizeof(float))));
}
