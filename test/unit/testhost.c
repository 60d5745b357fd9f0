/*-------------------------------------------------------------------------
 * testhost.c
 *	  main() of every unit test, and the failure-injecting host.
 *-------------------------------------------------------------------------
 */
#include "wf_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>

typedef struct TestBlock
{
	struct TestBlock *next;
	struct TestBlock *prev;
	size_t		size;
	_Alignas(16) char data[];
} TestBlock;

typedef struct TestSpool
{
	struct TestSpool *next;
	FILE	   *file;
} TestSpool;

static WfTestCase *cases;
static int	failures_here;

void
wf_test_register(WfTestCase *c)
{
	WfTestCase **at = &cases;

	while (*at)
		at = &(*at)->next;
	*at = c;
}

void
wf_test_failed(const char *file, int line, const char *format,...)
{
	va_list		args;

	if (failures_here++ < 10)
	{
		printf("    %s:%d: ", file, line);
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
		printf("\n");
	}
}

static void
leave(TestHost *th)
{
	th->failed = true;
	if (th->team_failed)
		atomic_store(th->team_failed, 1);
	if (th->on_fail == NULL)
	{
		printf("    unexpected error: %s\n", th->message);
		fflush(stdout);
		abort();
	}
	longjmp(*th->on_fail, 1);
}

static void *
host_alloc(WfHost *host, size_t size)
{
	TestHost   *th = (TestHost *) host;
	TestBlock  *b = NULL;

	th->n_allocs++;
	if (th->fail_alloc_at != th->n_allocs && size < (size_t) 1 << 40)
		b = malloc(sizeof(TestBlock) + size);
	if (b == NULL)
	{
		th->code = WF_E_MEMORY;
		snprintf(th->message, sizeof(th->message), "out of memory (%zu bytes)", size);
		leave(th);
	}
	memset(b->data, 0x5a, size);	/* nobody may count on zeros */
	b->size = size;
	b->prev = NULL;
	b->next = th->blocks;
	if (th->blocks)
		th->blocks->prev = b;
	th->blocks = b;
	th->bytes_now += size;
	if (th->bytes_now > th->bytes_peak)
		th->bytes_peak = th->bytes_now;
	return b->data;
}

static void
host_release(WfHost *host, void *p)
{
	TestHost   *th = (TestHost *) host;
	TestBlock  *b = (TestBlock *) ((char *) p - offsetof(TestBlock, data));

	if (p == NULL)
		return;
	if (b->prev)
		b->prev->next = b->next;
	else
		th->blocks = b->next;
	if (b->next)
		b->next->prev = b->prev;
	th->bytes_now -= b->size;
	free(b);
}

static void
host_check(WfHost *host)
{
	TestHost   *th = (TestHost *) host;

	th->n_checks++;
	if (th->cancel_check_at == th->n_checks ||
		(th->team_failed && atomic_load(th->team_failed)))
	{
		th->code = WF_E_INTERNAL;
		snprintf(th->message, sizeof(th->message), "cancelled");
		leave(th);
	}
}

static void
host_pause(WfHost *host, unsigned turn)
{
	(void) host;
	(void) turn;
	sched_yield();
}

static void
host_progress(WfHost *host, WfPhase phase, uint64_t done, uint64_t total)
{
	(void) phase;
	(void) done;
	(void) total;
	((TestHost *) host)->n_progress++;
}

static double
host_now(WfHost *host)
{
	struct timespec t;

	(void) host;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void
host_notice(WfHost *host, const char *format,...)
{
	TestHost   *th = (TestHost *) host;
	size_t		used = strlen(th->notices);
	va_list		args;

	va_start(args, format);
	vsnprintf(th->notices + used, sizeof(th->notices) - used - 1, format, args);
	va_end(args);
	strncat(th->notices, "\n", sizeof(th->notices) - strlen(th->notices) - 1);
}

static void host_fail(WfHost *host, WfCode code, const char *hint, const char *format,...)
			__attribute__((format(printf, 4, 5), noreturn));

static void
host_fail(WfHost *host, WfCode code, const char *hint, const char *format,...)
{
	TestHost   *th = (TestHost *) host;
	va_list		args;

	va_start(args, format);
	vsnprintf(th->message, sizeof(th->message), format, args);
	va_end(args);
	snprintf(th->hint, sizeof(th->hint), "%s", hint ? hint : "");
	th->code = code;
	leave(th);
	abort();
}

static void *
host_spool_open(WfHost *host)
{
	TestHost   *th = (TestHost *) host;
	TestSpool  *s = malloc(sizeof(*s));

	s->file = tmpfile();
	s->next = th->spools;
	th->spools = s;
	return s;
}

static void
host_spool_append(WfHost *host, void *spool, const void *data, size_t size)
{
	FILE	   *f = ((TestSpool *) spool)->file;

	(void) host;
	fseek(f, 0, SEEK_END);
	if (fwrite(data, 1, size, f) != size)
		abort();
}

static void
host_spool_read(WfHost *host, void *spool, uint64_t offset, void *data, size_t size)
{
	FILE	   *f = ((TestSpool *) spool)->file;

	(void) host;
	fseek(f, (long) offset, SEEK_SET);
	if (fread(data, 1, size, f) != size)
		abort();
}

static void
host_spool_close(WfHost *host, void *spool)
{
	TestHost   *th = (TestHost *) host;
	TestSpool **at = &th->spools;

	while (*at && *at != spool)
		at = &(*at)->next;
	if (*at)
	{
		TestSpool  *s = *at;

		*at = s->next;
		fclose(s->file);
		free(s);
	}
}

void
test_host_begin(TestHost *th)
{
	memset(th, 0, sizeof(*th));
	th->host = (WfHost) {
		host_alloc, host_release, host_check, host_pause, host_progress, host_now,
			host_notice, host_fail,
			host_spool_open, host_spool_append, host_spool_read, host_spool_close
	};
}

void
test_host_end(TestHost *th)
{
	while (th->spools)
		host_spool_close(&th->host, th->spools);
	while (th->blocks)
		host_release(&th->host, th->blocks->data);
}

/* ---- a team of threads ---- */

typedef struct TeamRun
{
	WfTeamShared shared;
	int			size;
	_Atomic int failed;
	void	   *exchange;		/* the block that rank 0 just made */
	TestTeamFunction fn;
	void	   *arg;
} TeamRun;

typedef struct Member
{
	WfTeam		team;			/* first */
	TeamRun    *run;
	TestHost   *th;
	TestHost	own;
	pthread_t	thread;
} Member;

static void *
member_alloc_shared(WfTeam *team, size_t size)
{
	Member	   *m = (Member *) team;
	void	   *p;

	if (team->rank == 0)
	{
		m->run->exchange = wf_alloc_aligned(team->host, size ? size : 1, 1);
		memset(m->run->exchange, 0, size);
	}
	wf_team_barrier(team);
	p = m->run->exchange;
	wf_team_barrier(team);
	return p;
}

static void
member_free_shared(WfTeam *team, void *p)
{
	wf_team_barrier(team);
	if (team->rank == 0)
		wf_release_aligned(team->host, p);
}

static void *
member_main(void *arg)
{
	Member	   *m = arg;
	jmp_buf		jb;
	jmp_buf    *old = m->th->on_fail;

	m->th->on_fail = &jb;
	m->th->team_failed = &m->run->failed;
	if (setjmp(jb) == 0)
		m->run->fn(&m->team, m->run->arg);
	m->th->on_fail = old;
	m->th->team_failed = NULL;
	return NULL;
}

bool
test_team_run(TestHost *leader, int size, TestTeamFunction fn, void *arg)
{
	TeamRun		run = {.size = size, .fn = fn, .arg = arg};
	Member	   *members = calloc((size_t) size, sizeof(Member));
	bool		ok;

	leader->failed = false;
	for (int r = 0; r < size; r++)
	{
		Member	   *m = &members[r];

		m->run = &run;
		m->th = leader;
		if (r > 0)
		{
			test_host_begin(&m->own);
			m->th = &m->own;
		}
		m->team = (WfTeam) {&m->th->host, r, size, &run.shared, member_alloc_shared, member_free_shared};
	}
	for (int r = 1; r < size; r++)
		pthread_create(&members[r].thread, NULL, member_main, &members[r]);
	member_main(&members[0]);
	for (int r = 1; r < size; r++)
	{
		pthread_join(members[r].thread, NULL);
		if (members[r].own.failed && !leader->failed)
		{
			leader->code = members[r].own.code;
			memcpy(leader->message, members[r].own.message, sizeof(leader->message));
		}
		test_host_end(&members[r].own);
	}
	ok = !atomic_load(&run.failed);
	free(members);
	return ok;
}

int
main(int argc, char **argv)
{
	int			passed = 0;
	int			failed = 0;

	for (WfTestCase *c = cases; c; c = c->next)
	{
		if (argc > 1 && strstr(c->name, argv[1]) == NULL)
			continue;
		failures_here = 0;
		c->run();
		if (failures_here)
		{
			failed++;
			printf("not ok %s (%d)\n", c->name, failures_here);
		}
		else
			passed++;
		fflush(stdout);
	}
	printf("%s: %d passed, %d failed\n", strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0], passed, failed);
	return failed ? 1 : 0;
}
