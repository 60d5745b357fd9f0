/*-------------------------------------------------------------------------
 * input.h
 *	  Values of SQL types into cells and features; rows and JSON into the
 *	  feature vector of a model.
 *
 * One converter per column, chosen once from its type, serves training (the
 * dictionary grows) and prediction (the dictionary is the model's).
 *-------------------------------------------------------------------------
 */
#ifndef WFML_INPUT_H
#define WFML_INPUT_H

#include "postgres.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/frame.h"
#include "core/model.h"
#include "core/schema.h"

/* How a SQL type becomes a column kind; false: no feature. */
extern bool wfml_type_kind(Oid type, WfColumnKind *kind);

/* A converter from Datums of one type. */
typedef struct WfmlConverter WfmlConverter;
struct WfmlConverter
{
	/* NUMBER, BOOLEAN: the value; NULL is the caller's business */
	double		(*number) (WfmlConverter *c, Datum value);
	/* TIMESTAMP, DATE, TIME: days since 2000-01-01 local, microseconds of the day; false: infinite */
	bool		(*time) (WfmlConverter *c, Datum value, int64 *days, int64 *usec);
	/* CATEGORY: bytes in fixed formatting (DateStyle and the like never matter) */
	const char *(*text) (WfmlConverter *c, Datum value, size_t *length);
	Oid			type;
	WfColumnKind kind;
	/* arrays: the element's converter and array layout */
	WfmlConverter *element;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	FmgrInfo	out;			/* CATEGORY through the output function */
	pg_tz	   *zone;			/* timestamptz */
	/* private: where caches go, the enum labels seen, room for one short text */
	MemoryContext context;
	struct WfmlEnumCache *enums;
	struct WfmlIdColumn *id;	/* groups */
	char		buffer[40];
};

/* For a column of groups, of any type: its text, in cxt. */
extern WfmlConverter *wfml_converter_create_group(const char *name, TupleDesc desc, MemoryContext cxt);

/* In cxt; zone is the model's (NULL: session's). */
extern WfmlConverter *wfml_converter_create(Oid type, pg_tz *zone, MemoryContext cxt);

/*
 * TAGS and VECTOR: the elements of an array of any shape, in storage order,
 * in CurrentMemoryContext.
 */
extern int	wfml_converter_elements(WfmlConverter *c, Datum array, Datum **values, bool **nulls);

/* A numeric as the nearest double; beyond its range +-infinity.  Any varlena header but an external one. */
extern double wfml_numeric_double(Datum value);

/* Seconds as EXTRACT(epoch) counts them: a year of 365.25 days, a month of 30. */
extern double wfml_interval_seconds(const Interval *span);

/* At most WF_DICT_KEY_BYTES leading bytes, ending with a whole character. */
extern size_t wfml_clip_text(const char *bytes, size_t length);

/* Local days since 2000-01-01 and microseconds of the day of an instant; false: infinite. */
extern bool wfml_local_time(TimestampTz instant, pg_tz *zone, int64 *days, int64 *usec);

/* "number", "category", … as users read them. */
extern const char *wfml_kind_name(WfColumnKind kind);
/* "a number", "an array of text", … */
extern const char *wfml_kind_noun(WfColumnKind kind);

/* ---- rows of a tuple descriptor into features of a model ---- */

typedef struct WfmlRowMap WfmlRowMap;

/*
 * Match the model's columns by name against desc.  Missing or incompatible
 * columns: one ERROR (42703 / 42804) naming all of them; a descriptor with
 * names f1, f2, … (ROW(a, b)) gets the HINT to use a sub-select.
 */
extern WfmlRowMap *wfml_rowmap_create(const WfModel *model, const char *model_name,
									  TupleDesc desc, MemoryContext cxt);
/* Largest attribute number needed. */
extern int	wfml_rowmap_max_attno(const WfmlRowMap *map);
/* x: n_features floats. */
extern void wfml_rowmap_slot(WfmlRowMap *map, TupleTableSlot *slot, float *x);
extern void wfml_rowmap_heap(WfmlRowMap *map, HeapTupleHeader row, float *x);

/* ---- JSON into features ---- */

typedef struct WfmlJsonMap WfmlJsonMap;

extern WfmlJsonMap *wfml_jsonmap_create(const WfModel *model, const char *model_name, MemoryContext cxt);
/* An object; absent keys: ERROR naming all of them. */
extern void wfml_jsonmap_features(WfmlJsonMap *map, Jsonb *object, float *x);

/* The model's time zone (section "ZONE": its name), for timestamptz. */
extern pg_tz *wfml_model_zone(const WfModel *model);

/*
 * The value of a column as text for explain(): from the features vector, e.g.
 * "39", "Bachelors", "(missing)", "true", for a time column its parts' main
 * value.  In CurrentMemoryContext.
 */
extern char *wfml_feature_text(const WfModel *model, uint32_t feature, const float *x);

#endif							/* WFML_INPUT_H */
