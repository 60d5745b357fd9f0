/*-------------------------------------------------------------------------
 * refit.c
 *	  Order statistics of scores in groups of records.
 *-------------------------------------------------------------------------
 */
#include "core/refit.h"

#include <math.h>

#define BUCKETS 2048
/* Weights are rounded to that many steps of the largest. */
#define WEIGHT_STEPS 65535.0
#define POLL_ROWS 65536

/* Where the search of a group stands. */
typedef struct Search
{
	uint32_t	prefix;			/* upper bits found so far */
	int64_t		rank;			/* weight that must be reached from the prefix on */
} Search;

void
wf_refit_init(WfRefit *refit, WfTeam *team, double max_weight)
{
	refit->team = team;
	refit->weight_unit = max_weight > 0 ? max_weight / WEIGHT_STEPS : 0;
	refit->counts = wf_team_alloc(team, (size_t) team->size * WF_REFIT_GROUPS * BUCKETS, sizeof(int64_t));
	refit->sums = wf_team_alloc(team, (size_t) team->size * WF_REFIT_GROUPS * 2, sizeof(int64_t));
}

void
wf_refit_free(WfRefit *refit)
{
	wf_team_free(refit->team, refit->counts);
	wf_team_free(refit->team, refit->sums);
}

/* Integers in the order of the floats. */
static inline uint32_t
key_of(float x)
{
	uint32_t	bits;

	x += 0.0f;					/* -0 = 0 */
	memcpy(&bits, &x, sizeof(bits));
	return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static inline float
float_of(uint32_t key)
{
	uint32_t	bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
	float		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline int64_t
weight_of(const WfRefit *refit, const WfRecords *records, const uint8_t *record)
{
	int64_t		w;

	if (refit->weight_unit == 0)
		return 1;
	w = (int64_t) (wf_record_float(record, records->weight_at) / refit->weight_unit + 0.5);
	return w < 1 ? 1 : w;
}

/* Count this member's scores of a group that share the prefix, by their next bits. */
static void
count_group(const WfRefit *refit, const WfRecords *records, const WfRefitGroup *group,
			int64_t *counts, uint32_t prefix, int prefix_bits, int bits, bool absolute)
{
	const int	shift = 32 - prefix_bits - bits;
	WfHost	   *host = refit->team->host;

	memset(counts, 0, BUCKETS * sizeof(int64_t));
	for (size_t i = 0; i < group->n; i++)
	{
		const uint8_t *record = wf_record(records, group->begin + i);
		float		score = wf_record_float(record, records->score_at);
		uint32_t	key = key_of(absolute ? fabsf(score) : score);

		if (prefix_bits == 0 || key >> (32 - prefix_bits) == prefix)
			counts[(key >> shift) & ((1u << bits) - 1)] += weight_of(refit, records, record);
		if ((i + 1) % POLL_ROWS == 0)
			host->check(host);
	}
}

/* Add up all members' counts of a group into this member's view and find the next bits. */
static void
advance(const WfRefit *refit, size_t g, Search *search, int bits, double alpha, bool first)
{
	int64_t		total[BUCKETS];
	int64_t		sum = 0;
	uint32_t	b = 0;
	uint32_t	last = 0;

	memset(total, 0, sizeof(total));
	for (int r = 0; r < refit->team->size; r++)
	{
		const int64_t *counts = refit->counts + ((size_t) r * WF_REFIT_GROUPS + g) * BUCKETS;

		for (int k = 0; k < BUCKETS; k++)
			total[k] += counts[k];
	}
	for (int k = 0; k < BUCKETS; k++)
	{
		sum += total[k];
		last = total[k] > 0 ? (uint32_t) k : last;
	}
	if (first)
	{
		/* 0.1 of 30 is 3, whatever binary fractions make of it */
		search->rank = (int64_t) ceil((double) sum * alpha * (1 - 1e-12));
		if (search->rank < 1)
			search->rank = 1;
	}
	for (sum = 0; b < last; b++)
	{
		if (sum + total[b] >= search->rank)
			break;
		sum += total[b];
	}
	search->rank -= sum;
	search->prefix = search->prefix << bits | b;
}

static void
quantiles_of_some(WfRefit *refit, const WfRecords *records, WfRefitGroup *groups, size_t n_groups,
				  double alpha, bool absolute)
{
	static const int pass_bits[] = {11, 11, 10};
	Search		search[WF_REFIT_GROUPS] = {{0, 0}};
	int64_t    *own = refit->counts + (size_t) refit->team->rank * WF_REFIT_GROUPS * BUCKETS;
	int			done = 0;

	for (int pass = 0; pass < 3; pass++)
	{
		for (size_t g = 0; g < n_groups; g++)
			count_group(refit, records, &groups[g], own + g * BUCKETS,
						search[g].prefix, done, pass_bits[pass], absolute);
		wf_team_barrier(refit->team);
		for (size_t g = 0; g < n_groups; g++)
			advance(refit, g, &search[g], pass_bits[pass], alpha, pass == 0);
		wf_team_barrier(refit->team);
		done += pass_bits[pass];
	}
	/* An empty group ends at key 0, which is no number. */
	for (size_t g = 0; g < n_groups; g++)
		groups[g].value = search[g].prefix == 0 ? 0.0f : float_of(search[g].prefix);
}

void
wf_refit_quantiles(WfRefit *refit, const WfRecords *records, WfRefitGroup *groups,
				   size_t n_groups, double alpha, bool absolute)
{
	for (size_t g = 0; g < n_groups; g += WF_REFIT_GROUPS)
		quantiles_of_some(refit, records, groups + g,
						  n_groups - g < WF_REFIT_GROUPS ? n_groups - g : WF_REFIT_GROUPS, alpha, absolute);
}

/* Weighted sum of clipped distances from the group's value, in steps of unit, and the weight. */
static void
sum_group(const WfRefit *refit, const WfRecords *records, const WfRefitGroup *group,
		  double delta, double unit, int64_t *sums)
{
	WfHost	   *host = refit->team->host;

	sums[0] = sums[1] = 0;
	for (size_t i = 0; i < group->n; i++)
	{
		const uint8_t *record = wf_record(records, group->begin + i);
		double		x = (double) wf_record_float(record, records->score_at) - group->value;
		int64_t		w = weight_of(refit, records, record);

		x = x > delta ? delta : x < -delta ? -delta : x;
		sums[0] += w * (int64_t) (x / unit);
		sums[1] += w;
		if ((i + 1) % POLL_ROWS == 0)
			host->check(host);
	}
}

void
wf_refit_clipped_means(WfRefit *refit, const WfRecords *records, WfRefitGroup *groups,
					   size_t n_groups, double delta, uint64_t n_rows)
{
	WfTeam	   *team = refit->team;
	const int	room = refit->weight_unit > 0 ? 62 - 16 : 62;	/* weights take 16 bits */
	int			bits = room - 1;
	double		unit;

	/* so that the sum over all rows fits 62 bits */
	while (n_rows >> (room - bits))
		bits--;
	unit = delta / ldexp(1.0, bits);
	for (size_t first = 0; first < n_groups; first += WF_REFIT_GROUPS)
	{
		size_t		n = n_groups - first < WF_REFIT_GROUPS ? n_groups - first : WF_REFIT_GROUPS;

		for (size_t g = 0; g < n; g++)
			sum_group(refit, records, &groups[first + g], delta, unit,
					  refit->sums + ((size_t) team->rank * WF_REFIT_GROUPS + g) * 2);
		wf_team_barrier(team);
		for (size_t g = 0; g < n; g++)
		{
			int64_t		sum = 0;
			int64_t		weight = 0;

			for (int r = 0; r < team->size; r++)
			{
				sum += refit->sums[((size_t) r * WF_REFIT_GROUPS + g) * 2];
				weight += refit->sums[((size_t) r * WF_REFIT_GROUPS + g) * 2 + 1];
			}
			if (weight > 0)
				groups[first + g].value = (float) (groups[first + g].value + (double) sum * unit / (double) weight);
		}
		wf_team_barrier(team);
	}
}
