/*-------------------------------------------------------------------------
 * spd.c
 *	  Blocked sweeps of a symmetric matrix.
 *
 * Sweeping block K turns A_KK into -D with D = A_KK^-1, A_IK into A_IK D, and
 * takes A_IK D A_KJ from every other A_IJ.  Only blocks on and above the
 * diagonal are kept.  Panels are packed: P = A_K* in groups of 8 columns (what
 * the kernel reads as scalars), R = D P in strips of 64 (what it reads as
 * vectors), each 128 deep.
 *-------------------------------------------------------------------------
 */
#include "core/spd.h"

#include <string.h>

#include "core/simd.h"

#define GROUP 8
#define STRIP 64
#define BLOCK WF_SPD_BLOCK
/* A pivot is at least this share of the element it started from. */
#define PIVOT_MIN 1e-7

#define DOUBLES 4
typedef double Doubles __attribute__((vector_size(DOUBLES * sizeof(double)), aligned(8)));

/* c (8 rows × 64, ld apart) = or -= the product of a group and a strip. */
typedef void (*Kernel) (const float *p, const float *r, float *c, size_t ld, int add);

#define KERNEL kernel_plain
#define TARGET
#define WIDTH 4
#define ROWS 4
#define VECTORS 2
#include "core/spd_kernel.h"

#ifdef WF_HAVE_X86_SIMD
#define KERNEL kernel_avx2
#define TARGET WF_TARGET_AVX2
#define WIDTH 8
#define ROWS 4
#define VECTORS 2
#include "core/spd_kernel.h"

#define KERNEL kernel_avx512
#define TARGET WF_TARGET_AVX512
#define WIDTH 16
#define ROWS 8
#define VECTORS 2
#include "core/spd_kernel.h"
#endif

static Kernel
pick_kernel(void)
{
#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX512)
		return kernel_avx512;
	if (wf_simd() >= WF_SIMD_AVX2)
		return kernel_avx2;
#endif
	return kernel_plain;
}

typedef struct Sweep
{
	WfTeam	   *team;
	Kernel		kernel;
	float	   *a;
	size_t		ld;				/* padded n */
	double	   *first;			/* diagonal as it was, for the least pivot */
	float	   *p;				/* [ld / 8][128][8] */
	float	   *r;				/* [ld / 64][128][64] */
} Sweep;

size_t
wf_spd_scratch(size_t n)
{
	size_t		ld = wf_spd_padded(n);

	return ld * (2 * BLOCK * sizeof(float) + sizeof(double));
}

/* Beyond n: the identity. */
static void
pad(float *a, size_t n, size_t ld)
{
	for (size_t i = 0; i < ld; i++)
		for (size_t j = i < n ? n : i; j < ld; j++)
			a[i * ld + j] = i == j ? 1 : 0;
}

/*
 * D, in double precision, as groups of 8 columns for the kernel.  d: 128 × 128
 * scratch of the caller's.
 */
static void
invert_block(const Sweep *s, size_t k0, double *d, float *packed)
{
	for (size_t i = 0; i < BLOCK; i++)
		for (size_t j = i; j < BLOCK; j++)
			d[i * BLOCK + j] = d[j * BLOCK + i] = s->a[(k0 + i) * s->ld + k0 + j];
	for (size_t k = 0; k < BLOCK; k++)
	{
		double	   *row = d + k * BLOCK;
		double		least = s->first[k0 + k] * PIVOT_MIN;
		/* 1: nothing is known of an element of zeros, and its row stays zero */
		double		pivot = row[k] > least ? row[k] : least > 0 ? least : 1;
		double		column[BLOCK];

		for (size_t i = 0; i < BLOCK; i++)
			column[i] = d[i * BLOCK + k];
		for (size_t j = 0; j < BLOCK; j++)
			row[j] /= pivot;
		row[k] = 1 / pivot;
		for (size_t i = 0; i < BLOCK; i++)
		{
			double	   *to = d + i * BLOCK;
			double		x = column[i];

			if (i == k)
				continue;
			to[k] = 0;
			for (size_t j = 0; j < BLOCK; j += DOUBLES)
				*(Doubles *) (to + j) -= x * *(const Doubles *) (row + j);
		}
	}
	for (size_t k = 0; k < BLOCK; k++)
		for (size_t i = 0; i < BLOCK; i++)
			packed[(i / GROUP * BLOCK + k) * GROUP + i % GROUP] = (float) d[k * BLOCK + i];
}

/* Panels of strip j: P from the rows of block K, above or left of the diagonal; R = D P. */
static void
make_panel(const Sweep *s, size_t k0, size_t j0, const float *packed_d, float *strip)
{
	const float *a = s->a;
	size_t		ld = s->ld;

	for (size_t j = 0; j < STRIP; j++)
	{
		float	   *to = s->p + (j0 + j) / GROUP * GROUP * BLOCK + (j0 + j) % GROUP;
		bool		below = j0 + j < k0;

		for (size_t k = 0; k < BLOCK; k++)
		{
			/* inside block K itself the panel is not used */
			float		x = below ? a[(j0 + j) * ld + k0 + k] : a[(k0 + k) * ld + j0 + j];

			to[k * GROUP] = x;
			strip[k * STRIP + j] = x;
		}
	}
	for (size_t i = 0; i < BLOCK; i += GROUP)
		s->kernel(packed_d + i * BLOCK, strip, s->r + j0 * BLOCK + i * STRIP, STRIP, 1);
}

/* Rows [i0, i0 + 8) of block row I: everything right of the diagonal's strip. */
static void
update_rows(const Sweep *s, size_t k0, size_t i0)
{
	for (size_t j0 = i0 / STRIP * STRIP; j0 < s->ld; j0 += STRIP)
		if (j0 < k0 || j0 >= k0 + BLOCK)
			s->kernel(s->p + i0 * BLOCK, s->r + j0 * BLOCK, s->a + i0 * s->ld + j0, s->ld, 0);
}

/* Block K's own rows and columns: R and -D, above the diagonal. */
static void
store_panel(const Sweep *s, size_t k0, size_t j0, const float *packed_d)
{
	float	   *a = s->a;
	size_t		ld = s->ld;
	const float *r = s->r + j0 * BLOCK;

	for (size_t k = 0; k < BLOCK; k++)
		for (size_t j = 0; j < STRIP; j++)
			if (j0 >= k0 + BLOCK)
				a[(k0 + k) * ld + j0 + j] = r[k * STRIP + j];
			else if (j0 < k0)
				a[(j0 + j) * ld + k0 + k] = r[k * STRIP + j];
			else
			{
				size_t		i = j0 - k0 + j;

				a[(k0 + k) * ld + j0 + j] = -packed_d[(i / GROUP * BLOCK + k) * GROUP + i % GROUP];
			}
}

/*
 * A step of the sweep.  D is computed by every member: cheaper than to wait
 * for one.  Strips and rows go round the members, since the rows get shorter.
 */
static void
sweep_block(const Sweep *s, size_t k0, double *d, float *packed_d, float *strip)
{
	WfTeam	   *team = s->team;
	size_t		size = (size_t) team->size;
	size_t		rank = (size_t) team->rank;

	invert_block(s, k0, d, packed_d);
	for (size_t t = rank; t < s->ld / STRIP; t += size)
	{
		make_panel(s, k0, t * STRIP, packed_d, strip);
		team->host->check(team->host);
	}
	wf_team_barrier(team);
	for (size_t t = rank; t < s->ld / GROUP; t += size)
	{
		if (t * GROUP < k0 || t * GROUP >= k0 + BLOCK)
			update_rows(s, k0, t * GROUP);
		if (t % 8 == rank % 8)
			team->host->check(team->host);
	}
	for (size_t t = rank; t < s->ld / STRIP; t += size)
		store_panel(s, k0, t * STRIP, packed_d);
	wf_team_barrier(team);
}

void
wf_spd_invert(WfTeam *team, float *a, size_t n)
{
	WfHost	   *host = team->host;
	size_t		ld = wf_spd_padded(n);
	Sweep		s = {.team = team,.kernel = pick_kernel(),.a = a,.ld = ld};
	double	   *d = wf_alloc_aligned(host, BLOCK * BLOCK, sizeof(double));
	float	   *packed_d = wf_alloc_aligned(host, BLOCK * BLOCK, sizeof(float));
	float	   *strip = wf_alloc_aligned(host, BLOCK * STRIP, sizeof(float));

	s.first = wf_alloc(host, ld, sizeof(double));
	s.p = wf_team_alloc(team, ld * BLOCK, sizeof(float));
	s.r = wf_team_alloc(team, ld * BLOCK, sizeof(float));
	if (team->rank == 0)
		pad(a, n, ld);
	wf_team_barrier(team);
	for (size_t i = 0; i < ld; i++)
		s.first[i] = a[i * ld + i];
	wf_team_barrier(team);
	for (size_t k0 = 0; k0 < ld; k0 += BLOCK)
		sweep_block(&s, k0, d, packed_d, strip);
	wf_team_free(team, s.r);
	wf_team_free(team, s.p);
	wf_release(host, s.first);
	wf_release_aligned(host, strip);
	wf_release_aligned(host, packed_d);
	wf_release_aligned(host, d);
}
