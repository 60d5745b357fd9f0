/*-------------------------------------------------------------------------
 * lstm_kernel.h
 *	  The source of lstm_cell.h's kernels, compiled by lstm_cell.c for each
 *	  VEC_LANES.
 *-------------------------------------------------------------------------
 */
#include "core/lstm_cell.h"
#include "core/vec.h"

#undef LOAD
#undef STORE
#undef ALL
#define LOAD VEC_NAME(v_load)
#define STORE VEC_NAME(v_store)
#define ALL VEC_NAME(v_all)

static VEC_TARGET void
VEC_NAME(forward) (const WfLstmCell *cell)
{
	for (size_t row = 0; row < cell->rows; row++)
		for (size_t j = 0; j < cell->columns; j += VEC_LANES)
		{
			size_t		at = row * cell->stride + j;
			float	   *gate = cell->gates + at;
			vec			in = VEC_NAME(v_sigmoid) (LOAD(gate));
			vec			keep = VEC_NAME(v_sigmoid) (LOAD(gate + cell->gate_step));
			vec			new = VEC_NAME(v_tanh) (LOAD(gate + 2 * cell->gate_step));
			vec			out = VEC_NAME(v_sigmoid) (LOAD(gate + 3 * cell->gate_step));
			vec			c = VEC_NAME(v_fma) (keep, LOAD(cell->c_before + at), in * new);
			vec			c_tanh = VEC_NAME(v_tanh) (c);

			STORE(cell->c + at, c);
			STORE(cell->h + at, out * c_tanh);
			if (cell->c_tanh == NULL)
				continue;
			STORE(cell->c_tanh + at, c_tanh);
			STORE(gate, in);
			STORE(gate + cell->gate_step, keep);
			STORE(gate + 2 * cell->gate_step, new);
			STORE(gate + 3 * cell->gate_step, out);
		}
}

static VEC_TARGET void
VEC_NAME(backward) (const WfLstmCell *cell)
{
	const vec	one = ALL(1.0f);

	for (size_t row = 0; row < cell->rows; row++)
		for (size_t j = 0; j < cell->columns; j += VEC_LANES)
		{
			size_t		at = row * cell->stride + j;
			float	   *gate = cell->gates + at;
			vec			in = LOAD(gate);
			vec			keep = LOAD(gate + cell->gate_step);
			vec			new = LOAD(gate + 2 * cell->gate_step);
			vec			out = LOAD(gate + 3 * cell->gate_step);
			vec			c_tanh = LOAD(cell->c_tanh + at);
			vec			dh = LOAD(cell->dh + at);
			vec			dc = VEC_NAME(v_fma) (dh * out, one - c_tanh * c_tanh, LOAD(cell->dc + at));

			STORE(gate, dc * new * in * (one - in));
			STORE(gate + cell->gate_step, dc * LOAD(cell->c_before + at) * keep * (one - keep));
			STORE(gate + 2 * cell->gate_step, dc * in * (one - new * new));
			STORE(gate + 3 * cell->gate_step, dh * c_tanh * out * (one - out));
			STORE(cell->dc + at, dc * keep);
		}
}

static VEC_TARGET void
VEC_NAME(softmax) (size_t rows, size_t columns, size_t stride, float *logits,
				   const float *scale, float *largest, float *sum)
{
	for (size_t j = 0; j < columns; j += VEC_LANES)
	{
		vec			top = LOAD(logits + j);
		vec			total = ALL(0.0f);
		vec			factor;

		for (size_t i = 1; i < rows; i++)
			top = VEC_NAME(v_max) (top, LOAD(logits + i * stride + j));
		for (size_t i = 0; i < rows; i++)
		{
			vec			e = VEC_NAME(v_exp) (LOAD(logits + i * stride + j) - top);

			total += e;
			STORE(logits + i * stride + j, e);
		}
		STORE(largest + j, top);
		STORE(sum + j, total);
		factor = LOAD(scale + j) / total;
		for (size_t i = 0; i < rows; i++)
			STORE(logits + i * stride + j, LOAD(logits + i * stride + j) * factor);
	}
}

static VEC_TARGET void
VEC_NAME(softmax_row) (size_t n, float *p)
{
	float		parts[VEC_LANES];
	vec			top;
	vec			total = ALL(0.0f);
	vec			factor;
	float		x;

	/* what fills the last vector weighs nothing */
	for (size_t i = n; i % VEC_LANES != 0; i++)
		p[i] = -1e30f;
	top = LOAD(p);
	for (size_t i = VEC_LANES; i < n; i += VEC_LANES)
		top = VEC_NAME(v_max) (top, LOAD(p + i));
	STORE(parts, top);
	x = parts[0];
	for (int i = 1; i < VEC_LANES; i++)
		x = parts[i] > x ? parts[i] : x;
	for (size_t i = 0; i < n; i += VEC_LANES)
	{
		vec			e = VEC_NAME(v_exp) (LOAD(p + i) - ALL(x));

		total += e;
		STORE(p + i, e);
	}
	STORE(parts, total);
	x = parts[0];
	for (int i = 1; i < VEC_LANES; i++)
		x += parts[i];
	factor = ALL(1.0f / x);
	for (size_t i = 0; i < n; i += VEC_LANES)
		STORE(p + i, LOAD(p + i) * factor);
}

/*
 * The hash is a 32-bit finalizer (two multiplications, three shifts): what
 * decides is the upper half of its range, so that a rate of 0 keeps all.
 */
static VEC_TARGET void
VEC_NAME(drop) (size_t rows, size_t columns, size_t stride, const float *from, float *to,
				uint32_t key, float rate, int add)
{
	const vec	scale = ALL(1.0f / (1.0f - rate));
	const uint32_t least = (uint32_t) ((double) rate * 2147483648.0);
	veu			lane;

	for (int i = 0; i < VEC_LANES; i++)
		lane[i] = (uint32_t) i * UINT32_C(0x9e3779b1);
	for (size_t row = 0; row < rows; row++)
		for (size_t j = 0; j < columns; j += VEC_LANES)
		{
			size_t		at = row * stride + j;
			veu			x = lane + (key + (uint32_t) (row * 65536 + j) * UINT32_C(0x9e3779b1));
			vei			kept;
			vec			value;

			x ^= x >> 16;
			x *= UINT32_C(0x7feb352d);
			x ^= x >> 15;
			x *= UINT32_C(0x846ca68b);
			x ^= x >> 16;
			kept = (vei) (x >> 1) >= (int32_t) least;
			value = (vec) ((vei) (LOAD(from + at) * scale) & kept);
			STORE(to + at, add ? LOAD(to + at) + value : value);
		}
}

static VEC_TARGET void
VEC_NAME(spread) (size_t rows, size_t columns, size_t stride, const float *value, float *to)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < columns; j += VEC_LANES)
			STORE(to + i * stride + j, ALL(value[i]));
}

static VEC_TARGET void
VEC_NAME(add_rows) (size_t rows, size_t columns, const float *from, size_t from_row,
					const uint32_t *pick, float *to, size_t to_row)
{
	for (size_t i = 0; i < rows; i++)
	{
		const float *x = from + i * from_row;
		float	   *y = to + (pick ? pick[i] : 0) * to_row;

		for (size_t j = 0; j < columns; j += VEC_LANES)
			STORE(y + j, LOAD(y + j) + LOAD(x + j));
	}
}

/* Short sums in floats, their sum in double. */
static VEC_TARGET double
VEC_NAME(sum_squares) (size_t n, const float *x)
{
	double		sum = 0;

	while (n > 0)
	{
		size_t		part = n < 1024 ? n : 1024;
		vec			total = ALL(0.0f);
		float		parts[VEC_LANES];

		for (size_t i = 0; i < part; i += VEC_LANES)
			total = VEC_NAME(v_fma) (LOAD(x + i), LOAD(x + i), total);
		STORE(parts, total);
		for (int i = 0; i < VEC_LANES; i++)
			sum += parts[i];
		n -= part;
		x += part;
	}
	return sum;
}

static VEC_TARGET void
VEC_NAME(adam) (size_t n, const WfAdam *adam, float *weight, float *gradient,
				float *mean, float *square)
{
	const vec	beta1 = ALL((float) WF_ADAM_BETA1);
	const vec	beta2 = ALL((float) WF_ADAM_BETA2);
	const vec	rest1 = ALL((float) (1 - WF_ADAM_BETA1));
	const vec	rest2 = ALL((float) (1 - WF_ADAM_BETA2));

	for (size_t i = 0; i < n; i += VEC_LANES)
	{
		vec			g = LOAD(gradient + i) * ALL(adam->scale);
		vec			m = VEC_NAME(v_fma) (beta1, LOAD(mean + i), rest1 * g);
		vec			s = VEC_NAME(v_fma) (beta2, LOAD(square + i), rest2 * g * g);
		vec			size = VEC_NAME(v_fma) (VEC_NAME(v_sqrt) (s), ALL(adam->correction), ALL(adam->epsilon));

		STORE(mean + i, m);
		STORE(square + i, s);
		STORE(weight + i, LOAD(weight + i) - ALL(adam->rate) * m / size);
		STORE(gradient + i, ALL(0.0f));
	}
}

#undef KERNELS
#define KERNELS \
{ \
	VEC_NAME(forward), VEC_NAME(backward), VEC_NAME(softmax), VEC_NAME(softmax_row), VEC_NAME(drop), \
	VEC_NAME(spread), VEC_NAME(add_rows), VEC_NAME(sum_squares), VEC_NAME(adam) \
}
