/*-------------------------------------------------------------------------
 * isolation_walk.c
 *	  Path lengths of rows: node by node, or by a program for many at once.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "core/isolation_forms.h"
#include "core/simd.h"

#ifdef WF_HAVE_X86_SIMD
#include <immintrin.h>
#endif

#define RESULTS (WF_PROGRAM_CONSTANTS + WF_PROGRAM_PLACES)
#define MAX_VALUES (RESULTS + WF_PROGRAM_TREES)
/* Fewer rows are walked: a program takes as long for one as for all lanes. */
#define MIN_ROWS 4
#define CHECK_TREES 16

/* Rows are taken in groups of WF_LANES, a segment for all groups of a block before the next. */
#define MAX_GROUPS 8

typedef struct Block
{
	_Alignas(64) float x[WF_PROGRAM_SLOTS][WF_LANES];	/* by group, then slot */
	_Alignas(64) uint32_t value[MAX_VALUES][WF_LANES];
	_Alignas(64) uint32_t sum[MAX_GROUPS][WF_LANES];
	uint32_t	missing[MAX_GROUPS];	/* a bit for each row that misses a value */
} Block;

/* ---- making the program ---- */

/* A tree of the segment that is being compiled. */
typedef struct Member
{
	const WfIsolationTree *tree;
	uint32_t	level[WF_ISOLATION_MAX_DEPTH + 2];	/* first node of each depth */
	uint16_t   *place;			/* by node: where its result is */
} Member;

typedef struct Compiler
{
	WfHost	   *host;
	WfIsolation *m;
	const uint32_t *slot_of;	/* by feature */
	WfBytes		selects;
	WfBytes		segments;
	WfBytes		constants;
	WfBytes		walked;
	/* the segment that is being gathered; room for one more tree */
	uint32_t	n_members;
	Member		member[WF_PROGRAM_TREES + 1];
	uint32_t	n_held;
	uint32_t	n_free;
	uint16_t	free_place[WF_PROGRAM_PLACES];
} Compiler;

static uint32_t *
find_slots(WfHost *host, WfIsolation *m)
{
	const WfIsolationHeader *h = m->header;
	uint32_t   *slot_of = wf_alloc(host, h->n_features, sizeof(uint32_t));
	uint32_t   *slots;
	uint32_t	n = 0;

	memset(slot_of, 0xff, h->n_features * sizeof(uint32_t));
	for (uint32_t i = 0; i < h->n_nodes; i++)
		if (m->nodes[i].feature != WF_ISOLATION_LEAF && slot_of[m->nodes[i].feature] == UINT32_MAX)
		{
			slot_of[m->nodes[i].feature] = 0;
			n++;
		}
	slots = wf_alloc(host, n, sizeof(uint32_t));
	n = 0;
	for (uint32_t f = 0; f < h->n_features; f++)
		if (slot_of[f] != UINT32_MAX)
		{
			slots[n] = f;
			slot_of[f] = n++;
		}
	m->n_slots = n;
	m->slots = slots;
	return slot_of;
}

/* The constant's place among the values; UINT32_MAX: too many. */
static uint32_t
constant(Compiler *c, uint32_t path)
{
	const uint32_t *known = (const uint32_t *) c->constants.data;
	uint32_t	n = (uint32_t) (c->constants.length / sizeof(uint32_t));

	for (uint32_t i = 0; i < n; i++)
		if (known[i] == path)
			return i;
	if (n == WF_PROGRAM_CONSTANTS)
		return UINT32_MAX;
	wf_bytes_append(&c->constants, &path, sizeof(path));
	return n;
}

/* Can the tree be in the program?  Its constants are then known. */
static bool
suits(Compiler *c, const WfIsolationTree *tree)
{
	const WfIsolationNode *node = c->m->nodes + tree->first_node;

	if (c->m->n_slots > WF_PROGRAM_SLOTS || tree->n_nodes > 2 * WF_PROGRAM_CUTS + 1)
		return false;
	for (uint32_t i = 0; i < tree->n_nodes; i++)
		if (node[i].feature == WF_ISOLATION_LEAF ? constant(c, node[i].path) == UINT32_MAX :
			c->m->is_category[node[i].feature] != 0)
			return false;
	return true;
}

/* ---- a segment ---- */

/*
 * The cuts of the segment's trees go deepest first, all trees together, so
 * that a result is used long after it was stored: a load that follows closely
 * on the store of what it loads would wait for it.
 */

/* Vectors as the program counts them. */
static uint16_t
step(uint32_t vector)
{
	return (uint16_t) (vector * WF_VECTOR_STEP);
}

static uint16_t
take_place(Compiler *c)
{
	return c->free_place[--c->n_free];
}

static void
give_place(Compiler *c, uint16_t place)
{
	if (place >= WF_PROGRAM_CONSTANTS)
		c->free_place[c->n_free++] = place;
}

/* Where a node's value is: the constant of a leaf, or the result of a cut that has been compiled. */
static uint16_t
place_of(Compiler *c, const Member *member, uint32_t node)
{
	const WfIsolationNode *nodes = c->m->nodes + member->tree->first_node;

	if (nodes[node].feature == WF_ISOLATION_LEAF)
		return (uint16_t) constant(c, nodes[node].path);
	return member->place[node];
}

static void
compile_cut(Compiler *c, uint32_t index, uint32_t node)
{
	const Member *member = &c->member[index];
	const WfIsolationNode *cut = c->m->nodes + member->tree->first_node + node;
	uint16_t	a = place_of(c, member, cut->left);
	uint16_t	b = place_of(c, member, cut->left + 1u);
	uint16_t	to;
	WfSelect	s;

	give_place(c, a);
	give_place(c, b);
	to = node == 0 ? (uint16_t) (RESULTS + index) : take_place(c);
	member->place[node] = to;
	s = (WfSelect) {cut->threshold, step(c->slot_of[cut->feature]), step(a), step(b), step(to)};
	wf_bytes_append(&c->selects, &s, sizeof(s));
}

static void
end_segment(Compiler *c)
{
	WfSegment	segment = {.n_trees = c->n_members};

	if (c->n_members == 0)
		return;
	for (int depth = WF_ISOLATION_MAX_DEPTH; depth >= 0; depth--)
		for (uint32_t i = 0; i < c->n_members; i++)
		{
			const Member *member = &c->member[i];
			const WfIsolationNode *nodes = c->m->nodes + member->tree->first_node;

			for (uint32_t n = member->level[depth]; n < member->level[depth + 1]; n++)
				if (nodes[n].feature != WF_ISOLATION_LEAF)
					compile_cut(c, i, n);
			/* A tree without a cut: both ways lead to its only leaf. */
			if (depth == 0 && nodes[0].feature == WF_ISOLATION_LEAF)
			{
				uint16_t	leaf = step(constant(c, nodes[0].path));
				WfSelect	s = {.a = leaf, .b = leaf, .to = step(RESULTS + i)};

				wf_bytes_append(&c->selects, &s, sizeof(s));
			}
		}
	segment.end = (uint32_t) (c->selects.length / sizeof(WfSelect));
	wf_bytes_append(&c->segments, &segment, sizeof(segment));
	c->n_members = 0;
	c->n_held = 0;
}

/* Levels of a tree, and how many results may be held at once. */
static uint32_t
measure(Compiler *c, Member *member)
{
	const WfIsolationNode *nodes = c->m->nodes + member->tree->first_node;
	uint32_t	begin = 0;
	uint32_t	end = 1;
	uint32_t	below = 0;
	uint32_t	most = 0;

	for (int depth = 0; depth <= WF_ISOLATION_MAX_DEPTH; depth++)
	{
		uint32_t	cuts = 0;

		member->level[depth] = begin;
		for (uint32_t n = begin; n < end; n++)
			cuts += nodes[n].feature != WF_ISOLATION_LEAF;
		most = below + cuts > most ? below + cuts : most;
		below = cuts;
		begin = end;
		end += 2 * cuts;
	}
	member->level[WF_ISOLATION_MAX_DEPTH + 1] = member->tree->n_nodes;
	return most;
}

static void
add_tree(Compiler *c, const WfIsolationTree *tree)
{
	Member	   *member = &c->member[c->n_members];
	uint32_t	held;

	member->tree = tree;
	held = measure(c, member);
	if (c->n_members == WF_PROGRAM_TREES || c->n_held + held > WF_PROGRAM_PLACES)
	{
		Member		first = *member;
		uint16_t   *place = c->member[0].place;

		end_segment(c);
		first.place = place;
		c->member[0] = first;
	}
	c->n_members++;
	c->n_held += held;
}

void
wf_isolation_make_program(WfHost *host, WfIsolation *m)
{
	uint32_t   *slot_of = find_slots(host, m);
	Compiler	c = {.host = host, .m = m, .slot_of = slot_of};
	uint16_t   *place;

	wf_bytes_init(&c.selects, host);
	wf_bytes_init(&c.segments, host);
	wf_bytes_init(&c.constants, host);
	wf_bytes_init(&c.walked, host);
	place = wf_alloc(host, (size_t) (WF_PROGRAM_TREES + 1) * (2 * WF_PROGRAM_CUTS + 1), sizeof(uint16_t));
	for (uint32_t i = 0; i <= WF_PROGRAM_TREES; i++)
		c.member[i].place = place + i * (2 * WF_PROGRAM_CUTS + 1);
	for (c.n_free = 0; c.n_free < WF_PROGRAM_PLACES; c.n_free++)
		c.free_place[c.n_free] = (uint16_t) (WF_PROGRAM_CONSTANTS + c.n_free);
	for (uint32_t t = 0; t < m->header->n_trees; t++)
	{
		if (suits(&c, &m->trees[t]))
			add_tree(&c, &m->trees[t]);
		else
			wf_bytes_append(&c.walked, &t, sizeof(t));
		if (t % CHECK_TREES == 0)
			host->check(host);
	}
	end_segment(&c);
	m->n_segments = (uint32_t) (c.segments.length / sizeof(WfSegment));
	m->segments = (const WfSegment *) c.segments.data;
	m->selects = (const WfSelect *) c.selects.data;
	m->n_constants = (uint32_t) (c.constants.length / sizeof(uint32_t));
	m->constants = (const uint32_t *) c.constants.data;
	m->n_walked = (uint32_t) (c.walked.length / sizeof(uint32_t));
	m->walked = (const uint32_t *) c.walked.data;
	wf_release(host, place);
	wf_release(host, slot_of);
}

/* ---- running it ---- */

/* A segment for one group of rows. */
typedef void (*RunSegment) (const WfSelect *s, const WfSelect *end, uint32_t n_trees,
							const float *x, uint32_t *value, uint32_t *sum);

#define AT(base, step) ((void *) ((char *) (base) + (size_t) (step) * 8))

static void
run_plain(const WfSelect *s, const WfSelect *end, uint32_t n_trees,
		  const float *x, uint32_t *value, uint32_t *sum)
{
	for (; s < end; s++)
	{
		const float *v = AT(x, s->slot);
		const uint32_t *a = AT(value, s->a);
		const uint32_t *b = AT(value, s->b);
		uint32_t   *to = AT(value, s->to);

		/* Without a branch: which way a row goes is anybody's guess. */
		for (int l = 0; l < WF_LANES; l++)
		{
			uint32_t	left = 0 - (uint32_t) (v[l] <= s->threshold);

			to[l] = b[l] ^ ((a[l] ^ b[l]) & left);
		}
	}
	value += (size_t) RESULTS * WF_LANES;
	for (uint32_t t = 0; t < n_trees; t++)
		for (int l = 0; l < WF_LANES; l++)
			sum[l] += value[t * WF_LANES + (uint32_t) l];
}

#ifdef WF_HAVE_X86_SIMD

WF_TARGET_AVX2
static void
run_avx2(const WfSelect *s, const WfSelect *end, uint32_t n_trees,
		 const float *x, uint32_t *value, uint32_t *sum)
{
	for (; s < end; s++)
	{
		__m256		t = _mm256_set1_ps(s->threshold);
		const float *v = AT(x, s->slot);
		const float *a = AT(value, s->a);
		const float *b = AT(value, s->b);
		float	   *to = AT(value, s->to);

		/* The values are whole numbers; only their bits are moved. */
		for (int l = 0; l < WF_LANES; l += 8)
			_mm256_store_ps(to + l, _mm256_blendv_ps(_mm256_load_ps(b + l), _mm256_load_ps(a + l),
													 _mm256_cmp_ps(_mm256_load_ps(v + l), t, _CMP_LE_OQ)));
	}
	value += (size_t) RESULTS * WF_LANES;
	for (uint32_t i = 0; i < n_trees; i++)
		for (int l = 0; l < WF_LANES; l += 8)
			_mm256_store_si256((__m256i *) (sum + l),
							   _mm256_add_epi32(_mm256_load_si256((const __m256i *) (sum + l)),
												_mm256_load_si256((const __m256i *) (value + i * WF_LANES + l))));
}

WF_TARGET_AVX512
static void
run_avx512(const WfSelect *s, const WfSelect *end, uint32_t n_trees,
		   const float *x, uint32_t *value, uint32_t *sum)
{
	__m512i		low = _mm512_load_si512(sum);
	__m512i		high = _mm512_load_si512(sum + 16);

	for (; s < end; s++)
	{
		__m512		t = _mm512_set1_ps(s->threshold);
		const float *v = AT(x, s->slot);
		const uint32_t *a = AT(value, s->a);
		const uint32_t *b = AT(value, s->b);
		uint32_t   *to = AT(value, s->to);
		__mmask16	left = _mm512_cmp_ps_mask(_mm512_load_ps(v), t, _CMP_LE_OQ);
		__mmask16	left_high = _mm512_cmp_ps_mask(_mm512_load_ps(v + 16), t, _CMP_LE_OQ);

		_mm512_store_si512(to, _mm512_mask_mov_epi32(_mm512_load_si512(b), left, _mm512_load_si512(a)));
		_mm512_store_si512(to + 16, _mm512_mask_mov_epi32(_mm512_load_si512(b + 16), left_high,
														  _mm512_load_si512(a + 16)));
	}
	value += (size_t) RESULTS * WF_LANES;
	for (uint32_t i = 0; i < n_trees; i++)
	{
		low = _mm512_add_epi32(low, _mm512_load_si512(value + i * WF_LANES));
		high = _mm512_add_epi32(high, _mm512_load_si512(value + i * WF_LANES + 16));
	}
	_mm512_store_si512(sum, low);
	_mm512_store_si512(sum + 16, high);
}

#endif

static RunSegment
choose_run(void)
{
#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX512)
		return run_avx512;
	if (wf_simd() >= WF_SIMD_AVX2)
		return run_avx2;
#endif
	return run_plain;
}

static void
run(const WfIsolation *m, Block *b, uint32_t n_groups)
{
	RunSegment	run_segment = choose_run();
	const WfSelect *s = m->selects;

	memset(b->sum, 0, sizeof(b->sum));
	for (uint32_t i = 0; i < m->n_segments; i++)
	{
		const WfSelect *end = m->selects + m->segments[i].end;

		for (uint32_t g = 0; g < n_groups; g++)
			run_segment(s, end, m->segments[i].n_trees, b->x[g * m->n_slots], b->value[0], b->sum[g]);
		s = end;
	}
}

static void
set_constants(const WfIsolation *m, Block *b)
{
	for (uint32_t i = 0; i < m->n_constants; i++)
		for (int l = 0; l < WF_LANES; l++)
			b->value[i][l] = m->constants[i];
}

/* ---- rows ---- */

/* Up to WF_LANES rows into a group of the block; places without a row keep what they hold. */
static void
load_rows(const WfIsolation *m, const float *x, size_t n, Block *b, uint32_t group)
{
	float		(*to)[WF_LANES] = &b->x[group * m->n_slots];
	uint32_t	missing = 0;

	for (size_t i = 0; i < n; i++)
	{
		WfIsolationRow row = wf_isolation_row(m, x + i * m->header->n_features);
		bool		some = false;

		for (uint32_t s = 0; s < m->n_slots; s++)
		{
			float		v = wf_isolation_value(m, &row, m->slots[s]);

			to[s][i] = v;
			some |= v != v;
		}
		missing |= (uint32_t) some << i;
	}
	b->missing[group] = missing;
}

/* ---- walking ---- */

/* Path of a row in a tree where it meets a missing value: the mean over both ways, by weight. */
static uint32_t
walk_missing(const WfIsolation *m, const WfIsolationNode *nodes, uint32_t at, const WfIsolationRow *row)
{
	struct
	{
		uint32_t	node;
		double		weight;
	}			stack[WF_ISOLATION_MAX_DEPTH + 1];
	uint32_t	height = 0;
	double		weight = 1;
	double		sum = 0;

	for (;;)
	{
		const WfIsolationNode *node = &nodes[at];
		float		v;

		if (node->feature == WF_ISOLATION_LEAF)
		{
			sum += weight * node->path;
			if (height == 0)
				return (uint32_t) (sum + 0.5);
			at = stack[--height].node;
			weight = stack[height].weight;
			continue;
		}
		v = wf_isolation_value(m, row, node->feature);
		if (isnan(v))
		{
			double		share = (double) nodes[node->left].rows / node->rows;

			stack[height].node = node->left + 1u;
			stack[height++].weight = weight * (1 - share);
			weight *= share;
			at = node->left;
		}
		else
			at = node->left + !wf_isolation_goes_left(m, node, v);
	}
}

static uint32_t
walk_tree(const WfIsolation *m, uint32_t tree, const WfIsolationRow *row)
{
	const WfIsolationNode *nodes = m->nodes + m->trees[tree].first_node;
	uint32_t	at = 0;

	while (nodes[at].feature != WF_ISOLATION_LEAF)
	{
		float		v = wf_isolation_value(m, row, nodes[at].feature);

		if (isnan(v))
			return walk_missing(m, nodes, at, row);
		at = nodes[at].left + !wf_isolation_goes_left(m, &nodes[at], v);
	}
	return nodes[at].path;
}

/* Sum over trees: all of them, or those that are not in the program. */
static uint32_t
walk_row(WfHost *host, const WfIsolation *m, const float *x, bool all)
{
	WfIsolationRow row = wf_isolation_row(m, x);
	uint32_t	n = all ? m->header->n_trees : m->n_walked;
	uint32_t	sum = 0;

	for (uint32_t t = 0; t < n; t++)
	{
		sum += walk_tree(m, all ? t : m->walked[t], &row);
		if (host && t % CHECK_TREES == CHECK_TREES - 1)
			host->check(host);
	}
	return sum;
}

static void
paths_of_block(WfHost *host, const WfIsolation *m, const float *x, size_t n, Block *b, uint32_t *paths)
{
	size_t		d = m->header->n_features;
	uint32_t	n_groups = 0;

	for (size_t i = 0; i < n; i += WF_LANES)
		load_rows(m, x + i * d, n - i < WF_LANES ? n - i : WF_LANES, b, n_groups++);
	run(m, b, n_groups);
	for (size_t i = 0; i < n; i++)
	{
		if (b->missing[i / WF_LANES] >> (i % WF_LANES) & 1)
			paths[i] = walk_row(host, m, x + i * d, true);
		else
			paths[i] = b->sum[i / WF_LANES][i % WF_LANES] + (m->n_walked ? walk_row(host, m, x + i * d, false) : 0);
	}
}

/* In a function of its own: its block takes a good part of the stack. */
__attribute__((noinline))
static void
run_rows(WfHost *host, const WfIsolation *m, const float *x, size_t n, uint32_t *paths)
{
	Block		b;
	size_t		groups = m->n_slots ? WF_PROGRAM_SLOTS / m->n_slots : MAX_GROUPS;
	size_t		rows = (groups < MAX_GROUPS ? groups : MAX_GROUPS) * WF_LANES;

	set_constants(m, &b);
	memset(b.x, 0, (rows / WF_LANES) * m->n_slots * sizeof(b.x[0]));
	for (size_t i = 0; i < n; i += rows)
	{
		paths_of_block(host, m, x + i * m->header->n_features, n - i < rows ? n - i : rows, &b, paths + i);
		if (host)
			host->check(host);
	}
}

void
wf_isolation_paths(WfHost *host, const WfIsolation *m, const float *x, size_t n, uint32_t *paths)
{
	if (m->n_segments > 0 && n >= MIN_ROWS)
		run_rows(host, m, x, n, paths);
	else
		for (size_t i = 0; i < n; i++)
			paths[i] = walk_row(host, m, x + i * m->header->n_features, true);
}
