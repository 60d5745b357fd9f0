/*-------------------------------------------------------------------------
 * rule.c
 *	  What an expression of set_fallback() may contain.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/rule.h"
#include "pg/tables.h"

static const char allowed_hint[] =
"A fallback may use the input's fields, constants, and built-in functions and operators that are not volatile, beside wfml's predictions.";

static void
not_allowed(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s cannot be used in a fallback", what),
			 errhint("%s", allowed_hint)));
}

/* ---- functions and types ---- */

static void
check_type(Oid type)
{
	if (OidIsValid(type) && type >= FirstNormalObjectId)
		not_allowed(psprintf("type %s", format_type_be(type)));
}

/*
 * Built-in and not volatile, and still no matter for a rule: these read tables
 * by name, make values of types that users made, use up transaction IDs, or
 * show the model's owner what the asking session keeps in its settings.
 */
static bool
is_far_reaching(Oid function)
{
	switch (function)
	{
		case F_TABLE_TO_XML:
		case F_TABLE_TO_XMLSCHEMA:
		case F_TABLE_TO_XML_AND_XMLSCHEMA:
		case F_SCHEMA_TO_XML:
		case F_SCHEMA_TO_XMLSCHEMA:
		case F_SCHEMA_TO_XML_AND_XMLSCHEMA:
		case F_DATABASE_TO_XML:
		case F_DATABASE_TO_XMLSCHEMA:
		case F_DATABASE_TO_XML_AND_XMLSCHEMA:
		case F_JSON_POPULATE_RECORD:
		case F_JSONB_POPULATE_RECORD:
		case F_TXID_CURRENT:
		case F_PG_CURRENT_XACT_ID:
		case F_CURRENT_SETTING_TEXT:
		case F_CURRENT_SETTING_TEXT_BOOL:
#ifdef F_PG_INPUT_IS_VALID
		case F_PG_INPUT_IS_VALID:
#endif
			return true;
		default:
			return false;
	}
}

static bool
is_ours(Oid function)
{
	return get_func_namespace(function) == wfml_tables()->schema;
}

/* Why a function must not be called; NULL: it may. */
static const char *
function_objection(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	const char *objection = NULL;
	Form_pg_proc form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	if (function >= FirstNormalObjectId && form->pronamespace != wfml_tables()->schema)
		objection = "it is not built in";
	else if (form->prokind != PROKIND_FUNCTION)
		objection = "it is an aggregate, window function or procedure";
	else if (form->proretset)
		objection = "it returns a set";
	else if (form->provolatile == PROVOLATILE_VOLATILE)
		objection = "it is volatile";
	else if (is_far_reaching(function))
		objection = "it reaches beyond the input";
	ReleaseSysCache(tuple);
	return objection;
}

static void
function_refused(const char *name, const char *objection)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("function %s cannot be used in a fallback because %s", name, objection),
			 errhint("%s", allowed_hint)));
}

/* ---- before types are known ---- */

/* Some function of that name must be allowed; which one it is, types decide. */
static void
check_call(const FuncCall *call)
{
	FuncCandidateList candidates;
	const char *objection = NULL;

	if (call->agg_order || call->agg_filter || call->agg_within_group || call->agg_star || call->agg_distinct || call->over)
		not_allowed("an aggregate or window function");
	candidates = FuncnameGetCandidates(call->funcname, -1, NIL, false, false, false, true);
	if (candidates == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s does not exist among those that a fallback may use", NameListToString(call->funcname)),
				 errhint("%s", allowed_hint)));
	for (; candidates; candidates = candidates->next)
	{
		objection = function_objection(candidates->oid);
		if (objection == NULL)
			return;
	}
	function_refused(NameListToString(call->funcname), objection);
}

static void
check_operator(List *name)
{
	const char *schema;
	char	   *operator;

	DeconstructQualifiedName(name, unconstify(char **, &schema), &operator);
	if (schema != NULL && strcmp(schema, "pg_catalog") != 0)
		not_allowed("an operator that is not built in");
	if (OpernameGetCandidates(name, '\0', true) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("operator does not exist: %s", operator)));
}

static const char *
field_name(const ColumnRef *reference)
{
	Node	   *field = linitial(reference->fields);

	if (list_length(reference->fields) != 1 || !IsA(field, String))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"%s\" is no field of the input", NameListToString(reference->fields)),
				 errhint("Write a field's name alone, such as hour.")));
	return strVal(field);
}

static bool
check_parsed_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_ColumnRef:
			(void) field_name((ColumnRef *) node);
			return false;
		case T_SubLink:
			not_allowed("a sub-select");
			break;
		case T_ParamRef:
			not_allowed("a parameter");
			break;
		case T_GroupingFunc:
		case T_CurrentOfExpr:
		case T_SetToDefault:
			not_allowed("this kind of expression");
			break;
		case T_FuncCall:
			check_call((FuncCall *) node);
			break;
		case T_TypeName:
			/* A constant goes through the type's input while it is analyzed. */
			check_type(typenameTypeId(NULL, (TypeName *) node));
			break;
		case T_A_Expr:
			{
				const A_Expr *expression = (A_Expr *) node;

				/* The others' names are words, as BETWEEN. */
				if (expression->kind == AEXPR_OP || expression->kind == AEXPR_OP_ANY || expression->kind == AEXPR_OP_ALL)
					check_operator(expression->name);
				break;
			}
		default:
			break;
	}
	return raw_expression_tree_walker(node, check_parsed_walker, context);
}

void
wfml_rule_check_parsed(Node *parsed)
{
	(void) check_parsed_walker(parsed, NULL);
}

static bool
fields_walker(Node *node, List **fields)
{
	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		Node	   *name = (Node *) makeString(pstrdup(field_name((ColumnRef *) node)));

		if (!list_member(*fields, name))
			*fields = lappend(*fields, name);
		return false;
	}
	return raw_expression_tree_walker(node, fields_walker, fields);
}

List *
wfml_rule_fields(Node *parsed)
{
	List	   *fields = NIL;
	List	   *names = NIL;
	ListCell   *lc;

	(void) fields_walker(parsed, &fields);
	foreach(lc, fields)
		names = lappend(names, strVal(lfirst(lc)));
	return names;
}

/* ---- parsing ---- */

/* Positions are in the expression, not in the statement that runs. */
static void
parse_error(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
	}
	internalerrquery(arg);
}

/* One expression and nothing else that a SELECT could have. */
static Node *
only_expression(const List *parsed)
{
	const SelectStmt *select;
	const ResTarget *target;

	if (list_length(parsed) != 1)
		return NULL;
	select = (SelectStmt *) linitial_node(RawStmt, parsed)->stmt;
	if (!IsA(select, SelectStmt) || select->op != SETOP_NONE || list_length(select->targetList) != 1 ||
		select->distinctClause || select->fromClause || select->whereClause || select->groupClause ||
		select->havingClause || select->windowClause || select->sortClause || select->limitCount ||
		select->limitOffset || select->lockingClause)
		return NULL;
	target = linitial_node(ResTarget, select->targetList);
	return target->name == NULL ? target->val : NULL;
}

Node *
wfml_rule_parse(const char *expression)
{
	ErrorContextCallback callback;
	Node	   *found;

	if (strlen(expression) > WFML_RULE_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a fallback has at most %d bytes", WFML_RULE_LENGTH)));
	callback.callback = parse_error;
	callback.arg = unconstify(char *, expression);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	found = only_expression(raw_parser(expression, RAW_PARSE_PLPGSQL_EXPR));
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a fallback must be one expression"),
				 errhint("For instance: CASE WHEN hour BETWEEN 9 AND 17 THEN 0.8 ELSE 0.3 END.")));
	error_context_stack = callback.previous;
	return found;
}

/* ---- when types are known ---- */

static bool
function_is_refused(Oid function, void *context)
{
	const char *objection = function_objection(function);

	if (objection)
		function_refused(get_func_name(function), objection);
	return false;
}

static bool
check_typed_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	check_functions_in_node(node, function_is_refused, NULL);
	switch (nodeTag(node))
	{
		case T_Param:
			not_allowed("\"" WFML_RULE_INPUT "\" other than as an argument of a prediction");
			return false;
		case T_Var:
			return false;
		case T_CoerceViaIO:
			/* how enums become text */
			check_type(((CoerceViaIO *) node)->resulttype);
			return IsA(((CoerceViaIO *) node)->arg, Var) ? false : expression_tree_walker(node, check_typed_walker, context);
		case T_RelabelType:
			check_type(((RelabelType *) node)->resulttype);
			return IsA(((RelabelType *) node)->arg, Var) ? false : expression_tree_walker(node, check_typed_walker, context);
		case T_FuncExpr:
			{
				const FuncExpr *call = (FuncExpr *) node;
				ListCell   *lc;

				check_type(call->funcresulttype);
				foreach(lc, call->args)
				{
					if (!IsA(lfirst(lc), Param) || !is_ours(call->funcid))
						(void) check_typed_walker(lfirst(lc), context);
				}
				return false;
			}
		case T_Const:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_BoolExpr:
		case T_ArrayCoerceExpr:
		case T_CaseExpr:
		case T_CaseTestExpr:
		case T_ArrayExpr:
		case T_RowCompareExpr:
		case T_CoalesceExpr:
		case T_MinMaxExpr:
		case T_SubscriptingRef:
		case T_CollateExpr:
		case T_SQLValueFunction:
		case T_NullTest:
		case T_BooleanTest:
			check_type(exprType(node));
			break;
		case T_List:
		case T_CaseWhen:
		case T_NamedArgExpr:
			break;
		default:
			not_allowed("this kind of expression");
	}
	return expression_tree_walker(node, check_typed_walker, context);
}

void
wfml_rule_check_typed(Node *expression)
{
	(void) check_typed_walker(expression, NULL);
}
