/*-------------------------------------------------------------------------
 * input.c
 *	  Values of SQL types into numbers, times and bytes.
 *
 * The same Datum must give the same value at training and at prediction, in
 * any session: nothing here depends on DateStyle, IntervalStyle,
 * extra_float_digits, or bytea_output.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "pg/compat.h"
#include "pg/idcolumns.h"
#include "pg/input.h"

/* ---- numbers ---- */

static double
number_from_bool(WfmlConverter *c, Datum value)
{
	return DatumGetBool(value) ? 1.0 : 0.0;
}

static double
number_from_int2(WfmlConverter *c, Datum value)
{
	return DatumGetInt16(value);
}

static double
number_from_int4(WfmlConverter *c, Datum value)
{
	return DatumGetInt32(value);
}

static double
number_from_int8(WfmlConverter *c, Datum value)
{
	return (double) DatumGetInt64(value);
}

static double
number_from_float4(WfmlConverter *c, Datum value)
{
	return DatumGetFloat4(value);
}

static double
number_from_float8(WfmlConverter *c, Datum value)
{
	return DatumGetFloat8(value);
}

static double
number_from_numeric(WfmlConverter *c, Datum value)
{
	return wfml_numeric_double(value);
}

double
wfml_interval_seconds(const Interval *span)
{
#ifdef INTERVAL_NOT_FINITE
	if (INTERVAL_NOT_FINITE(span))
		return INTERVAL_IS_NOBEGIN(span) ? -HUGE_VAL : HUGE_VAL;
#endif
	return (double) span->time / USECS_PER_SEC +
		(double) span->day * SECS_PER_DAY +
		(double) (span->month / MONTHS_PER_YEAR) * (DAYS_PER_YEAR * SECS_PER_DAY) +
		(double) (span->month % MONTHS_PER_YEAR) * ((double) DAYS_PER_MONTH * SECS_PER_DAY);
}

static double
number_from_interval(WfmlConverter *c, Datum value)
{
	return wfml_interval_seconds(DatumGetIntervalP(value));
}

/*
 * The server turns a numeric into a double by printing and parsing it, 300 ns.
 * Most values have at most 15 digits: then the digits and the power of ten
 * are exact doubles and one multiplication or division rounds correctly
 * (Clinger 1990), so the result is the same.  The layout read here is the
 * stored one, which pg_upgrade keeps.
 */
double
wfml_numeric_double(Datum value)
{
	static const double power[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
	};
	struct varlena *v = (struct varlena *) DatumGetPointer(value);
	const char *p;
	Size		size;
	uint16		header;
	int			weight,
				n_digits,
				exponent;
	bool		negative;
	uint64		digits = 0;

	if (VARATT_IS_EXTERNAL(v) || VARATT_IS_COMPRESSED(v))
		return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
	p = VARDATA_ANY(v);
	size = VARSIZE_ANY_EXHDR(v);
	memcpy(&header, p, sizeof(header));
	if ((header & 0xC000) == 0xC000)	/* NaN, infinities */
		return (header & 0xF000) == 0xC000 ? (double) NAN :
			(header & 0xF000) == 0xD000 ? HUGE_VAL : -HUGE_VAL;
	if (header & 0x8000)		/* short form: sign, scale and weight in the header */
	{
		negative = (header & 0x2000) != 0;
		weight = (header & 0x0040) ? (int) (header & 0x003F) - 64 : (int) (header & 0x003F);
		p += sizeof(uint16);
		n_digits = (int) ((size - sizeof(uint16)) / sizeof(int16));
	}
	else
	{
		int16		stored;

		negative = (header & 0x4000) != 0;
		memcpy(&stored, p + sizeof(uint16), sizeof(stored));
		weight = stored;
		p += 2 * sizeof(uint16);
		n_digits = (int) ((size - 2 * sizeof(uint16)) / sizeof(int16));
	}
	if (n_digits == 0)
		return 0.0;
	exponent = 4 * (weight - n_digits + 1);
	if (n_digits <= 4 && exponent >= -22 && exponent <= 22)
	{
		for (int i = 0; i < n_digits; i++, p += sizeof(int16))
		{
			int16		digit;

			memcpy(&digit, p, sizeof(digit));
			digits = digits * 10000 + (uint64) digit;
		}
		if (digits <= (UINT64CONST(1) << 53))
		{
			double		r = exponent < 0 ? (double) digits / power[-exponent] :
				(double) digits * power[exponent];

			return negative ? -r : r;
		}
	}
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
}

/* ---- times ---- */

static void
split_usec(int64 local, int64 *days, int64 *usec)
{
	*days = local / USECS_PER_DAY;
	*usec = local % USECS_PER_DAY;
	if (*usec < 0)
	{
		*usec += USECS_PER_DAY;
		(*days)--;
	}
}

bool
wfml_local_time(TimestampTz instant, pg_tz *zone, int64 *days, int64 *usec)
{
	pg_time_t	seconds;
	struct pg_tm *tm;

	if (TIMESTAMP_NOT_FINITE(instant))
		return false;
	split_usec(instant, days, usec);
	seconds = (*days + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)) * SECS_PER_DAY + *usec / USECS_PER_SEC;
	tm = pg_localtime(&seconds, zone);
	if (tm != NULL)
		split_usec(instant + (int64) tm->tm_gmtoff * USECS_PER_SEC, days, usec);
	return true;
}

static bool
time_from_date(WfmlConverter *c, Datum value, int64 *days, int64 *usec)
{
	DateADT		date = DatumGetDateADT(value);

	*days = date;
	*usec = 0;
	return !DATE_NOT_FINITE(date);
}

static bool
time_from_time(WfmlConverter *c, Datum value, int64 *days, int64 *usec)
{
	*days = 0;
	*usec = DatumGetTimeADT(value) % USECS_PER_DAY; /* 24:00 is midnight */
	return true;
}

static bool
time_from_timetz(WfmlConverter *c, Datum value, int64 *days, int64 *usec)
{
	*days = 0;
	*usec = DatumGetTimeTzADTP(value)->time % USECS_PER_DAY;
	return true;
}

static bool
time_from_timestamp(WfmlConverter *c, Datum value, int64 *days, int64 *usec)
{
	Timestamp	t = DatumGetTimestamp(value);

	if (TIMESTAMP_NOT_FINITE(t))
		return false;
	split_usec(t, days, usec);
	return true;
}

static bool
time_from_timestamptz(WfmlConverter *c, Datum value, int64 *days, int64 *usec)
{
	return wfml_local_time(DatumGetTimestampTz(value), c->zone, days, usec);
}

/* ---- bytes ---- */

size_t
wfml_clip_text(const char *bytes, size_t length)
{
	if (length <= WF_DICT_KEY_BYTES)
		return length;
	return (size_t) pg_mbcliplen(bytes, WF_DICT_KEY_BYTES, WF_DICT_KEY_BYTES);
}

/* Only the bytes that tell strings apart are fetched and decompressed. */
static const char *
text_from_text(WfmlConverter *c, Datum value, size_t *length)
{
	struct varlena *v = (struct varlena *) DatumGetPointer(value);
	size_t		raw = 0;

	if (VARATT_IS_EXTERNAL(v) || VARATT_IS_COMPRESSED(v))
	{
		raw = toast_raw_datum_size(value) - VARHDRSZ;
		v = pg_detoast_datum_slice(v, 0, Min(raw, WF_DICT_KEY_BYTES));
	}
	*length = VARSIZE_ANY_EXHDR(v);
	if (Max(raw, *length) > WF_DICT_KEY_BYTES)
		*length = wfml_clip_text(VARDATA_ANY(v), Max(raw, *length));
	return VARDATA_ANY(v);
}

/* Padding is no part of a character(n) value: its cast to text drops it too. */
static const char *
text_from_bpchar(WfmlConverter *c, Datum value, size_t *length)
{
	const char *bytes = text_from_text(c, value, length);

	while (*length > 0 && bytes[*length - 1] == ' ')
		(*length)--;
	return bytes;
}

static const char *
text_from_name(WfmlConverter *c, Datum value, size_t *length)
{
	const char *bytes = NameStr(*DatumGetName(value));

	*length = strlen(bytes);
	return bytes;
}

static const char *
text_from_uuid(WfmlConverter *c, Datum value, size_t *length)
{
	static const char hex[] = "0123456789abcdef";
	const pg_uuid_t *uuid = DatumGetUUIDP(value);
	char	   *p = c->buffer;

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[uuid->data[i] >> 4];
		*p++ = hex[uuid->data[i] & 15];
	}
	*length = (size_t) (p - c->buffer);
	return c->buffer;
}

/* Through the type's output function; the result is in CurrentMemoryContext. */
static const char *
text_from_output(WfmlConverter *c, Datum value, size_t *length)
{
	const char *bytes = OutputFunctionCall(&c->out, value);

	*length = wfml_clip_text(bytes, strlen(bytes));
	return bytes;
}

/* Labels of an enum by their OIDs, open addressing, a power of two of places. */
typedef struct WfmlEnumCache
{
	uint32		size;
	uint32		used;
	struct
	{
		Oid			oid;
		const char *label;
	}		   *place;
} WfmlEnumCache;

static uint32
enum_place(const WfmlEnumCache *cache, Oid oid)
{
	uint32		i = murmurhash32(oid) & (cache->size - 1);

	while (OidIsValid(cache->place[i].oid) && cache->place[i].oid != oid)
		i = (i + 1) & (cache->size - 1);
	return i;
}

static void
enum_cache_grow(WfmlConverter *c)
{
	WfmlEnumCache *old = c->enums;
	WfmlEnumCache *cache = MemoryContextAlloc(c->context, sizeof(WfmlEnumCache));

	cache->size = old ? old->size * 2 : 32;
	cache->used = old ? old->used : 0;
	cache->place = MemoryContextAllocZero(c->context, cache->size * sizeof(cache->place[0]));
	for (uint32 i = 0; old && i < old->size; i++)
		if (OidIsValid(old->place[i].oid))
			cache->place[enum_place(cache, old->place[i].oid)] = old->place[i];
	c->enums = cache;
	if (old)
	{
		pfree(old->place);
		pfree(old);
	}
}

static const char *
text_from_enum(WfmlConverter *c, Datum value, size_t *length)
{
	Oid			oid = DatumGetObjectId(value);
	uint32		i;

	if (c->enums == NULL || c->enums->used * 2 >= c->enums->size)
		enum_cache_grow(c);
	i = enum_place(c->enums, oid);
	if (!OidIsValid(c->enums->place[i].oid))
	{
		HeapTuple	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(oid));

		if (!HeapTupleIsValid(tuple))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					 errmsg("invalid internal value for enum: %u", oid)));
		c->enums->place[i].label = MemoryContextStrdup(c->context,
													   NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel));
		c->enums->place[i].oid = oid;
		c->enums->used++;
		ReleaseSysCache(tuple);
	}
	*length = strlen(c->enums->place[i].label);
	return c->enums->place[i].label;
}

/* ---- types ---- */

const char *
wfml_kind_name(WfColumnKind kind)
{
	static const char *const names[] = {
		"number", "boolean", "category", "timestamp", "date", "time", "tags", "vector", "group"
	};

	return (unsigned) kind < lengthof(names) ? names[kind] : "unknown";
}

const char *
wfml_kind_noun(WfColumnKind kind)
{
	static const char *const nouns[] = {
		"a number", "a boolean", "text", "a timestamp", "a date", "a time of day",
		"an array of text", "an array of numbers", "a group"
	};

	return (unsigned) kind < lengthof(nouns) ? nouns[kind] : "another type";
}

/* The types every database has, without a look at the catalog. */
static bool
builtin_kind(Oid type, WfColumnKind *kind)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case INTERVALOID:
			*kind = WF_COL_NUMBER;
			return true;
		case BOOLOID:
			*kind = WF_COL_BOOLEAN;
			return true;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case CHAROID:
		case UUIDOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
		case BITOID:
		case VARBITOID:
			*kind = WF_COL_CATEGORY;
			return true;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			*kind = WF_COL_TIMESTAMP;
			return true;
		case DATEOID:
			*kind = WF_COL_DATE;
			return true;
		case TIMEOID:
		case TIMETZOID:
			*kind = WF_COL_TIME;
			return true;
		default:
			return false;
	}
}

/* Base type and kind of a type that is no array. */
static bool
scalar_kind(Oid type, Oid *base, WfColumnKind *kind)
{
	char		category;
	bool		preferred;

	*base = type;
	if (builtin_kind(type, kind))
		return true;
	*base = getBaseType(type);
	if (*base != type && builtin_kind(*base, kind))
		return true;
	get_type_category_preferred(*base, &category, &preferred);
	*kind = WF_COL_CATEGORY;
	/* citext and its like */
	return category == TYPCATEGORY_ENUM || category == TYPCATEGORY_STRING;
}

/* As wfml_type_kind, with the base type and, for arrays, the element's. */
static bool
resolve_type(Oid type, Oid *base, Oid *element, WfColumnKind *kind)
{
	Oid			element_base;

	*element = InvalidOid;
	if (!OidIsValid(type))
		return false;
	if (scalar_kind(type, base, kind))
		return true;
	*element = get_element_type(*base);
	if (!OidIsValid(*element) || !scalar_kind(*element, &element_base, kind))
		return false;
	switch (*kind)
	{
		case WF_COL_CATEGORY:
			*kind = WF_COL_TAGS;
			return true;
		case WF_COL_NUMBER:
		case WF_COL_BOOLEAN:
			*kind = WF_COL_VECTOR;
			return true;
		default:
			return false;
	}
}

bool
wfml_type_kind(Oid type, WfColumnKind *kind)
{
	Oid			base;
	Oid			element;

	return resolve_type(type, &base, &element, kind);
}

static void
choose_functions(WfmlConverter *c, Oid base)
{
	switch (base)
	{
		case BOOLOID:
			c->number = number_from_bool;
			return;
		case INT2OID:
			c->number = number_from_int2;
			return;
		case INT4OID:
			c->number = number_from_int4;
			return;
		case INT8OID:
			c->number = number_from_int8;
			return;
		case FLOAT4OID:
			c->number = number_from_float4;
			return;
		case FLOAT8OID:
			c->number = number_from_float8;
			return;
		case NUMERICOID:
			c->number = number_from_numeric;
			return;
		case INTERVALOID:
			c->number = number_from_interval;
			return;
		case DATEOID:
			c->time = time_from_date;
			return;
		case TIMEOID:
			c->time = time_from_time;
			return;
		case TIMETZOID:
			c->time = time_from_timetz;
			return;
		case TIMESTAMPOID:
			c->time = time_from_timestamp;
			return;
		case TIMESTAMPTZOID:
			c->time = time_from_timestamptz;
			return;
		case TEXTOID:
		case VARCHAROID:
			c->text = text_from_text;
			return;
		case BPCHAROID:
			c->text = text_from_bpchar;
			return;
		case NAMEOID:
			c->text = text_from_name;
			return;
		case UUIDOID:
			c->text = text_from_uuid;
			return;
		default:
			if (type_is_enum(base))
				c->text = text_from_enum;
			else
			{
				Oid			function;
				bool		is_varlena;

				getTypeOutputInfo(base, &function, &is_varlena);
				fmgr_info_cxt(function, &c->out, c->context);
				c->text = text_from_output;
			}
	}
}

WfmlConverter *
wfml_converter_create(Oid type, pg_tz *zone, MemoryContext cxt)
{
	WfmlConverter *c = MemoryContextAllocZero(cxt, sizeof(WfmlConverter));
	Oid			base;
	Oid			element;

	if (!resolve_type(type, &base, &element, &c->kind))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("type %s cannot be a feature", format_type_be(type))));
	c->type = base;
	c->zone = zone ? zone : session_timezone;
	c->context = cxt;
	if (OidIsValid(element))
	{
		c->element = wfml_converter_create(element, zone, cxt);
		get_typlenbyvalalign(element, &c->typlen, &c->typbyval, &c->typalign);
	}
	else
		choose_functions(c, base);
	return c;
}

static const char *
text_from_id(WfmlConverter *c, Datum value, size_t *length)
{
	return wfml_id_text(c->id, value, length);
}

WfmlConverter *
wfml_converter_create_group(const char *name, TupleDesc desc, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	WfmlConverter *c = palloc0(sizeof(WfmlConverter));

	c->id = palloc0(sizeof(WfmlIdColumn));
	*c->id = (WfmlIdColumn) {.name = pstrdup(name), .role = "scale_by", .kind = WFML_ID_TEXT, .clip = true};
	wfml_id_columns_find(c->id, 1, desc, "source");
	c->type = c->id->type;
	c->kind = WF_COL_GROUP;
	c->context = cxt;
	c->text = text_from_id;
	MemoryContextSwitchTo(old);
	return c;
}

int
wfml_converter_elements(WfmlConverter *c, Datum array, Datum **values, bool **nulls)
{
	ArrayType  *a = DatumGetArrayTypeP(array);
	int			n;

	deconstruct_array(a, ARR_ELEMTYPE(a), c->typlen, c->typbyval, c->typalign, values, nulls, &n);
	return n;
}
