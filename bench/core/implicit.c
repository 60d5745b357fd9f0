/*-------------------------------------------------------------------------
 * implicit.c
 *	  NDCG@10 of factor models on implicit feedback of the caller's.
 *
 *	implicit FILE KIND FACTORS ITERATIONS UNSEEN REGULARIZATION
 *
 * FILE: lines of user and item (numbers from 0).  Line i is test when
 * i % 5 = 4, else training.  KIND: als or nmf.  Users with a training line and
 * a test line count; all items but their training ones are ranked; ties go to
 * the item of the lower number.
 *-------------------------------------------------------------------------
 */
#include "plainhost.h"

#include <math.h>
#include <string.h>

#include "core/factors.h"

typedef struct Pair
{
	uint32_t	user;
	uint32_t	item;
} Pair;

static int
by_user_item(const void *a, const void *b)
{
	const Pair *x = a;
	const Pair *y = b;

	if (x->user != y->user)
		return x->user < y->user ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

static void
make_matrix(WfTeam *team, Pair *pairs, size_t n, uint32_t n_users, uint32_t n_items, WfMatrix *m)
{
	qsort(pairs, n, sizeof(*pairs), by_user_item);
	wf_matrix_create(team, m, n_users, n_items, n);
	for (size_t i = 0; i < n; i++)
	{
		m->start[pairs[i].user + 1]++;
		m->col[i] = pairs[i].item;
		m->value[i] = 1;
	}
	for (uint32_t u = 0; u < n_users; u++)
		m->start[u + 1] += m->start[u];
}

/* Discounted gain of a user's test items in the first ten, over the best possible. */
static double
ndcg(const WfMatrix *test, uint32_t user, const float *score, uint32_t n_items)
{
	uint64_t	n = wf_matrix_row_length(test, user);
	double		gain = 0;
	double		ideal = 0;

	for (uint64_t e = test->start[user]; e < test->start[user + 1]; e++)
	{
		uint32_t	item = test->col[e];
		uint32_t	rank = 0;

		for (uint32_t i = 0; i < n_items && rank < 10; i++)
			rank += score[i] > score[item] || (score[i] == score[item] && i < item);
		if (rank < 10)
			gain += 1 / log2(rank + 2.0);
	}
	for (uint64_t i = 0; i < n && i < 10; i++)
		ideal += 1 / log2((double) i + 2);
	return gain / ideal;
}

int
main(int argc, char **argv)
{
	WfHost		host = plain_host();
	WfTeamShared shared;
	WfTeam		team;
	FILE	   *f;
	size_t		n[2] = {0, 0};
	Pair	   *pairs[2] = {malloc(sizeof(Pair) << 24), malloc(sizeof(Pair) << 22)};
	Pair		p;
	uint32_t	n_users = 0;
	uint32_t	n_items = 0;
	WfMatrix	m[2];
	WfMatrix	t;
	WfFactorSpec spec = {0};
	WfFactors	factors;
	double		sum = 0;
	double		cpu;
	int			users = 0;
	float	   *score;

	if (argc != 7 || (f = fopen(argv[1], "r")) == NULL)
	{
		fprintf(stderr, "usage: implicit FILE KIND FACTORS ITERATIONS UNSEEN REGULARIZATION\n");
		return 2;
	}
	for (size_t i = 0; i < (size_t) 1 << 24 && fscanf(f, "%u %u", &p.user, &p.item) == 2; i++)
	{
		int			side = i % 5 == 4;

		pairs[side][n[side]++] = p;
		n_users = p.user >= n_users ? p.user + 1 : n_users;
		n_items = p.item >= n_items ? p.item + 1 : n_items;
	}
	fclose(f);
	wf_team_alone(&team, &shared, &host);
	for (int side = 0; side < 2; side++)
		make_matrix(&team, pairs[side], n[side], n_users, n_items, &m[side]);
	spec.kind = strcmp(argv[2], "nmf") == 0 ? WF_FACTORS_NMF : WF_FACTORS_ALS;
	spec.k = atoi(argv[3]);
	spec.iterations = atoi(argv[4]);
	spec.unseen = atof(argv[5]);
	spec.regularization = atof(argv[6]);
	cpu = plain_cpu();
	wf_matrix_transpose(&team, &m[0], &t);
	wf_factors_train(&team, &spec, &m[0], &t, &factors);
	cpu = plain_cpu() - cpu;
	score = malloc(n_items * sizeof(float));
	for (uint32_t u = 0; u < n_users; u++)
	{
		if (wf_matrix_row_length(&m[0], u) == 0 || wf_matrix_row_length(&m[1], u) == 0)
			continue;
		wf_factors_score(&factors, wf_factors_user(&factors, u), 0, n_items, score);
		for (uint64_t e = m[0].start[u]; e < m[0].start[u + 1]; e++)
			score[m[0].col[e]] = -INFINITY;
		sum += ndcg(&m[1], u, score, n_items);
		users++;
	}
	printf("ndcg10 %.4f of %d users, %.3f s\n", sum / users, users, cpu);
	return 0;
}
