/*-------------------------------------------------------------------------
 * interactions.c
 *	  Reading users and items, and sorting them into a matrix.
 *
 * Three counting sorts and no comparison: rows go to users in the order of
 * their ids, from there to items, where repeated pairs now lie side by side
 * and the support is known, and from there, item by item in their final order,
 * to the rows of the matrix, which so come out sorted.
 *-------------------------------------------------------------------------
 */
#include "core/interactions.h"

#include <math.h>
#include <string.h>

#include "core/idmap.h"

#define BLOCK_ROWS 65536
/* Rows or entries between two calls of host->check(). */
#define CHECK_EVERY 65536

/* Rows as they came, with codes of arrival. */
typedef struct Block
{
	uint32_t   *user;
	uint32_t   *item;
	float	   *rating;			/* NULL: none */
	double	   *time;			/* NULL: none */
} Block;

struct WfInteractions
{
	WfHost	   *host;
	WfDict	   *users;
	WfDict	   *items;
	bool		with_rating;
	bool		with_time;
	bool		built;			/* the rows have been given back */
	Block	   *blocks;
	size_t		n_blocks;
	size_t		max_blocks;
	uint64_t	n_rows;
	uint32_t   *catalogue;		/* code of the item, by row of the catalogue */
	uint32_t	n_catalogue;
	uint32_t	max_catalogue;
};

WfInteractions *
wf_interactions_create(WfHost *host, bool with_rating, bool with_time)
{
	WfInteractions *in = wf_alloc_zero(host, 1, sizeof(*in));

	in->host = host;
	in->with_rating = with_rating;
	in->with_time = with_time;
	in->users = wf_dict_create_limited(host, WF_INTERACTIONS_MAX_IDS);
	in->items = wf_dict_create_limited(host, WF_INTERACTIONS_MAX_IDS);
	return in;
}

static uint32_t
code_of(WfInteractions *in, WfDict *dict, const char *what, const char *id, size_t length)
{
	uint32_t	code;

	if (length > WF_DICT_KEY_BYTES)
		in->host->fail(in->host, WF_E_LIMIT, "Use a shorter key, or a hash of it.",
					   "id of %s is longer than %d bytes", what, WF_DICT_KEY_BYTES);
	code = wf_dict_add(dict, id, length);
	if (code == WF_CODE_MISSING)
		in->host->fail(in->host, WF_E_LIMIT, WF_HINT_NONE,
					   "more than %u different ids of %ss", WF_INTERACTIONS_MAX_IDS, what);
	return code;
}

/* A place for one more row; the reader stays whole if an allocation fails. */
static Block *
block_for_row(WfInteractions *in)
{
	WfHost	   *host = in->host;
	Block	   *b;

	if (in->n_rows < in->n_blocks * (uint64_t) BLOCK_ROWS)
		return &in->blocks[in->n_blocks - 1];
	if (in->n_blocks == in->max_blocks)
	{
		size_t		max = in->max_blocks ? 2 * in->max_blocks : 16;
		Block	   *blocks = wf_alloc(host, max, sizeof(Block));

		if (in->n_blocks)
			memcpy(blocks, in->blocks, in->n_blocks * sizeof(Block));
		wf_release(host, in->blocks);
		in->blocks = blocks;
		in->max_blocks = max;
	}
	b = &in->blocks[in->n_blocks];
	memset(b, 0, sizeof(*b));
	b->user = wf_alloc(host, BLOCK_ROWS, sizeof(uint32_t));
	b->item = wf_alloc(host, BLOCK_ROWS, sizeof(uint32_t));
	if (in->with_rating)
		b->rating = wf_alloc(host, BLOCK_ROWS, sizeof(float));
	if (in->with_time)
		b->time = wf_alloc(host, BLOCK_ROWS, sizeof(double));
	in->n_blocks++;
	return b;
}

void
wf_interactions_add(WfInteractions *in, const char *user, size_t user_length,
					const char *item, size_t item_length, double rating, double time)
{
	Block	   *b;
	size_t		at;

	if (in->with_rating && !isfinite((float) rating))
		in->host->fail(in->host, WF_E_DATA, WF_HINT_NONE, "a rating is not a finite number");
	b = block_for_row(in);
	at = (size_t) (in->n_rows % BLOCK_ROWS);
	b->user[at] = code_of(in, in->users, "user", user, user_length);
	b->item[at] = code_of(in, in->items, "item", item, item_length);
	if (b->rating)
		b->rating[at] = (float) rating + 0.0f;	/* no negative zero */
	if (b->time)
		b->time[at] = isnan(time) ? -INFINITY : time + 0.0;
	in->n_rows++;
}

void
wf_interactions_add_item(WfInteractions *in, const char *item, size_t item_length)
{
	WfHost	   *host = in->host;
	uint32_t	code = code_of(in, in->items, "item", item, item_length);

	if (in->n_catalogue > UINT32_MAX / 2)
		host->fail(host, WF_E_LIMIT, WF_HINT_NONE, "too many rows describe items");
	if (in->n_catalogue == in->max_catalogue)
	{
		uint32_t	max = in->max_catalogue ? 2 * in->max_catalogue : 64;
		uint32_t   *catalogue = wf_alloc(host, max, sizeof(uint32_t));

		if (in->n_catalogue)
			memcpy(catalogue, in->catalogue, in->n_catalogue * sizeof(uint32_t));
		wf_release(host, in->catalogue);
		in->catalogue = catalogue;
		in->max_catalogue = max;
	}
	in->catalogue[in->n_catalogue++] = code;
}

uint64_t
wf_interactions_n_rows(const WfInteractions *in)
{
	return in->n_rows;
}

uint32_t
wf_interactions_n_users(const WfInteractions *in)
{
	return wf_dict_size(in->users);
}

uint32_t
wf_interactions_n_items(const WfInteractions *in)
{
	return wf_dict_size(in->items);
}

uint32_t
wf_interactions_n_catalogue(const WfInteractions *in)
{
	return in->n_catalogue;
}

bool
wf_interactions_has_rating(const WfInteractions *in)
{
	return in->with_rating;
}

bool
wf_interactions_has_time(const WfInteractions *in)
{
	return in->with_time;
}

static size_t
bytes_per_row(const WfInteractions *in)
{
	return 2 * sizeof(uint32_t) + (in->with_rating ? sizeof(float) : 0) + (in->with_time ? sizeof(double) : 0);
}

size_t
wf_interactions_bytes(const WfInteractions *in)
{
	return in->built ? 0 : in->n_blocks * BLOCK_ROWS * bytes_per_row(in);
}

/* ---- sorting ---- */

/* Entries grouped by one side, the other side in "other". */
typedef struct Groups
{
	uint64_t   *start;			/* n + 1 */
	uint32_t   *other;
	float	   *value;			/* ratings, later means or counts; NULL: none yet */
	double	   *time;			/* NULL: none */
} Groups;

static void
groups_alloc(WfHost *host, Groups *g, uint32_t n_groups, uint64_t n, bool with_value, bool with_time)
{
	memset(g, 0, sizeof(*g));
	g->start = wf_alloc_zero(host, (size_t) n_groups + 1, sizeof(uint64_t));
	g->other = wf_alloc(host, n, sizeof(uint32_t));
	if (with_value)
		g->value = wf_alloc(host, n, sizeof(float));
	if (with_time)
		g->time = wf_alloc(host, n, sizeof(double));
}

static void
groups_release(WfHost *host, Groups *g)
{
	wf_release(host, g->start);
	wf_release(host, g->other);
	wf_release(host, g->value);
	wf_release(host, g->time);
	memset(g, 0, sizeof(*g));
}

/*
 * Counts at start[i + 1] become where group i's next entry goes; when all are
 * placed start[i + 1] is the group's end.
 */
static void
counts_to_places(uint64_t *start, uint32_t n)
{
	uint64_t	sum = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t	count = start[i + 1];

		start[i + 1] = sum;
		sum += count;
	}
}

/* Rows to users, who are numbered by number[code]; blocks are given back. */
static void
rows_to_users(WfInteractions *in, const uint32_t *number, Groups *users)
{
	WfHost	   *host = in->host;
	uint32_t	n_users = wf_dict_size(in->users);

	groups_alloc(host, users, n_users, in->n_rows, in->with_rating, in->with_time);
	for (uint32_t c = 0; c < n_users; c++)
		users->start[(size_t) number[c] + 1] = wf_dict_count(in->users, c);
	counts_to_places(users->start, n_users);
	for (size_t k = 0; k < in->n_blocks; k++)
	{
		Block	   *b = &in->blocks[k];
		uint64_t	left = in->n_rows - k * (uint64_t) BLOCK_ROWS;
		size_t		n = left < BLOCK_ROWS ? (size_t) left : BLOCK_ROWS;

		for (size_t i = 0; i < n; i++)
		{
			uint64_t	at = users->start[(size_t) number[b->user[i]] + 1]++;

			users->other[at] = b->item[i];
			if (b->rating)
				users->value[at] = b->rating[i];
			if (b->time)
				users->time[at] = b->time[i];
		}
		wf_release(host, b->user);
		wf_release(host, b->item);
		wf_release(host, b->rating);
		wf_release(host, b->time);
		host->check(host);
	}
	wf_release(host, in->blocks);
	in->blocks = NULL;
	in->built = true;
}

/* Users' entries to items (codes); within an item the users rise. */
static void
users_to_items(WfInteractions *in, const Groups *users, Groups *items)
{
	WfHost	   *host = in->host;
	uint32_t	n_users = wf_dict_size(in->users);
	uint32_t	n_items = wf_dict_size(in->items);
	uint64_t	n = in->n_rows;

	groups_alloc(host, items, n_items, n, true, in->with_time);
	for (uint64_t e = 0; e < n; e++)
	{
		if (e % CHECK_EVERY == 0)
			host->check(host);
		items->start[(size_t) users->other[e] + 1]++;
	}
	counts_to_places(items->start, n_items);
	for (uint32_t u = 0; u < n_users; u++)
		for (uint64_t e = users->start[u]; e < users->start[(size_t) u + 1]; e++)
		{
			uint64_t	at = items->start[(size_t) users->other[e] + 1]++;

			if (e % CHECK_EVERY == 0)
				host->check(host);
			items->other[at] = u;
			items->value[at] = users->value ? users->value[e] : 1;
			if (items->time)
				items->time[at] = users->time[e];
		}
}

/* Heap sort, rising: repeated ratings of a pair are added in an order of their own. */
static void
sort_ratings(WfHost *host, float *x, size_t n)
{
	size_t		heap = n / 2;
	size_t		end = n;

	while (end > 1)
	{
		size_t		at;
		float		v;

		if ((heap + end) % CHECK_EVERY == 0)
			host->check(host);
		if (heap > 0)
			v = x[--heap];
		else
		{
			v = x[--end];
			x[end] = x[0];
		}
		at = heap;
		for (size_t child = 2 * at + 1; child < end; child = 2 * at + 1)
		{
			if (child + 1 < end && x[child + 1] > x[child])
				child++;
			if (x[child] <= v)
				break;
			x[at] = x[child];
			at = child;
		}
		x[at] = v;
	}
}

/* The value of a pair that came n times. */
static float
merged_value(WfInteractions *in, float *value, size_t n)
{
	double		sum = 0;

	if (!in->with_rating)
		return (float) n;
	if (n == 1)
		return value[0];
	sort_ratings(in->host, value, n);
	for (size_t i = 0; i < n; i++)
		sum += value[i];
	return (float) (sum / (double) n);
}

/* Repeated pairs, which lie side by side, become one; returns how many are left. */
static uint64_t
merge_repeated(WfInteractions *in, Groups *items, uint32_t *support)
{
	uint32_t	n_items = wf_dict_size(in->items);
	uint64_t	to = 0;
	uint64_t	since_check = 0;
	uint64_t	e = 0;

	for (uint32_t i = 0; i < n_items; i++)
	{
		uint64_t	end = items->start[(size_t) i + 1];
		uint64_t	first = to;

		items->start[i] = to;
		while (e < end)
		{
			uint64_t	next = e + 1;
			double		latest = items->time ? items->time[e] : 0;

			for (; next < end && items->other[next] == items->other[e]; next++)
				if (items->time && items->time[next] > latest)
					latest = items->time[next];
			items->other[to] = items->other[e];
			items->value[to] = merged_value(in, items->value + e, (size_t) (next - e));
			if (items->time)
				items->time[to] = latest;
			to++;
			since_check += next - e;
			if (since_check >= CHECK_EVERY)
			{
				since_check = 0;
				in->host->check(in->host);
			}
			e = next;
		}
		support[i] = (uint32_t) (to - first);
	}
	items->start[n_items] = to;
	return to;
}

/*
 * Codes of items by falling support, ties by bytes; those without any come
 * last.  Two stable passes over the order by bytes.
 */
static uint32_t *
rank_items(WfHost *host, const WfDict *dict, const uint32_t *support)
{
	uint32_t	n = wf_dict_size(dict);
	uint32_t   *from = wf_dict_sorted(dict);
	uint32_t   *to = wf_alloc(host, n, sizeof(uint32_t));
	size_t	   *place = wf_alloc(host, 65536, sizeof(size_t));

	for (int shift = 0; shift < 32; shift += 16)
	{
		uint32_t   *swap = from;
		size_t		sum = 0;

		memset(place, 0, 65536 * sizeof(size_t));
		for (uint32_t i = 0; i < n; i++)
			place[~support[from[i]] >> shift & 65535]++;
		for (size_t d = 0; d < 65536; d++)
		{
			size_t		count = place[d];

			place[d] = sum;
			sum += count;
		}
		host->check(host);
		for (uint32_t i = 0; i < n; i++)
		{
			if (i % CHECK_EVERY == 0)
				host->check(host);
			to[place[~support[from[i]] >> shift & 65535]++] = from[i];
		}
		from = to;
		to = swap;
	}
	wf_release(host, to);
	wf_release(host, place);
	return from;
}

/* ---- the matrix ---- */

/* What rank 0 knows before the shared memory is made. */
typedef struct Sizes
{
	uint64_t	n;
	uint64_t	n_rows;
	uint32_t	n_users;
	uint32_t	n_items;
	uint32_t	n_catalogue;
	uint32_t	has_rating;
	uint32_t	has_time;
} Sizes;

static void
sort_rows(WfInteractions *in, WfInteractionData *data, Groups *items, Sizes *sizes)
{
	WfHost	   *host = in->host;
	uint32_t   *number;
	uint32_t   *support;
	Groups		users;

	if (in->n_rows == 0)
		host->fail(host, WF_E_DATA, WF_HINT_NONE, "there are no interactions to learn from");
	sizes->n_rows = in->n_rows;
	sizes->n_users = wf_dict_size(in->users);
	sizes->n_catalogue = wf_dict_size(in->items);
	sizes->has_rating = in->with_rating;
	sizes->has_time = in->with_time;

	data->users = in->users;
	data->items = in->items;
	data->user_code = wf_dict_sorted(in->users);
	number = wf_alloc(host, sizes->n_users, sizeof(uint32_t));
	for (uint32_t u = 0; u < sizes->n_users; u++)
		number[data->user_code[u]] = u;
	rows_to_users(in, number, &users);
	wf_release(host, number);
	users_to_items(in, &users, items);
	groups_release(host, &users);
	support = wf_alloc(host, sizes->n_catalogue, sizeof(uint32_t));
	sizes->n = merge_repeated(in, items, support);
	data->item_code = rank_items(host, in->items, support);
	for (uint32_t i = 0; i < sizes->n_catalogue; i++)
		sizes->n_items += support[i] > 0;
	wf_release(host, support);
}

/* Items' entries, item by item in their final order, to the users' rows. */
static void
fill_matrix(WfHost *host, WfInteractionData *data, const Groups *items)
{
	uint64_t   *start = data->matrix.start;
	uint64_t	since_check = 0;

	for (uint64_t e = 0; e < data->matrix.n; e++)
	{
		if (e % CHECK_EVERY == 0)
			host->check(host);
		start[(size_t) items->other[e] + 1]++;
	}
	counts_to_places(start, data->n_users);
	for (uint32_t i = 0; i < data->n_items; i++)
	{
		uint32_t	code = data->item_code[i];

		for (uint64_t e = items->start[code]; e < items->start[(size_t) code + 1]; e++)
		{
			uint64_t	at = start[(size_t) items->other[e] + 1]++;

			data->matrix.col[at] = i;
			data->matrix.value[at] = items->value[e];
			if (data->time)
				data->time[at] = items->time[e];
			if (++since_check % CHECK_EVERY == 0)
				host->check(host);
		}
	}
}

/* Numbers of the catalogue's rows. */
static void
number_catalogue(WfInteractions *in, WfInteractionData *data)
{
	uint32_t   *number = wf_alloc(in->host, data->n_catalogue, sizeof(uint32_t));

	for (uint32_t i = 0; i < data->n_catalogue; i++)
	{
		number[data->item_code[i]] = i;
		if ((i + 1) % CHECK_EVERY == 0)
			in->host->check(in->host);
	}
	data->catalogue_item = wf_alloc(in->host, in->n_catalogue, sizeof(uint32_t));
	data->n_catalogue_rows = in->n_catalogue;
	for (uint32_t r = 0; r < in->n_catalogue; r++)
	{
		data->catalogue_item[r] = number[in->catalogue[r]];
		if ((r + 1) % CHECK_EVERY == 0)
			in->host->check(in->host);
	}
	wf_release(in->host, number);
}

void
wf_interactions_build(WfTeam *team, WfInteractions *in, WfInteractionData *data)
{
	Sizes		sizes = {0};
	Groups		items = {0};

	memset(data, 0, sizeof(*data));
	if (team->rank == 0)
		sort_rows(in, data, &items, &sizes);
	wf_team_broadcast(team, &sizes, sizeof(sizes));
	data->n_rows = sizes.n_rows;
	data->n_users = sizes.n_users;
	data->n_items = sizes.n_items;
	data->n_catalogue = sizes.n_catalogue;
	data->has_rating = sizes.has_rating != 0;
	wf_matrix_create(team, &data->matrix, sizes.n_users, sizes.n_items, sizes.n);
	if (sizes.has_time)
		data->time = wf_team_alloc(team, sizes.n, sizeof(double));
	if (team->rank == 0)
	{
		fill_matrix(team->host, data, &items);
		groups_release(team->host, &items);
		number_catalogue(in, data);
	}
	wf_team_barrier(team);
}

void
wf_interactions_matrix_free(WfTeam *team, WfInteractionData *data)
{
	if (data->time)
		wf_team_free(team, data->time);
	data->time = NULL;
	wf_matrix_free(team, &data->matrix);
}

void
wf_interactions_data_free(WfTeam *team, WfInteractionData *data)
{
	wf_interactions_matrix_free(team, data);
	wf_release(team->host, data->user_code);
	wf_release(team->host, data->item_code);
	wf_release(team->host, data->catalogue_item);
	data->user_code = data->item_code = data->catalogue_item = NULL;
}

/* ---- ids for the model ---- */

typedef struct IdSource
{
	const WfDict *dict;
	const uint32_t *code;
} IdSource;

static const char *
get_id(void *arg, uint32_t i, size_t *length)
{
	const IdSource *source = arg;

	return wf_dict_string(source->dict, source->code[i], length);
}

void
wf_interactions_write_users(WfHost *host, const WfInteractionData *data, WfBytes *out)
{
	IdSource	source = {data->users, data->user_code};

	wf_idmap_write(host, data->n_users, get_id, &source, out);
}

void
wf_interactions_write_items(WfHost *host, const WfInteractionData *data, WfBytes *out)
{
	IdSource	source = {data->items, data->item_code};

	wf_idmap_write(host, data->n_catalogue, get_id, &source, out);
}
