/*-------------------------------------------------------------------------
 * need_kept.c
 *	  The needs in tables, so that asking for them takes no search.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"

#include "pg/need.h"
#include "pg/tables.h"

/* ---- writing ---- */

static void
keep_need(int64 binding, const WfmlNeed *need)
{
	Oid			types[] = {INT8OID, INT4OID, TEXTARRAYOID, INT4OID, FLOAT8OID, INT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID,
	INTERVALOID, INT8OID, FLOAT8OID};
	Datum		values[WFML_PATTERN_COLUMNS + 4];
	char		nulls[WFML_PATTERN_COLUMNS + 4];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int64GetDatum(binding);
	values[1] = Int32GetDatum(need->place);
	for (int i = 0; i < WFML_PATTERN_COLUMNS; i++)
	{
		values[2 + i] = need->values[i];
		nulls[2 + i] = need->nulls[i] ? 'n' : ' ';
	}
	values[WFML_PATTERN_COLUMNS + 2] = Int64GetDatum(need->sessions);
	values[WFML_PATTERN_COLUMNS + 3] = Float8GetDatum(need->saving);
	wfml_execute("INSERT INTO wfml.need (binding, place, events, n_events, support, users, lift, typical_hour, weekday_share, gap, sessions, saving)"
				 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)", lengthof(types), types, values, nulls);
}

/* Users at a time: arrays stay small. */
#define BATCH 10000

static void
keep_users(int64 binding, int place, const WfmlNeedUser *user, int n)
{
	Oid			types[] = {INT8OID, INT4OID, INT8ARRAYOID, INT8ARRAYOID, FLOAT8ARRAYOID};
	Datum	   *column[3];

	for (int k = 0; k < 3; k++)
		column[k] = palloc(sizeof(Datum) * BATCH);
	for (int first = 0; first < n; first += BATCH)
	{
		int			m = Min(BATCH, n - first);
		Datum		values[5] = {Int64GetDatum(binding), Int32GetDatum(place)};

		for (int i = 0; i < m; i++)
		{
			column[0][i] = Int64GetDatum(user[first + i].user_hash);
			column[1][i] = Int64GetDatum(user[first + i].sessions);
			column[2][i] = Float8GetDatum(user[first + i].saving);
		}
		for (int k = 0; k < 3; k++)
			values[2 + k] = PointerGetDatum(construct_array(column[k], m, k == 2 ? FLOAT8OID : INT8OID, 8, true, TYPALIGN_DOUBLE));
		wfml_execute("INSERT INTO wfml.need_user (binding, user_hash, place, sessions, saving)"
					 " SELECT $1, u.h, $2, u.n, u.s FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5)) u(h, n, s)", 5, types, values, NULL);
	}
}

void
wfml_needs_keep(const WfmlBinding *binding, const WfmlNeeds *needs)
{
	Oid			types[] = {INT8OID, INT8OID, INT8OID, FLOAT8OID};
	Datum		values[] = {Int64GetDatum(binding->id), Int64GetDatum(needs->sessions), Int64GetDatum(needs->users),
	Float8GetDatum(needs->min_support)};
	WfmlWriter	writer;

	wfml_write_begin(&writer, "wfml.refresh_needs()");
	/* this row is also the lock on the rest */
	wfml_execute("INSERT INTO wfml.need_refresh (binding, sessions, users, min_support) VALUES ($1, $2, $3, $4)"
				 " ON CONFLICT (binding) DO UPDATE SET made_at = pg_catalog.now(), sessions = $2, users = $3, min_support = $4",
				 4, types, values, NULL);
	wfml_execute("DELETE FROM wfml.need WHERE binding OPERATOR(pg_catalog.=) $1", 1, types, values, NULL);
	wfml_execute("DELETE FROM wfml.need_refresh r WHERE r.binding OPERATOR(pg_catalog.<>) $1 AND NOT EXISTS"
				 " (SELECT FROM wfml.source_binding b WHERE b.id OPERATOR(pg_catalog.=) r.binding)", 1, types, values, NULL);
	for (int i = 0; i < needs->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		keep_need(binding->id, &needs->need[i]);
		keep_users(binding->id, needs->need[i].place, needs->by_user[i], needs->n_by_user[i]);
	}
	wfml_write_end(&writer);
}

/* ---- reading ---- */

#define NEED_COLUMNS "n.events, n.n_events, n.support, n.users, n.lift, n.typical_hour, n.weekday_share, n.gap"

/* A row without events says only that something was kept. */
static SPIPlanPtr
plan_of(bool of_user)
{
	static SPIPlanPtr kept[2];
	Oid			types[] = {INT8OID, INT8OID};

	if (kept[of_user] == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(of_user
									   ? "SELECT r.made_at, " NEED_COLUMNS ", u.sessions, u.saving FROM wfml.need_refresh r"
									   " LEFT JOIN (wfml.need_user u JOIN wfml.need n ON n.binding OPERATOR(pg_catalog.=) $1"
									   " AND n.place OPERATOR(pg_catalog.=) u.place) ON u.binding OPERATOR(pg_catalog.=) $1"
									   " AND u.user_hash OPERATOR(pg_catalog.=) $2"
									   " WHERE r.binding OPERATOR(pg_catalog.=) $1 ORDER BY u.saving DESC, u.place"
									   : "SELECT r.made_at, " NEED_COLUMNS ", n.sessions, n.saving FROM wfml.need_refresh r"
									   " LEFT JOIN wfml.need n ON n.binding OPERATOR(pg_catalog.=) $1"
									   " WHERE r.binding OPERATOR(pg_catalog.=) $1 ORDER BY n.place",
									   2, types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare the query of needs");
		kept[of_user] = plan;
	}
	return kept[of_user];
}

static void
copy_need(WfmlNeed *need, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	for (int i = 0; i < WFML_PATTERN_COLUMNS; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i + 1);
		Datum		value = heap_getattr(tuple, i + 2, desc, &need->nulls[i]);

		if (need->nulls[i])
			continue;
		need->values[i] = attribute->attlen == -1 ? PointerGetDatum(PG_DETOAST_DATUM_COPY(value))
			: datumCopy(value, attribute->attbyval, attribute->attlen);
	}
	need->sessions = DatumGetInt64(heap_getattr(tuple, WFML_PATTERN_COLUMNS + 2, desc, &isnull));
	need->saving = DatumGetFloat8(heap_getattr(tuple, WFML_PATTERN_COLUMNS + 3, desc, &isnull));
}

bool
wfml_needs_kept(const WfmlBinding *binding, const int64 *user_hash, WfmlNeeds *needs)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		values[] = {Int64GetDatum(binding->id), Int64GetDatum(user_hash ? *user_hash : 0)};
	MemoryContext old;
	WfmlWriter	writer;
	bool		found;

	memset(needs, 0, sizeof(*needs));
	wfml_write_begin(&writer, NULL);
	if (SPI_execute_plan(plan_of(user_hash != NULL), values, NULL, true, 0) < 0)
		elog(ERROR, "could not read the needs");
	found = SPI_processed > 0;
	old = MemoryContextSwitchTo(context);
	needs->need = palloc0(sizeof(WfmlNeed) * (SPI_processed + 1));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		needs->made_at = DatumGetTimestampTz(heap_getattr(tuple, 1, desc, &isnull));
		(void) heap_getattr(tuple, 2, desc, &isnull);
		if (!isnull)
			copy_need(&needs->need[needs->n++], tuple, desc);
	}
	MemoryContextSwitchTo(old);
	wfml_write_end(&writer);
	return found;
}
