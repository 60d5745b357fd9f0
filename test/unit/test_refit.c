/* Quantiles of groups of records against sorting, in teams of one to three. */
#include "wf_test.h"

#include "core/refit.h"
#include "core/rng.h"

#define N 3000
#define GROUPS 70

typedef struct Setup
{
	uint8_t    *rows;			/* N records: bin, id, score, weight */
	size_t		start[GROUPS + 1];
	bool		weighted;
	bool		absolute;
	double		alpha;
	float		quantile[GROUPS];
	float		mean[GROUPS];
} Setup;

#define DELTA 0.7

/* Members own every third, second … part of each group. */
static void
run(WfTeam *team, void *arg)
{
	Setup	   *s = arg;
	WfRecords	r = {.rows = s->rows, .n = N, .stride = 16, .id_at = 4, .score_at = 8, .weight_at = 12};
	WfRefit		refit;
	WfRefitGroup groups[GROUPS];

	for (int g = 0; g < GROUPS; g++)
	{
		size_t		begin;
		size_t		end;

		wf_team_part(team, s->start[g + 1] - s->start[g], &begin, &end);
		groups[g] = (WfRefitGroup) {.begin = s->start[g] + begin, .n = end - begin};
	}
	wf_refit_init(&refit, team, s->weighted ? 4.0 : 0.0);
	wf_refit_quantiles(&refit, &r, groups, GROUPS, s->alpha, s->absolute);
	for (int g = 0; g < GROUPS && team->rank == 0; g++)
		s->quantile[g] = groups[g].value;
	wf_refit_clipped_means(&refit, &r, groups, GROUPS, DELTA, N);
	for (int g = 0; g < GROUPS && team->rank == 0; g++)
		s->mean[g] = groups[g].value;
	wf_refit_free(&refit);
}

typedef struct Pair
{
	float		x;
	double		w;
} Pair;

static int
compare(const void *a, const void *b)
{
	float		x = ((const Pair *) a)->x;
	float		y = ((const Pair *) b)->x;

	return (x > y) - (x < y);
}

static void
check_groups(const Setup *s)
{
	static Pair pairs[N];

	for (int g = 0; g < GROUPS; g++)
	{
		size_t		n = s->start[g + 1] - s->start[g];
		double		total = 0;
		double		sum = 0;
		double		clipped = 0;
		size_t		i = 0;

		for (size_t k = 0; k < n; k++)
		{
			const uint8_t *record = s->rows + (s->start[g] + k) * 16;
			float		x = wf_record_float(record, 8);

			pairs[k].w = s->weighted ? wf_record_float(record, 12) : 1.0;
			pairs[k].x = s->absolute ? fabsf(x) : x;
			total += pairs[k].w;
			clipped += pairs[k].w * fmin(fmax((double) x - s->quantile[g], -DELTA), DELTA);
		}
		if (n == 0)
		{
			WF_CHECK(s->quantile[g] == 0);
			continue;
		}
		qsort(pairs, n, sizeof(Pair), compare);
		while (i < n && sum + pairs[i].w < s->alpha * total * (1 - 1e-6))
			sum += pairs[i++].w;
		WF_CHECK(s->quantile[g] == pairs[i].x);
		WF_CHECK_NEAR(s->mean[g], s->quantile[g] + clipped / total, 1e-4);
	}
}

WF_TEST(quantiles_of_groups)
{
	Setup		s;

	memset(&s, 0, sizeof(s));
	s.rows = calloc(N, 16);
	for (uint64_t i = 0; i < N; i++)
	{
		double		x = wf_rng_unit(wf_rng(3, i)) - 0.4;

		wf_record_set_float(s.rows + i * 16, 8, i % 7 == 0 ? 0.25f : (float) (x * x * x * 50));
		/* whole steps of the largest weight, so that counting them is exact */
		wf_record_set_float(s.rows + i * 16, 12, (float) (4.0 / 5 * (double) (1 + i % 5)));
	}
	for (int g = 0; g < GROUPS; g++)
		s.start[g + 1] = g == GROUPS - 1 ? N : s.start[g] + (size_t) (g % 9) * 3;
	for (int i = 0; i < 4 * 3 * 3; i++)
	{
		static const double alphas[] = {0.5, 0.1, 0.95};
		TestHost	th;

		test_host_begin(&th);
		s.weighted = i & 1;
		s.absolute = i & 2;
		s.alpha = alphas[i / 4 % 3];
		WF_CHECK(test_team_run(&th, 1 + i / 12, run, &s));
		check_groups(&s);
		test_host_end(&th);
	}
	free(s.rows);
}
