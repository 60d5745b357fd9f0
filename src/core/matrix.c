/*-------------------------------------------------------------------------
 * matrix.c
 *	  Memory and transposition of sparse matrices.
 *-------------------------------------------------------------------------
 */
#include "core/matrix.h"

#include <math.h>
#include <string.h>

#define CHECK_ENTRIES 65536

size_t
wf_matrix_bytes(uint32_t n_rows, uint64_t n)
{
	size_t		starts = ((size_t) n_rows + 1) * sizeof(uint64_t);
	size_t		entries;

	if (__builtin_mul_overflow((size_t) n, sizeof(uint32_t) + sizeof(float), &entries) ||
		__builtin_add_overflow(starts, entries, &starts))
		return SIZE_MAX;
	return starts;
}

void
wf_matrix_create(WfTeam *team, WfMatrix *m, uint32_t n_rows, uint32_t n_cols, uint64_t n)
{
	m->n_rows = n_rows;
	m->n_cols = n_cols;
	m->n = n;
	m->start = wf_team_alloc(team, (size_t) n_rows + 1, sizeof(uint64_t));
	m->col = wf_team_alloc(team, (size_t) n, sizeof(uint32_t));
	m->value = wf_team_alloc(team, (size_t) n, sizeof(float));
}

void
wf_matrix_free(WfTeam *team, WfMatrix *m)
{
	if (m->start == NULL)
		return;
	wf_team_free(team, m->value);
	wf_team_free(team, m->col);
	wf_team_free(team, m->start);
	memset(m, 0, sizeof(*m));
}

/*
 * A counting sort by column.  Rows are visited in order, so that they rise
 * within a column.  start[c + 1] first counts column c, then becomes where its
 * next entry goes, and has moved to the column's end when all are placed.
 */
static void
transpose_alone(WfHost *host, const WfMatrix *m, WfMatrix *out)
{
	uint64_t   *next = out->start + 1;
	uint64_t	sum = 0;

	for (uint64_t e = 0; e < m->n; e++)
	{
		if (e % CHECK_ENTRIES == 0)
			host->check(host);
		next[m->col[e]]++;
	}
	for (uint32_t c = 0; c < m->n_cols; c++)
	{
		uint64_t	count = next[c];

		next[c] = sum;
		sum += count;
	}
	for (uint32_t r = 0; r < m->n_rows; r++)
	{
		if (r % CHECK_ENTRIES == 0)
			host->check(host);
		for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++)
		{
			uint64_t	at = next[m->col[e]]++;

			if (e % CHECK_ENTRIES == 0)
				host->check(host);
			out->col[at] = r;
			out->value[at] = m->value[e];
		}
	}
}

/* One member does it: the work is bound by memory, and small beside any training. */
void
wf_matrix_transpose(WfTeam *team, const WfMatrix *m, WfMatrix *out)
{
	wf_matrix_create(team, out, m->n_cols, m->n_rows, m->n);
	if (team->rank == 0)
		transpose_alone(team->host, m, out);
	wf_team_barrier(team);
}

bool
wf_matrix_valid(const WfMatrix *m)
{
	if (m->start[0] != 0 || m->start[m->n_rows] != m->n)
		return false;
	for (uint32_t r = 0; r < m->n_rows; r++)
		if (m->start[r + 1] < m->start[r] || m->start[r + 1] > m->n)
			return false;
	for (uint32_t r = 0; r < m->n_rows; r++)
		for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++)
			if (m->col[e] >= m->n_cols || !isfinite(m->value[e]) ||
				(e > m->start[r] && m->col[e] <= m->col[e - 1]))
				return false;
	return true;
}
