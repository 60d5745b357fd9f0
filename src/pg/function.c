/*-------------------------------------------------------------------------
 * function.c
 *	  create_function: a prediction as a computed column of a table.
 *
 * The function belongs to the caller and is plain SQL, so the planner inlines
 * it, PostgreSQL tracks that it needs wfml, and drop_model() finds it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/varlena.h"

#include "pg/cache.h"
#include "pg/compat.h"
#include "pg/kind.h"
#include "pg/registry.h"

PG_FUNCTION_INFO_V1(wfml_create_function);

/* "schema.name", quoted; the relation's schema when none is given. */
static char *
function_name(text *given, Oid relation)
{
	List	   *names = textToQualifiedNameList(given);
	char	   *schema;
	char	   *name;

	DeconstructQualifiedName(names, &schema, &name);
	if (schema == NULL)
		schema = get_namespace_name(get_rel_namespace(relation));
	return quote_qualified_identifier(schema, name);
}

static char *
relation_type(Oid relation)
{
	Oid			type = get_rel_type_id(relation);

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" has no row type", get_rel_name(relation))));
	return format_type_be_qualified(type);
}

static void
run(const char *sql)
{
	int			rc;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	rc = SPI_execute(sql, false, 0);
	if (rc < 0)
		elog(ERROR, "could not execute \"%s\": %s", sql, SPI_result_code_string(rc));
	SPI_finish();
}

/* create_function(model, function_name, relation) → the function */
Datum
wfml_create_function(PG_FUNCTION_ARGS)
{
	char	   *reference = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			relation = PG_GETARG_OID(2);
	char	   *type = relation_type(relation);
	char	   *name = function_name(PG_GETARG_TEXT_PP(1), relation);
	WfmlResolved resolved;
	const WfmlCached *cached;
	bool		labels;

	wfml_resolve(reference, GetUserId(), &resolved);
	cached = wfml_cache_get(resolved.id, CurrentMemoryContext);
	wfml_check_task(cached->model, resolved.name, WFML_TABLE_TASKS);
	/* Columns that do not fit are an error now, not at the first use. */
	(void) wfml_cache_rowmap(cached, resolved.name, get_rel_type_id(relation), -1, CurrentMemoryContext);
	labels = cached->model->header->n_classes > 2;
	run(psprintf("CREATE FUNCTION %s(%s) RETURNS %s LANGUAGE sql STABLE PARALLEL SAFE COST 200"
				 " BEGIN ATOMIC SELECT wfml.%s(%s::pg_catalog.text, $1); END",
				 name, type, labels ? "pg_catalog.text" : "pg_catalog.float8",
				 labels ? "classify" : "predict", quote_literal_cstr(reference)));
	return DirectFunctionCall1(regprocedurein, CStringGetDatum(psprintf("%s(%s)", name, type)));
}
