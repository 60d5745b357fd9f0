/*-------------------------------------------------------------------------
 * crc32c.c
 *	  CRC-32C (Castagnoli), as in iSCSI and PostgreSQL's WAL.
 *
 * The processor's instruction has a latency of three cycles and a throughput
 * of one, so three streams side by side are three times as fast as one.
 * Their remainders are joined by multiplying with x^(8 * bytes that follow)
 * modulo the polynomial.  Elsewhere eight tables (Kounavis and Berry 2008)
 * are made on the stack, since the core keeps no state.
 *-------------------------------------------------------------------------
 */
#include "core/model.h"

#include <string.h>

#include "core/simd.h"

#define POLYNOMIAL UINT32_C(0x82f63b78)	/* bits reflected */

static uint32_t
crc_bitwise(uint32_t crc, const uint8_t *p, size_t n)
{
	while (n-- > 0)
	{
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
	}
	return crc;
}

static uint32_t
crc_tables(uint32_t crc, const uint8_t *p, size_t n)
{
	uint32_t	table[8][256];

	for (uint32_t i = 0; i < 256; i++)
	{
		uint8_t		byte = (uint8_t) i;

		table[0][i] = crc_bitwise(0, &byte, 1);
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int t = 1; t < 8; t++)
			table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 0xff];
	for (; n >= 8; p += 8, n -= 8)
	{
		uint32_t	low = crc ^ ((uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24);

		crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^
			table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^
			table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
	}
	while (n-- > 0)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

#ifdef WF_HAVE_X86_SIMD

#define STREAM_BITS 14
#define STREAM ((size_t) 1 << STREAM_BITS)

/* a * b modulo the polynomial, bits reflected: bit 31 is x^0. */
static uint32_t
multiply(uint32_t a, uint32_t b)
{
	uint32_t	product = 0;

	for (int bit = 31; bit >= 0; bit--)
	{
		product ^= b & (0 - (a >> bit & 1));
		b = b >> 1 ^ (POLYNOMIAL & (0 - (b & 1)));
	}
	return product;
}

__attribute__((target("sse4.2")))
static uint32_t
crc_sse42(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t	c0 = crc;
	uint64_t	word;

	if (n >= 3 * STREAM)
	{
		uint32_t	shift = UINT32_C(1) << 30;	/* x */

		/* x^(8 * STREAM) */
		for (int i = 0; i < STREAM_BITS + 3; i++)
			shift = multiply(shift, shift);
		for (; n >= 3 * STREAM; p += 3 * STREAM, n -= 3 * STREAM)
		{
			uint64_t	c1 = 0;
			uint64_t	c2 = 0;

			for (size_t i = 0; i < STREAM; i += 8)
			{
				memcpy(&word, p + i, 8);
				c0 = __builtin_ia32_crc32di(c0, word);
				memcpy(&word, p + STREAM + i, 8);
				c1 = __builtin_ia32_crc32di(c1, word);
				memcpy(&word, p + 2 * STREAM + i, 8);
				c2 = __builtin_ia32_crc32di(c2, word);
			}
			c0 = multiply(shift, (uint32_t) c0) ^ c1;
			c0 = multiply(shift, (uint32_t) c0) ^ c2;
		}
	}
	for (; n >= 8; p += 8, n -= 8)
	{
		memcpy(&word, p, 8);
		c0 = __builtin_ia32_crc32di(c0, word);
	}
	crc = (uint32_t) c0;
	while (n-- > 0)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}

#endif

uint32_t
wf_crc32c(uint32_t crc, const void *bytes, size_t length)
{
	crc = ~crc;
#ifdef WF_HAVE_X86_SIMD
	/* Every processor with AVX2 has SSE 4.2. */
	if (wf_simd() >= WF_SIMD_AVX2)
		return ~crc_sse42(crc, bytes, length);
#endif
	/* Making the tables costs as much as about this many bytes. */
	if (length < 2048)
		return ~crc_bitwise(crc, bytes, length);
	return ~crc_tables(crc, bytes, length);
}
