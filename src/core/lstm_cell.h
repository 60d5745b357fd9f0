/*-------------------------------------------------------------------------
 * lstm_cell.h
 *	  What a recurrent network does beside products of matrices, value by
 *	  value: the cell, softmax, dropout, sums, Adam.
 *
 * Blocks are rows × columns with rows stride floats apart; columns are a
 * multiple of 16 (WF_GEMM_PAD).  In training a row is a unit and a column a
 * case of the batch.
 *-------------------------------------------------------------------------
 */
#ifndef WF_LSTM_CELL_H
#define WF_LSTM_CELL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Four blocks of gates - input, forget, candidate, output - gate_step floats
 * apart, with the cell's values before and after, their tanh, and the output.
 */
typedef struct WfLstmCell
{
	size_t		rows;
	size_t		columns;
	size_t		stride;
	size_t		gate_step;
	float	   *gates;
	const float *c_before;
	float	   *c;
	float	   *c_tanh;			/* NULL: gates and this are not kept */
	float	   *h;				/* forward only */
	const float *dh;			/* backward only */
	float	   *dc;				/* backward only: of c, becomes that of c_before */
} WfLstmCell;

typedef struct WfAdam
{
	float		rate;			/* learning rate / (1 - beta1^t) */
	float		correction;		/* 1 / sqrt(1 - beta2^t) */
	float		epsilon;
	float		scale;			/* of the gradient: clipping */
} WfAdam;

#define WF_ADAM_BETA1 0.9
#define WF_ADAM_BETA2 0.999

typedef struct WfLstmKernels
{
	/* Inputs of the gates become the gates; c and h are written. */
	void		(*forward) (const WfLstmCell *cell);
	/* The gates become the gradients of their inputs. */
	void		(*backward) (const WfLstmCell *cell);

	/*
	 * Each column of logits becomes its softmax times scale[column]; largest
	 * and sum tell its largest logit and the sum of exp(logit - largest).
	 */
	void		(*softmax) (size_t rows, size_t columns, size_t stride, float *logits,
							const float *scale, float *largest, float *sum);
	/* The softmax of p[0 .. n - 1]; p has room for a multiple of 16. */
	void		(*softmax_row) (size_t n, float *p);

	/*
	 * to = from (or to += from) with a share of values zeroed and the others
	 * scaled up; value (row, column) is dropped by a hash of key and its place.
	 */
	void		(*drop) (size_t rows, size_t columns, size_t stride, const float *from, float *to,
						 uint32_t key, float rate, int add);
	/* Every column of row i becomes value[i]. */
	void		(*spread) (size_t rows, size_t columns, size_t stride, const float *value, float *to);
	/* to's row pick[i] (NULL: row 0) += from's row i. */
	void		(*add_rows) (size_t rows, size_t columns, const float *from, size_t from_row,
							 const uint32_t *pick, float *to, size_t to_row);
	/* n is a multiple of 16 in the following. */
	double		(*sum_squares) (size_t n, const float *x);
	/* One step of Adam (Kingma & Ba 2015); the gradient is zeroed. */
	void		(*adam) (size_t n, const WfAdam *adam, float *weight, float *gradient,
						 float *mean, float *square);
} WfLstmKernels;

/* The kernels for the level that wf_simd() gives now. */
const WfLstmKernels *wf_lstm_kernels(void);

#endif							/* WF_LSTM_CELL_H */
