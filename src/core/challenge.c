/*-------------------------------------------------------------------------
 * challenge.c
 *	  Which rows judge between champion and challenger, what the champion
 *	  loses on them, and the verdict.
 *-------------------------------------------------------------------------
 */
#include "core/challenge.h"

#include <math.h>
#include <string.h>

#include "core/modelinput.h"
#include "core/rng.h"

/* Judges are drawn by another key than validation rows, and than the filter's bits. */
#define JUDGE_SALT UINT64_C(0x6a75646765616c66)
#define UNIT_SALT UINT64_C(0x6a7564676567726f)
#define BOOTSTRAP_SEED 1
#define CHECK_ROWS 65536
/* Of one row; what a model says may be infinite. */
#define MOST_LOSS 1e100

/* Marks while judges are sought; afterwards 1 + place. */
#define NOT_FRESH 0
#define FRESH 1
#define JUDGE 2

typedef struct Search
{
	WfHost	   *host;
	const WfModel *champion;
	const WfSchema *schema;
	WfFrame    *frame;
	const uint16_t *class_of_code;
	WfModelInput *input;
	WfRowHasher *hasher;
	WfChallenge *out;
	uint64_t	n;
} Search;

/* -1: regression */
static int
class_of(const Search *s, uint64_t row)
{
	return s->schema->n_classes ? s->class_of_code[(uint32_t) wf_frame_target(s->frame, row)] : -1;
}

static void
look_at_host(const Search *s, uint64_t row)
{
	if (row % CHECK_ROWS == 0)
		s->host->check(s->host);
}

/* ---- fresh rows, and those that judge ---- */

/* Half of what is fresh, by the hash of a row or of its group. */
static void
mark_fresh(Search *s, WfValidation validation)
{
	uint64_t   *hash = wf_alloc(s->host, WF_FRAME_BLOCK, sizeof(uint64_t));
	uint32_t   *mark = s->out->mark;
	WfFrameScan scan;

	wf_frame_scan_begin(s->frame, &scan);
	while (wf_frame_scan_next(&scan))
	{
		wf_row_hashes(s->hasher, &scan, hash);
		for (uint32_t r = 0; r < scan.count; r++)
		{
			uint64_t	row = scan.first_row + r;
			uint64_t	unit = validation == WF_VALIDATE_GROUP ? wf_frame_group(s->frame, row) : hash[r];

			if (wf_seen_has(&s->champion->seen, hash[r]))
				continue;
			s->out->n_fresh++;
			mark[row] = wf_rng(unit, JUDGE_SALT) >> 63 ? JUDGE : FRESH;
		}
		s->host->check(s->host);
	}
	wf_frame_scan_end(&scan);
	wf_release(s->host, hash);
}

/* The time from which on half of the fresh rows (or a few more) are later, by bisection. */
static double
median_time(const Search *s)
{
	double		low = INFINITY;
	double		high = -INFINITY;

	for (uint64_t row = 0; row < s->n; row++)
	{
		double		t = wf_frame_time(s->frame, row);

		if (s->out->mark[row] == NOT_FRESH || !isfinite(t))
			continue;
		low = t < low ? t : low;
		high = t > high ? t : high;
		look_at_host(s, row);
	}
	/* rows at or after low: all; more than half of them as long as the loop goes on */
	for (int step = 0; step < 64 && low < high; step++)
	{
		double		middle = low + (high - low) / 2;
		uint64_t	later = 0;

		if (!(middle > low))
			break;
		for (uint64_t row = 0; row < s->n; row++)
		{
			later += s->out->mark[row] != NOT_FRESH && wf_frame_time(s->frame, row) >= middle;
			look_at_host(s, row);
		}
		if (later * 2 >= s->out->n_fresh)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The latest half; rows without a time are the earliest. */
static void
mark_latest(const Search *s)
{
	double		from = median_time(s);

	for (uint64_t row = 0; row < s->n; row++)
	{
		if (s->out->mark[row] != NOT_FRESH)
			s->out->mark[row] = wf_frame_time(s->frame, row) >= from ? JUDGE : FRESH;
		look_at_host(s, row);
	}
}

/* Counts by class, and no class may have judges only: the challenger could not learn it. */
static void
count_classes(Search *s)
{
	int			k = s->schema->n_classes;
	uint64_t   *fresh = wf_alloc_zero(s->host, (size_t) k, sizeof(uint64_t));
	uint64_t   *others = wf_alloc_zero(s->host, (size_t) k, sizeof(uint64_t));
	uint64_t	most = 0;

	for (uint64_t row = 0; row < s->n; row++)
	{
		int			c = class_of(s, row);

		fresh[c] += s->out->mark[row] != NOT_FRESH;
		others[c] += s->out->mark[row] != JUDGE;
		look_at_host(s, row);
	}
	for (int c = 0; c < k; c++)
		most = fresh[c] > most ? fresh[c] : most;
	s->out->n_rarer = s->out->n_fresh - most;
	for (uint64_t row = 0; row < s->n; row++)
	{
		if (s->out->mark[row] == JUDGE && others[class_of(s, row)] == 0)
			s->out->mark[row] = FRESH;
		look_at_host(s, row);
	}
	wf_release(s->host, fresh);
	wf_release(s->host, others);
}

/* Groups beyond as many as there are numbers share them. */
static uint16_t
unit_of_group(uint64_t group)
{
	return (uint16_t) (wf_rng(group, UNIT_SALT) % WF_PAIRED_UNITS);
}

static uint64_t
count_units(const Search *s)
{
	uint8_t    *judges = wf_alloc_zero(s->host, WF_PAIRED_UNITS, 1);
	uint64_t	n = 0;

	for (uint64_t row = 0; row < s->n; row++)
	{
		if (s->out->mark[row] == JUDGE)
			judges[unit_of_group(wf_frame_group(s->frame, row))] = 1;
		look_at_host(s, row);
	}
	for (int i = 0; i < WF_PAIRED_UNITS; i++)
		n += judges[i];
	wf_release(s->host, judges);
	return n;
}

/* ---- what the champion loses ---- */

/* The champion's class of each class here; -1: it does not know that label. */
static int *
classes_of_champion(const Search *s)
{
	int			k = s->schema->n_classes;
	int		   *class = wf_alloc(s->host, (size_t) k + 1, sizeof(int));

	for (int c = 0; c < k; c++)
	{
		class[c] = -1;
		for (uint32_t i = 0; i < s->champion->header->n_classes; i++)
			if (strcmp(wf_model_string(s->champion, s->champion->labels[i]), s->schema->labels[c]) == 0)
				class[c] = (int) i;
	}
	return class;
}

static double
champion_loss(const Search *s, const int *class, uint64_t row, const double *out)
{
	int			c = class_of(s, row);
	double		never = 0;

	if (c < 0)
		return wf_row_loss(out, -1, wf_frame_target(s->frame, row));
	return class[c] < 0 ? wf_row_loss(&never, 0, 0) : wf_row_loss(out, class[c], 0);
}

/* Places of the judges, and the champion's losses; the caller has counted them. */
static void
score_champion(Search *s)
{
	WfHost	   *host = s->host;
	WfJudges   *judges = &s->out->judges;
	float	   *x = wf_alloc(host, s->champion->header->n_features, sizeof(float));
	double	   *out = wf_alloc(host, (size_t) wf_model_n_values(s->champion), sizeof(double));
	int		   *class = classes_of_champion(s);
	uint32_t	place = 0;
	WfFrameScan scan;

	wf_frame_scan_begin(s->frame, &scan);
	while (wf_frame_scan_next(&scan))
		for (uint32_t r = 0; r < scan.count; r++)
		{
			uint64_t	row = scan.first_row + r;
			uint32_t	mark = s->out->mark[row];

			s->out->mark[row] = mark == JUDGE ? ++place : 0;
			if (r % 64 == 0)
				host->check(host);
			if (mark != JUDGE)
				continue;
			wf_model_input_row(s->input, &scan, r, x);
			wf_model_predict(s->champion, x, out);
			judges->weight[place - 1] = wf_frame_weight(s->frame, row);
			if (judges->unit)
				judges->unit[place - 1] = unit_of_group(wf_frame_group(s->frame, row));
			judges->champion[place - 1] = champion_loss(s, class, row, out);
		}
	wf_frame_scan_end(&scan);
	wf_release(host, x);
	wf_release(host, out);
	wf_release(host, class);
}

static void
seat_judges(Search *s, bool by_group)
{
	WfJudges   *judges = &s->out->judges;

	for (uint64_t row = 0; row < s->n; row++)
	{
		judges->n += s->out->mark[row] == JUDGE;
		look_at_host(s, row);
	}
	judges->weight = wf_alloc(s->host, judges->n, sizeof(double));
	if (by_group)
		judges->unit = wf_alloc(s->host, judges->n, sizeof(uint16_t));
	judges->champion = wf_alloc(s->host, judges->n, sizeof(double));
	judges->challenger = wf_alloc_zero(s->host, judges->n, sizeof(double));
	judges->order = wf_alloc_zero(s->host, judges->n, sizeof(uint32_t));
	score_champion(s);
}

/* ---- the whole ---- */

static void
search(Search *s, WfValidation validation)
{
	WfChallenge *out = s->out;
	bool		by_group = validation == WF_VALIDATE_GROUP;
	uint64_t	n_units;

	out->mark = wf_alloc_zero(s->host, s->n, sizeof(uint32_t));
	mark_fresh(s, validation);
	if (s->champion->header->task == WF_ANOMALY)
	{
		out->state = WF_CHALLENGE_NO_LOSS;
		return;
	}
	if (validation == WF_VALIDATE_TIME && out->n_fresh > 0)
		mark_latest(s);
	if (s->schema->n_classes)
		count_classes(s);
	if (out->n_fresh < WF_CHALLENGE_ROWS)
		out->state = WF_CHALLENGE_FEW_ROWS;
	else if (s->schema->n_classes && out->n_rarer < WF_CHALLENGE_RARER)
		out->state = WF_CHALLENGE_FEW_OF_CLASS;
	else if (by_group && (n_units = count_units(s)) < WF_CHALLENGE_GROUPS)
	{
		out->state = WF_CHALLENGE_FEW_GROUPS;
		out->n_rarer = n_units;
	}
	else
		seat_judges(s, by_group);
	/* rows without a time do not judge */
	if (out->state == WF_CHALLENGE_JUDGED && out->judges.n < WF_CHALLENGE_ROWS / 4)
		out->state = WF_CHALLENGE_FEW_ROWS;
}

void
wf_challenge_prepare(WfHost *host, const WfModel *champion, const WfSchema *schema, WfFrame *frame,
					 const uint16_t *class_of_code, WfValidation validation, WfChallenge *out)
{
	Search		s = {
		.host = host,
		.champion = champion,
		.schema = schema,
		.frame = frame,
		.class_of_code = class_of_code,
		.out = out,
		.n = wf_frame_n_rows(frame),
	};
	bool	   *use = wf_alloc(host, (size_t) schema->n_columns + 1, sizeof(bool));

	memset(out, 0, sizeof(*out));
	s.input = wf_model_input_create(host, champion, schema, frame, use);
	s.hasher = wf_row_hasher_create(host, schema, frame, class_of_code, use);
	if (champion->seen.n_blocks == 0)
		out->state = WF_CHALLENGE_NO_FILTER;
	else
		search(&s, validation);
	if (out->state != WF_CHALLENGE_JUDGED)
	{
		wf_release(host, out->mark);
		out->mark = NULL;
	}
	wf_row_hasher_destroy(s.hasher);
	wf_model_input_destroy(s.input);
	wf_release(host, use);
}

void
wf_challenge_judge(WfHost *host, const WfJudges *judges, WfJudgeScale scale, double tolerance, WfVerdict *out)
{
	double	   *a = wf_alloc(host, judges->n, sizeof(double));
	double	   *b = wf_alloc(host, judges->n, sizeof(double));
	uint16_t   *unit = judges->unit ? wf_alloc(host, judges->n, sizeof(uint16_t)) : NULL;
	double		mean = 0;

	for (size_t i = 0; i < judges->n; i++)
	{
		mean += judges->weight[judges->order[i]] / (double) judges->n;
		if (i % CHECK_ROWS == 0)
			host->check(host);
	}
	for (size_t i = 0; i < judges->n; i++)
	{
		uint32_t	place = judges->order[i];
		double		weight = mean > 0 ? judges->weight[place] / mean : 1;

		a[i] = fmin(weight * judges->champion[place], MOST_LOSS);
		b[i] = fmin(weight * judges->challenger[place], MOST_LOSS);
		if (unit)
			unit[i] = judges->unit[place];
		if (i % CHECK_ROWS == 0)
			host->check(host);
	}
	wf_paired_bootstrap(host, a, b, unit, judges->n, BOOTSTRAP_SEED, WF_PAIRED_ROUNDS, scale == WF_JUDGE_ROOT, &out->paired);
	out->bound = scale == WF_JUDGE_GAIN ? -out->paired.relative_lower95 : out->paired.relative_upper95;
	/* the champion may be perfect (gain nothing), and then what is relative to it is not a number */
	if (out->paired.a == 0)
		out->wins = scale == WF_JUDGE_GAIN ? out->paired.lower95 >= 0 : out->paired.upper95 <= 0;
	else
		out->wins = out->bound <= tolerance;
	wf_release(host, a);
	wf_release(host, b);
	wf_release(host, unit);
}

void
wf_challenge_free(WfHost *host, WfChallenge *challenge)
{
	wf_release(host, challenge->mark);
	wf_release(host, challenge->judges.weight);
	wf_release(host, challenge->judges.unit);
	wf_release(host, challenge->judges.champion);
	wf_release(host, challenge->judges.challenger);
	wf_release(host, challenge->judges.order);
	memset(challenge, 0, sizeof(*challenge));
}
