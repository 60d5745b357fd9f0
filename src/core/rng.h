/*-------------------------------------------------------------------------
 * rng.h
 *	  Counter-based random numbers: a number is a function of its key, never
 *	  of what was drawn before, so that any member of a team can draw it.
 *
 * splitmix64's finalizer (Steele, Lea, Flood 2014) over the combined key.
 *-------------------------------------------------------------------------
 */
#ifndef WF_RNG_H
#define WF_RNG_H

#include <stdint.h>

static inline uint64_t
wf_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* A key from two keys; chain it for more. */
static inline uint64_t
wf_rng(uint64_t a, uint64_t b)
{
	return wf_mix(a ^ wf_mix(b));
}

/* [0, 1) with 53 bits */
static inline double
wf_rng_unit(uint64_t r)
{
	return (double) (r >> 11) * 0x1.0p-53;
}

/* [0, n), n < 2^32, from the upper half of r */
static inline uint32_t
wf_rng_below(uint64_t r, uint32_t n)
{
	return (uint32_t) (((r >> 32) * (uint64_t) n) >> 32);
}

#endif							/* WF_RNG_H */
