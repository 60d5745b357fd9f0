/*-------------------------------------------------------------------------
 * uniform.c
 *	  Random numbers that are functions of their keys: generate_demo() gives
 *	  the same tables on every machine and in every version.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/rng.h"

/* A key's number by its bytes alone, whatever the byte order (FNV-1a). */
static uint64_t
key_number(const text *key)
{
	const unsigned char *bytes = (const unsigned char *) VARDATA_ANY(key);
	size_t		length = VARSIZE_ANY_EXHDR(key);
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

PG_FUNCTION_INFO_V1(wfml_uniform);

/* uniform(seed bigint, VARIADIC key text[]) → [0, 1) */
Datum
wfml_uniform(PG_FUNCTION_ARGS)
{
	uint64_t	state = wf_mix((uint64_t) PG_GETARG_INT64(0));
	Datum	   *keys;
	bool	   *nulls;
	int			n_keys;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &keys, &nulls, &n_keys);
	for (int i = 0; i < n_keys; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a key of a random number must not be null")));
		state = wf_rng(state, key_number(DatumGetTextPP(keys[i])));
	}
	PG_RETURN_FLOAT8(wf_rng_unit(wf_mix(state)));
}
