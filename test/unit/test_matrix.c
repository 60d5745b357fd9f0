/*-------------------------------------------------------------------------
 * test_matrix.c
 *	  Sparse matrices: transposition against a dense table, teams, failures.
 *-------------------------------------------------------------------------
 */
#include "wf_test.h"

#include "core/matrix.h"
#include "core/rng.h"

#define ROWS 37
#define COLS 23

/* The cell's value, 0 where there is none; row 5 and column 7 are empty. */
static float
cell(uint32_t row, uint32_t col)
{
	uint64_t	r = wf_rng(wf_rng(11, row), col);

	return row == 5 || col == 7 || r % 4 ? 0 : (float) (r >> 40) + 1;
}

static void
fill(WfTeam *team, WfMatrix *m)
{
	uint64_t	n = 0;

	for (uint32_t r = 0; r < ROWS; r++)
		for (uint32_t c = 0; c < COLS; c++)
			n += cell(r, c) != 0;
	wf_matrix_create(team, m, ROWS, COLS, n);
	if (team->rank == 0)
	{
		uint64_t	at = 0;

		for (uint32_t r = 0; r < ROWS; r++)
		{
			for (uint32_t c = 0; c < COLS; c++)
				if (cell(r, c) != 0)
				{
					m->col[at] = c;
					m->value[at++] = cell(r, c);
				}
			m->start[r + 1] = at;
		}
	}
	wf_team_barrier(team);
}

static void
transpose_twice(WfTeam *team, void *arg)
{
	WfMatrix	m;
	WfMatrix	t;
	WfMatrix	back;
	uint64_t	at = 0;

	(void) arg;
	fill(team, &m);
	wf_matrix_transpose(team, &m, &t);
	wf_matrix_transpose(team, &t, &back);
	WF_CHECK(wf_matrix_valid(&m));
	WF_CHECK(wf_matrix_valid(&t));
	WF_CHECK_EQ(t.n_rows, COLS);
	WF_CHECK_EQ(t.n_cols, ROWS);
	WF_CHECK_EQ(t.n, m.n);
	for (uint32_t c = 0; c < COLS; c++)
	{
		WF_CHECK_EQ(t.start[c], at);
		for (uint32_t r = 0; r < ROWS; r++)
			if (cell(r, c) != 0)
			{
				WF_CHECK_EQ(t.col[at], r);
				WF_CHECK(t.value[at] == cell(r, c));
				at++;
			}
	}
	WF_CHECK_EQ(wf_matrix_row_length(&t, 7), 0);
	WF_CHECK(memcmp(back.start, m.start, (ROWS + 1) * sizeof(uint64_t)) == 0);
	WF_CHECK(memcmp(back.col, m.col, m.n * sizeof(uint32_t)) == 0);
	WF_CHECK(memcmp(back.value, m.value, m.n * sizeof(float)) == 0);
	wf_matrix_free(team, &back);
	wf_matrix_free(team, &t);
	wf_matrix_free(team, &m);
	WF_CHECK(m.start == NULL);
	wf_matrix_free(team, &m);
}

WF_TEST(transpose_in_teams)
{
	for (int size = 1; size <= 3; size++)
	{
		TestHost	th;

		test_host_begin(&th);
		WF_CHECK(test_team_run(&th, size, transpose_twice, NULL));
		WF_CHECK_EQ(th.bytes_now, 0);
		test_host_end(&th);
	}
}

WF_TEST(empty_matrices)
{
	static const uint32_t shapes[][2] = {{0, 0}, {0, 4}, {3, 0}, {3, 4}};

	for (int i = 0; i < 4; i++)
	{
		TestHost	th;
		WfTeamShared shared;
		WfTeam		team;
		WfMatrix	m;
		WfMatrix	t;

		test_host_begin(&th);
		wf_team_alone(&team, &shared, &th.host);
		wf_matrix_create(&team, &m, shapes[i][0], shapes[i][1], 0);
		wf_matrix_transpose(&team, &m, &t);
		WF_CHECK(wf_matrix_valid(&t));
		WF_CHECK_EQ(t.n_rows, shapes[i][1]);
		WF_CHECK_EQ(t.start[t.n_rows], 0);
		test_host_end(&th);
	}
}

WF_TEST(validity)
{
	uint64_t	start[] = {0, 2, 2, 3};
	uint32_t	col[] = {1, 4, 0};
	float		value[] = {1, 2, 3};
	WfMatrix	m = {3, 5, 3, start, col, value};

	WF_CHECK(wf_matrix_valid(&m));
	col[1] = 1;
	WF_CHECK(!wf_matrix_valid(&m));
	col[1] = 5;
	WF_CHECK(!wf_matrix_valid(&m));
	col[1] = 4;
	value[2] = INFINITY;
	WF_CHECK(!wf_matrix_valid(&m));
	value[2] = 3;
	start[1] = 4;
	WF_CHECK(!wf_matrix_valid(&m));
	start[1] = 2;
	start[2] = 1;
	WF_CHECK(!wf_matrix_valid(&m));
	start[2] = 2;
	start[3] = 2;
	WF_CHECK(!wf_matrix_valid(&m));
}

WF_TEST(sizes)
{
	WF_CHECK_EQ(wf_matrix_bytes(9, 5), 10 * 8 + 5 * 8);
	WF_CHECK(wf_matrix_bytes(1, UINT64_MAX / 4) == SIZE_MAX);
}

static bool
fails(TestHost *th)
{
	WfTeamShared shared;
	WfTeam		team;
	jmp_buf		jb;

	th->failed = false;
	th->on_fail = &jb;
	wf_team_alone(&team, &shared, &th->host);
	if (setjmp(jb) == 0)
		transpose_twice(&team, NULL);
	th->on_fail = NULL;
	return th->failed;
}

WF_TEST(every_failure_is_survived)
{
	for (int kind = 0; kind < 2; kind++)
		for (uint64_t at = 1;; at++)
		{
			TestHost	th;
			bool		failed;

			test_host_begin(&th);
			if (kind == 0)
				th.fail_alloc_at = at;
			else
				th.cancel_check_at = at;
			failed = fails(&th);
			test_host_end(&th);
			WF_CHECK(failed || at > 3);
			if (!failed)
				break;
		}
}
