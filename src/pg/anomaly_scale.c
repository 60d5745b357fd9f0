/*-------------------------------------------------------------------------
 * anomaly_scale.c
 *	  What is usual in a group, as an isolation forest with "scale_by" learned it.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "core/isolation.h"
#include "pg/cache.h"
#include "pg/kind.h"
#include "pg/registry.h"

PG_FUNCTION_INFO_V1(wfml_anomaly_scale);

/* anomaly_scale(model, group_key) → SETOF (feature, median, iqr); no row: it does not know the group */
Datum
wfml_anomaly_scale(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name;
	text	   *key;
	WfmlResolved resolved;
	const WfModel *model;
	const uint32 *features;
	const WfScale *scales;
	uint32		group;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	key = PG_GETARG_TEXT_PP(1);
	wfml_resolve(name, GetUserId(), &resolved);
	model = wfml_cache_get(resolved.id, CurrentMemoryContext)->model;
	wfml_check_task(model, name, WFML_TASK(WF_ANOMALY));
	if (wf_isolation_facts(model->opened)->n_groups == 0)
		return (Datum) 0;
	group = wf_idmap_find(&model->ids[0], VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
	if (group == WF_CODE_MISSING)
		return (Datum) 0;
	scales = wf_isolation_scales(model->opened, group, &features);
	for (uint32 j = 0; scales && j < wf_isolation_facts(model->opened)->n_scaled; j++)
	{
		const WfColumnRecord *column = &model->columns[model->features[features[j]].column];
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = PointerGetDatum(cstring_to_text_with_len(wf_model_string(model, column->name), column->name.length));
		values[1] = Float8GetDatum((double) scales[j].centre);
		values[2] = Float8GetDatum(1 / fabs((double) scales[j].inverse));
		/* No row of the group had a value: there is no usual one. */
		nulls[1] = nulls[2] = scales[j].inverse < 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
