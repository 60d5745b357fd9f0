/*-------------------------------------------------------------------------
 * frequent.c
 *	  frequent_sequences() and is_subsequence().
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "pg/arguments.h"
#include "pg/frequent.h"
#include "pg/idcolumns.h"
#include "pg/input.h"
#include "pg/pghost.h"
#include "pg/settings.h"
#include "pg/source.h"
#include "pg/training.h"

enum
{
	CASE,
	EVENT,
	TIME,
	USER,
	N_COLUMNS
};

/* Whose a case is: the user of its first event, of several the one of smallest hash. */
typedef struct CaseUser
{
	uint64		case_hash;		/* the key; as in WfEventLog */
	double		time;
	uint32		user;			/* code in the dictionary */
} CaseUser;

typedef struct Reader
{
	WfmlRowReader pub;			/* first: a WfmlRowReader * is a Reader * */
	WfHost	   *host;
	WfmlIdColumn columns[N_COLUMNS];
	int			max_attno;
	WfEventLog *log;
	HTAB	   *case_user;		/* NULL: no user column */
	WfDict	   *users;
	uint64		rows;			/* read, those left out too */
} Reader;

/* ---- reading ---- */

static void
start(WfmlRowReader *pub, TupleDesc desc, const WfmlOrigin *origins)
{
	Reader	   *reader = (Reader *) pub;
	MemoryContext context = wfml_host_context(reader->host);
	MemoryContext old = MemoryContextSwitchTo(context);

	wfml_id_columns_find(reader->columns, N_COLUMNS, desc, "source");
	reader->max_attno = wfml_id_columns_max_attno(reader->columns, N_COLUMNS);
	reader->log = wf_eventlog_create(reader->host, reader->columns[TIME].is_clock);
	if (reader->columns[USER].attno)
	{
		HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(CaseUser), .hcxt = context};

		reader->case_user = hash_create("wfml users of cases", 1024, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		reader->users = wf_dict_create_limited(reader->host, WF_DICT_MAX_ENTRIES * 100);
	}
	MemoryContextSwitchTo(old);
}

static void
add_user(Reader *reader, TupleTableSlot *slot, const char *case_id, size_t case_length, double time)
{
	WfmlIdColumn *column = &reader->columns[USER];
	uint64		hash = wf_hash_bytes(case_id, case_length, 1);
	const char *text;
	size_t		length;
	uint32		user;
	CaseUser   *entry;
	bool		found;

	if (column->attno == 0 || slot->tts_isnull[column->attno - 1])
		return;
	text = wfml_id_text(column, slot->tts_values[column->attno - 1], &length);
	user = wf_dict_add(reader->users, text, length);
	if (user == WF_CODE_MISSING)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("user column \"%s\" has too many distinct values", column->name)));
	entry = hash_search(reader->case_user, &hash, HASH_ENTER, &found);
	if (!found || time < entry->time ||
		(time == entry->time && wf_dict_hash(reader->users, user) < wf_dict_hash(reader->users, entry->user)))
	{
		entry->time = time;
		entry->user = user;
	}
}

static bool
row(WfmlRowReader *pub, TupleTableSlot *slot)
{
	Reader	   *reader = (Reader *) pub;
	WfmlIdColumn *columns = reader->columns;
	const char *case_id,
			   *event;
	size_t		case_length,
				event_length;
	double		time;

	slot_getsomeattrs(slot, reader->max_attno);
	reader->rows++;
	for (int i = CASE; i <= TIME; i++)
		if (slot->tts_isnull[columns[i].attno - 1])
			return true;
	time = wfml_id_time(&columns[TIME], slot->tts_values[columns[TIME].attno - 1]);
	if (!isfinite(time))
		return true;
	case_id = wfml_id_text(&columns[CASE], slot->tts_values[columns[CASE].attno - 1], &case_length);
	event = wfml_id_text(&columns[EVENT], slot->tts_values[columns[EVENT].attno - 1], &event_length);
	wf_eventlog_add(reader->log, case_id, case_length, event, event_length, time, NULL, 0);
	add_user(reader, slot, case_id, case_length, time);
	return true;
}

/* By case: the number of its user. */
static uint32_t *
users_of_cases(Reader *reader)
{
	WfEventLog *log = reader->log;
	uint32_t   *user = wf_alloc(reader->host, log->n_cases, sizeof(uint32_t));

	for (uint32 c = 0; c < log->n_cases; c++)
	{
		uint64		hash = log->case_hash[c];
		CaseUser   *entry = hash_search(reader->case_user, &hash, HASH_FIND, NULL);

		user[c] = entry ? entry->user : WF_FREQUENT_NOBODY;
	}
	return user;
}

uint16_t *
wfml_frequent_minutes(WfHost *host, const WfEventLog *log, pg_tz *zone)
{
	uint16_t   *minute = wf_alloc(host, log->n_events, sizeof(uint16_t));
	double		quarter = NAN;	/* zones change at full quarters of an hour */
	double		offset = 0;

	for (uint32 i = 0; i < log->n_events; i++)
	{
		double		of_week;

		if (zone && floor(log->time[i] / 900) != quarter)
		{
			pg_time_t	unix_time = (pg_time_t) floor(log->time[i]) + (pg_time_t) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
			struct pg_tm *local = pg_localtime(&unix_time, zone);

			quarter = floor(log->time[i] / 900);
			offset = local ? local->tm_gmtoff : 0;
		}
		/* 2000-01-01 was a Saturday */
		of_week = fmod(floor((log->time[i] + offset) / SECS_PER_MINUTE) + 5 * MINS_PER_HOUR * HOURS_PER_DAY, WF_FREQUENT_WEEK);
		minute[i] = (uint16_t) (of_week < 0 ? of_week + WF_FREQUENT_WEEK : of_week);
		if (i % 65536 == 0)
			host->check(host);
	}
	return minute;
}

uint32_t *
wfml_frequent_rank(WfHost *host, const WfEventLog *log)
{
	uint32_t   *sorted = wf_dict_sorted(log->dict);
	uint32_t   *of_code = wf_alloc(host, log->n_kinds, sizeof(uint32_t));
	uint32_t   *rank = wf_alloc(host, log->n_kinds, sizeof(uint32_t));

	for (uint32 i = 0; i < log->n_kinds; i++)
		of_code[sorted[i]] = i;
	for (uint32 e = 0; e < log->n_kinds; e++)
		rank[e] = of_code[log->code[e]];
	wf_release(host, of_code);
	return rank;
}

static void
finish_reading(Reader *reader, WfCases *cases)
{
	WfEventLog *log = reader->log;

	wfml_training_check_memory(wf_eventlog_estimate(wf_eventlog_n_rows(log), 1, false),
							   psprintf("The source has " UINT64_FORMAT " rows.", reader->rows));
	wf_eventlog_finish(log);
	wf_frequent_cases(log, cases);
	cases->rank = wfml_frequent_rank(reader->host, log);
	if (log->timed)
		cases->minute = wfml_frequent_minutes(reader->host, log,
											  reader->columns[TIME].type == TIMESTAMPTZOID ? session_timezone : NULL);
	if (reader->case_user)
	{
		cases->user = users_of_cases(reader);
		cases->n_users = wf_dict_size(reader->users);
	}
}

/* ---- telling ---- */

void
wfml_frequent_values(const WfEventLog *log, const WfFrequentPattern *pattern,
					 Datum values[WFML_PATTERN_COLUMNS], bool nulls[WFML_PATTERN_COLUMNS])
{
	Datum		events[WF_FREQUENT_MAX_LENGTH];
	Interval   *gap = palloc0(sizeof(Interval));

	for (uint32 i = 0; i < pattern->n_events; i++)
	{
		size_t		length;
		const char *text = wf_eventlog_text(log, pattern->events[i], &length);

		events[i] = PointerGetDatum(cstring_to_text_with_len(text, (int) length));
	}
	nulls[5] = isnan(pattern->hour);
	nulls[6] = isnan(pattern->weekday_share);
	nulls[7] = isnan(pattern->duration);
	if (!nulls[7])
		gap->time = (int64) rint(pattern->duration * USECS_PER_SEC);
	values[0] = PointerGetDatum(construct_array(events, (int) pattern->n_events, TEXTOID, -1, false, TYPALIGN_INT));
	values[1] = Int32GetDatum((int32) pattern->n_events);
	values[2] = Float8GetDatum(pattern->share);
	values[3] = Int64GetDatum(pattern->n_users);
	values[4] = Float8GetDatum(pattern->lift);
	values[5] = Float8GetDatum(pattern->hour);
	values[6] = Float8GetDatum(pattern->weekday_share);
	values[7] = IntervalPGetDatum(gap);
}

static void
put_patterns(FunctionCallInfo fcinfo, const WfEventLog *log, const WfFrequentSet *set)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "wfml frequent row", ALLOCSET_SMALL_SIZES);

	for (uint32 i = 0; i < set->n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(row_context);
		Datum		values[WFML_PATTERN_COLUMNS];
		bool		nulls[WFML_PATTERN_COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		wfml_frequent_values(log, &set->pattern[i], values, nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
	MemoryContextDelete(row_context);
}

/* ---- the functions ---- */

static double
share_argument(FunctionCallInfo fcinfo, int i)
{
	double		share = PG_ARGISNULL(i) ? NAN : PG_GETARG_FLOAT8(i);

	if (!(share > 0 && share <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("min_support must be above 0 and at most 1"),
				 errhint("It is a share of the cases: 0.01 asks for what one case in a hundred does.")));
	return share;
}

/* Read, mine; the log and the patterns are the host's. */
static void
mine(Reader *reader, const char *source, double share, WfFrequentParams *params, WfFrequentSet *set)
{
	WfCases		cases;
	bool		is_relation;
	char	   *stored;

	wfml_source_read(wfml_source_query(source, &stored, &is_relation), &reader->pub);
	if (reader->log == NULL || wf_eventlog_n_rows(reader->log) == 0)
		return;
	finish_reading(reader, &cases);
	params->min_cases = wf_frequent_min_cases(cases.n_cases, share);
	wf_frequent_mine(reader->host, &cases, params, set);
	if (set->too_many)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d sequences are in %u or more of %u cases",
						WFML_FREQUENT_FOUND, params->min_cases, cases.n_cases),
				 errhint("Raise min_support, lower max_length, or set max_gap.")));
}

static int32
length_argument(FunctionCallInfo fcinfo, int i)
{
	int32		length = PG_ARGISNULL(i) ? 0 : PG_GETARG_INT32(i);

	if (length < 2 || length > WF_FREQUENT_MAX_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_length must be between 2 and %d", WF_FREQUENT_MAX_LENGTH)));
	return length;
}

PG_FUNCTION_INFO_V1(wfml_frequent_sequences);

/* frequent_sequences(source, case_column, event_column, time_column, min_support, max_length, max_gap, user_column) */
Datum
wfml_frequent_sequences(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml frequent sequences", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	char	   *source = wfml_argument_text(fcinfo, 0, "source");
	double		share = share_argument(fcinfo, 4);
	WfFrequentSet set = {0};
	WfFrequentParams params = {
		.max_length = (uint32) length_argument(fcinfo, 5),
		.max_gap = PG_ARGISNULL(6) ? INFINITY : wfml_interval_seconds(PG_GETARG_INTERVAL_P(6)),
		.max_found = WFML_FREQUENT_FOUND,
	};
	Reader		reader = {
		.pub = {.start = start, .row = row},
		.columns = {
			[CASE] = {.name = wfml_argument_text(fcinfo, 1, "case_column"), .role = "case", .kind = WFML_ID_TEXT},
			[EVENT] = {.name = wfml_argument_text(fcinfo, 2, "event_column"), .role = "event", .kind = WFML_ID_TEXT, .clip = true},
			[TIME] = {.name = wfml_argument_text(fcinfo, 3, "time_column"), .role = "time", .kind = WFML_ID_ORDER},
			[USER] = {.name = wfml_argument_text_or_null(fcinfo, 7), .role = "user", .kind = WFML_ID_TEXT},
		},
	};

	InitMaterializedSRF(fcinfo, 0);
	old = MemoryContextSwitchTo(context);
	reader.host = wfml_host_create(context);
	wfml_host_limit(reader.host, (size_t) wfml_max_training_memory * 1024, "wfml.max_training_memory");
	mine(&reader, source, share, &params, &set);
	put_patterns(fcinfo, reader.log, &set);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(wfml_is_subsequence);

/* Are the elements of one text[] all in another, in that order?  A NULL element is like no other. */
Datum
wfml_is_subsequence(PG_FUNCTION_ARGS)
{
	ArrayType  *needle = PG_GETARG_ARRAYTYPE_P(0);
	ArrayType  *haystack = PG_GETARG_ARRAYTYPE_P(1);
	Datum	   *wanted,
			   *present;
	bool	   *wanted_null,
			   *present_null;
	int			n_wanted,
				n_present,
				i = 0;

	deconstruct_array(needle, TEXTOID, -1, false, TYPALIGN_INT, &wanted, &wanted_null, &n_wanted);
	deconstruct_array(haystack, TEXTOID, -1, false, TYPALIGN_INT, &present, &present_null, &n_present);
	for (int j = 0; i < n_wanted && j < n_present; j++)
	{
		text	   *a,
				   *b;

		if (wanted_null[i])
			break;
		if (present_null[j])
			continue;
		a = DatumGetTextPP(wanted[i]);
		b = DatumGetTextPP(present[j]);
		if (VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
			memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0)
			i++;
	}
	PG_RETURN_BOOL(i == n_wanted);
}
