/*-------------------------------------------------------------------------
 * eventsource.c
 *	  A source of events (table, view or query) into an event log.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "pg/eventsource.h"
#include "pg/idcolumns.h"
#include "pg/pghost.h"
#include "pg/source.h"
#include "pg/training.h"

/* Rows between two reports of progress. */
#define REPORT_ROWS 10000

enum
{
	CASE,
	EVENT,
	TIME,
	TIE
};

typedef struct EventReader
{
	WfmlRowReader pub;			/* first: a WfmlRowReader * is an EventReader * */
	WfHost	   *host;
	WfmlEventSource *source;
	WfmlIdColumn columns[WFML_EVENT_COLUMNS];
	int			max_attno;
} EventReader;

/* Ties of numbers and times compare as such, others by their text. */
static WfmlIdKind
tie_kind(const char *name, TupleDesc desc)
{
	for (int i = 0; name && i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		WfColumnKind kind;

		if (attribute->attisdropped || strcmp(NameStr(attribute->attname), name) != 0 ||
			!wfml_type_kind(attribute->atttypid, &kind))
			continue;
		if (kind == WF_COL_TIMESTAMP || kind == WF_COL_DATE)
			return WFML_ID_ORDER;
		if (kind == WF_COL_NUMBER || kind == WF_COL_BOOLEAN)
			return WFML_ID_NUMBER;
	}
	return WFML_ID_TEXT;
}

static void
start(WfmlRowReader *pub, TupleDesc desc, const WfmlOrigin *origins)
{
	EventReader *reader = (EventReader *) pub;
	MemoryContext old = MemoryContextSwitchTo(wfml_host_context(reader->host));

	reader->columns[TIE].kind = tie_kind(reader->columns[TIE].name, desc);
	wfml_id_columns_find(reader->columns, WFML_EVENT_COLUMNS, desc, "source");
	reader->max_attno = wfml_id_columns_max_attno(reader->columns, WFML_EVENT_COLUMNS);
	for (int i = 0; i < WFML_EVENT_COLUMNS; i++)
		if (reader->columns[i].attno)
			reader->source->columns[i].type = TupleDescAttr(desc, reader->columns[i].attno - 1)->atttypid;
	if (reader->columns[TIME].is_clock)
		reader->source->zone = pstrdup(pg_get_timezone_name(session_timezone));
	reader->source->log = wf_eventlog_create(reader->host, reader->columns[TIME].is_clock);
	MemoryContextSwitchTo(old);
}

/* The tie of a row; NULL: none. */
static const char *
tie_of(EventReader *reader, TupleTableSlot *slot, char number[8], size_t *length)
{
	WfmlIdColumn *column = &reader->columns[TIE];
	Datum		value;

	*length = 0;
	if (column->attno == 0 || slot->tts_isnull[column->attno - 1])
		return NULL;
	value = slot->tts_values[column->attno - 1];
	if (column->kind == WFML_ID_TEXT)
		return wfml_id_text(column, value, length);
	wf_eventlog_tie(column->kind == WFML_ID_ORDER ? wfml_id_time(column, value) : wfml_id_number(column, value), number);
	*length = 8;
	return number;
}

/* False: NULL where a value is needed. */
static bool
is_whole(EventReader *reader, const TupleTableSlot *slot)
{
	bool		whole = true;

	for (int i = 0; i < WFML_EVENT_COLUMNS; i++)
		if (reader->columns[i].attno && slot->tts_isnull[reader->columns[i].attno - 1])
		{
			reader->source->columns[i].nulls++;
			whole = whole && i == TIE;
		}
	return whole;
}

static bool
row(WfmlRowReader *pub, TupleTableSlot *slot)
{
	EventReader *reader = (EventReader *) pub;
	WfmlEventSource *source = reader->source;
	WfmlIdColumn *columns = reader->columns;
	const char *case_id,
			   *event,
			   *tie;
	size_t		case_length,
				event_length,
				tie_length;
	char		number[8];
	double		time;

	slot_getsomeattrs(slot, reader->max_attno);
	if (++source->rows_read % REPORT_ROWS == 0)
		reader->host->progress(reader->host, WF_PHASE_READ, source->rows_read, 0);
	if (!is_whole(reader, slot))
	{
		source->without++;
		return true;
	}
	time = wfml_id_time(&columns[TIME], slot->tts_values[columns[TIME].attno - 1]);
	if (!isfinite(time))
	{
		source->timeless++;
		return true;
	}
	case_id = wfml_id_text(&columns[CASE], slot->tts_values[columns[CASE].attno - 1], &case_length);
	event = wfml_id_text(&columns[EVENT], slot->tts_values[columns[EVENT].attno - 1], &event_length);
	tie = tie_of(reader, slot, number, &tie_length);
	wf_eventlog_add(source->log, case_id, case_length, event, event_length, time, tie, tie_length);
	return true;
}

static void
check_rows(const WfmlEventSource *source, const WfmlEventRequest *request)
{
	if (source->rows_read == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("source \"%s\" returned no rows", request->source)));
	if (source->without + source->timeless == source->rows_read)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("none of " UINT64_FORMAT " rows has a case, an event and a time", source->rows_read)));
}

WfmlEventSource *
wfml_events_read(WfHost *host, const WfmlEventRequest *request)
{
	MemoryContext old = MemoryContextSwitchTo(wfml_host_context(host));
	WfmlEventSource *source = palloc0(sizeof(WfmlEventSource));
	EventReader reader = {
		.pub = {.start = start, .row = row},
		.host = host,
		.source = source,
		.columns = {
			[CASE] = {.name = request->case_column, .role = "case", .kind = WFML_ID_TEXT},
			[EVENT] = {.name = request->event_column, .role = "event", .kind = WFML_ID_TEXT, .clip = true},
			[TIME] = {.name = request->time_column, .role = "time", .kind = WFML_ID_TIME},
			[TIE] = {.name = request->tie_column, .role = "tie", .clip = true},
		},
	};
	bool		is_relation;
	char	   *query = wfml_source_query(request->source, &source->stored_source, &is_relation);

	for (int i = 0; i < WFML_EVENT_COLUMNS; i++)
	{
		source->columns[i].name = reader.columns[i].name;
		source->columns[i].role = reader.columns[i].role;
	}
	wfml_source_read(query, &reader.pub);
	check_rows(source, request);
	host->progress(host, WF_PHASE_READ, source->rows_read, source->rows_read);
	wfml_training_check_memory(wf_eventlog_estimate(wf_eventlog_n_rows(source->log), 1, request->tie_column != NULL),
							   psprintf("The source has " UINT64_FORMAT " rows.", source->rows_read));
	wf_eventlog_finish(source->log);
	MemoryContextSwitchTo(old);
	return source;
}

void
wfml_events_notice(const WfmlEventSource *source)
{
	StringInfoData detail;
	uint64		n = source->without + source->timeless;

	if (n == 0)
		return;
	initStringInfo(&detail);
	for (int i = CASE; i <= TIME; i++)
		if (source->columns[i].nulls > 0)
			appendStringInfo(&detail, "%sno %s in " UINT64_FORMAT, detail.len ? ", " : "",
							 source->columns[i].role, source->columns[i].nulls);
	if (source->timeless > 0)
		appendStringInfo(&detail, "%san infinite time or NaN in " UINT64_FORMAT, detail.len ? ", " : "",
						 source->timeless);
	ereport(NOTICE,
			(errmsg_plural(UINT64_FORMAT " row left out: %s", UINT64_FORMAT " rows left out: %s",
						   (unsigned long) n, n, detail.data)));
}
