/*-------------------------------------------------------------------------
 * fallback.c
 *	  The rule that answers when a model cannot.
 *
 * It is analyzed for the fields' types as they come, once a call site and row
 * type (for JSON: once for each combination of value types).
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "pg/attempt.h"
#include "pg/fallback.h"
#include "pg/owner.h"
#include "pg/rule.h"

struct WfmlFallback
{
	MemoryContext context;
	char	   *expression;
	Oid			owner;
	List	   *fields;			/* names of the fields of a JSON input; made with the first */
	/* compiled for this input */
	MemoryContext compiled;		/* NULL: not yet */
	WfmlInput	kind;
	Oid			type;
	int32		typmod;
	TypeCacheEntry *type_entry; /* of a named type, and what its row looked like */
	uint64		type_identifier;
	TupleTableSlot *slot;		/* the fields */
	Oid		   *json_types;		/* of the fields of a JSON input; InvalidOid: absent or null */
	bool		number;			/* the result is a float8, else text */
	ExprState  *state;
	ExprContext *econtext;
};

/* One evaluation, inside the subtransaction. */
typedef struct Evaluation
{
	WfmlFallback *fallback;
	WfmlInput	kind;
	Datum		input;
	WfmlDetail *detail;
	bool		isnull;
} Evaluation;

WfmlFallback *
wfml_fallback_prepare(MemoryContext context, const char *expression, Oid owner)
{
	WfmlFallback *fallback = MemoryContextAllocZero(context, sizeof(WfmlFallback));

	fallback->context = context;
	fallback->expression = MemoryContextStrdup(context, expression);
	fallback->owner = owner;
	return fallback;
}

/* ---- compiling ---- */

typedef struct Fields
{
	TupleDesc	desc;
	Oid			input_type;
} Fields;

/* Not by coerce_to_target_type(), which would take a cast that the type's owner made. */
static Node *
enum_text(Var *var)
{
	CoerceViaIO *text = makeNode(CoerceViaIO);

	text->arg = (Expr *) var;
	text->resulttype = TEXTOID;
	text->resultcollid = DEFAULT_COLLATION_OID;
	text->coerceformat = COERCE_EXPLICIT_CAST;
	text->location = -1;
	return (Node *) text;
}

/* A column's value, with a type that can hold no code of users. */
static Node *
field_value(TupleDesc desc, int i)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, i);
	Oid			base = getBaseType(attribute->atttypid);
	Var		   *var = makeVar(1, (AttrNumber) (i + 1), attribute->atttypid, attribute->atttypmod,
							  attribute->attcollation, 0);

	if (base == UNKNOWNOID)
		return (Node *) makeNullConst(UNKNOWNOID, -1, InvalidOid);
	if (type_is_enum(base))
		return enum_text(var);
	if (base >= FirstNormalObjectId)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of type %s cannot be used in a fallback",
						NameStr(attribute->attname), format_type_be(attribute->atttypid))));
	if (base != attribute->atttypid)
		return (Node *) makeRelabelType((Expr *) var, base, -1, get_typcollation(base), COERCE_IMPLICIT_CAST);
	return (Node *) var;
}

static Node *
find_field(ParseState *pstate, ColumnRef *reference)
{
	const Fields *fields = pstate->p_ref_hook_state;
	Node	   *name = linitial(reference->fields);

	if (list_length(reference->fields) != 1 || !IsA(name, String))
		return NULL;
	for (int i = 0; i < fields->desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(fields->desc, i);

		if (!attribute->attisdropped && strcmp(NameStr(attribute->attname), strVal(name)) == 0)
			return field_value(fields->desc, i);
	}
	if (strcmp(strVal(name), WFML_RULE_INPUT) == 0)
	{
		Param	   *param = makeNode(Param);

		param->paramkind = PARAM_EXTERN;
		param->paramid = 1;
		param->paramtype = fields->input_type;
		param->paramtypmod = -1;
		param->location = -1;
		return (Node *) param;
	}
	return NULL;
}

/* Numbers as float8, the rest as text. */
static Node *
coerce_result(ParseState *pstate, Node *expression, bool *number)
{
	Oid			type = exprType(expression);
	Node	   *result;

	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			*number = true;
			break;
		default:
			*number = false;
	}
	if (type == RECORDOID || OidIsValid(get_element_type(type)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("a fallback must give a number or a label, not type %s", format_type_be(type))));
	result = coerce_to_target_type(pstate, expression, type, *number ? FLOAT8OID : TEXTOID, -1,
								   COERCION_EXPLICIT, COERCE_EXPLICIT_CAST, -1);
	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("a fallback must give a number or a label, not type %s", format_type_be(type))));
	return result;
}

/* The expression, ready to run over rows of desc. */
static Expr *
analyze(const char *text, TupleDesc desc, Oid input_type, bool *number)
{
	Fields		fields = {.desc = desc,.input_type = input_type};
	Node	   *parsed = wfml_rule_parse(text);
	ParseState *pstate = make_parsestate(NULL);
	Node	   *expression;

	wfml_rule_check_parsed(parsed);
	pstate->p_ref_hook_state = &fields;
	pstate->p_pre_columnref_hook = find_field;
	expression = coerce_result(pstate, transformExpr(pstate, parsed, EXPR_KIND_OTHER), number);
	assign_expr_collations(pstate, expression);
	free_parsestate(pstate);
	/* Before planning, which evaluates what is constant. */
	wfml_rule_check_typed(expression);
	return expression_planner((Expr *) expression);
}

static ParamListInfo
make_input_param(void)
{
	ParamListInfo params = makeParamList(1);

	params->params[0].isnull = false;
	params->params[0].pflags = PARAM_FLAG_CONST;
	return params;
}

/*
 * Compile for rows of desc.  What fails half-way goes with the caller's memory
 * and is compiled again for the next row: it becomes the rule's own last.
 */
static void
compile(WfmlFallback *fallback, TupleDesc desc, const TupleTableSlotOps *ops, Oid input_type)
{
	MemoryContext compiled = AllocSetContextCreate(CurrentMemoryContext, "wfml fallback", ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(compiled);
	ParamListInfo params;
	Expr	   *expression;

	/* With constraints: they hold the values of columns added after a row was made. */
	fallback->slot = MakeSingleTupleTableSlot(CreateTupleDescCopyConstr(desc), ops);
	expression = analyze(fallback->expression, fallback->slot->tts_tupleDescriptor, input_type, &fallback->number);
	params = make_input_param();
	params->params[0].ptype = input_type;
	fallback->econtext = CreateStandaloneExprContext();
	fallback->econtext->ecxt_scantuple = fallback->slot;
	fallback->econtext->ecxt_param_list_info = params;
	fallback->state = ExecInitExprWithParams(expression, params);
	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(compiled, fallback->context);
	fallback->compiled = compiled;
}

static void
forget_compiled(WfmlFallback *fallback)
{
	MemoryContext compiled = fallback->compiled;

	fallback->compiled = NULL;
	if (compiled)
	{
		/* Its callbacks would run functions' shutdowns; none of ours has any. */
		FreeExprContext(fallback->econtext, false);
		MemoryContextDelete(compiled);
	}
}

void
wfml_fallback_check(const char *expression, TupleDesc desc, Oid type)
{
	bool		number;

	(void) analyze(expression, desc, type, &number);
}

/* ---- fields of the input ---- */

static void
compile_record(WfmlFallback *fallback, Oid type, int32 typmod)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(type, typmod);

	forget_compiled(fallback);
	compile(fallback, desc, &TTSOpsHeapTuple, type);
	ReleaseTupleDesc(desc);
	fallback->kind = WFML_INPUT_RECORD;
	fallback->type = type;
	fallback->typmod = typmod;
	if (type != RECORDOID)
	{
		fallback->type_entry = lookup_type_cache(type, TYPECACHE_TUPDESC);
		fallback->type_identifier = fallback->type_entry->tupDesc_identifier;
	}
}

static void
use_record(WfmlFallback *fallback, HeapTupleHeader row, HeapTuple tuple)
{
	Oid			type = HeapTupleHeaderGetTypeId(row);
	int32		typmod = HeapTupleHeaderGetTypMod(row);

	if (fallback->compiled == NULL || fallback->kind != WFML_INPUT_RECORD ||
		fallback->type != type || fallback->typmod != typmod ||
		(type != RECORDOID && fallback->type_entry->tupDesc_identifier != fallback->type_identifier))
		compile_record(fallback, type, typmod);
	tuple->t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple->t_self);
	tuple->t_tableOid = InvalidOid;
	tuple->t_data = row;
	ExecStoreHeapTuple(tuple, fallback->slot, false);
}

/* Type and value of a JSON scalar; arrays and objects as jsonb. */
static Oid
json_value(const JsonbValue *value, Datum *datum)
{
	switch (value->type)
	{
		case jbvNull:
			return InvalidOid;
		case jbvString:
			*datum = PointerGetDatum(cstring_to_text_with_len(value->val.string.val, value->val.string.len));
			return TEXTOID;
		case jbvNumeric:
			*datum = NumericGetDatum(value->val.numeric);
			return NUMERICOID;
		case jbvBool:
			*datum = BoolGetDatum(value->val.boolean);
			return BOOLOID;
		default:
			*datum = JsonbPGetDatum(JsonbValueToJsonb(unconstify(JsonbValue *, value)));
			return JSONBOID;
	}
}

static void
remember_fields(WfmlFallback *fallback)
{
	List	   *fields = wfml_rule_fields(wfml_rule_parse(fallback->expression));
	MemoryContext caller = MemoryContextSwitchTo(fallback->context);
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, fields)
		if (strcmp(lfirst(lc), WFML_RULE_INPUT) != 0)
			names = lappend(names, pstrdup(lfirst(lc)));
	fallback->fields = names;
	fallback->json_types = palloc0(sizeof(Oid) * (list_length(names) + 1));
	MemoryContextSwitchTo(caller);
}

/*
 * Types of fields follow their values: a number is a numeric.  An absent or
 * null one keeps the type it had before; without one it is untyped.
 */
static bool
take_json_types(WfmlFallback *fallback, const Oid *types)
{
	bool		changed = false;

	for (int i = 0; i < list_length(fallback->fields); i++)
	{
		if (!OidIsValid(types[i]) || types[i] == fallback->json_types[i])
			continue;
		fallback->json_types[i] = types[i];
		changed = true;
	}
	return changed;
}

static void
compile_json(WfmlFallback *fallback)
{
	int			n = list_length(fallback->fields);
	TupleDesc	desc = CreateTemplateTupleDesc(n);

	for (int i = 0; i < n; i++)
	{
		Oid			type = fallback->json_types[i];

		TupleDescInitEntry(desc, (AttrNumber) (i + 1), list_nth(fallback->fields, i),
						   OidIsValid(type) ? type : UNKNOWNOID, -1, 0);
		if (type == TEXTOID)
			TupleDescInitEntryCollation(desc, (AttrNumber) (i + 1), DEFAULT_COLLATION_OID);
	}
	forget_compiled(fallback);
	compile(fallback, desc, &TTSOpsVirtual, JSONBOID);
	fallback->kind = WFML_INPUT_JSONB;
}

static void
use_json(WfmlFallback *fallback, Jsonb *object)
{
	int			n;
	Oid		   *types;
	Datum	   *values;
	bool		changed;

	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("input must be a JSON object")));
	if (fallback->json_types == NULL)
		remember_fields(fallback);
	n = list_length(fallback->fields);
	types = palloc(sizeof(Oid) * (n + 1));
	values = palloc0(sizeof(Datum) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		const char *name = list_nth(fallback->fields, i);
		JsonbValue	room;
		JsonbValue *value = getKeyJsonValueFromContainer(&object->root, name, (int) strlen(name), &room);

		types[i] = value ? json_value(value, &values[i]) : InvalidOid;
	}
	changed = take_json_types(fallback, types);
	if (changed || fallback->compiled == NULL || fallback->kind != WFML_INPUT_JSONB)
		compile_json(fallback);
	ExecClearTuple(fallback->slot);
	for (int i = 0; i < n; i++)
	{
		fallback->slot->tts_values[i] = values[i];
		fallback->slot->tts_isnull[i] = !OidIsValid(types[i]);
	}
	ExecStoreVirtualTuple(fallback->slot);
}

/* ---- evaluating ---- */

static void
fill_detail(Evaluation *e, Datum value)
{
	*e->detail = (WfmlDetail) {
		.value = NAN, .lower = NAN, .upper = NAN, .confidence = NAN,
		.source = "fallback"
	};
	if (!e->fallback->number)
	{
		/* It is written to the caller's row and to the log. */
		if (VARSIZE_ANY_EXHDR(DatumGetPointer(value)) > WFML_RULE_LENGTH)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the label has %zu bytes, more than %d", VARSIZE_ANY_EXHDR(DatumGetPointer(value)), WFML_RULE_LENGTH)));
		e->detail->label = value;
		return;
	}
	e->detail->value = DatumGetFloat8(value);
	if (!isfinite(e->detail->value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the fallback gives %g", e->detail->value)));
}

static void
evaluate(void *arg)
{
	Evaluation *e = arg;
	WfmlFallback *fallback = e->fallback;
	MemoryContext caller = CurrentMemoryContext;
	HeapTupleData tuple;
	WfmlAsOwner as;
	Datum		input = e->input;
	Datum		value;

	/* Ends with the subtransaction. */
	XactReadOnly = true;
	wfml_as_owner_begin(&as, fallback->owner, NULL, NULL);
	if (e->kind == WFML_INPUT_JSON)
		input = DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_cstring(DatumGetTextPP(input))));
	if (e->kind == WFML_INPUT_RECORD)
		use_record(fallback, DatumGetHeapTupleHeader(input), &tuple);
	else
		use_json(fallback, DatumGetJsonbP(input));
	fallback->econtext->ecxt_param_list_info->params[0].value = input;
	ResetExprContext(fallback->econtext);
	value = ExecEvalExprSwitchContext(fallback->state, fallback->econtext, &e->isnull);
	MemoryContextSwitchTo(caller);
	if (!e->isnull)
		fill_detail(e, fallback->number ? value : PointerGetDatum(DatumGetTextPCopy(value)));
	ExecClearTuple(fallback->slot);
	wfml_as_owner_end(&as);
}

bool
wfml_fallback_evaluate(WfmlFallback *fallback, WfmlInput kind, Datum input, WfmlDetail *detail, const char **error)
{
	Evaluation	e = {.fallback = fallback,.kind = kind,.input = input,.detail = detail};
	ErrorData  *failure = wfml_attempt(evaluate, &e);

	*error = NULL;
	if (failure)
		*error = psprintf("fallback: %s", failure->message);
	else if (e.isnull)
		*error = "fallback: the rule gives NULL";
	return *error == NULL;
}
