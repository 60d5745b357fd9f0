/* Histories as features: against the plain definition, and rows of bins against the trail. */
#include "event_maker.h"

#include "core/params.h"
#include "core/seqboost.h"
#include "core/seqfeatures.h"

static double
log1p_gap(double a, double b)
{
	return log1p(a - b);
}

/* NaN or the same to float's precision. */
static void
check_value(float x, double expected)
{
	if (isnan(expected))
		WF_CHECK(isnan(x));
	else
		WF_CHECK_NEAR(x, expected, 1e-5 * (1 + fabs(expected)));
}

/* The row after event t of a case, straight from the header's words. */
static void
check_row(const WfEventLog *log, uint32_t c, uint32_t t, bool times, const WfSeqLayout *l, const float *x)
{
	const uint32_t *event = log->event + log->start[c];
	const double *time = log->time + log->start[c];
	double		day = floor(time[t] / 86400);
	int			distinct = 0;
	bool		rare = false;

	for (uint32_t i = 0; i < WF_SEQ_LAST; i++)
		check_value(x[i], i > t ? (double) NAN : event[t - i] < l->n_levels ? event[t - i] : l->n_levels);
	for (uint32_t k = 0; k < l->n_counts; k++)
	{
		int			count = 0;

		for (uint32_t i = 0; i <= t; i++)
			count += event[i] == k;
		distinct += count > 0;
		check_value(x[l->first_count + k], count);
	}
	for (uint32_t i = 0; i <= t; i++)
		rare |= event[i] >= l->n_counts;
	for (uint32_t i = 0; i < WF_SEQ_GAPS; i++)
		check_value(x[l->first_gap + i], !times || i + 1 > t ? (double) NAN : log1p_gap(time[t - i], time[t - i - 1]));
	check_value(x[l->since], times ? log1p_gap(time[t], time[0]) : (double) NAN);
	check_value(x[l->hour], times ? (time[t] - day * 86400) / 3600 : (double) NAN);
	check_value(x[l->weekday], times ? fmod(fmod(day + 5, 7) + 7, 7) : (double) NAN);
	check_value(x[l->position], t + 1);
	check_value(x[l->distinct], distinct + rare);
}

WF_TEST(rows_equal_the_definition)
{
	static const uint32_t kinds[] = {3, 40, 300};

	for (int k = 0; k < 3; k++)
		for (int times = 0; times < 2; times++)
		{
			MadeLog		made = made_log(60, 25, kinds[k], 5);
			TestHost	th;
			WfEventLog *log;
			WfSeqLayout l;
			WfSeqTrail	trail;
			uint32_t	count[WF_SEQ_MAX_COUNTS];
			float		x[WF_SEQ_MAX_COUNTS + 20];

			test_host_begin(&th);
			log = made_events(&th.host, &made, true, 1);
			wf_seq_layout(log->n_kinds, &l);
			WF_CHECK(l.n_features <= WF_SEQ_MAX_COUNTS + 20);
			for (uint32_t c = 0; c < log->n_cases; c++)
			{
				wf_seq_trail_start(&trail, &l, count);
				for (uint32_t t = 0; t < log->start[c + 1] - log->start[c]; t++)
				{
					uint32_t	at = log->start[c] + t;

					wf_seq_trail_push(&trail, log->event[at], times ? log->time[at] : (double) NAN);
					wf_seq_trail_row(&trail, x);
					check_row(log, c, t, times, &l, x);
				}
			}
			test_host_end(&th);
			free(made.rows);
		}
}

/* 2000-01-01 was a Saturday, 1999-12-31 a Friday. */
WF_TEST(clock_and_odd_times)
{
	WfSeqLayout l;
	WfSeqTrail	trail;
	uint32_t	count[2];
	float		x[40];
	float		gap;
	float		since;

	wf_seq_layout(2, &l);
	wf_seq_trail_start(&trail, &l, count);
	wf_seq_trail_times(&trail, &gap, &since);
	WF_CHECK(isnan(gap) && isnan(since));
	wf_seq_trail_push(&trail, 0, -3600);
	wf_seq_trail_row(&trail, x);
	check_value(x[l.hour], 23);
	check_value(x[l.weekday], 4);
	wf_seq_trail_times(&trail, &gap, &since);
	WF_CHECK(gap == 0 && since == 0);
	wf_seq_trail_push(&trail, 1, 0);
	wf_seq_trail_row(&trail, x);
	check_value(x[l.hour], 0);
	check_value(x[l.weekday], 5);
	/* A time that falls, one that is no number, and an unknown event. */
	wf_seq_trail_push(&trail, 1, -1);
	wf_seq_trail_times(&trail, &gap, &since);
	WF_CHECK(isnan(gap) && isnan(since));
	wf_seq_trail_push(&trail, 9, INFINITY);
	wf_seq_trail_row(&trail, x);
	WF_CHECK(isnan(x[0]) && isnan(x[l.hour]));
	check_value(x[l.position], 4);
	/* Known again: since the start, but no gap. */
	wf_seq_trail_push(&trail, 0, 10);
	wf_seq_trail_times(&trail, &gap, &since);
	WF_CHECK(isnan(gap));
	check_value(since, log(3611));
}

/* ---- rows of bins ---- */

typedef struct Job
{
	WfSpec		spec;
	const WfEventLog *log;
	uint8_t    *role;
	bool		for_gaps;
	uint8_t    *rows;			/* copies of what rank 0 saw */
	size_t		n_bytes;
	uint32_t	n;
	WfSeqLayout layout;
	WfBytes		block;
	int			rounds;
} Job;

static void
make_rows(WfTeam *team, void *arg)
{
	Job		   *job = arg;
	bool		leads = team->rank == 0;
	WfSeqRows  *rows = wf_seqboost_rows(team, &job->spec, leads ? job->log : NULL, leads ? job->role : NULL, job->for_gaps);
	WfBytes		block;
	bool		limited = false;
	int			rounds;

	WF_CHECK(rows->data->d == job->layout.n_features);
	if (leads)
	{
		job->n = rows->data->n;
		job->n_bytes = job->n * rows->data->stride;
		job->rows = malloc(job->n_bytes);
		memcpy(job->rows, rows->data->rows, job->n_bytes);
	}
	wf_team_barrier(team);
	wf_bytes_init(&block, team->host);
	rounds = wf_seqboost_train(team, &job->spec, rows, false, 0, 0, SIZE_MAX, &block, &limited);
	if (leads)
	{
		job->rounds = rounds;
		job->block = block;
		WF_CHECK(!limited);
	}
	wf_seqboost_rows_free(team, rows);
}

static void
job_start(TestHost *th, Job *job, const MadeLog *made, uint32_t step, bool for_gaps)
{
	memset(job, 0, sizeof(*job));
	job->spec.algorithm = wf_algorithm_find("sequence");
	job->spec.task = WF_SEQUENCE;
	wf_params_defaults(&job->spec);
	job->log = made_events(&th->host, made, true, step);
	job->role = wf_alloc_zero(&th->host, job->log->n_cases, 1);
	for (uint32_t c = 0; c < job->log->n_cases; c++)
		job->role[c] = (uint8_t) (c % 8 == 3 ? WF_CASE_JUDGES : c % 8 == 5 ? WF_CASE_REPORTS : WF_CASE_TEACHES);
	job->for_gaps = for_gaps;
	wf_seq_layout(job->log->n_kinds, &job->layout);
}

/* Team and order of rows change nothing; the block answers sensibly. */
WF_TEST(same_rows_same_block)
{
	MadeLog		made = made_log(250, 9, 5, 21);

	for (int gaps = 0; gaps < 2; gaps++)
	{
		TestHost	th1;
		Job			first;
		WfSeqBoost *boost;

		test_host_begin(&th1);
		job_start(&th1, &first, &made, 1, gaps);
		WF_CHECK(test_team_run(&th1, 1, make_rows, &first));
		WF_CHECK(first.rounds > 3);
		for (int size = 2; size <= 3; size++)
		{
			TestHost	th;
			Job			job;

			test_host_begin(&th);
			job_start(&th, &job, &made, coprime(made.n, 101), gaps);
			WF_CHECK(test_team_run(&th, size, make_rows, &job));
			WF_CHECK_EQ(job.n, first.n);
			WF_CHECK(job.n_bytes == first.n_bytes && memcmp(job.rows, first.rows, job.n_bytes) == 0);
			WF_CHECK(job.block.length == first.block.length &&
					 memcmp(job.block.data, first.block.data, job.block.length) == 0);
			free(job.rows);
			test_host_end(&th);
		}
		boost = wf_seqboost_open(&th1.host, first.block.data, first.block.length, &first.layout, gaps);
		for (uint32_t c = 0; c < 30; c++)
		{
			WfSeqTrail	trail;
			uint32_t	count[10];
			float		x[40];
			double		p[WF_SEQBOOST_ROOM];
			double		sum = 0;

			wf_seq_trail_start(&trail, &first.layout, count);
			wf_seq_trail_push(&trail, c % 7, c % 3 ? c * 5000.0 : (double) NAN);
			wf_seq_trail_row(&trail, x);
			if (gaps)
			{
				WF_CHECK(wf_seqboost_gap(boost, x) >= 0 && wf_seqboost_gap(boost, x) < 1e6);
				continue;
			}
			wf_seqboost_probabilities(boost, x, p);
			for (uint32_t w = 0; w < wf_seqboost_n_named(boost) + 2; w++)
			{
				WF_CHECK(p[w] >= 0);
				sum += p[w];
			}
			WF_CHECK_NEAR(sum, 1, 1e-9);
		}
		free(first.rows);
		test_host_end(&th1);
	}
	free(made.rows);
}

/* Rare events share a class; with hundreds of kinds the rows are a sample. */
WF_TEST(many_kinds)
{
	MadeLog		made = made_log(3000, 20, 700, 3);
	TestHost	th;
	WfEventLog *log;
	bool		has_other;
	uint32_t	named;
	size_t		shared,
				memory,
				artifact;

	test_host_begin(&th);
	log = made_events(&th.host, &made, true, 1);
	named = wf_seqboost_named(log, &has_other);
	WF_CHECK(has_other && named <= WF_SEQBOOST_MAX_NAMED && log->count[named - 1] >= WF_SEQBOOST_MIN_COUNT);
	wf_seqboost_estimate(10000000, 700, false, &shared, &memory, &artifact);
	WF_CHECK(shared + memory < (size_t) 256 << 20);
	test_host_end(&th);
	free(made.rows);
}

WF_TEST(hostile_bytes)
{
	MadeLog		made = made_log(60, 6, 4, 8);
	TestHost	th;
	Job			job;
	volatile int refused = 0;

	test_host_begin(&th);
	job_start(&th, &job, &made, 1, false);
	WF_CHECK(test_team_run(&th, 1, make_rows, &job));
	for (uint64_t i = 0; i < 3000; i++)
	{
		uint64_t	r = wf_rng(5, i);
		volatile size_t length = i % 5 ? job.block.length : wf_rng_below(r, (uint32_t) job.block.length);
		uint8_t    *copy = aligned_alloc(64, (job.block.length + 63) & ~(size_t) 63);
		TestHost	in;
		jmp_buf		jb;

		memcpy(copy, job.block.data, job.block.length);
		copy[wf_rng_below(wf_mix(r), (uint32_t) (i % 2 ? 512 : job.block.length))] ^= (uint8_t) (1 + (r >> 30) % 255);
		test_host_begin(&in);
		in.on_fail = &jb;
		if (setjmp(jb) == 0)
		{
			WfSeqBoost *boost = wf_seqboost_open(&in.host, copy, length, &job.layout, false);
			float		x[40] = {0};
			double		p[WF_SEQBOOST_ROOM];

			wf_seqboost_probabilities(boost, x, p);
		}
		else
		{
			WF_CHECK_EQ(in.code, WF_E_CORRUPT);
			refused++;
		}
		test_host_end(&in);
		free(copy);
	}
	WF_CHECK(refused > 500);
	free(job.rows);
	test_host_end(&th);
	free(made.rows);
}
