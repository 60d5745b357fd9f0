/*-------------------------------------------------------------------------
 * isolation_program.c
 *	  Making the run-time forms of trees without categories: a program of
 *	  selections, and jumps.
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "core/isolation_forms.h"

#define RESULTS WF_PROGRAM_RESULTS
#define CHECK_TREES 16

/* ---- making the program ---- */

/* A tree of the segment that is being compiled. */
typedef struct Member
{
	const WfIsolationTree *tree;
	uint32_t	level[WF_ISOLATION_MAX_DEPTH + 2];	/* first node of each depth */
	uint16_t   *place;			/* by node: where its result is */
} Member;

typedef struct Compiler
{
	WfHost	   *host;
	WfIsolation *m;
	const uint32_t *slot_of;	/* by feature */
	WfBytes		selects;
	WfBytes		segments;
	WfBytes		constants;
	WfBytes		walked;
	/* the segment that is being gathered; room for one more tree */
	uint32_t	n_members;
	Member		member[WF_PROGRAM_TREES + 1];
	uint32_t	n_held;
	uint32_t	n_free;
	uint16_t	free_place[WF_PROGRAM_PLACES];
} Compiler;

static uint32_t *
find_slots(WfHost *host, WfIsolation *m)
{
	const WfIsolationHeader *h = m->header;
	uint32_t   *slot_of = wf_alloc(host, h->n_features, sizeof(uint32_t));
	uint32_t   *slots;
	uint32_t	n = 0;

	memset(slot_of, 0xff, h->n_features * sizeof(uint32_t));
	for (uint32_t i = 0; i < h->n_nodes; i++)
		if (m->nodes[i].feature != WF_ISOLATION_LEAF && slot_of[m->nodes[i].feature] == UINT32_MAX)
		{
			slot_of[m->nodes[i].feature] = 0;
			n++;
		}
	slots = wf_alloc(host, n, sizeof(uint32_t));
	n = 0;
	for (uint32_t f = 0; f < h->n_features; f++)
		if (slot_of[f] != UINT32_MAX)
		{
			slots[n] = f;
			slot_of[f] = n++;
		}
	m->n_slots = n;
	m->slots = slots;
	return slot_of;
}

/* The constant's place among the values; UINT32_MAX: too many. */
static uint32_t
constant(Compiler *c, uint32_t path)
{
	const uint32_t *known = (const uint32_t *) c->constants.data;
	uint32_t	n = (uint32_t) (c->constants.length / sizeof(uint32_t));

	for (uint32_t i = 0; i < n; i++)
		if (known[i] == path)
			return i;
	if (n == WF_PROGRAM_CONSTANTS)
		return UINT32_MAX;
	wf_bytes_append(&c->constants, &path, sizeof(path));
	return n;
}

/* Can the tree be in the program?  Its constants are then known. */
static bool
suits(Compiler *c, const WfIsolationTree *tree)
{
	const WfIsolationNode *node = c->m->nodes + tree->first_node;

	if (c->m->n_slots > WF_PROGRAM_SLOTS || tree->n_nodes > 2 * WF_PROGRAM_CUTS + 1)
		return false;
	for (uint32_t i = 0; i < tree->n_nodes; i++)
		if (node[i].feature == WF_ISOLATION_LEAF ? constant(c, node[i].path) == UINT32_MAX :
			c->m->is_category[node[i].feature] != 0)
			return false;
	return true;
}

/* ---- a segment ---- */

/*
 * The cuts of the segment's trees go deepest first, all trees together, so
 * that a result is used long after it was stored: a load that follows closely
 * on the store of what it loads would wait for it.
 */

/* Vectors as the program counts them. */
static uint16_t
step(uint32_t vector)
{
	return (uint16_t) (vector * WF_VECTOR_STEP);
}

static uint16_t
take_place(Compiler *c)
{
	return c->free_place[--c->n_free];
}

static void
give_place(Compiler *c, uint16_t place)
{
	if (place >= WF_PROGRAM_CONSTANTS)
		c->free_place[c->n_free++] = place;
}

/* Where a node's value is: the constant of a leaf, or the result of a cut that has been compiled. */
static uint16_t
place_of(Compiler *c, const Member *member, uint32_t node)
{
	const WfIsolationNode *nodes = c->m->nodes + member->tree->first_node;

	if (nodes[node].feature == WF_ISOLATION_LEAF)
		return (uint16_t) constant(c, nodes[node].path);
	return member->place[node];
}

static void
compile_cut(Compiler *c, uint32_t index, uint32_t node)
{
	const Member *member = &c->member[index];
	const WfIsolationNode *cut = c->m->nodes + member->tree->first_node + node;
	uint16_t	a = place_of(c, member, cut->left);
	uint16_t	b = place_of(c, member, cut->left + 1u);
	uint16_t	to;
	WfSelect	s;

	give_place(c, a);
	give_place(c, b);
	to = node == 0 ? (uint16_t) (RESULTS + index) : take_place(c);
	member->place[node] = to;
	s = (WfSelect) {cut->threshold, step(c->slot_of[cut->feature]), step(a), step(b), step(to)};
	wf_bytes_append(&c->selects, &s, sizeof(s));
}

static void
end_segment(Compiler *c)
{
	WfSegment	segment = {.n_trees = c->n_members};

	if (c->n_members == 0)
		return;
	for (int depth = WF_ISOLATION_MAX_DEPTH; depth >= 0; depth--)
		for (uint32_t i = 0; i < c->n_members; i++)
		{
			const Member *member = &c->member[i];
			const WfIsolationNode *nodes = c->m->nodes + member->tree->first_node;

			for (uint32_t n = member->level[depth]; n < member->level[depth + 1]; n++)
				if (nodes[n].feature != WF_ISOLATION_LEAF)
					compile_cut(c, i, n);
			/* A tree without a cut: both ways lead to its only leaf. */
			if (depth == 0 && nodes[0].feature == WF_ISOLATION_LEAF)
			{
				uint16_t	leaf = step(constant(c, nodes[0].path));
				WfSelect	s = {.a = leaf, .b = leaf, .to = step(RESULTS + i)};

				wf_bytes_append(&c->selects, &s, sizeof(s));
			}
		}
	segment.end = (uint32_t) (c->selects.length / sizeof(WfSelect));
	wf_bytes_append(&c->segments, &segment, sizeof(segment));
	c->n_members = 0;
	c->n_held = 0;
}

/* Levels of a tree, and how many results may be held at once. */
static uint32_t
measure(Compiler *c, Member *member)
{
	const WfIsolationNode *nodes = c->m->nodes + member->tree->first_node;
	uint32_t	begin = 0;
	uint32_t	end = 1;
	uint32_t	below = 0;
	uint32_t	most = 0;

	for (int depth = 0; depth <= WF_ISOLATION_MAX_DEPTH; depth++)
	{
		uint32_t	cuts = 0;

		member->level[depth] = begin;
		for (uint32_t n = begin; n < end; n++)
			cuts += nodes[n].feature != WF_ISOLATION_LEAF;
		most = below + cuts > most ? below + cuts : most;
		below = cuts;
		begin = end;
		end += 2 * cuts;
	}
	member->level[WF_ISOLATION_MAX_DEPTH + 1] = member->tree->n_nodes;
	return most;
}

static void
add_tree(Compiler *c, const WfIsolationTree *tree)
{
	Member	   *member = &c->member[c->n_members];
	uint32_t	held;

	member->tree = tree;
	held = measure(c, member);
	if (c->n_members == WF_PROGRAM_TREES || c->n_held + held > WF_PROGRAM_PLACES)
	{
		Member		first = *member;
		uint16_t   *place = c->member[0].place;

		end_segment(c);
		first.place = place;
		c->member[0] = first;
	}
	c->n_members++;
	c->n_held += held;
}

/* ---- jumps ---- */

static bool
has_category(const WfIsolation *m, const WfIsolationTree *tree)
{
	const WfIsolationNode *node = m->nodes + tree->first_node;

	for (uint32_t i = 0; i < tree->n_nodes; i++)
		if (node[i].feature != WF_ISOLATION_LEAF && m->is_category[node[i].feature])
			return true;
	return false;
}

/* The tree's jumps, at the places of its nodes; returns its depth. */
static uint32_t
make_jumps(const WfIsolation *m, const WfIsolationTree *tree, const uint32_t *slot_of, WfJump *jumps, uint8_t *depth)
{
	const WfIsolationNode *node = m->nodes + tree->first_node;
	uint32_t	most = 0;

	depth[0] = 0;
	for (uint32_t i = 0; i < tree->n_nodes; i++)
	{
		if (node[i].feature == WF_ISOLATION_LEAF)
		{
			jumps[i] = (WfJump) {INFINITY, 0, (uint16_t) i};
			most = depth[i] > most ? depth[i] : most;
			continue;
		}
		jumps[i] = (WfJump) {node[i].threshold, (uint16_t) slot_of[node[i].feature], node[i].left};
		depth[node[i].left] = depth[node[i].left + 1] = (uint8_t) (depth[i] + 1);
	}
	return most;
}

static void
make_groups(Compiler *c)
{
	WfIsolation *m = c->m;
	WfJump	   *jumps = wf_alloc(c->host, m->header->n_nodes, sizeof(WfJump));
	uint8_t    *depth = wf_alloc(c->host, 2 * (size_t) m->header->sample, 1);
	WfJumpGroup group = {0};
	WfBytes		groups;
	WfBytes		stepped;

	wf_bytes_init(&groups, c->host);
	wf_bytes_init(&stepped, c->host);
	for (uint32_t t = 0; t < m->header->n_trees; t++)
	{
		const WfIsolationTree *tree = &m->trees[t];
		uint32_t	deep;

		if (m->n_slots > WF_PROGRAM_SLOTS || has_category(m, tree))
		{
			wf_bytes_append(&stepped, &t, sizeof(t));
			continue;
		}
		deep = make_jumps(m, tree, c->slot_of, jumps + tree->first_node, depth);
		group.depth = deep > group.depth ? deep : group.depth;
		for (uint32_t i = group.n; i < WF_JUMP_TREES; i++)
			group.first_node[i] = tree->first_node;
		if (++group.n == WF_JUMP_TREES)
		{
			wf_bytes_append(&groups, &group, sizeof(group));
			memset(&group, 0, sizeof(group));
		}
		if (t % CHECK_TREES == 0)
			c->host->check(c->host);
	}
	if (group.n > 0)
		wf_bytes_append(&groups, &group, sizeof(group));
	m->n_groups = (uint32_t) (groups.length / sizeof(WfJumpGroup));
	m->groups = (const WfJumpGroup *) groups.data;
	m->jumps = jumps;
	m->n_stepped = (uint32_t) (stepped.length / sizeof(uint32_t));
	m->stepped = (const uint32_t *) stepped.data;
	wf_release(c->host, depth);
}

void
wf_isolation_make_program(WfHost *host, WfIsolation *m)
{
	uint32_t   *slot_of = find_slots(host, m);
	Compiler	c = {.host = host, .m = m, .slot_of = slot_of};
	uint16_t   *place;

	wf_bytes_init(&c.selects, host);
	wf_bytes_init(&c.segments, host);
	wf_bytes_init(&c.constants, host);
	wf_bytes_init(&c.walked, host);
	place = wf_alloc(host, (size_t) (WF_PROGRAM_TREES + 1) * (2 * WF_PROGRAM_CUTS + 1), sizeof(uint16_t));
	for (uint32_t i = 0; i <= WF_PROGRAM_TREES; i++)
		c.member[i].place = place + i * (2 * WF_PROGRAM_CUTS + 1);
	for (c.n_free = 0; c.n_free < WF_PROGRAM_PLACES; c.n_free++)
		c.free_place[c.n_free] = (uint16_t) (WF_PROGRAM_CONSTANTS + c.n_free);
	for (uint32_t t = 0; t < m->header->n_trees; t++)
	{
		if (suits(&c, &m->trees[t]))
			add_tree(&c, &m->trees[t]);
		else
			wf_bytes_append(&c.walked, &t, sizeof(t));
		if (t % CHECK_TREES == 0)
			host->check(host);
	}
	end_segment(&c);
	m->n_segments = (uint32_t) (c.segments.length / sizeof(WfSegment));
	m->segments = (const WfSegment *) c.segments.data;
	m->selects = (const WfSelect *) c.selects.data;
	m->n_constants = (uint32_t) (c.constants.length / sizeof(uint32_t));
	m->constants = (const uint32_t *) c.constants.data;
	m->n_walked = (uint32_t) (c.walked.length / sizeof(uint32_t));
	m->walked = (const uint32_t *) c.walked.data;
	make_groups(&c);
	wf_release(host, place);
	wf_release(host, slot_of);
}
