/*-------------------------------------------------------------------------
 * wf_test.h
 *	  The unit tests' frame: test cases, checks, and a host that injects
 *	  failures.
 *
 *	WF_TEST(name) { … }          a test case, run by main() in testhost.c
 *	WF_CHECK(x), WF_CHECK_EQ(a, b), WF_CHECK_NEAR(a, b, tolerance)
 *	WF_EXPECT_FAIL(host, code, statement)
 *
 * A test host counts its blocks; test_host_end() frees what is left (as the
 * server's MemoryContext would).
 *-------------------------------------------------------------------------
 */
#ifndef WF_TEST_H
#define WF_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host.h"
#include "core/team.h"

typedef struct TestHost
{
	WfHost		host;			/* first: a WfHost * is a TestHost * */
	jmp_buf    *on_fail;		/* where fail() goes; NULL: abort the program */
	bool		failed;
	WfCode		code;
	char		message[1024];
	char		hint[1024];
	char		notices[8192];
	/* injection: fail the n-th allocation / cancel at the n-th check (1-based; 0: never) */
	uint64_t	fail_alloc_at;
	uint64_t	cancel_check_at;
	uint64_t	n_allocs;
	uint64_t	n_checks;
	uint64_t	n_progress;
	size_t		bytes_now;
	size_t		bytes_peak;
	struct TestBlock *blocks;
	struct TestSpool *spools;
	_Atomic int *team_failed;	/* set for members of a thread team */
} TestHost;

void		test_host_begin(TestHost *th);
void		test_host_end(TestHost *th);

/*
 * Run fn in a team of that many threads, each with a host of its own; returns
 * false when a member failed (the first message is copied to leader).  Rank 0
 * uses the host given.
 */
typedef void (*TestTeamFunction) (WfTeam *team, void *arg);
bool		test_team_run(TestHost *leader, int size, TestTeamFunction fn, void *arg);

typedef struct WfTestCase
{
	const char *name;
	void		(*run) (void);
	struct WfTestCase *next;
} WfTestCase;

void		wf_test_register(WfTestCase *c);
void		wf_test_failed(const char *file, int line, const char *format,...)
			__attribute__((format(printf, 3, 4)));

#define WF_TEST(NAME) \
	static void test_##NAME(void); \
	static WfTestCase case_##NAME = {#NAME, test_##NAME, NULL}; \
	__attribute__((constructor)) static void register_##NAME(void) { wf_test_register(&case_##NAME); } \
	static void test_##NAME(void)

#define WF_CHECK(X) \
	do { if (!(X)) wf_test_failed(__FILE__, __LINE__, "%s", #X); } while (0)
#define WF_CHECK_EQ(A, B) \
	do { long long a_ = (long long) (A), b_ = (long long) (B); \
		if (a_ != b_) wf_test_failed(__FILE__, __LINE__, "%s = %lld, expected %s = %lld", #A, a_, #B, b_); } while (0)
#define WF_CHECK_NEAR(A, B, TOLERANCE) \
	do { double a_ = (A), b_ = (B); \
		if (!(fabs(a_ - b_) <= (TOLERANCE))) \
			wf_test_failed(__FILE__, __LINE__, "%s = %.17g, expected %.17g", #A, a_, b_); } while (0)
#define WF_CHECK_STR(A, B) \
	do { const char *a_ = (A), *b_ = (B); \
		if (strcmp(a_, b_) != 0) wf_test_failed(__FILE__, __LINE__, "%s = \"%s\", expected \"%s\"", #A, a_, b_); } while (0)

/* Does the statement raise that error?  Leaves the message in th->message. */
#define WF_EXPECT_FAIL(TH, CODE, STATEMENT) \
	do { jmp_buf jb_; jmp_buf *old_ = (TH)->on_fail; \
		(TH)->failed = false; (TH)->on_fail = &jb_; \
		if (setjmp(jb_) == 0) { STATEMENT; } \
		(TH)->on_fail = old_; \
		if (!(TH)->failed) wf_test_failed(__FILE__, __LINE__, "no error from %s", #STATEMENT); \
		else if ((TH)->code != (CODE)) wf_test_failed(__FILE__, __LINE__, "error %d (%s), expected %s", (int) (TH)->code, (TH)->message, #CODE); \
	} while (0)

#endif							/* WF_TEST_H */
