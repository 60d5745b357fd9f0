/*-------------------------------------------------------------------------
 * mathx.c
 *	  exp and log from additions, multiplications and one division.
 *
 * Range reduction after Cody and Waite (1980); the polynomials interpolate
 * at Chebyshev nodes, so they are close to minimax.  No tables and no
 * branches on the common path: a caller's loop stays friendly to the
 * pipeline.
 *-------------------------------------------------------------------------
 */
#include "core/mathx.h"

#include <stdint.h>
#include <string.h>

#define INV_LN2 0x1.71547652b82fep+0
/* ln 2 in two parts; k * LN2_HIGH is exact for every |k| below 2^12. */
#define LN2_HIGH 0x1.62e42fefa3000p-1
#define LN2_LOW 0x1.3de6af278ece6p-42
/* Adding it rounds to a whole number, which stands in the low bits. */
#define ROUNDER 0x1.8p52

static inline double
from_bits(uint64_t bits)
{
	double		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline uint64_t
to_bits(double x)
{
	uint64_t	bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

/* 2^k for k in -1022 .. 1023 */
static inline double
power_of_two(int k)
{
	return from_bits((uint64_t) (k + 1023) << 52);
}

double
wf_exp(double x)
{
	double		shifted;
	double		k;
	double		r;
	double		r2;
	double		r4;
	double		p;
	int			e;

	/* written so that NaN takes the branch too */
	if (!(x >= -745.14 && x <= 709.79))
		return x < 0 ? 0.0 : x > 0 ? from_bits(UINT64_C(0x7ff) << 52) : x;

	shifted = x * INV_LN2 + ROUNDER;
	k = shifted - ROUNDER;
	e = (int32_t) (uint32_t) to_bits(shifted);
	r = (x - k * LN2_HIGH) - k * LN2_LOW;

	/* (e^r - 1 - r) / r^2 on |r| <= ln 2 / 2, error below 1e-17; Estrin's order */
	r2 = r * r;
	r4 = r2 * r2;
	p = ((0x1.0000000000000p-1 + r * 0x1.5555555555556p-3) +
		 r2 * (0x1.5555555555555p-5 + r * 0x1.11111111109b4p-7)) +
		r4 * (((0x1.6c16c16c167e1p-10 + r * 0x1.a01a01a7c3d59p-13) +
			   r2 * (0x1.a01a01a47adc4p-16 + r * 0x1.71de0daf7a6ccp-19)) +
			  r4 * ((0x1.27e4e1f5246c7p-22 + r * 0x1.af38a71a18cb9p-26) +
					r2 * 0x1.1f66de051eb02p-29));

	/* In two steps, as 2^e alone may be out of range where e^x is not. */
	return (1.0 + (r + r2 * p)) * power_of_two(e >> 1) * power_of_two(e - (e >> 1));
}

double
wf_log(double x)
{
	uint64_t	bits = to_bits(x);
	int			e = 0;
	double		k;
	double		f;
	double		s;
	double		z;
	double		z2;
	double		half;
	double		tail;

	if (!(x > 0))
		return x == 0 ? -from_bits(UINT64_C(0x7ff) << 52) : from_bits(UINT64_C(0x7ff8) << 48);
	if (bits >= UINT64_C(0x7ff) << 52)
		return x;				/* infinity */
	if (bits < UINT64_C(1) << 52)
	{
		bits = to_bits(x * 0x1p54); /* subnormal */
		e = -54;
	}

	/* x = 2^e * (1 + f) with 1 + f between sqrt(1/2) and sqrt(2) */
	bits += (UINT64_C(0x3ff00000) - UINT64_C(0x3fe6a09e)) << 32;
	e += (int) (bits >> 52) - 1023;
	bits = (bits & ((UINT64_C(1) << 52) - 1)) + (UINT64_C(0x3fe6a09e) << 32);
	f = from_bits(bits) - 1.0;
	k = e;

	/*
	 * log(1 + f) = 2 atanh(s), s = f / (2 + f).  2 s = f - s f, so the series
	 * is a correction to f, which is exact; see Tang (1990) for the error.
	 */
	s = f / (2.0 + f);
	z = s * s;
	z2 = z * z;
	tail = z * (((0x1.5555555555558p-1 + z * 0x1.99999999952b2p-2) +
				 z2 * (0x1.2492492df6947p-2 + z * 0x1.c71c62debf86bp-3)) +
				z2 * z2 * ((0x1.7462b69705382p-3 + z * 0x1.39fe208c33457p-3) +
						   z2 * 0x1.2b5b5fb2eac92p-3));
	half = 0.5 * f * f;
	return k * LN2_HIGH - ((half - (s * (half + tail) + k * LN2_LOW)) - f);
}

double
wf_sigmoid(double x)
{
	double		e;

	if (x >= 0)
		return 1.0 / (1.0 + wf_exp(-x));
	e = wf_exp(x);
	return e / (1.0 + e);
}
