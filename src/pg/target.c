/*-------------------------------------------------------------------------
 * target.c
 *	  The target column: values or labels, the task, the order of classes.
 *
 * The type settles the task, but for integers: two distinct values make a
 * classification, more a regression, and that is known only at the end.
 * Until a third value comes, rows get codes; then their values are put in.
 * A row's hash must not depend on that, so every integer target is hashed by
 * its digits.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "core/algorithm.h"
#include "pg/compat.h"
#include "pg/input.h"
#include "pg/pghost.h"
#include "pg/target.h"

/* An integer target with at most this many values might have meant classes. */
#define FEW_VALUES 20
/* Longer labels could not be told apart, or given back whole. */
#define MAX_LABEL_BYTES (WF_DICT_KEY_BYTES - 4)
/* Labels listed in a HINT. */
#define MAX_HINT_LABELS 20

typedef enum TargetMode
{
	TARGET_VALUES,
	TARGET_LABELS,
	TARGET_UNDECIDED			/* integers, at most two distinct so far */
} TargetMode;

struct WfmlTarget
{
	WfHost	   *host;
	const WfmlSourceRequest *request;
	WfFrame    *frame;
	const char *name;
	Oid			type;			/* base type */
	WfColumnKind kind;
	TargetMode	mode;
	bool		is_integer;
	WfmlConverter *converter;
	bool		has_cast;
	FmgrInfo	cast;			/* to text, where it is not the output function */
	WfDict	   *labels;
	/* integers: the first distinct ones */
	int			n_distinct;
	int64		distinct[FEW_VALUES + 1];
	char		buffer[64];
};

static bool
is_integer_type(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

static TargetMode
choose_mode(const WfmlTarget *target, bool supported)
{
	int			task = target->request->task;

	if (!supported || (target->kind != WF_COL_NUMBER && target->kind != WF_COL_BOOLEAN &&
					   target->kind != WF_COL_CATEGORY))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("target column \"%s\" is of type %s, which cannot be predicted",
						target->name, format_type_be(target->type)),
				 errhint("Turn it into a number, a boolean or text in the source query.")));
	if (target->kind == WF_COL_NUMBER)
	{
		if (task == WF_CLASSIFICATION && target->type == INTERVALOID)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("target column \"%s\" of type interval cannot be a label", target->name),
					 errhint("Cast it to text in the source query.")));
		if (task == WF_CLASSIFICATION)
			return TARGET_LABELS;
		if (task == WF_REGRESSION || !target->is_integer)
			return TARGET_VALUES;
		return TARGET_UNDECIDED;
	}
	if (task == WF_REGRESSION)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("target column \"%s\" of type %s cannot be the target of a regression",
						target->name, format_type_be(target->type)),
				 errhint("Cast it to a number in the source query, or leave task out.")));
	return TARGET_LABELS;
}

WfmlTarget *
wfml_target_create(WfHost *host, const WfmlSourceRequest *request, WfFrame *frame,
				   const char *name, Oid type)
{
	WfmlTarget *target = palloc0(sizeof(WfmlTarget));
	bool		supported;
	Oid			function;

	target->host = host;
	target->request = request;
	target->frame = frame;
	target->name = name;
	target->type = getBaseType(type);
	target->is_integer = is_integer_type(target->type);
	supported = wfml_type_kind(type, &target->kind);
	target->mode = choose_mode(target, supported);
	target->converter = wfml_converter_create(type, NULL, CurrentMemoryContext);
	target->labels = wf_dict_create(host);
	/* inet and the like: the cast to text differs from the output function */
	if (target->converter->text && target->converter->out.fn_addr &&
		find_coercion_pathway(TEXTOID, target->type, COERCION_EXPLICIT, &function) == COERCION_PATH_FUNC)
	{
		fmgr_info_cxt(function, &target->cast, CurrentMemoryContext);
		target->has_cast = true;
	}
	return target;
}

/* ---- rows ---- */

static int64
integer_value(const WfmlTarget *target, Datum value)
{
	switch (target->type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

/* The value as its cast to text gives it, whatever the session's settings. */
static const char *
label_text(WfmlTarget *target, Datum value, size_t *length)
{
	const char *bytes;

	if (target->type == BOOLOID)
		bytes = DatumGetBool(value) ? "true" : "false";
	else if (target->is_integer)
	{
		*length = (size_t) pg_lltoa(integer_value(target, value), target->buffer);
		return target->buffer;
	}
	else if (target->type == FLOAT8OID)
	{
		*length = (size_t) double_to_shortest_decimal_buf(DatumGetFloat8(value), target->buffer);
		return target->buffer;
	}
	else if (target->type == FLOAT4OID)
	{
		*length = (size_t) float_to_shortest_decimal_buf(DatumGetFloat4(value), target->buffer);
		return target->buffer;
	}
	else if (target->type == NUMERICOID)
		bytes = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	else if (target->has_cast)
		bytes = TextDatumGetCString(FunctionCall1(&target->cast, value));
	else
		return target->converter->text(target->converter, value, length);
	*length = strlen(bytes);
	return bytes;
}

/* Never 0: that would stand for "the target itself". */
static uint64_t
label_hash(const char *bytes, size_t length)
{
	uint64_t	hash = wf_hash_bytes(bytes, length, 0);

	return hash ? hash : 1;
}

/* Position among the first distinct integers; added while there is room, else -1. */
static int
distinct_integer(WfmlTarget *target, int64 value)
{
	for (int i = 0; i < target->n_distinct; i++)
		if (target->distinct[i] == value)
			return i;
	if (target->n_distinct > FEW_VALUES)
		return -1;
	target->distinct[target->n_distinct] = value;
	return target->n_distinct++;
}

/* A third value: it is a regression after all. */
static void
codes_to_values(WfmlTarget *target)
{
	uint64_t	n = wf_frame_n_rows(target->frame);

	for (uint64_t row = 0; row < n; row++)
		wf_frame_set_target(target->frame, row,
							(double) target->distinct[(int) wf_frame_target(target->frame, row)]);
	target->mode = TARGET_VALUES;
}

static bool
add_label(WfmlTarget *target, const char *bytes, size_t length, WfRowExtra *extra)
{
	if (length > MAX_LABEL_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("target column \"%s\" holds a label of more than %d bytes",
						target->name, MAX_LABEL_BYTES)));
	extra->target = wf_dict_add(target->labels, bytes, length);
	extra->target_hash = label_hash(bytes, length);
	if (wf_dict_size(target->labels) > WF_MAX_CLASSES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("target column \"%s\" has more than %d distinct values",
						target->name, WF_MAX_CLASSES),
				 target->kind == WF_COL_NUMBER
				 ? errhint("Pass task => 'regression' to predict the number.")
				 : errhint("Group rare labels, or name another target.")));
	return true;
}

bool
wfml_target_row(WfmlTarget *target, Datum value, bool isnull, WfRowExtra *extra)
{
	const char *bytes;
	size_t		length;

	if (isnull)
		return false;
	if (target->mode == TARGET_VALUES && !target->is_integer)
	{
		extra->target = target->converter->number(target->converter, value);
		extra->target_hash = 0;
		return isfinite(extra->target);
	}
	bytes = label_text(target, value, &length);
	if (target->mode == TARGET_UNDECIDED)
	{
		if (distinct_integer(target, integer_value(target, value)) < 2)
			return add_label(target, bytes, length, extra);
		codes_to_values(target);
	}
	else if (target->mode == TARGET_LABELS)
		return add_label(target, bytes, length, extra);
	(void) distinct_integer(target, integer_value(target, value));
	extra->target = target->converter->number(target->converter, value);
	extra->target_hash = label_hash(bytes, length);
	return true;
}

int
wfml_target_distinct(const WfmlTarget *target)
{
	if (target->mode != TARGET_VALUES)
		return (int) wf_dict_size(target->labels);
	return target->is_integer && target->n_distinct <= FEW_VALUES ? target->n_distinct : -1;
}

/* ---- classes ---- */

typedef struct Label
{
	uint32_t	code;
	int			place;			/* by bytes */
	double		order;			/* of numbers and enums; 0 otherwise */
	int64		integer;
	const char *text;
} Label;

static int
label_compare(const void *a, const void *b)
{
	const Label *x = a;
	const Label *y = b;

	if (x->integer != y->integer)
		return x->integer < y->integer ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->place - y->place;
}

static double
enum_order(Oid type, const char *label)
{
	HeapTuple	tuple = SearchSysCache2(ENUMTYPOIDNAME, ObjectIdGetDatum(type), CStringGetDatum(label));
	double		order;

	if (!HeapTupleIsValid(tuple))
		return 0;
	order = ((Form_pg_enum) GETSTRUCT(tuple))->enumsortorder;
	ReleaseSysCache(tuple);
	return order;
}

/* Labels in the order of their type: numbers, enums, else by bytes. */
static Label *
ordered_labels(WfmlTarget *target, int n)
{
	Label	   *labels = palloc0(sizeof(Label) * n);
	uint32_t   *sorted = wf_dict_sorted(target->labels);

	for (int i = 0; i < n; i++)
	{
		size_t		length;
		const char *bytes = wf_dict_string(target->labels, sorted[i], &length);
		Label	   *label = &labels[i];

		label->code = sorted[i];
		label->place = i;
		label->text = wf_strndup(target->host, bytes, length);
		if (target->is_integer)
			label->integer = strtoll(label->text, NULL, 10);
		else if (target->kind == WF_COL_NUMBER)
		{
			label->order = strtod(label->text, NULL);
			if (isnan(label->order))	/* above all, as in SQL */
			{
				label->integer = 1;
				label->order = 0;
			}
		}
		else if (type_is_enum(target->type))
			label->order = enum_order(target->type, label->text);
	}
	wf_release(target->host, sorted);
	qsort(labels, n, sizeof(Label), label_compare);
	return labels;
}

static char *
label_list(const Label *labels, int n)
{
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < Min(n, MAX_HINT_LABELS); i++)
		appendStringInfo(&s, "%s\"%s\"", i ? ", " : "", labels[i].text);
	if (n > MAX_HINT_LABELS)
		appendStringInfo(&s, ", and %d more", n - MAX_HINT_LABELS);
	return s.data;
}

static int
find_label(const Label *labels, int n, const char *text)
{
	for (int i = 0; i < n; i++)
		if (strcmp(labels[i].text, text) == 0)
			return i;
	return -1;
}

/* Which of two labels is class 1. */
static int
positive_label(const WfmlTarget *target, const Label *labels)
{
	int			i;

	if ((i = find_label(labels, 2, "true")) >= 0 || (i = find_label(labels, 2, "1")) >= 0)
		return i;
	return wf_dict_count(target->labels, labels[0].code) <
		wf_dict_count(target->labels, labels[1].code) ? 0 : 1;
}

static int
choose_positive(const WfmlTarget *target, const Label *labels, int n)
{
	const char *wanted = target->request->positive;
	int			i;

	if (wanted == NULL && n == 2 && target->request->positive_before &&
		(i = find_label(labels, n, target->request->positive_before)) >= 0)
		return i;
	if (wanted == NULL)
		return n == 2 ? positive_label(target, labels) : -1;
	i = find_label(labels, n, wanted);
	if (i < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("positive class \"%s\" is not a label of target column \"%s\"", wanted, target->name),
				 errhint("The labels are %s.", label_list(labels, n))));
	if (n != 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"positive\" needs a target with two classes, but \"%s\" has %d",
						target->name, n)));
	return i;
}

static void
finish_classes(WfmlTarget *target, WfSchema *schema, WfmlSource *source)
{
	int			n = (int) wf_dict_size(target->labels);
	Label	   *labels = ordered_labels(target, n);
	int			positive;

	if (n == 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("target column \"%s\" has only one class, \"%s\"", target->name, labels[0].text),
				 errhint("A classification needs rows of at least two classes.")));
	positive = choose_positive(target, labels, n);
	if (positive == 0)
	{
		Label		first = labels[0];

		labels[0] = labels[1];
		labels[1] = first;
	}
	schema->n_classes = n;
	schema->labels = wf_alloc(target->host, n, sizeof(char *));
	source->class_of_code = wf_alloc(target->host, n, sizeof(uint16_t));
	for (int i = 0; i < n; i++)
	{
		schema->labels[i] = (char *) labels[i].text;
		source->class_of_code[labels[i].code] = (uint16_t) i;
	}
	source->labels = target->labels;
	source->positive = n == 2 ? schema->labels[1] : NULL;
	pfree(labels);
}

void
wfml_target_finish(WfmlTarget *target, WfSchema *schema, WfmlSource *source)
{
	if (target->mode != TARGET_VALUES)
	{
		source->task = WF_CLASSIFICATION;
		finish_classes(target, schema, source);
		return;
	}
	source->task = WF_REGRESSION;
	if (target->request->positive)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"positive\" needs a classification, but target column \"%s\" holds numbers",
						target->name),
				 errhint("Pass task => 'classification' to predict classes.")));
	if (!target->request->quiet && target->request->task < 0 && wfml_target_distinct(target) >= 0)
		ereport(NOTICE,
				(errmsg("target \"%s\" has %d distinct integer values, training a regression",
						target->name, target->n_distinct),
				 errhint("Pass task => 'classification' to predict classes.")));
}
