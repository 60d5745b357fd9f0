/*
 * The kernel of spd.c for one set of vector instructions; included several
 * times with
 *
 *	KERNEL		name of the function
 *	TARGET		attributes
 *	WIDTH		floats in a vector
 *	ROWS		rows of a tile, a divisor of 8
 *	VECTORS		vectors in a row of a tile
 *
 * The sizes of a tile must be literals: the accumulators then are registers.
 */
#ifdef KERNEL
TARGET static void
KERNEL(const float *p, const float *r, float *c, size_t ld, int add)
{
	typedef float Vector __attribute__((vector_size(WIDTH * sizeof(float)), aligned(4)));

	for (int i0 = 0; i0 < GROUP; i0 += ROWS)
		for (int j0 = 0; j0 < STRIP; j0 += WIDTH * VECTORS)
		{
			Vector		sum[ROWS][VECTORS];

			for (int i = 0; i < ROWS; i++)
				for (int v = 0; v < VECTORS; v++)
					sum[i][v] = (Vector) {0};
			for (int k = 0; k < WF_SPD_BLOCK; k++)
			{
				const float *pk = p + k * GROUP + i0;
				const float *rk = r + k * STRIP + j0;
				Vector		x[VECTORS];

				for (int v = 0; v < VECTORS; v++)
					x[v] = *(const Vector *) (rk + v * WIDTH);
#pragma GCC unroll 8
				for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
					for (int v = 0; v < VECTORS; v++)
						sum[i][v] += pk[i] * x[v];
			}
			for (int i = 0; i < ROWS; i++)
				for (int v = 0; v < VECTORS; v++)
				{
					Vector	   *to = (Vector *) (c + (size_t) (i0 + i) * ld + j0 + v * WIDTH);

					*to = add ? sum[i][v] : *to - sum[i][v];
				}
		}
}
#undef KERNEL
#undef TARGET
#undef WIDTH
#undef ROWS
#undef VECTORS
#endif
