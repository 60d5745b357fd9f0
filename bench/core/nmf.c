/*-------------------------------------------------------------------------
 * nmf.c
 *	  CPU time and result of plain non-negative matrix factorisation.
 *
 *	nmf FILE ROWS COLUMNS FACTORS ITERATIONS
 *
 * FILE: triples of 4-byte numbers, row and column (unsigned) and value (float),
 * sorted by row and column.  Prints: CPU seconds of training (transposition
 * included), squared norm, squared error, explained part.
 *-------------------------------------------------------------------------
 */
#include "plainhost.h"

#include "core/factors.h"

typedef struct Triple
{
	uint32_t	row;
	uint32_t	col;
	float		value;
} Triple;

static void
read_matrix(WfTeam *team, const char *name, uint32_t n_rows, uint32_t n_cols, WfMatrix *m)
{
	FILE	   *f = fopen(name, "rb");
	Triple		t;
	long		size;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
	{
		perror(name);
		exit(1);
	}
	rewind(f);
	wf_matrix_create(team, m, n_rows, n_cols, (uint64_t) size / sizeof(t));
	for (uint64_t e = 0; e < m->n && fread(&t, sizeof(t), 1, f) == 1; e++)
	{
		m->start[t.row + 1]++;
		m->col[e] = t.col;
		m->value[e] = t.value;
	}
	fclose(f);
	for (uint32_t r = 0; r < n_rows; r++)
		m->start[r + 1] += m->start[r];
	if (!wf_matrix_valid(m))
	{
		fprintf(stderr, "%s: not sorted\n", name);
		exit(1);
	}
}

/* Squared error over all cells: |X|² - 2 <X, WH'> + <W'W, H'H>. */
static double
squared_error(const WfMatrix *m, const WfFactors *f, double norm)
{
	double		product = 0;
	double		both = 0;

	for (uint32_t r = 0; r < m->n_rows; r++)
		for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++)
			for (uint32_t j = 0; j < f->k; j++)
				product += (double) m->value[e] * (double) f->user[r * f->stride + j] *
					(double) f->item[m->col[e] * f->stride + j];
	for (uint32_t i = 0; i < f->k; i++)
		for (uint32_t j = 0; j < f->k; j++)
		{
			double		w = 0;

			for (uint32_t r = 0; r < m->n_rows; r++)
				w += (double) f->user[r * f->stride + i] * (double) f->user[r * f->stride + j];
			both += w * f->gram[i * f->k + j];
		}
	return norm - 2 * product + both;
}

int
main(int argc, char **argv)
{
	WfHost		host = plain_host();
	WfTeamShared shared;
	WfTeam		team;
	WfFactorSpec spec = {.kind = WF_FACTORS_NMF, .unseen = 1};
	WfFactors	f;
	WfMatrix	m;
	WfMatrix	t;
	double		cpu;
	double		norm = 0;
	double		error;

	if (argc != 6)
	{
		fprintf(stderr, "usage: nmf FILE ROWS COLUMNS FACTORS ITERATIONS\n");
		return 2;
	}
	wf_team_alone(&team, &shared, &host);
	read_matrix(&team, argv[1], (uint32_t) atoi(argv[2]), (uint32_t) atoi(argv[3]), &m);
	spec.k = atoi(argv[4]);
	spec.iterations = atoi(argv[5]);
	cpu = plain_cpu();
	wf_matrix_transpose(&team, &m, &t);
	wf_factors_train(&team, &spec, &m, &t, &f);
	cpu = plain_cpu() - cpu;
	for (uint64_t e = 0; e < m.n; e++)
		norm += (double) m.value[e] * (double) m.value[e];
	error = squared_error(&m, &f, norm);
	printf("%.4f %.6f %.6f %.6f\n", cpu, norm, error, norm - error);
	return 0;
}
