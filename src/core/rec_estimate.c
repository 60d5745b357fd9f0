/*-------------------------------------------------------------------------
 * rec_estimate.c
 *	  Memory of training and size of the model, before anything is trained.
 *
 * In floating point, so that no product overflows.
 *-------------------------------------------------------------------------
 */
#include "core/recommending.h"

/* An id in the dictionary while reading: entry, places, half of the room empty; its text beside it. */
#define ID_READING (2 * (32 + 8 + 8))
#define ID_TEXT 16.0
/* An id in the model: where it starts, two places of the hash table, its text and a NUL. */
#define ID_STORED (8 + 8 + ID_TEXT + 1)

typedef struct Sizes
{
	double		n;
	double		users;
	double		items;
	double		dense;			/* items of EASE */
	double		row;			/* most entries in a sparse row */
	bool		rows;			/* sparse rows may be kept */
	bool		factors;
} Sizes;

static size_t
to_size(double bytes)
{
	return bytes < (double) (SIZE_MAX / 2) ? (size_t) bytes : SIZE_MAX / 2;
}

/* Sparse rows: of one method for all items, or of those that EASE leaves out. */
static double
bytes_of_rows(const Sizes *s)
{
	return s->rows ? 8 * s->items * (s->row + 1) : 0;
}

/* EASE while it is solved. */
static double
bytes_of_dense(const Sizes *s)
{
	double		ld = (double) wf_spd_padded((size_t) s->dense);

	return s->dense > 0 ? (s->dense > 2000 ? 4 : 8) * ld * ld + (double) wf_spd_scratch((size_t) s->dense) : 0;
}

static double
bytes_of_model(const Sizes *s, const WfSpec *spec, bool with_rating)
{
	double		bytes = 4096 + 4 * s->n + 8 * s->users + 8 * s->items + ID_STORED * (s->users + s->items);
	double		dense = 2 * s->dense * (s->dense + 16);
	int			k = (int) wf_spec_number(spec, "factors");
	uint32_t	users = (uint32_t) (s->users < UINT32_MAX ? s->users : UINT32_MAX);
	uint32_t	items = (uint32_t) (s->items < UINT32_MAX ? s->items : UINT32_MAX);

	bytes += dense + bytes_of_rows(s);
	if (s->factors)
		bytes += 4 * s->n + (double) wf_factors_stored_bytes(users, items, k);
	if (with_rating)
		bytes += (double) wf_ratings_stored_bytes(users, items, (uint64_t) s->n, -1);
	return bytes;
}

/* Beside the matrices of interactions. */
static double
bytes_of_method(const Sizes *s, const WfSpec *spec, bool with_rating)
{
	double		rows = bytes_of_rows(s) + 32 * s->items;
	double		dense = bytes_of_dense(s);
	/* item-kNN's rows come with RP3beta's, EASE's tail with its inverse */
	double		bytes = rows + (dense > rows ? dense : rows);
	int			k = (int) wf_spec_number(spec, "factors");
	uint32_t	users = (uint32_t) (s->users < UINT32_MAX ? s->users : UINT32_MAX);
	uint32_t	items = (uint32_t) (s->items < UINT32_MAX ? s->items : UINT32_MAX);
	double		other = 0;

	if (s->factors)
		other = (double) wf_factors_training_bytes(users, items, k, 1);
	if (with_rating)
	{
		double		ratings = (double) wf_ratings_training_bytes(users, items, (uint64_t) s->n, -1, 1);

		other = ratings > other ? ratings : other;
	}
	return bytes > other ? bytes : other;
}

void
wf_recommender_estimate(const WfSpec *spec, uint64_t n, uint64_t n_users, uint64_t n_items,
						bool with_rating, bool with_time, size_t *memory, size_t *artifact)
{
	WfRecSetting asked = wf_rec_setting(spec);
	bool		any = wf_spec_is(spec, "method", "auto");
	double		limit = wf_spec_number(spec, "ease_items");
	double		ids = (ID_READING + ID_TEXT) * ((double) n_users + (double) n_items);
	double		entry = 4 + 4 + (with_time ? 8 : 0);
	double		base;
	double		reading;
	double		training;
	double		writing;
	double		model;
	Sizes		s = {.n = (double) n,.users = (double) n_users,.items = (double) n_items};

	s.row = wf_spec_number(spec, "neighbours");
	if (s.row > s.items)
		s.row = s.items;
	s.rows = any || asked.method == WF_METHOD_RP3BETA || asked.method == WF_METHOD_ITEM_KNN;
	s.factors = asked.method == WF_METHOD_NMF || asked.method == WF_METHOD_ALS;
	if (any || asked.method == WF_METHOD_EASE)
	{
		s.dense = s.items < limit ? s.items : limit;
		s.rows = s.rows || s.dense < s.items;
	}
	model = bytes_of_model(&s, spec, with_rating);
	/* sorted to one side while it lies sorted to the other */
	reading = ids + s.n * (entry + (with_rating ? 4 : 0) + entry);
	/* all entries with their sides */
	base = ids + s.n * (entry + 1) + 3 * 8 * (s.users + s.items) + 32 * s.items;
	/* those of a stage, histories cut short, and their transpose */
	training = base + 3 * 8 * s.n + bytes_of_method(&s, spec, with_rating);
	/* what was trained goes into a section; then everything but ids is given back, and it becomes the model */
	writing = base + bytes_of_method(&s, spec, with_rating) + model;
	if (writing < ids + 2 * model)
		writing = ids + 2 * model;
	if (training < writing)
		training = writing;
	*memory = to_size(reading > training ? reading : training);
	*artifact = to_size(model);
}
