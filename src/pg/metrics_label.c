/*-------------------------------------------------------------------------
 * metrics_label.c
 *	  Metric aggregates over labels: precision_score, recall_score, f1_score.
 *
 * The state is a hash table from label to counts, inside one bytea:
 * a header, n_slots slots (a power of two), text_size bytes of labels.
 *-------------------------------------------------------------------------
 */
#include "pg/metrics.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/metric.h"

#define LABELS_KIND 0x6c62616c
#define FIRST_SLOTS 8
#define FIRST_TEXT 64
#define MAX_SLOTS (1 << 23)

/* WfAverage, and one more */
#define AVERAGE_BINARY (WF_AVERAGE_WEIGHTED + 1)

typedef struct Slot
{
	uint32		hash;
	uint32		at;				/* 1 + where its text starts; 0: free */
	uint32		length;
	uint32		unused;
	WfClassCount count;
} Slot;

typedef struct LabelsState
{
	WfmlState	state;
	uint32		average;
	uint32		n_slots;
	uint32		n_labels;
	uint32		text_size;
	uint32		text_used;
	uint32		unused;
	Slot		slot[FLEXIBLE_ARRAY_MEMBER];
} LabelsState;

static inline char *
text_of(LabelsState *s)
{
	return (char *) &s->slot[s->n_slots];
}

static Size
labels_size(uint64 n_slots, uint64 text_size)
{
	return offsetof(LabelsState, slot) + n_slots * sizeof(Slot) + text_size;
}

static LabelsState *
labels_state(FunctionCallInfo fcinfo, int argno)
{
	LabelsState *s = wfml_state_get(fcinfo, argno, LABELS_KIND, offsetof(LabelsState, slot));

	if (s && (s->n_slots < FIRST_SLOTS || s->n_slots > MAX_SLOTS ||
			  (s->n_slots & (s->n_slots - 1)) != 0 ||
			  s->n_labels > s->n_slots / 2 || s->text_used > s->text_size ||
			  s->average > AVERAGE_BINARY ||
			  VARSIZE(s) != labels_size(s->n_slots, s->text_size)))
		wfml_state_damaged();
	return s;
}

static LabelsState *
labels_create(uint32 average, uint64 n_slots, uint64 text_size)
{
	LabelsState *s;

	if (n_slots > MAX_SLOTS || labels_size(n_slots, text_size) > MaxAllocSize / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many different labels"),
				 errhint("Scores of labels are for classes, not for numbers.")));
	s = wfml_state_create(LABELS_KIND, labels_size(n_slots, text_size));
	s->average = average;
	s->n_slots = (uint32) n_slots;
	s->text_size = (uint32) text_size;
	return s;
}

/* The text of a slot in use; the slot may come from a stranger. */
static const char *
slot_text(LabelsState *s, const Slot *slot)
{
	if (slot->at - 1 > s->text_used || slot->length > s->text_used - (slot->at - 1))
		wfml_state_damaged();
	return text_of(s) + slot->at - 1;
}

/* The label's slot, or the free one where it belongs. */
static Slot *
find_slot(LabelsState *s, uint32 hash, const char *bytes, Size length)
{
	/* at least half of the slots are free, but a stranger's may not be */
	for (uint32 i = 0; i < s->n_slots; i++)
	{
		Slot	   *slot = &s->slot[(hash + i) & (s->n_slots - 1)];

		if (slot->at == 0)
			return slot;
		if (slot->hash == hash && slot->length == length &&
			memcmp(slot_text(s, slot), bytes, length) == 0)
			return slot;
	}
	wfml_state_damaged();
}

static WfClassCount *counts_of(LabelsState **state, const char *bytes, Size length);

/* A larger copy. */
static LabelsState *
labels_grow(LabelsState *s, Size more_text)
{
	LabelsState *larger = labels_create(s->average,
										(uint64) s->n_slots * (s->n_labels >= s->n_slots / 4 ? 2 : 1),
										(uint64) s->text_size * 2 + more_text);

	for (uint32 i = 0; i < s->n_slots; i++)
		if (s->slot[i].at)
			*counts_of(&larger, slot_text(s, &s->slot[i]), s->slot[i].length) = s->slot[i].count;
	return larger;
}

/* Counts of a label, which is added if it is new; the state may move. */
static WfClassCount *
counts_of(LabelsState **state, const char *bytes, Size length)
{
	LabelsState *s = *state;
	uint32		hash = hash_bytes((const unsigned char *) bytes, (int) length);
	Slot	   *slot = find_slot(s, hash, bytes, length);

	if (slot->at)
		return &slot->count;
	if (s->n_labels + 1 > s->n_slots / 2 || length > s->text_size - s->text_used)
	{
		s = *state = labels_grow(s, length);
		slot = find_slot(s, hash, bytes, length);
		/* a damaged table may hold a label twice or more than it says */
		if (slot->at || s->n_labels + 1 > s->n_slots / 2 || length > s->text_size - s->text_used)
			wfml_state_damaged();
	}
	slot->hash = hash;
	slot->at = s->text_used + 1;
	slot->length = (uint32) length;
	memcpy(text_of(s) + s->text_used, bytes, length);
	s->text_used += (uint32) length;
	s->n_labels++;
	return &slot->count;
}

static uint32
average_get(FunctionCallInfo fcinfo, int argno)
{
	static const char *const words[] = {"macro", "micro", "weighted", "binary"};
	text	   *value;

	if (PG_NARGS() <= argno)
		return WF_AVERAGE_MACRO;
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("\"average\" must not be null")));
	value = PG_GETARG_TEXT_PP(argno);
	for (uint32 i = 0; i < lengthof(words); i++)
		if (VARSIZE_ANY_EXHDR(value) == strlen(words[i]) &&
			memcmp(VARDATA_ANY(value), words[i], strlen(words[i])) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown average \"%s\"", text_to_cstring(value)),
			 errhint("Use \"macro\", \"micro\", \"weighted\" or \"binary\".")));
}

static void
check_average(const LabelsState *s, uint32 average)
{
	if (s->average != average)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"average\" must be the same in every row")));
}

PG_FUNCTION_INFO_V1(wfml_labels_accum);
Datum
wfml_labels_accum(PG_FUNCTION_ARGS)
{
	LabelsState *s;
	WfmlLabel	actual;
	WfmlLabel	predicted;
	WfClassCount *count;
	uint32		average;
	bool		hit;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	average = average_get(fcinfo, 3);
	s = labels_state(fcinfo, 0);
	if (s == NULL)
		s = labels_create(average, FIRST_SLOTS, FIRST_TEXT);
	check_average(s, average);
	wfml_label_get(fcinfo, 1, &actual);
	wfml_label_get(fcinfo, 2, &predicted);
	hit = wfml_labels_equal(&actual, &predicted);
	count = counts_of(&s, actual.bytes, actual.length);
	count->actual++;
	if (!hit)
		count = counts_of(&s, predicted.bytes, predicted.length);
	count->predicted++;
	count->hit += hit;
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(wfml_labels_combine);
Datum
wfml_labels_combine(PG_FUNCTION_ARGS)
{
	LabelsState *a = labels_state(fcinfo, 0);
	LabelsState *b = labels_state(fcinfo, 1);

	if (a == NULL && b == NULL)
		PG_RETURN_NULL();
	if (a == NULL || b == NULL)
		PG_RETURN_POINTER(a ? a : b);
	check_average(a, b->average);
	for (uint32 i = 0; i < b->n_slots; i++)
	{
		const Slot *slot = &b->slot[i];
		WfClassCount *count;

		if (slot->at == 0)
			continue;
		count = counts_of(&a, slot_text(b, slot), slot->length);
		count->hit += slot->count.hit;
		count->predicted += slot->count.predicted;
		count->actual += slot->count.actual;
	}
	PG_RETURN_POINTER(a);
}

/* The positive of at most two labels: true, else 1, else the greater one by its bytes. */
static const WfClassCount *
positive_count(LabelsState *s)
{
	const Slot *best = NULL;
	int			best_rank = 0;

	if (s->n_labels > 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("average \"binary\" needs two labels, not %u", s->n_labels),
				 errhint("Use \"macro\", \"micro\" or \"weighted\", or compare both arguments with the positive label.")));
	for (uint32 i = 0; i < s->n_slots; i++)
	{
		const Slot *slot = &s->slot[i];
		const char *bytes;
		int			rank;

		if (slot->at == 0)
			continue;
		bytes = slot_text(s, slot);
		rank = slot->length == 4 && memcmp(bytes, "true", 4) == 0 ? 3
			: slot->length == 1 && bytes[0] == '1' ? 2 : 1;
		/* "false" and "0" alone: the positive label never came */
		if (rank == 1 && s->n_labels == 1 &&
			((slot->length == 5 && memcmp(bytes, "false", 5) == 0) || (slot->length == 1 && bytes[0] == '0')))
			continue;
		if (best && rank == best_rank)
		{
			Size		shorter = Min(slot->length, best->length);
			int			order = memcmp(bytes, slot_text(s, best), shorter);

			if (order < 0 || (order == 0 && slot->length < best->length))
				continue;
		}
		if (best == NULL || rank >= best_rank)
		{
			best = slot;
			best_rank = rank;
		}
	}
	return best ? &best->count : NULL;
}

static Datum
labels_final(FunctionCallInfo fcinfo, WfClassScore score)
{
	LabelsState *s = labels_state(fcinfo, 0);
	WfClassCount *counts;
	uint32		n = 0;
	double		result;

	if (s == NULL || s->n_labels == 0)
		PG_RETURN_NULL();
	if (s->average == AVERAGE_BINARY)
	{
		const WfClassCount *positive = positive_count(s);

		PG_RETURN_FLOAT8(positive ? wf_class_score(positive, score) : 0);
	}
	counts = palloc(sizeof(WfClassCount) * s->n_slots);
	for (uint32 i = 0; i < s->n_slots; i++)
		if (s->slot[i].at)
			counts[n++] = s->slot[i].count;
	result = wf_classes_score(counts, n, score, (WfAverage) s->average);
	pfree(counts);
	PG_RETURN_FLOAT8(result);
}

PG_FUNCTION_INFO_V1(wfml_precision_final);
Datum
wfml_precision_final(PG_FUNCTION_ARGS)
{
	return labels_final(fcinfo, WF_PRECISION);
}

PG_FUNCTION_INFO_V1(wfml_recall_final);
Datum
wfml_recall_final(PG_FUNCTION_ARGS)
{
	return labels_final(fcinfo, WF_RECALL);
}

PG_FUNCTION_INFO_V1(wfml_f1_final);
Datum
wfml_f1_final(PG_FUNCTION_ARGS)
{
	return labels_final(fcinfo, WF_F1);
}
