/*-------------------------------------------------------------------------
 * ratings.c
 *	  Error of the ratings model on a data set of the caller's.
 *
 *	ratings FILE FOLDS [TRAIN_MARKER]
 *
 * FILE: lines of user, item, rating (integers, integers, a number; more fields
 * are ignored), separated by white space.  FOLDS blocks of consecutive lines
 * are the test part in turn, as u1 to u5 are of MovieLens 100k's u.data.
 * Prints RMSE and CPU seconds of each fold and the mean RMSE.
 *-------------------------------------------------------------------------
 */
#include "plainhost.h"

#include <math.h>
#include <string.h>

#include "core/matrix.h"
#include "core/ratings.h"

typedef struct Rating
{
	uint32_t	user;
	uint32_t	item;
	float		value;
} Rating;

static int
by_user_item(const void *a, const void *b)
{
	const Rating *x = a;
	const Rating *y = b;

	if (x->user != y->user)
		return x->user < y->user ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

static Rating *
read_ratings(const char *name, size_t *n)
{
	FILE	   *f = fopen(name, "r");
	char		line[1024];
	size_t		room = 1024;
	Rating	   *r = malloc(room * sizeof(*r));

	*n = 0;
	if (f == NULL)
	{
		perror(name);
		exit(1);
	}
	while (fgets(line, sizeof(line), f))
	{
		if (*n == room)
			r = realloc(r, (room *= 2) * sizeof(*r));
		if (sscanf(line, "%u %u %f", &r[*n].user, &r[*n].item, &r[*n].value) == 3)
			(*n)++;
	}
	fclose(f);
	return r;
}

static void
make_matrix(WfTeam *team, const Rating *all, size_t n, size_t from, size_t to, WfMatrix *m)
{
	Rating	   *part = malloc(n * sizeof(*part));
	uint32_t	n_users = 0;
	uint32_t	n_items = 0;
	size_t		at = 0;

	for (size_t i = 0; i < n; i++)
	{
		n_users = all[i].user >= n_users ? all[i].user + 1 : n_users;
		n_items = all[i].item >= n_items ? all[i].item + 1 : n_items;
		if (i < from || i >= to)
			part[at++] = all[i];
	}
	qsort(part, at, sizeof(*part), by_user_item);
	wf_matrix_create(team, m, n_users, n_items, at);
	for (size_t i = 0; i < at; i++)
	{
		m->start[part[i].user + 1]++;
		m->col[i] = part[i].item;
		m->value[i] = part[i].value;
	}
	for (uint32_t u = 0; u < n_users; u++)
		m->start[u + 1] += m->start[u];
	free(part);
}

int
main(int argc, char **argv)
{
	WfHost		host = plain_host();
	WfTeamShared shared;
	WfTeam		team;
	size_t		n;
	Rating	   *all;
	int			folds = argc > 2 ? atoi(argv[2]) : 5;
	double		mean = 0;

	if (argc < 2 || folds < 2)
	{
		fprintf(stderr, "usage: ratings FILE [FOLDS]\n");
		return 2;
	}
	all = read_ratings(argv[1], &n);
	wf_team_alone(&team, &shared, &host);
	for (int f = 0; f < folds; f++)
	{
		size_t		from = n * (size_t) f / (size_t) folds;
		size_t		to = n * ((size_t) f + 1) / (size_t) folds;
		WfRatingsSpec spec = {.k = -1, .regularization = -1};
		WfRatingsFit fit;
		WfRatings	r;
		WfMatrix	m;
		WfMatrix	t;
		WfBytes		out;
		double		sum = 0;
		double		cpu;

		make_matrix(&team, all, n, from, to, &m);
		cpu = plain_cpu();
		wf_matrix_transpose(&team, &m, &t);
		wf_bytes_init(&out, &host);
		wf_ratings_train(&team, &spec, &m, &t, &out, &fit);
		cpu = plain_cpu() - cpu;
		if (!wf_ratings_open(out.data, out.length, &r))
			return 1;
		for (size_t i = from; i < to; i++)
		{
			double		e = wf_ratings_predict(&r, all[i].user, all[i].item) - (double) all[i].value;

			sum += e * e;
		}
		sum = sqrt(sum / (double) (to - from));
		mean += sum / folds;
		printf("fold %d: RMSE %.4f, inner %.4f, biases only %.4f, factors %d, regularization %.3f, "
			   "iterations %d, members %d, %.2f s, %zu kB\n", f + 1, sum, fit.rmse, fit.baseline_rmse,
			   fit.k, fit.regularization, fit.iterations, fit.members, cpu, out.length / 1024);
		wf_bytes_free(&out);
		wf_matrix_free(&team, &t);
		wf_matrix_free(&team, &m);
	}
	printf("mean RMSE %.4f\n", mean);
	free(all);
	return 0;
}
