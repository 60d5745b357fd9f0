/*-------------------------------------------------------------------------
 * markov.c
 *	  Opening a block of Kneser-Ney counts, and probabilities from it.
 *-------------------------------------------------------------------------
 */
#include "core/markov.h"

#include <string.h>

#define CHECK_EVERY 65536
/* With less the chance of an event never seen, a product over all lengths, may come out as 0. */
#define DISCOUNT_LEAST 0.01
/* No context has it. */
#define SYMBOL_UNKNOWN UINT32_MAX

typedef struct Level
{
	const uint32_t *symbol;
	const uint32_t *child;		/* into the next level */
	const uint32_t *next;		/* into kind and count */
	const uint32_t *kind;
	const uint32_t *count;
} Level;

struct WfMarkov
{
	const WfMarkovHeader *header;
	Level		level[WF_MARKOV_MAX_ORDER + 1];
	double		root_total;
};

/* ---- opening ---- */

static void __attribute__((noreturn))
corrupt(WfHost *host)
{
	host->fail(host, WF_E_CORRUPT, WF_HINT_NONE, "the model is damaged: bad counts of successors");
}

/* Starts that rise from 0 to n; each range has at least "least" entries. */
static void
verify_starts(WfHost *host, const uint32_t *start, uint32_t n_nodes, uint32_t n, uint32_t least)
{
	if (start[0] != 0 || start[n_nodes] != n)
		corrupt(host);
	for (uint32_t i = 0; i < n_nodes; i++)
	{
		if (start[i + 1] < start[i] || start[i + 1] - start[i] < least)
			corrupt(host);
		if ((i + 1) % CHECK_EVERY == 0)
			host->check(host);
	}
}

/* The entries of each range rise and lie below limit; starts are verified. */
static void
verify_rising(WfHost *host, const uint32_t *start, uint32_t n_ranges, const uint32_t *entry, uint32_t limit)
{
	for (uint32_t r = 0; r < n_ranges; r++)
	{
		for (uint32_t i = start[r]; i < start[r + 1]; i++)
		{
			if (entry[i] >= limit || (i > start[r] && entry[i] <= entry[i - 1]))
				corrupt(host);
			if ((i + 1) % CHECK_EVERY == 0)
				host->check(host);
		}
		if ((r + 1) % CHECK_EVERY == 0)
			host->check(host);
	}
}

/* Where the arrays lie, once the header's numbers add up to the length. */
static void
place_levels(WfHost *host, WfMarkov *model, size_t length)
{
	const WfMarkovHeader *h = model->header;
	const uint32_t *at = (const uint32_t *) (h + 1);
	size_t		words = 0;

	for (uint32_t n = 0; n <= h->order; n++)
	{
		Level	   *level = &model->level[n];

		words += 3 * (size_t) h->n_nodes[n] + 2 + 2 * (size_t) h->n_next[n];
		if (words > (length - sizeof(*h)) / sizeof(uint32_t))
			corrupt(host);
		level->symbol = at;
		level->child = level->symbol + h->n_nodes[n];
		level->next = level->child + h->n_nodes[n] + 1;
		level->kind = level->next + h->n_nodes[n] + 1;
		level->count = level->kind + h->n_next[n];
		at = level->count + h->n_next[n];
	}
}

WfMarkov *
wf_markov_open(WfHost *host, const void *block, size_t length, uint32_t n_kinds)
{
	const WfMarkovHeader *h = block;
	WfMarkov   *model;

	if (length < sizeof(*h) || h->length > length || h->length < sizeof(*h) ||
		h->order < 1 || h->order > WF_MARKOV_MAX_ORDER ||
		h->n_kinds != n_kinds || n_kinds < 1 || n_kinds >= UINT32_MAX - 2 ||
		!(h->discount >= DISCOUNT_LEAST && h->discount < 1) || h->n_nodes[0] != 1)
		corrupt(host);
	model = wf_alloc_zero(host, 1, sizeof(*model));
	model->header = h;
	place_levels(host, model, h->length);
	for (uint32_t n = 0; n <= h->order; n++)
	{
		const Level *level = &model->level[n];

		verify_starts(host, level->child, h->n_nodes[n], n < h->order ? h->n_nodes[n + 1] : 0, 0);
		verify_starts(host, level->next, h->n_nodes[n], h->n_next[n], 1);
		verify_rising(host, level->next, h->n_nodes[n], level->kind, n_kinds + 1);
		if (n > 0)
			verify_rising(host, model->level[n - 1].child, h->n_nodes[n - 1], level->symbol, n_kinds + 1);
		for (uint32_t i = 0; i < h->n_next[n]; i++)
		{
			if (level->count[i] == 0)
				corrupt(host);
			if ((i + 1) % CHECK_EVERY == 0)
				host->check(host);
		}
	}
	for (uint32_t i = 0; i < h->n_next[0]; i++)
		model->root_total += model->level[0].count[i];
	return model;
}

void
wf_markov_close(WfHost *host, WfMarkov *model)
{
	wf_release(host, model);
}

/* ---- a case ---- */

void
wf_markov_start(WfMarkovState *state)
{
	memset(state, 0, sizeof(*state));
	state->n = 1;				/* symbol 0: the start of the case */
}

void
wf_markov_push(const WfMarkov *model, WfMarkovState *state, uint32_t event)
{
	uint32_t	order = model->header->order;

	memmove(state->last + 1, state->last, (WF_MARKOV_MAX_ORDER - 1) * sizeof(uint32_t));
	state->last[0] = event < model->header->n_kinds ? event + 1 : SYMBOL_UNKNOWN;
	state->n = state->n < order ? state->n + 1 : order;
}

/* Node of a level with that symbol among [begin, end), or end. */
static uint32_t
find_node(const Level *level, uint32_t begin, uint32_t end, uint32_t symbol)
{
	uint32_t	stop = end;

	while (begin < end)
	{
		uint32_t	middle = begin + (end - begin) / 2;

		if (level->symbol[middle] < symbol)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin < stop && level->symbol[begin] == symbol ? begin : stop;
}

double
wf_markov_probabilities(const WfMarkov *model, const WfMarkovState *state, double *p)
{
	uint32_t	n_out = model->header->n_kinds + 1;
	double		discount = model->header->discount;
	uint32_t	node[WF_MARKOV_MAX_ORDER + 1] = {0};
	double		total[WF_MARKOV_MAX_ORDER + 1] = {model->root_total};
	double		share[WF_MARKOV_MAX_ORDER + 1];
	double		rest = 1;
	uint32_t	depth = 0;

	while (depth < state->n)
	{
		const Level *level = &model->level[depth];
		uint32_t	end = level->child[node[depth] + 1];
		uint32_t	found = find_node(level + 1, level->child[node[depth]], end, state->last[depth]);

		if (found == end)
			break;
		node[++depth] = found;
		level++;
		total[depth] = 0;
		for (uint32_t i = level->next[found]; i < level->next[found + 1]; i++)
			total[depth] += level->count[i];
	}
	/* What the longer contexts leave for each shorter one. */
	for (uint32_t n = depth + 1; n-- > 0;)
	{
		const uint32_t *next = model->level[n].next + node[n];

		share[n] = rest;
		rest *= discount * (double) (next[1] - next[0]) / total[n];
	}
	for (uint32_t w = 0; w < n_out; w++)
		p[w] = rest / n_out;
	for (uint32_t n = 0; n <= depth; n++)
	{
		const Level *level = &model->level[n];
		double		unit = share[n] / total[n];

		for (uint32_t i = level->next[node[n]]; i < level->next[node[n] + 1]; i++)
			p[level->kind[i]] += unit * ((double) level->count[i] - discount);
	}
	return rest / n_out;
}
