/*-------------------------------------------------------------------------
 * distinct_events.c
 *	  How many different events a pattern has, for the models of patterns:
 *	  asked for every prediction, so without a query.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* By length and bytes: any order does that puts equal ones side by side. */
static int
compare_texts(const void *a, const void *b)
{
	const text *x = *(text *const *) a;
	const text *y = *(text *const *) b;
	size_t		length = VARSIZE_ANY_EXHDR(x);

	if (length != VARSIZE_ANY_EXHDR(y))
		return length < VARSIZE_ANY_EXHDR(y) ? -1 : 1;
	return memcmp(VARDATA_ANY(x), VARDATA_ANY(y), length);
}

PG_FUNCTION_INFO_V1(wfml_distinct_events);

/* distinct_events(text[]) → integer, NULLs not counted */
Datum
wfml_distinct_events(PG_FUNCTION_ARGS)
{
	Datum	   *events;
	bool	   *nulls;
	text	  **texts;
	int			n;
	int			n_texts = 0;
	int			n_distinct = 0;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &events, &nulls, &n);
	texts = palloc(Max(n, 1) * sizeof(text *));
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			texts[n_texts++] = DatumGetTextPP(events[i]);
	}
	qsort(texts, n_texts, sizeof(text *), compare_texts);
	for (int i = 0; i < n_texts; i++)
		n_distinct += i == 0 || compare_texts(&texts[i - 1], &texts[i]) != 0;
	PG_RETURN_INT32(n_distinct);
}
