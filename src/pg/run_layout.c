/*-------------------------------------------------------------------------
 * run_layout.c
 *	  The columns of a row of run features, by what is bound.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/run_features.h"

/* Zones change their offset at full quarters of an hour. */
#define QUARTER_SECONDS 900
#define WEEK_MINUTES 10080
/* 2000-01-01, where timestamps begin, was a Saturday. */
#define EPOCH_MINUTE (5 * 1440)

static bool
is_number(const char *type)
{
	static const char *const numbers[] = {
		"smallint", "integer", "bigint", "real", "double precision", "numeric", "boolean"
	};

	for (size_t i = 0; i < lengthof(numbers); i++)
	{
		size_t		length = strlen(numbers[i]);

		if (strncmp(type, numbers[i], length) == 0 && (type[length] == '\0' || type[length] == '('))
			return true;
	}
	return false;
}

/* Cut as a column's name is cut, so that names agree in jsonb and in a list of columns. */
static const char *
column_name(const char *prefix, const char *name)
{
	char	   *full = psprintf("%s%s", prefix, name);
	int			length = (int) strlen(full);

	full[length < NAMEDATALEN ? length : pg_mbcliplen(full, length, NAMEDATALEN - 1)] = '\0';
	return full;
}

static void
add_column(WfmlRunLayout *layout, const char *name, bool is_text)
{
	layout->names[layout->n_columns] = name;
	layout->is_text[layout->n_columns++] = is_text;
}

static void
read_known(WfmlRunLayout *layout)
{
	Datum	   *names;
	bool	   *nulls;

	deconstruct_array(layout->binding->known_at_start, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &layout->n_known);
	layout->known = palloc0(sizeof(WfmlKnownColumn) * (layout->n_known + 1));
	for (int i = 0; i < layout->n_known; i++)
	{
		WfmlKnownColumn *known = &layout->known[i];
		const char *type;

		known->name = TextDatumGetCString(names[i]);
		type = wfml_binding_type(layout->binding, known->name);
		known->category = type == NULL || !is_number(type);
		layout->n_levels += known->category;
	}
}

WfmlRunLayout *
wfml_run_layout(void)
{
	WfmlRunLayout *layout = palloc0(sizeof(WfmlRunLayout));
	int			most;

	layout->binding = wfml_binding_find("runs", false);
	layout->zone = pg_tzset(layout->binding->timezone);
	if (layout->zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" of the binding \"runs\" is not known to this server", layout->binding->timezone)));
	read_known(layout);
	most = 1 + WF_RUN_N_FEATURES + layout->n_known * (1 + WF_LEVEL_N_FEATURES);
	layout->names = palloc(sizeof(char *) * most);
	layout->is_text = palloc(sizeof(bool) * most);
	add_column(layout, "workflow_id", true);
	for (int i = 0; i < WF_RUN_N_FEATURES; i++)
		add_column(layout, wf_run_feature_name(i), false);
	for (int i = 0; i < layout->n_known; i++)
	{
		WfmlKnownColumn *known = &layout->known[i];

		known->place = layout->n_columns;
		add_column(layout, column_name("known_", known->name), known->category);
		for (int j = 0; known->category && j < WF_LEVEL_N_FEATURES; j++)
			add_column(layout, column_name(wf_level_feature_name(j), known->name), false);
	}
	return layout;
}

void
wfml_run_append_known(StringInfo sql, const WfmlRunLayout *layout, const WfmlKnownColumn *column)
{
	const char *type = wfml_binding_type(layout->binding, column->name);

	appendStringInfo(sql, "q.%s", quote_identifier(column->name));
	if (type && strcmp(type, "boolean") == 0)
		appendStringInfoString(sql, "::pg_catalog.int4");
	appendStringInfoString(sql, column->category ? "::pg_catalog.text" : "::pg_catalog.float8");
}

int16
wfml_run_minute(const WfmlRunLayout *layout, TimestampTz at)
{
	/* Offsets of the quarter last asked for: runs come in the order of time. */
	static pg_tz *zone = NULL;
	static int64 quarter = PG_INT64_MIN;
	static int64 offset = 0;
	int64		seconds = at / USECS_PER_SEC - (at % USECS_PER_SEC < 0);
	int64		mine = seconds / QUARTER_SECONDS - (seconds % QUARTER_SECONDS < 0);
	int64		minute;

	if (mine != quarter || layout->zone != zone)
	{
		pg_time_t	unix_time = (pg_time_t) (mine * QUARTER_SECONDS) +
			((pg_time_t) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY);
		struct pg_tm *local = pg_localtime(&unix_time, layout->zone);

		offset = local ? local->tm_gmtoff : 0;
		quarter = mine;
		zone = layout->zone;
	}
	seconds += offset;
	minute = (seconds / SECS_PER_MINUTE - (seconds % SECS_PER_MINUTE < 0) + EPOCH_MINUTE) % WEEK_MINUTES;
	return (int16) (minute < 0 ? minute + WEEK_MINUTES : minute);
}
