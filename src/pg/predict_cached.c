/*-------------------------------------------------------------------------
 * predict_cached.c
 *	  predict_detail() by way of the session's cache of answers.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "pg/callsite.h"
#include "pg/detail.h"
#include "pg/predcache.h"

static Datum
predict_cached(FunctionCallInfo fcinfo, WfmlInput kind)
{
	WfmlSite   *site;
	WfmlDetail	detail;
	bool		known;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	site = wfml_site(fcinfo);
	wfml_site_use_name(site, PG_GETARG_TEXT_PP(0));
	(void) wfml_site_features(site, kind, PG_GETARG_DATUM(1));
	known = wfml_predcache_predict(site->cached);
	if (site->result == NULL)
		site->result = wfml_detail_desc(fcinfo, site->context);
	wfml_detail_fill(site->cached, site->resolved.version, known ? "cache" : "function", &detail);
	PG_RETURN_DATUM(wfml_detail_row(site->result, &detail));
}

PG_FUNCTION_INFO_V1(wfml_predict_cached_record);
PG_FUNCTION_INFO_V1(wfml_predict_cached_jsonb);
PG_FUNCTION_INFO_V1(wfml_predict_cached_json);

Datum
wfml_predict_cached_record(PG_FUNCTION_ARGS)
{
	return predict_cached(fcinfo, WFML_INPUT_RECORD);
}

Datum
wfml_predict_cached_jsonb(PG_FUNCTION_ARGS)
{
	return predict_cached(fcinfo, WFML_INPUT_JSONB);
}

/* Text that holds JSON, too. */
Datum
wfml_predict_cached_json(PG_FUNCTION_ARGS)
{
	return predict_cached(fcinfo, WFML_INPUT_JSON);
}
