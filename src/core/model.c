/*-------------------------------------------------------------------------
 * model.c
 *	  Opening a model's bytes, looking levels up, and predicting.
 *
 * Everything that later code uses as an index, count or offset is checked
 * here, once; the work is linear in the length whatever the bytes say.
 *-------------------------------------------------------------------------
 */
#include "core/model.h"

#include <math.h>
#include <string.h>


#define MAX_SECTIONS 64
/* Bytes checksummed between two calls of host->check(): a few milliseconds without SSE 4.2. */
#define CHECK_BYTES ((size_t) 1 << 22)
/* Raw outputs kept on the stack while a block is predicted. */
#define BLOCK_OUTPUTS 4096

typedef struct Reader
{
	WfHost	   *host;
	WfModel    *model;
	size_t		strings_length;
	size_t		strings_used;	/* by the records seen so far, with their NULs */
	size_t		n_dict;
	size_t		n_look;
	size_t		n_cuts;
} Reader;

static void corrupt(WfHost *host, const char *what) __attribute__((noreturn));

static void
corrupt(WfHost *host, const char *what)
{
	host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "corrupted model: %s", what);
}

/* ---- header and sections ---- */

static void
verify_bytes(WfHost *host, const uint8_t *bytes, size_t length)
{
	const WfModelHeader *h = (const WfModelHeader *) bytes;

	if (length < sizeof(*h) || ((uintptr_t) bytes & 7) != 0 ||
		memcmp(h->magic, WF_MODEL_MAGIC, sizeof(h->magic)) != 0)
		corrupt(host, "the bytes are not a model of wfml");
	if (h->format > WF_MODEL_FORMAT)
		host->fail(host, WF_E_UNSUPPORTED, "Update the extension.",
				   "the model has format version %u, this version of wfml reads up to %d",
				   h->format, WF_MODEL_FORMAT);
	if (h->format == 0 || h->length != length)
		corrupt(host, "wrong length");
}

static void
verify_checksum(WfHost *host, const uint8_t *bytes, size_t length)
{
	uint32_t	crc = 0;

	for (size_t at = 16; at < length; at += CHECK_BYTES)
	{
		host->check(host);
		crc = wf_crc32c(crc, bytes + at, length - at < CHECK_BYTES ? length - at : CHECK_BYTES);
	}
	if (crc != ((const WfModelHeader *) bytes)->crc)
		corrupt(host, "wrong checksum");
}

static void
verify_sections(WfHost *host, const WfModel *model)
{
	const WfModelHeader *h = model->header;
	const WfSectionEntry *s = (const WfSectionEntry *) (h + 1);

	if (h->n_sections > MAX_SECTIONS ||
		sizeof(*h) + h->n_sections * sizeof(*s) > model->length)
		corrupt(host, "bad table of sections");
	for (uint32_t i = 0; i < h->n_sections; i++)
	{
		if (s[i].offset % 64 != 0 || s[i].offset > model->length ||
			s[i].length > model->length - s[i].offset)
			corrupt(host, "a section lies outside the model");
		for (uint32_t j = 0; j < i; j++)
			if (memcmp(s[i].tag, s[j].tag, sizeof(s[i].tag)) == 0)
				corrupt(host, "a section appears twice");
	}
}

static bool
link_fits(const WfModelHeader *h)
{
	if (h->task == WF_ANOMALY)
		return h->link == WF_LINK_EXP;
	if (h->task == WF_REGRESSION)
		return h->link == WF_LINK_IDENTITY || h->link == WF_LINK_LOGISTIC || h->link == WF_LINK_EXP;
	return h->link == WF_LINK_PROBABILITY ||
		h->link == (h->n_classes == 2 ? WF_LINK_LOGISTIC : WF_LINK_SOFTMAX);
}

static bool
calibration_fits(const WfModelHeader *h)
{
	if (!isfinite(h->calibration_a) || !isfinite(h->calibration_b))
		return false;
	switch (h->calibration)
	{
		case WF_CALIBRATE_NONE:
			return true;
		case WF_CALIBRATE_PLATT:
			return h->n_classes == 2;
		case WF_CALIBRATE_TEMPERATURE:
			return h->n_classes >= 2 && h->calibration_a > 0;
	}
	return false;
}

static WfFamily
family_of_task(uint8_t task)
{
	return task == WF_RECOMMENDATION ? WF_FAMILY_INTERACTIONS :
		task == WF_SEQUENCE ? WF_FAMILY_EVENTS : WF_FAMILY_TABLE;
}

static void
verify_table_header(WfHost *host, const WfModelHeader *h)
{
	bool		no_interval = isnan(h->lower) && isnan(h->upper);

	if (h->n_features == 0 || h->n_features > WF_MAX_FEATURES)
		corrupt(host, "bad number of features");
	if ((h->task == WF_CLASSIFICATION ? h->n_classes < 2 || h->n_classes > WF_MAX_CLASSES : h->n_classes != 0) ||
		h->n_outputs != (uint32_t) wf_n_outputs((int) h->n_classes))
		corrupt(host, "bad number of classes");
	if (!link_fits(h) || !calibration_fits(h))
		corrupt(host, "bad link or calibration");
	if (!no_interval &&
		!(h->task == WF_REGRESSION && isfinite(h->lower) && isfinite(h->upper) && h->lower <= h->upper))
		corrupt(host, "bad interval");
}

static void
verify_header(WfHost *host, const WfModelHeader *h)
{
	if (h->task > WF_SEQUENCE)
		corrupt(host, "bad task");
	if (memchr(h->algorithm, '\0', sizeof(h->algorithm)) == NULL)
		corrupt(host, "bad name of an algorithm");
	if (family_of_task(h->task) == WF_FAMILY_TABLE)
		verify_table_header(host, h);
	else if (h->n_features != 0 || h->n_columns != 0 || h->n_classes != 0 || h->n_outputs != 0 ||
			 h->link != WF_LINK_IDENTITY || h->calibration != WF_CALIBRATE_NONE)
		corrupt(host, "bad header");
}

/* A section of n things of that size; n = SIZE_MAX: as many as there are, returned in *count. */
static const void *
need(Reader *r, const char *tag, size_t n, size_t size, size_t *count)
{
	size_t		length;
	const void *p = wf_model_section(r->model, tag, &length);

	if (p == NULL || length % size != 0 || (n != SIZE_MAX && length / size != n))
		r->host->fail(r->host, WF_E_CORRUPT, WF_HINT_NONE, "corrupted model: bad section \"%s\"", tag);
	if (count)
		*count = length / size;
	return p;
}

/* ---- schema ---- */

/* Records may not share bytes, so that checking them all is linear work. */
static void
verify_string(Reader *r, WfStringRecord s)
{
	const char *strings = r->model->strings;

	if (s.offset >= r->strings_length || s.length >= r->strings_length - s.offset ||
		s.length >= r->strings_length - r->strings_used ||
		strings[(size_t) s.offset + s.length] != '\0' ||
		(s.length && memchr(strings + s.offset, '\0', s.length) != NULL))
		corrupt(r->host, "bad text");
	r->strings_used += (size_t) s.length + 1;
}

/* A table that ends every search: a power of two in size with a free place. */
static void
verify_look(Reader *r, const WfColumnRecord *c)
{
	const uint16_t *table = r->model->look + c->look_at;
	bool		free_place = false;

	if (c->n_strings == 0 && c->look_size == 0)
		return;
	if (c->look_size == 0 || (c->look_size & (c->look_size - 1)) != 0 ||
		c->look_at > r->n_look || c->look_size > r->n_look - c->look_at ||
		c->look_size > 4 * (WF_MAX_LEVELS + 1))
		corrupt(r->host, "bad look-up table");
	for (uint32_t i = 0; i < c->look_size; i++)
	{
		if (table[i] > c->n_strings)
			corrupt(r->host, "bad look-up table");
		free_place |= table[i] == 0;
	}
	if (!free_place)
		corrupt(r->host, "bad look-up table");
}

/* Time columns: the features are exactly the parts of the mask, in their order. */
static bool
time_parts_fit(const Reader *r, const WfColumnRecord *c)
{
	WfPart		parts[WF_N_PARTS];

	if (c->n_features > WF_N_PARTS || c->parts >> WF_N_PARTS != 0 ||
		wf_time_parts((WfColumnKind) c->kind, c->parts, parts) != (int) c->n_features)
		return false;
	for (uint32_t i = 0; i < c->n_features; i++)
		if (r->model->features[c->first_feature + i].part != parts[i])
			return false;
	return true;
}

static bool
feature_fits(const WfColumnRecord *c, const WfFeatureRecord *f)
{
	if (f->category != (c->kind == WF_COL_CATEGORY))
		return false;
	switch (c->kind)
	{
		case WF_COL_TAGS:
			return f->part == WF_PART_TAG && f->element < c->n_strings;
		case WF_COL_VECTOR:
			return f->part == WF_PART_ELEMENT;
		case WF_COL_TIMESTAMP:
		case WF_COL_DATE:
		case WF_COL_TIME:
			return true;		/* time_parts_fit() */
		default:
			return f->part == WF_PART_VALUE;
	}
}

static void
verify_column(Reader *r, const WfColumnRecord *c, uint32_t number)
{
	const WfModelHeader *h = r->model->header;
	bool		time = c->kind == WF_COL_TIMESTAMP || c->kind == WF_COL_DATE || c->kind == WF_COL_TIME;

	verify_string(r, c->name);
	if (c->kind > WF_COL_GROUP ||
		c->first_feature > h->n_features || c->n_features > h->n_features - c->first_feature ||
		c->first_string > r->n_dict || c->n_strings > r->n_dict - c->first_string ||
		c->n_strings > WF_MAX_LEVELS ||
		(c->n_strings > 0 && c->kind != WF_COL_CATEGORY && c->kind != WF_COL_TAGS) ||
		(c->n_features != 1 && (c->kind < WF_COL_TIMESTAMP || c->kind == WF_COL_GROUP)))
		corrupt(r->host, "bad column");
	verify_look(r, c);
	for (uint32_t i = 0; i < c->n_features; i++)
	{
		const WfFeatureRecord *f = &r->model->features[c->first_feature + i];

		if (f->column != number || !feature_fits(c, f))
			corrupt(r->host, "bad feature");
	}
	if (time ? !time_parts_fit(r, c) : c->parts != 0)
		corrupt(r->host, "bad parts of a time column");
}

static void
verify_feature(Reader *r, const WfFeatureRecord *f)
{
	const WfModel *m = r->model;

	if (f->column >= m->header->n_columns || f->category > 1 || f->has_other > 1 || f->has_missing > 1 ||
		f->n_bins == 0 || f->n_bins > WF_MISSING_BIN)
		corrupt(r->host, "bad feature");
	if (f->category)
	{
		if (f->n_bins != m->columns[f->column].n_strings + f->has_other)
			corrupt(r->host, "bad category");
		return;
	}
	if (f->first_cut > r->n_cuts || f->n_bins - 1u > r->n_cuts - f->first_cut)
		corrupt(r->host, "bad cut points");
	for (uint32_t i = 0; i + 1 < f->n_bins; i++)
	{
		const float *cut = m->cuts + f->first_cut + i;

		/* Wrong also for NaN. */
		if (i == 0 ? isnan(cut[0]) : !(cut[-1] < cut[0]))
			corrupt(r->host, "bad cut points");
	}
}

static void
verify_labels(Reader *r)
{
	uint64_t	hash[WF_MAX_CLASSES];
	uint32_t	n = r->model->header->n_classes;

	for (uint32_t c = 0; c < n; c++)
	{
		WfStringRecord s = r->model->labels[c];

		verify_string(r, s);
		hash[c] = wf_hash_bytes(r->model->strings + s.offset, s.length, 0);
		/* By hash, because comparing long labels pair by pair could take forever. */
		for (uint32_t d = 0; d < c; d++)
			if (hash[c] == hash[d])
				corrupt(r->host, "two classes have one label");
	}
}

static void
read_schema(Reader *r)
{
	WfModel    *m = r->model;
	const WfModelHeader *h = m->header;
	uint64_t	covered = 0;

	m->columns = need(r, "COLS", h->n_columns, sizeof(WfColumnRecord), NULL);
	m->features = need(r, "FEAT", h->n_features, sizeof(WfFeatureRecord), NULL);
	m->cuts = need(r, "CUTS", SIZE_MAX, sizeof(float), &r->n_cuts);
	m->dict = need(r, "DICT", SIZE_MAX, sizeof(WfStringRecord), &r->n_dict);
	m->look = need(r, "LOOK", SIZE_MAX, sizeof(uint16_t), &r->n_look);
	m->labels = need(r, "LABL", h->n_classes, sizeof(WfStringRecord), NULL);
	m->strings = need(r, "STRS", SIZE_MAX, 1, &r->strings_length);

	for (uint32_t f = 0; f < h->n_features; f++)
	{
		verify_feature(r, &m->features[f]);
		if (f % 1024 == 0)
			r->host->check(r->host);
	}
	/* Ranges within the features, each feature in its column's, and no longer than all: a partition. */
	for (uint32_t c = 0; c < h->n_columns; c++)
	{
		covered += m->columns[c].n_features;
		if (covered > h->n_features)
			corrupt(r->host, "columns share features");
		verify_column(r, &m->columns[c], c);
		if (c % 1024 == 0)
			r->host->check(r->host);
	}
	if (covered != h->n_features)
		corrupt(r->host, "features without a column");
	for (size_t i = 0; i < r->n_dict; i++)
	{
		verify_string(r, m->dict[i]);
		if (i % 16384 == 0)
			r->host->check(r->host);
	}
	verify_labels(r);
}

/* Sections that may be absent. */
static void
read_extras(Reader *r)
{
	WfModel    *m = r->model;
	const WfModelHeader *h = m->header;
	const char *zone;
	size_t		length;

	if (wf_model_section(m, "IMPO", &length))
		m->importance = need(r, "IMPO", h->n_columns, sizeof(WfImportance), NULL);
	for (uint32_t c = 0; m->importance && c < h->n_columns; c++)
		if (!isfinite(m->importance[c].gain) || !isfinite(m->importance[c].splits) ||
			isinf(m->importance[c].permutation))
			corrupt(r->host, "bad importances");
	if (wf_model_section(m, "HIST", &length))
		need(r, "HIST", h->n_features, (WF_HISTOGRAM_GROUPS + 2) * sizeof(uint32_t), NULL);
	if (wf_model_section(m, "CWGT", &length))
		m->output.class_weight = need(r, "CWGT", h->n_classes, sizeof(double), NULL);
	for (uint32_t c = 0; m->output.class_weight && c < h->n_classes; c++)
		if (!(m->output.class_weight[c] >= 1e-30 && m->output.class_weight[c] <= 1e30))
			corrupt(r->host, "bad class weights");
	zone = wf_model_section(m, "ZONE", &length);
	if (zone && (length == 0 || memchr(zone, '\0', length) != zone + length - 1))
		corrupt(r->host, "bad time zone");
	m->output.link = (WfLink) h->link;
	m->output.n_classes = (int) h->n_classes;
	m->output.calibration = h->calibration;
	m->output.a = h->calibration_a;
	m->output.b = h->calibration_b;
}

static const char ids_tag[WF_MAX_IDMAPS][5] = {"IDS0", "IDS1"};

static void
make_shape(WfHost *host, WfModel *m, bool verified)
{
	uint32_t	d = m->header->n_features;
	uint32_t   *first_cut = wf_alloc(host, d, sizeof(uint32_t));
	uint16_t   *n_bins = wf_alloc(host, d, sizeof(uint16_t));
	uint8_t    *is_category = wf_alloc(host, d, 1);
	size_t		length;

	for (uint32_t f = 0; f < d; f++)
	{
		first_cut[f] = m->features[f].first_cut;
		n_bins[f] = m->features[f].n_bins;
		is_category[f] = m->features[f].category;
	}
	m->shape = (WfShape) {.n_features = d,.n_classes = (int) m->header->n_classes,
		.n_outputs = (int) m->header->n_outputs,.is_category = is_category,
	.n_bins = n_bins,.first_cut = first_cut,.cuts = m->cuts,.verified = verified};
	for (int i = 0; i < WF_MAX_IDMAPS; i++)
	{
		const void *section = wf_model_section(m, ids_tag[i], &length);

		if (section == NULL)
			continue;
		if (verified)
			wf_idmap_use(section, &m->ids[i]);
		else
			wf_idmap_open(host, section, length, &m->ids[i]);
		m->shape.ids[i] = &m->ids[i];
	}
}

static WfModel *
open_model(WfHost *host, const void *bytes, size_t length, bool verified)
{
	WfModel    *m;
	Reader		r = {.host = host};
	const void *section;
	size_t		section_length;
	int			algorithm;

	verify_bytes(host, bytes, length);
	if (!verified)
		verify_checksum(host, bytes, length);
	m = wf_alloc_zero(host, 1, sizeof(*m));
	m->bytes = bytes;
	m->length = length;
	m->header = bytes;
	r.model = m;
	verify_header(host, m->header);
	verify_sections(host, m);
	if (family_of_task(m->header->task) == WF_FAMILY_TABLE)
	{
		read_schema(&r);
		read_extras(&r);
	}
	section = wf_model_section(m, "SEEN", &section_length);
	if (section)
		wf_seen_open(host, section, section_length, &m->seen);
	algorithm = wf_algorithm_find(m->header->algorithm);
	if (algorithm < 0)
		host->fail(host, WF_E_UNSUPPORTED, "Update the extension.",
				   "the model was trained by an algorithm that this version of wfml does not have");
	m->algorithm = wf_algorithm_get(algorithm);
	if ((m->algorithm->tasks & 1u << m->header->task) == 0)
		corrupt(host, "the algorithm does not do this task");
	section = wf_model_section(m, m->algorithm->section, &section_length);
	if (section == NULL)
		corrupt(host, "the algorithm's section is missing");
	make_shape(host, m, verified);
	m->opened = m->algorithm->open(host, section, section_length, &m->shape);
	/* Said of these bytes only. */
	m->shape.verified = false;
	return m;
}

WfModel *
wf_model_open(WfHost *host, const void *bytes, size_t length)
{
	return open_model(host, bytes, length, false);
}

WfModel *
wf_model_open_verified(WfHost *host, const void *bytes, size_t length)
{
	return open_model(host, bytes, length, true);
}

const void *
wf_model_section(const WfModel *model, const char tag[4], size_t *length)
{
	const WfSectionEntry *s = (const WfSectionEntry *) (model->header + 1);

	for (uint32_t i = 0; i < model->header->n_sections; i++)
		if (memcmp(s[i].tag, tag, sizeof(s[i].tag)) == 0)
		{
			*length = s[i].length;
			return model->bytes + s[i].offset;
		}
	*length = 0;
	return NULL;
}

/* ---- looking up ---- */

/* Index of a string among the column's, -1 when it is not there. */
static int
find_string(const WfModel *model, const WfColumnRecord *c, const char *bytes, size_t length)
{
	const uint16_t *table = model->look + c->look_at;
	size_t		len = length < WF_DICT_KEY_BYTES ? length : WF_DICT_KEY_BYTES;
	uint64_t	at;

	if (c->look_size == 0)
		return -1;
	at = wf_hash_bytes(bytes, len, 0);
	for (;; at++)
	{
		uint16_t	entry = table[at & (c->look_size - 1)];
		WfStringRecord s;

		if (entry == 0)
			return -1;
		s = model->dict[c->first_string + entry - 1];
		if (s.length == len && memcmp(model->strings + s.offset, bytes, len) == 0)
			return entry - 1;
	}
}

static uint32_t
find_group(const WfModel *model, const char *bytes, size_t length)
{
	return model->shape.ids[0] ? wf_idmap_find(&model->ids[0], bytes, length) : WF_CODE_MISSING;
}

float
wf_model_level(const WfModel *model, uint32_t column, const char *bytes, size_t length)
{
	const WfColumnRecord *c = &model->columns[column];
	int			i;

	if (c->kind == WF_COL_GROUP)
	{
		uint32_t	group = find_group(model, bytes, length);

		return group == WF_CODE_MISSING ? NAN : (float) group;
	}
	i = find_string(model, c, bytes, length);
	if (i >= 0)
		return (float) i;
	return model->features[c->first_feature].has_other ? (float) c->n_strings : NAN;
}

int
wf_model_tag(const WfModel *model, uint32_t column, const char *bytes, size_t length)
{
	const WfColumnRecord *c = &model->columns[column];

	/* There are fewer groups than an int has numbers. */
	if (c->kind == WF_COL_GROUP)
		return (int) find_group(model, bytes, length);
	return find_string(model, c, bytes, length);
}

/* ---- predicting ---- */

void
wf_model_finish(const WfModel *model, const double *raw, double *out)
{
	wf_output_finish(&model->output, raw, out);
}

void
wf_model_predict(const WfModel *model, const float *x, double *out)
{
	double		raw[WF_MAX_CLASSES];

	model->algorithm->predict(model->opened, x, raw);
	wf_output_finish(&model->output, raw, out);
}

void
wf_model_predict_block(const WfModel *model, const float *x, size_t n, double *out)
{
	double		raw[BLOCK_OUTPUTS];
	size_t		n_outputs = model->header->n_outputs;
	size_t		n_values = (size_t) wf_model_n_values(model);
	size_t		rows = BLOCK_OUTPUTS / n_outputs;

	while (n > 0)
	{
		size_t		some = n < rows ? n : rows;

		model->algorithm->predict_block(model->opened, x, some, raw);
		for (size_t i = 0; i < some; i++)
			wf_output_finish(&model->output, raw + i * n_outputs, out + i * n_values);
		x += some * model->header->n_features;
		out += some * n_values;
		n -= some;
	}
}
