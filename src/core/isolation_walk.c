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

#define RESULTS WF_PROGRAM_RESULTS
#define MAX_VALUES (RESULTS + WF_PROGRAM_TREES)
/* Fewer rows are walked: a program takes as long for one as for all lanes. */
#define MIN_ROWS 16
#define CHECK_TREES 16

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

/* Sum over some trees, or all (trees is NULL then). */
static uint32_t
walk_trees(WfHost *host, const WfIsolation *m, const WfIsolationRow *row, const uint32_t *trees, uint32_t n)
{
	uint32_t	sum = 0;

	for (uint32_t t = 0; t < n; t++)
	{
		sum += walk_tree(m, trees ? trees[t] : t, row);
		if (host && t % CHECK_TREES == CHECK_TREES - 1)
			host->check(host);
	}
	return sum;
}

/*
 * Eight trees abreast, none of which waits for another or has a branch to
 * guess: several times as fast as one after the other.
 */
static uint32_t
jump_trees(const WfIsolation *m, const float *z)
{
	uint32_t	sum = 0;

	for (uint32_t g = 0; g < m->n_groups; g++)
	{
		const WfJumpGroup *group = &m->groups[g];
		uint32_t	at0 = 0,
					at1 = 0,
					at2 = 0,
					at3 = 0,
					at4 = 0,
					at5 = 0,
					at6 = 0,
					at7 = 0;

#define JUMP(i) \
		do { \
			WfJump		j = m->jumps[group->first_node[i] + at##i]; \
			at##i = j.left + (uint32_t) (z[j.slot] > j.threshold); \
		} while (0)
#define PATH(i) (i < group->n ? m->nodes[group->first_node[i] + at##i].path : 0)

		for (uint32_t depth = 0; depth < group->depth; depth++)
		{
			JUMP(0);
			JUMP(1);
			JUMP(2);
			JUMP(3);
			JUMP(4);
			JUMP(5);
			JUMP(6);
			JUMP(7);
		}
		sum += PATH(0) + PATH(1) + PATH(2) + PATH(3) + PATH(4) + PATH(5) + PATH(6) + PATH(7);
#undef JUMP
#undef PATH
	}
	return sum;
}

static uint32_t
path_of_row(WfHost *host, const WfIsolation *m, const float *x)
{
	WfIsolationRow row = wf_isolation_row(m, x);
	float		z[WF_PROGRAM_SLOTS];
	bool		missing = false;

	z[0] = 0;
	for (uint32_t s = 0; m->n_groups > 0 && s < m->n_slots; s++)
	{
		z[s] = wf_isolation_value(m, &row, m->slots[s]);
		missing |= z[s] != z[s];
	}
	if (missing)
		return walk_trees(host, m, &row, NULL, m->header->n_trees);
	return jump_trees(m, z) + walk_trees(host, m, &row, m->stepped, m->n_stepped);
}

/* ---- blocks of rows ---- */

#ifdef WF_HAVE_X86_SIMD

/* Rows are taken in groups of WF_LANES, a segment for all groups of a block before the next. */
#define MAX_GROUPS 8

typedef struct Block
{
	_Alignas(64) float x[WF_PROGRAM_SLOTS][WF_LANES];	/* by group, then slot */
	_Alignas(64) uint32_t value[MAX_VALUES][WF_LANES];
	_Alignas(64) uint32_t sum[MAX_GROUPS][WF_LANES];
	uint32_t	missing[MAX_GROUPS];	/* a bit for each row that misses a value */
} Block;

/* A segment for one group of rows. */
typedef void (*RunSegment) (const WfSelect *s, const WfSelect *end, uint32_t n_trees,
							const float *x, uint32_t *value, uint32_t *sum);

#define AT(base, step) ((void *) ((char *) (base) + (size_t) (step) * 8))

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

static RunSegment
choose_run(void)
{
	return wf_simd() >= WF_SIMD_AVX512 ? run_avx512 : run_avx2;
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
		WfIsolationRow row = wf_isolation_row(m, x + i * d);

		if (b->missing[i / WF_LANES] >> (i % WF_LANES) & 1)
			paths[i] = walk_trees(host, m, &row, NULL, m->header->n_trees);
		else
			paths[i] = b->sum[i / WF_LANES][i % WF_LANES] + walk_trees(host, m, &row, m->walked, m->n_walked);
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

#endif

void
wf_isolation_paths(WfHost *host, const WfIsolation *m, const float *x, size_t n, uint32_t *paths)
{
#ifdef WF_HAVE_X86_SIMD
	/* Without vectors a program is slower than jumps; where it leaves trees out, it may be so too. */
	if (n >= MIN_ROWS && m->n_segments > 0 && m->n_walked == m->n_stepped && wf_simd() >= WF_SIMD_AVX2)
	{
		run_rows(host, m, x, n, paths);
		return;
	}
#endif
	for (size_t i = 0; i < n; i++)
		paths[i] = path_of_row(host, m, x + i * m->header->n_features);
}
