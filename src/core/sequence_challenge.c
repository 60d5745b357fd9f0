/*-------------------------------------------------------------------------
 * sequence_challenge.c
 *	  Cases that judge between two models of event logs.
 *-------------------------------------------------------------------------
 */
#include "core/challenge.h"

#include <math.h>
#include <string.h>

#include "core/mathx.h"
#include "core/rng.h"
#include "core/sequence_fitting.h"

#define JUDGE_SALT UINT64_C(0x6a75646765636173)

/* ---- which cases a model knows ---- */

static uint64_t
case_key(const WfEventLog *log, uint32_t c)
{
	return wf_rng(log->case_hash[c], 1);
}

void
wf_seen_of_cases(WfHost *host, const WfEventLog *log, WfBytes *out)
{
	wf_bytes_init(out, host);
	wf_seen_begin(out, log->n_cases);
	for (uint32_t c = 0; c < log->n_cases; c++)
	{
		wf_seen_add(out, case_key(log, c));
		if (c % 65536 == 0)
			host->check(host);
	}
}

/* ---- losses ---- */

/*
 * Mean loss over what a model is asked of a case: each event after the first,
 * and its end.  number: the model's of each kind of event; NULL: the log's own.
 */
static double
case_loss(WfHost *host, WfSequenceState *state, const WfEventLog *log, uint32_t c, const uint32_t *number, uint32_t end)
{
	double		least = wf_log(WF_P_MIN);
	uint32_t	first = log->start[c];
	uint32_t	n = log->start[c + 1] - first;
	double		loss = 0;

	wf_sequence_restart(state);
	for (uint32_t i = 0; i <= n; i++)
	{
		uint32_t	kind = i < n ? log->event[first + i] : 0;
		uint32_t	event = i == n ? end : number ? number[kind] : kind;

		if (i > 0)
			loss -= fmax(wf_sequence_logp(state, event), least);
		if (i < n)
			wf_sequence_push(state, event, log->time ? log->time[first + i] : 0, log->time != NULL);
		host->check(host);
	}
	return loss / n;
}

/* The champion's number of each kind of event of the log. */
static uint32_t *
numbers_of_champion(WfHost *host, const WfModel *champion, const WfEventLog *log)
{
	uint32_t   *number = wf_alloc(host, log->n_kinds, sizeof(uint32_t));

	for (uint32_t k = 0; k < log->n_kinds; k++)
	{
		size_t		length;
		const char *text = wf_eventlog_text(log, k, &length);
		uint32_t	found = wf_idmap_find(&champion->ids[0], text, length);

		number[k] = found == WF_CODE_MISSING ? WF_EVENT_UNKNOWN : found;
		if (k % 4096 == 0)
			host->check(host);
	}
	return number;
}

static void
score_champion(WfHost *host, const WfModel *champion, const WfEventLog *log, WfChallenge *out)
{
	const WfSequence *model = champion->opened;
	WfSequenceState *state = wf_sequence_begin(host, model);
	uint32_t   *number = numbers_of_champion(host, champion, log);
	WfJudges   *judges = &out->judges;
	uint32_t	place = 0;

	judges->weight = wf_alloc(host, judges->n, sizeof(double));
	judges->champion = wf_alloc(host, judges->n, sizeof(double));
	judges->challenger = wf_alloc_zero(host, judges->n, sizeof(double));
	judges->order = wf_alloc_zero(host, judges->n, sizeof(uint32_t));
	for (uint32_t c = 0; c < log->n_cases; c++)
	{
		if (c % 65536 == 0)
			host->check(host);
		if (out->mark[c] == 0)
			continue;
		judges->weight[place] = log->start[c + 1] - log->start[c];
		judges->champion[place] = case_loss(host, state, log, c, number, wf_sequence_n_events(model));
		/* cases stand in an order that does not depend on how they were read */
		judges->order[place] = place;
		out->mark[c] = ++place;
	}
	wf_sequence_end(state);
	wf_release(host, number);
}

void
wf_sequence_judge(WfHost *host, const WfEventLog *log, const WfSequence *model, WfJudges *judges)
{
	WfSequenceState *state = wf_sequence_begin(host, model);

	for (uint32_t c = 0; c < log->n_cases; c++)
	{
		if (c % 65536 == 0)
			host->check(host);
		if (log->mark[c])
			judges->challenger[log->mark[c] - 1] = case_loss(host, state, log, c, NULL, log->n_kinds);
	}
	wf_sequence_end(state);
}

/* ---- judges ---- */

/* Half of the fresh cases by hash; the latest half, for cases are in the order of their first events. */
static void
mark_judges(WfHost *host, const WfModel *champion, const WfEventLog *log, WfValidation validation, WfChallenge *out)
{
	uint64_t	fresh = 0;

	for (uint32_t c = 0; c < log->n_cases; c++)
	{
		out->mark[c] = !wf_seen_has(&champion->seen, case_key(log, c));
		out->n_fresh += out->mark[c];
		if (c % 65536 == 0)
			host->check(host);
	}
	for (uint32_t c = 0; c < log->n_cases; c++)
	{
		if (c % 65536 == 0)
			host->check(host);
		if (out->mark[c] == 0)
			continue;
		out->mark[c] = validation == WF_VALIDATE_TIME ? ++fresh > out->n_fresh / 2
			: (uint32_t) (wf_rng(log->case_hash[c], JUDGE_SALT) >> 63);
		out->judges.n += out->mark[c];
	}
}

void
wf_challenge_prepare_cases(WfHost *host, const WfModel *champion, const WfEventLog *log,
						   WfValidation validation, WfChallenge *out)
{
	memset(out, 0, sizeof(*out));
	if (champion->seen.n_blocks == 0)
	{
		out->state = WF_CHALLENGE_NO_FILTER;
		return;
	}
	out->mark = wf_alloc_zero(host, log->n_cases, sizeof(uint32_t));
	mark_judges(host, champion, log, validation, out);
	if (out->n_fresh < WF_CHALLENGE_CASES || out->judges.n < WF_CHALLENGE_CASES / 4 || out->judges.n == log->n_cases)
	{
		out->state = WF_CHALLENGE_FEW_ROWS;
		wf_release(host, out->mark);
		out->mark = NULL;
		return;
	}
	score_champion(host, champion, log, out);
}
