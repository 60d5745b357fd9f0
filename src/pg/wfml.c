/*-------------------------------------------------------------------------
 * wfml.c
 *	  The library's entry: settings, version.
 *-------------------------------------------------------------------------
 */
#include "pg/compat.h"

#include "utils/builtins.h"

#include "pg/settings.h"

#ifndef WFML_VERSION
#define WFML_VERSION "unknown"
#endif

WFML_MODULE_MAGIC(WFML_VERSION);

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	wfml_settings_define();
}

PG_FUNCTION_INFO_V1(wfml_version);

/* wfml.version() → text: the version of the library in use */
Datum
wfml_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(WFML_VERSION));
}
