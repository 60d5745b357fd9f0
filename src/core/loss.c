/*-------------------------------------------------------------------------
 * loss.c
 *	  Loss functions of boosting.
 *
 * The exponential of the gradients is a float one (relative error below
 * 2e-7): what comes out is rounded to 16 bits anyway, and it is the one place
 * where boosting computes a transcendental for every row of every round.
 * Values of losses, which choose the number of rounds, are in double.
 *-------------------------------------------------------------------------
 */
#include "core/loss.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"
#include "core/simd.h"

#ifdef WF_HAVE_X86_SIMD
#include <immintrin.h>
#endif

/* Adding it rounds a float below 2^22 to a whole number, found in the low bits. */
#define ROUNDER 12582912.0f
#define ROUNDER_BITS 0x4b400000

/* Margins beyond are treated as this: e^-30 is below what 16 bits can show. */
#define MARGIN_LIMIT 30.0f

/* Cody and Waite's reduction and a degree 6 polynomial for e^r on |r| <= ln 2 / 2. */
#define LOG2_E 1.44269504f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define EXP_C2 0.5f
#define EXP_C3 0.166666657f
#define EXP_C4 0.0416664146f
#define EXP_C5 0.00833345205f
#define EXP_C6 0.00139303738f

static inline float
from_bits(int32_t bits)
{
	float		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline int32_t
to_bits(float x)
{
	int32_t		bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static inline float
clamp(float x)
{
	x = x < -MARGIN_LIMIT ? -MARGIN_LIMIT : x;
	return x > MARGIN_LIMIT ? MARGIN_LIMIT : x;
}

/* e^x, |x| <= MARGIN_LIMIT. */
static inline float
exp_float(float x)
{
	float		shifted = x * LOG2_E + ROUNDER;
	float		k = shifted - ROUNDER;
	float		r = (x - k * LN2_HIGH) - k * LN2_LOW;
	float		p = EXP_C6;

	p = p * r + EXP_C5;
	p = p * r + EXP_C4;
	p = p * r + EXP_C3;
	p = p * r + EXP_C2;
	p = p * (r * r) + r;
	p = p + 1.0f;
	return p * from_bits((int32_t) ((uint32_t) (to_bits(shifted) - ROUNDER_BITS + 127) << 23));
}

static void
logistic_scalar(const float *score, const float *target, size_t n, float *g, float *h)
{
	for (size_t i = 0; i < n; i++)
	{
		float		p = 1.0f / (1.0f + exp_float(clamp(0.0f - score[i])));

		g[i] = target[i] - p;
		h[i] = p * (1.0f - p);
	}
}

static void
quantise_scalar(const float *g, const float *h, size_t n, float g_scale, float h_scale, uint32_t *gh)
{
	for (size_t i = 0; i < n; i++)
	{
		int32_t		gq = to_bits(g[i] * g_scale + ROUNDER) - ROUNDER_BITS;
		int32_t		hq = 1;

		if (h)
		{
			hq = to_bits(h[i] * h_scale + ROUNDER) - ROUNDER_BITS;
			hq = hq < 1 ? 1 : hq;
		}
		gh[i] = (uint32_t) (uint16_t) gq | (uint32_t) hq << 16;
	}
}

#ifdef WF_HAVE_X86_SIMD

WF_TARGET_AVX512 static inline __m512
exp_vector(__m512 x)
{
	const __m512 rounder = _mm512_set1_ps(ROUNDER);
	__m512		shifted = _mm512_add_ps(_mm512_mul_ps(x, _mm512_set1_ps(LOG2_E)), rounder);
	__m512		k = _mm512_sub_ps(shifted, rounder);
	__m512		r = _mm512_sub_ps(_mm512_sub_ps(x, _mm512_mul_ps(k, _mm512_set1_ps(LN2_HIGH))),
								  _mm512_mul_ps(k, _mm512_set1_ps(LN2_LOW)));
	__m512		p = _mm512_set1_ps(EXP_C6);
	__m512i		e;

	p = _mm512_add_ps(_mm512_mul_ps(p, r), _mm512_set1_ps(EXP_C5));
	p = _mm512_add_ps(_mm512_mul_ps(p, r), _mm512_set1_ps(EXP_C4));
	p = _mm512_add_ps(_mm512_mul_ps(p, r), _mm512_set1_ps(EXP_C3));
	p = _mm512_add_ps(_mm512_mul_ps(p, r), _mm512_set1_ps(EXP_C2));
	p = _mm512_add_ps(_mm512_mul_ps(p, _mm512_mul_ps(r, r)), r);
	p = _mm512_add_ps(p, _mm512_set1_ps(1.0f));
	e = _mm512_slli_epi32(_mm512_add_epi32(_mm512_castps_si512(shifted),
										   _mm512_set1_epi32(127 - ROUNDER_BITS)), 23);
	return _mm512_mul_ps(p, _mm512_castsi512_ps(e));
}

WF_TARGET_AVX512 static void
logistic_avx512(const float *score, const float *target, size_t n, float *g, float *h)
{
	const __m512 one = _mm512_set1_ps(1.0f);
	size_t		i = 0;

	for (; i + 16 <= n; i += 16)
	{
		__m512		x = _mm512_sub_ps(_mm512_setzero_ps(), _mm512_loadu_ps(score + i));
		__m512		p;

		x = _mm512_max_ps(x, _mm512_set1_ps(-MARGIN_LIMIT));
		x = _mm512_min_ps(x, _mm512_set1_ps(MARGIN_LIMIT));
		p = _mm512_div_ps(one, _mm512_add_ps(one, exp_vector(x)));
		_mm512_storeu_ps(g + i, _mm512_sub_ps(_mm512_loadu_ps(target + i), p));
		_mm512_storeu_ps(h + i, _mm512_mul_ps(p, _mm512_sub_ps(one, p)));
	}
	logistic_scalar(score + i, target + i, n - i, g + i, h + i);
}

WF_TARGET_AVX512 static void
quantise_avx512(const float *g, const float *h, size_t n, float g_scale, float h_scale, uint32_t *gh)
{
	const __m512 rounder = _mm512_set1_ps(ROUNDER);
	const __m512i bits = _mm512_set1_epi32(ROUNDER_BITS);
	const __m512i one = _mm512_set1_epi32(1);
	size_t		i = 0;

	for (; i + 16 <= n; i += 16)
	{
		__m512		x = _mm512_add_ps(_mm512_mul_ps(_mm512_loadu_ps(g + i), _mm512_set1_ps(g_scale)), rounder);
		__m512i		gq = _mm512_and_si512(_mm512_sub_epi32(_mm512_castps_si512(x), bits), _mm512_set1_epi32(0xffff));
		__m512i		hq = one;

		if (h)
		{
			x = _mm512_add_ps(_mm512_mul_ps(_mm512_loadu_ps(h + i), _mm512_set1_ps(h_scale)), rounder);
			hq = _mm512_max_epi32(_mm512_sub_epi32(_mm512_castps_si512(x), bits), one);
		}
		_mm512_storeu_si512(gh + i, _mm512_or_si512(gq, _mm512_slli_epi32(hq, 16)));
	}
	quantise_scalar(g + i, h ? h + i : NULL, n - i, g_scale, h_scale, gh + i);
}
#endif

void
wf_loss_quantise(const float *g, const float *h, size_t n,
				 float g_scale, float h_scale, uint32_t *gh)
{
#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX512)
	{
		quantise_avx512(g, h, n, g_scale, h_scale, gh);
		return;
	}
#endif
	quantise_scalar(g, h, n, g_scale, h_scale, gh);
}

void
wf_loss_quantise_fine(const float *g, size_t n, double g_scale, uint32_t *gh)
{
	for (size_t i = 0; i < n; i++)
		gh[i] = (uint32_t) (int32_t) lrint((double) g[i] * g_scale);
}

void
wf_loss_gradients(const WfLoss *loss, const float *score, const float *target,
				  size_t n, float *g, float *h)
{
	const float alpha = (float) loss->alpha;
	const float delta = (float) loss->delta;

	switch (loss->kind)
	{
		case WF_LOSS_SQUARED:
			if (g != score)
				memcpy(g, score, n * sizeof(float));
			break;
		case WF_LOSS_ABSOLUTE:
			for (size_t i = 0; i < n; i++)
				g[i] = (float) ((score[i] > 0) - (score[i] < 0));
			break;
		case WF_LOSS_HUBER:
			for (size_t i = 0; i < n; i++)
				g[i] = score[i] > delta ? delta : score[i] < -delta ? -delta : score[i];
			break;
		case WF_LOSS_QUANTILE:
			for (size_t i = 0; i < n; i++)
				g[i] = score[i] > 0 ? alpha : score[i] < 0 ? alpha - 1.0f : 0.0f;
			break;
		case WF_LOSS_POISSON:
			for (size_t i = 0; i < n; i++)
			{
				h[i] = exp_float(clamp(score[i]));
				g[i] = target[i] - h[i];
			}
			return;
		case WF_LOSS_LOGISTIC:
		case WF_LOSS_SOFTMAX:
#ifdef WF_HAVE_X86_SIMD
			if (wf_simd() >= WF_SIMD_AVX512)
			{
				logistic_avx512(score, target, n, g, h);
				return;
			}
#endif
			logistic_scalar(score, target, n, g, h);
			return;
	}
	for (size_t i = 0; h && i < n; i++)
		h[i] = 1.0f;
}

void
wf_softmax_gradients(const float *margin, int n_classes, int label, float *g, float *h)
{
	const float factor = (float) n_classes / (float) (n_classes - 1);
	float		max = margin[0];
	float		sum = 0;

	for (int k = 1; k < n_classes; k++)
		max = margin[k] > max ? margin[k] : max;
	for (int k = 0; k < n_classes; k++)
	{
		g[k] = exp_float(clamp(margin[k] - max));
		sum += g[k];
	}
	for (int k = 0; k < n_classes; k++)
	{
		float		p = g[k] / sum;

		h[k] = factor * p * (1.0f - p);
		g[k] = (k == label ? 1.0f : 0.0f) - p;
	}
}

double
wf_softmax_value(const float *margin, int n_classes, int label)
{
	double		max = margin[0];
	double		sum = 0;

	for (int k = 1; k < n_classes; k++)
		max = margin[k] > max ? margin[k] : max;
	for (int k = 0; k < n_classes; k++)
		sum += wf_exp(margin[k] - max);
	return wf_log(sum) + max - margin[label];
}

double
wf_loss_value(const WfLoss *loss, double score, double target)
{
	double		size = fabs(score);

	switch (loss->kind)
	{
		case WF_LOSS_SQUARED:
			return 0.5 * score * score;
		case WF_LOSS_ABSOLUTE:
			return size;
		case WF_LOSS_HUBER:
			return size <= loss->delta ? 0.5 * score * score : loss->delta * (size - 0.5 * loss->delta);
		case WF_LOSS_QUANTILE:
			return score > 0 ? loss->alpha * score : (loss->alpha - 1.0) * score;
		case WF_LOSS_LOGISTIC:
		case WF_LOSS_SOFTMAX:
			/* log(1 + e^score) - target score, without overflow */
			return wf_log(1.0 + wf_exp(-size)) + (score > 0 ? score : 0) - target * score;
		case WF_LOSS_POISSON:
			return wf_exp(score) - target * score;
	}
	return 0;
}

bool
wf_loss_bounds(const WfLoss *loss, double *g_max, double *h_max)
{
	*g_max = 1.0;
	*h_max = 1.0;
	switch (loss->kind)
	{
		case WF_LOSS_HUBER:
			*g_max = loss->delta;
			return true;
		case WF_LOSS_QUANTILE:
			*g_max = loss->alpha > 0.5 ? loss->alpha : 1.0 - loss->alpha;
			return true;
		case WF_LOSS_ABSOLUTE:
			return true;
		case WF_LOSS_LOGISTIC:
			*h_max = 0.25;
			return true;
		case WF_LOSS_SOFTMAX:
			*h_max = 0.25 * loss->n_outputs / (loss->n_outputs - 1);
			return true;
		case WF_LOSS_SQUARED:
		case WF_LOSS_POISSON:
			return false;
	}
	return false;
}

double
wf_loss_base(const WfLoss *loss, double mean)
{
	/* Never infinite: a share of 0 or 1, or a mean count of 0, is off by one in 10^9. */
	const double tiny = 1e-9;

	switch (loss->kind)
	{
		case WF_LOSS_LOGISTIC:
			mean = mean < tiny ? tiny : mean > 1.0 - tiny ? 1.0 - tiny : mean;
			return wf_log(mean / (1.0 - mean));
		case WF_LOSS_SOFTMAX:
		case WF_LOSS_POISSON:
			return wf_log(mean < tiny ? tiny : mean);
		default:
			return mean;
	}
}
