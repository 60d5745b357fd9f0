/*-------------------------------------------------------------------------
 * challenge.h
 *	  Champion against challenger: may a newly trained model take the place
 *	  of the one in use?
 *
 * The champion was refitted on all of its rows, so scoring it on any of them
 * flatters it.  Only fresh rows judge, those that its filter (seen.h) does
 * not know: half of them, chosen by hash (of the group when whole groups are
 * validated; the latest half when validation goes by time).  The challenger is
 * trained on everything but these judges, both are scored on them, and it
 * wins unless the judges leave room for it to be worse by more than a
 * tolerance: the upper 95 % bound of a paired bootstrap of the loss decides (of
 * whole groups, where groups are validated).
 * After that the published model is trained on all rows.
 *-------------------------------------------------------------------------
 */
#ifndef WF_CHALLENGE_H
#define WF_CHALLENGE_H

#include "core/eventlog.h"
#include "core/fit.h"
#include "core/paired.h"

/* With fewer fresh rows than this, or fewer of them outside the largest class, nobody can judge. */
#define WF_CHALLENGE_ROWS 200
#define WF_CHALLENGE_RARER 20
/* Cases of an event log have many events each. */
#define WF_CHALLENGE_CASES 50
#define WF_CHALLENGE_USERS 20
/* Rows of a group are alike: when whole groups are validated, groups are what counts. */
#define WF_CHALLENGE_GROUPS 20

typedef enum WfChallengeState
{
	WF_CHALLENGE_JUDGED,		/* there are judges */
	WF_CHALLENGE_NO_FILTER,		/* the champion keeps no record of its rows */
	WF_CHALLENGE_FEW_ROWS,
	WF_CHALLENGE_FEW_OF_CLASS,
	WF_CHALLENGE_FEW_USERS,		/* with fresh rows to find and a history to find them by */
	WF_CHALLENGE_FEW_GROUPS,	/* that judge */
	WF_CHALLENGE_NO_LOSS		/* nothing tells right from wrong: a task without a target */
} WfChallengeState;

typedef struct WfChallenge
{
	WfChallengeState state;
	uint64_t	n_fresh;
	uint64_t	n_rarer;		/* fresh rows outside the largest class; users, of a recommender; groups, when too few */
	uint32_t   *mark;			/* by row of the frame, for wf_frame_set_marks(); NULL unless judged */
	WfJudges	judges;
} WfChallenge;

/*
 * Which rows of the frame are fresh, which of them judge, and what the
 * champion loses on these.  The schema is finished and has every column of the
 * champion, of a kind that it can read (WF_E_DATA otherwise).  validation:
 * how the training is validated.  Everything from the host.
 */
void		wf_challenge_prepare(WfHost *host, const WfModel *champion, const WfSchema *schema, WfFrame *frame,
								 const uint16_t *class_of_code, WfValidation validation, WfChallenge *out);

/*
 * The same for the cases of a finished log, by their ids: a case that has only
 * grown is not fresh.  Losses are means over the events of a case, weights
 * their numbers.  mark is by case, for log->mark; n_fresh counts cases.
 */
void		wf_challenge_prepare_cases(WfHost *host, const WfModel *champion, const WfEventLog *log,
									   WfValidation validation, WfChallenge *out);

/* The result; losses: a is the champion, b the challenger. */
typedef struct WfVerdict
{
	WfPaired	paired;
	double		bound;			/* upper 95 % bound of the relative loss of the challenger; NaN: the champion has none */
	bool		wins;			/* bound <= tolerance */
} WfVerdict;

typedef enum WfJudgeScale
{
	WF_JUDGE_LOSS,
	WF_JUDGE_ROOT,				/* square roots of means */
	WF_JUDGE_GAIN				/* not losses, but more is better */
} WfJudgeScale;

/* After the fit has filled the judges. */
void		wf_challenge_judge(WfHost *host, const WfJudges *judges, WfJudgeScale scale, double tolerance, WfVerdict *out);

void		wf_challenge_free(WfHost *host, WfChallenge *challenge);

#endif							/* WF_CHALLENGE_H */
