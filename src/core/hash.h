/*-------------------------------------------------------------------------
 * hash.h
 *	  The wide multiplication and the little-endian loads that hashes share.
 *-------------------------------------------------------------------------
 */
#ifndef WF_HASH_H
#define WF_HASH_H

#include <stdint.h>
#include <string.h>

/* a * b: returns the lower half, *high gets the upper. */
static inline uint64_t
wf_mul128(uint64_t a, uint64_t b, uint64_t *high)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 p = (unsigned __int128) a * b;

	*high = (uint64_t) (p >> 64);
	return (uint64_t) p;
#else
	uint64_t	a0 = (uint32_t) a,
				a1 = a >> 32,
				b0 = (uint32_t) b,
				b1 = b >> 32;
	uint64_t	low = a0 * b0;
	uint64_t	m1 = a1 * b0 + (low >> 32);
	uint64_t	m2 = a0 * b1 + (uint32_t) m1;

	*high = a1 * b1 + (m1 >> 32) + (m2 >> 32);
	return (m2 << 32) | (uint32_t) low;
#endif
}

/* (*high, *low) += a * b */
static inline void
wf_mul_add128(uint64_t a, uint64_t b, uint64_t *low, uint64_t *high)
{
#ifdef __SIZEOF_INT128__
	unsigned __int128 sum = (unsigned __int128) *high << 64 | *low;

	sum += (unsigned __int128) a * b;
	*low = (uint64_t) sum;
	*high = (uint64_t) (sum >> 64);
#else
	uint64_t	upper;
	uint64_t	lower = wf_mul128(a, b, &upper);

	*low += lower;
	*high += upper + (*low < lower);
#endif
}

/* Both halves of the product folded into one word. */
static inline uint64_t
wf_mul_fold(uint64_t a, uint64_t b)
{
	uint64_t	high;
	uint64_t	low = wf_mul128(a, b, &high);

	return low ^ high;
}

static inline uint64_t
wf_load_le64(const unsigned char *p)
{
	uint64_t	v;

	memcpy(&v, p, sizeof(v));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline void
wf_store_le64(unsigned char *p, uint64_t v)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	memcpy(p, &v, sizeof(v));
}

static inline void
wf_store_le32(unsigned char *p, uint32_t v)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap32(v);
#endif
	memcpy(p, &v, sizeof(v));
}

static inline uint64_t
wf_load_le32(const unsigned char *p)
{
	uint32_t	v;

	memcpy(&v, p, sizeof(v));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap32(v);
#endif
	return v;
}

#endif							/* WF_HASH_H */
