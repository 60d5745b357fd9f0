/*-------------------------------------------------------------------------
 * normal.h
 *	  Normal equations of one row of a factor model: gathered row by row,
 *	  solved by Cholesky.
 *
 * Minimises sum_e weight_e (x_e · w)² - 2 rhs_e (x_e · w) + ridge |w|² (+ w' G w
 * for a matrix G known beforehand), that is, least squares with the target
 * rhs_e / weight_e.  Rows are gathered 64 at a time; their outer products are
 * summed in float32 within 8 × 8 tiles and in float64 from batch to batch, so a
 * row with a million entries is as exact as a short one.
 *
 * All paths of the processor give the same bits: no fused multiply-add, and
 * one order of sums.
 *-------------------------------------------------------------------------
 */
#ifndef WF_NORMAL_H
#define WF_NORMAL_H

#include <stddef.h>
#include <stdint.h>

#define WF_NORMAL_BATCH 64

typedef struct WfNormal
{
	uint32_t	n;				/* unknowns */
	uint32_t	stride;			/* n rounded up to 8 */
	uint32_t	pending;		/* rows gathered and not yet added */
	double	   *a;				/* stride × stride, upper triangle */
	double	   *h;				/* stride */
	float	   *x;				/* WF_NORMAL_BATCH × stride */
	float	   *y;				/* the same, times the weight */
	float	   *rhs;			/* WF_NORMAL_BATCH */
	float	   *weight;			/* WF_NORMAL_BATCH */
} WfNormal;

static inline uint32_t
wf_normal_stride(uint32_t n)
{
	return (n + 7) & ~UINT32_C(7);
}

/* Bytes of room, 8-byte aligned, for up to n unknowns (at most 512). */
size_t		wf_normal_bytes(uint32_t n);
void		wf_normal_init(WfNormal *s, uint32_t n, void *room);
/* Start a row with a = gram (n × n, symmetric, packed; NULL: zeros) times factor, h = 0. */
void		wf_normal_begin(WfNormal *s, const double *gram, double factor);
/* Add what is pending; called by the two below. */
void		wf_normal_flush(WfNormal *s);
/*
 * Add ridge to the diagonal and solve into w, n floats and zeros up to stride.
 * An unknown that nothing determines becomes 0.  Destroys a and h.
 */
void		wf_normal_solve(WfNormal *s, double ridge, float *w);

/*
 * The same with no unknown negative, by coordinate descent from w: so many
 * sweeps, or fewer when one changes nothing by more than 1e-7 of the largest.
 */
void		wf_normal_descend(WfNormal *s, double ridge, int sweeps, float *w);

/* Room for the next row: the caller writes stride floats, zeros behind n. */
static inline float *
wf_normal_next(WfNormal *s, float weight, float rhs)
{
	if (s->pending == WF_NORMAL_BATCH)
		wf_normal_flush(s);
	s->weight[s->pending] = weight;
	s->rhs[s->pending] = rhs;
	return s->x + (size_t) s->pending++ * s->stride;
}

#endif							/* WF_NORMAL_H */
