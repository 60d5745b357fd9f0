/*-------------------------------------------------------------------------
 * traffic.c
 *	  Which version answers a logged prediction: split_traffic(), end_split().
 *
 * Assignment is a function of the entity and the experiment alone, so an
 * entity stays with its version whoever asks, wherever and however often;
 * raising the share moves entities only from a to b.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "core/dict.h"
#include "core/rng.h"
#include "pg/access.h"
#include "pg/arguments.h"
#include "pg/publish.h"
#include "pg/registry.h"
#include "pg/tables.h"
#include "pg/traffic.h"

PG_FUNCTION_INFO_V1(wfml_split_traffic);
PG_FUNCTION_INFO_V1(wfml_end_split);

/* ---- reading ---- */

static JsonbValue *
member(Jsonb *object, const char *key, JsonbValue *room)
{
	return getKeyJsonValueFromContainer(&object->root, key, (int) strlen(key), room);
}

/* A number of the object within a range; NaN: none. */
static double
number(Jsonb *object, const char *key, double least, double most)
{
	JsonbValue	room;
	JsonbValue *v = member(object, key, &room);
	double		x;

	if (v == NULL || v->type != jbvNumeric)
		return NAN;
	x = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(v->val.numeric)));
	return x >= least && x <= most ? x : NAN;
}

bool
wfml_traffic_parse(Jsonb *traffic, WfmlTraffic *result)
{
	JsonbValue	room;
	JsonbValue *mode;
	double		a,
				b,
				salt;

	if (traffic == NULL || !JB_ROOT_IS_OBJECT(traffic) || member(traffic, "until", &room) != NULL)
		return false;
	a = number(traffic, "a", 1, PG_INT32_MAX);
	b = number(traffic, "b", 1, PG_INT32_MAX);
	result->share = number(traffic, "share", 0, 1);
	if (isnan(a) || isnan(b) || isnan(result->share))
		return false;
	salt = number(traffic, "salt", 0, PG_UINT32_MAX);
	result->salt = isnan(salt) ? 0 : (uint32) salt;
	result->version_a = (int32) a;
	result->version_b = (int32) b;
	mode = member(traffic, "mode", &room);
	result->shadow = mode != NULL && mode->type == jbvString &&
		mode->val.string.len == 6 && memcmp(mode->val.string.val, "shadow", 6) == 0;
	return true;
}

bool
wfml_traffic_chooses_b(const WfmlTraffic *traffic, uint64 hash)
{
	return wf_rng_unit(wf_rng(hash, traffic->salt)) < traffic->share;
}

uint64
wfml_traffic_hash(const void *bytes, size_t length)
{
	/* Of the hash of stored models, which therefore never changes. */
	return wf_hash_bytes(bytes, length, 0);
}

/* ---- changing ---- */

void
wfml_traffic_end(const char *name, int32 version)
{
	Oid			types[] = {TEXTOID, INT4OID};
	Datum		values[] = {CStringGetTextDatum(name), Int32GetDatum(version)};
	bool		isnull;

	if (wfml_execute("UPDATE wfml.registry"
					 " SET traffic = traffic || jsonb_build_object('until', to_jsonb(clock_timestamp()))"
					 " WHERE name = $1 AND traffic ? 'a' AND NOT traffic ? 'until'"
					 " AND ($2 = 0 OR traffic -> 'a' = to_jsonb($2) OR traffic -> 'b' = to_jsonb($2))"
					 " RETURNING traffic ->> 'a', traffic ->> 'b'", 2, types, values, NULL) > 0)
		ereport(NOTICE,
				(errmsg("traffic of model \"%s\" is no longer split between versions %s and %s", name,
						TextDatumGetCString(wfml_result(0, 1, &isnull)),
						TextDatumGetCString(wfml_result(0, 2, &isnull)))));
}

static void
check_version(const char *name, int32 version)
{
	Oid			types[] = {TEXTOID, INT4OID};
	Datum		values[] = {CStringGetTextDatum(name), Int32GetDatum(version)};
	bool		isnull;

	if (wfml_execute("SELECT status = 'retired', task FROM wfml.ml_model WHERE name = $1 AND version = $2",
					 2, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_UNKNOWN_MODEL),
				 errmsg("model \"%s\" has no version %d", name, version),
				 errhint("The view wfml.versions lists its versions.")));
	if (DatumGetBool(wfml_result(0, 1, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" is retired", version, name),
				 errhint("wfml.activate() brings a retired version back.")));
}

static void
check_tasks(const char *name, int32 a, int32 b)
{
	Oid			types[] = {TEXTOID, INT4OID, INT4OID};
	Datum		values[] = {CStringGetTextDatum(name), Int32GetDatum(a), Int32GetDatum(b)};

	check_version(name, a);
	check_version(name, b);
	if (wfml_execute("SELECT FROM wfml.ml_model WHERE name = $1 AND version IN ($2, $3)"
					 " AND task NOT IN ('classification', 'regression', 'anomaly')", 3, types, values, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_WRONG_KIND),
				 errmsg("model \"%s\" makes no predictions that are logged", name),
				 errdetail("Traffic can be split between versions that predict from a row.")));
	if (wfml_execute("SELECT FROM wfml.ml_model x, wfml.ml_model y WHERE x.name = $1 AND x.version = $2"
					 " AND y.name = $1 AND y.version = $3 AND x.task = y.task", 3, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WFML_WRONG_KIND),
				 errmsg("versions %d and %d of model \"%s\" do different tasks", a, b, name)));
}

static bool
is_shadow(const char *mode)
{
	if (strcmp(mode, "shadow") == 0)
		return true;
	if (strcmp(mode, "route") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown mode \"%s\"", mode),
				 errhint("\"route\" lets version b answer for its share, \"shadow\" asks it beside version a.")));
	return false;
}

static void
store_split(const char *name, const WfmlTraffic *t)
{
	Oid			types[] = {TEXTOID, INT4OID, INT4OID, FLOAT8OID, TEXTOID, INT8OID};
	Datum		values[6];
	bool		isnull;
	uint64		salt;

	values[0] = CStringGetTextDatum(name);
	wfml_execute("SELECT number FROM wfml.registry WHERE name = $1", 1, types, values, NULL);
	/* Who goes where depends on the model and the pair: another share moves as few as can be. */
	salt = wf_rng((uint64) DatumGetInt64(wfml_result(0, 1, &isnull)),
				  wf_rng((uint64) t->version_a, (uint64) t->version_b)) >> 32;
	values[1] = Int32GetDatum(t->version_a);
	values[2] = Int32GetDatum(t->version_b);
	values[3] = Float8GetDatum(t->share);
	values[4] = CStringGetTextDatum(t->shadow ? "shadow" : "route");
	values[5] = Int64GetDatum((int64) salt);
	wfml_execute("UPDATE wfml.registry SET traffic = jsonb_build_object('a', $2, 'b', $3, 'share', $4,"
				 " 'mode', $5, 'salt', $6, 'since', clock_timestamp()) WHERE name = $1",
				 6, types, values, NULL);
}

/* Check before taking a lock, so that a stranger cannot even hold it up. */
static void
begin_change(WfmlWriter *writer, const char *command, const char *name)
{
	Oid			user = GetUserId();
	WfmlLocked	locked;

	wfml_check_owner(name);
	wfml_write_begin(writer, command);
	if (!wfml_lock_model(name, user, &locked))
		wfml_unknown_model(name, user);
}

/* split_traffic(model, version_a, version_b, share, mode) */
Datum
wfml_split_traffic(PG_FUNCTION_ARGS)
{
	char	   *name = wfml_argument_text(fcinfo, 0, "model");
	WfmlTraffic t = {0};
	WfmlWriter	writer;

	for (int i = 1; i <= 3; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("version_a, version_b and share must not be null"),
					 errhint("wfml.end_split() ends a split.")));
	t.version_a = PG_GETARG_INT32(1);
	t.version_b = PG_GETARG_INT32(2);
	t.share = PG_GETARG_FLOAT8(3);
	t.shadow = is_shadow(wfml_argument_text(fcinfo, 4, "mode"));
	if (!(t.share >= 0 && t.share <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("share must be between 0 and 1"),
				 errdetail("It is the share of predictions that version_b makes.")));
	if (t.version_a == t.version_b)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version_a and version_b must differ")));
	begin_change(&writer, "wfml.split_traffic()", name);
	check_tasks(name, t.version_a, t.version_b);
	store_split(name, &t);
	wfml_write_end(&writer);
	PG_RETURN_VOID();
}

/* end_split(model): false when nothing was split */
Datum
wfml_end_split(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			types[] = {TEXTOID};
	Datum		values[] = {PG_GETARG_DATUM(0)};
	WfmlWriter	writer;
	bool		ended;

	begin_change(&writer, "wfml.end_split()", name);
	ended = wfml_execute("UPDATE wfml.registry"
						 " SET traffic = traffic || jsonb_build_object('until', to_jsonb(clock_timestamp()))"
						 " WHERE name = $1 AND traffic ? 'a' AND NOT traffic ? 'until'",
						 1, types, values, NULL) > 0;
	wfml_write_end(&writer);
	PG_RETURN_BOOL(ended);
}
