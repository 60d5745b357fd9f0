/*-------------------------------------------------------------------------
 * params.h
 *	  Parameters of training: described once, checked by that description.
 *
 * The same rows drive the validator, the views wfml.algorithms and
 * wfml.parameters, the documentation and the HINTs.
 *-------------------------------------------------------------------------
 */
#ifndef WF_PARAMS_H
#define WF_PARAMS_H

#include "core/host.h"

typedef enum WfParamType
{
	WF_PARAM_INT,				/* whole number in [min, max], or one of words */
	WF_PARAM_REAL,				/* number in [min, max], or one of words */
	WF_PARAM_BOOL,
	WF_PARAM_WORD,				/* one of words */
	WF_PARAM_TEXT,				/* any text */
	WF_PARAM_COLUMN,			/* name of a source column */
	WF_PARAM_NUMBERS			/* object {key: number}, or one of words */
} WfParamType;

typedef struct WfParam
{
	const char *name;
	WfParamType type;
	double		min;
	double		max;
	const char *fallback;		/* the default as text: "100", "none", "auto", "true"; NULL: not set */
	const char *words;			/* "none|auto", or NULL */
	const char *description;	/* one sentence, unit and range where they matter */
} WfParam;

typedef struct WfPair
{
	const char *key;
	double		number;
} WfPair;

typedef struct WfParamValue
{
	bool		by_user;		/* else the default */
	int			word;			/* index into words; -1: a number, bool or text */
	double		number;			/* INT, REAL, BOOL (0 or 1) */
	/* leader only: these do not travel to other members */
	const char *text;
	int			n_pairs;
	const WfPair *pairs;
} WfParamValue;

/* A value as it came in (from jsonb), before checking. */
typedef struct WfParamInput
{
	enum
	{
		WF_INPUT_NUMBER,
		WF_INPUT_BOOL,
		WF_INPUT_TEXT,
		WF_INPUT_PAIRS,
		WF_INPUT_OTHER			/* null, arrays, nested objects: never valid */
	}			kind;
	double		number;
	const char *text;
	int			n_pairs;
	const WfPair *pairs;
} WfParamInput;

#define WF_MAX_PARAMS 64

struct WfSpec;

/* All parameters of an algorithm, common ones first; NULL past the end. */
const WfParam *wf_params_get(int algorithm, int i);
int			wf_params_count(int algorithm);

/* Set every parameter to its default. */
void		wf_params_defaults(struct WfSpec *spec);
/* Check and set one; unknown name or bad value: WF_E_PARAM with a HINT listing what is valid. */
void		wf_params_set(WfHost *host, struct WfSpec *spec, const char *name, const WfParamInput *input);
/* Checks across parameters (validation "time" needs time_column …) and the typed fields of the spec. */
void		wf_params_finish(WfHost *host, struct WfSpec *spec);
/* Range and words of a parameter for people: "1 to 10000, or none". From the host. */
char	   *wf_params_range(WfHost *host, const WfParam *param);

/* Values by name; the name must exist for the algorithm. */
double		wf_spec_number(const struct WfSpec *spec, const char *name);
bool		wf_spec_bool(const struct WfSpec *spec, const char *name);
/* The word chosen, NULL when the value is a number. */
const char *wf_spec_word(const struct WfSpec *spec, const char *name);
/* Is the value that word? */
bool		wf_spec_is(const struct WfSpec *spec, const char *name, const char *word);
const WfParamValue *wf_spec_value(const struct WfSpec *spec, const char *name);
bool		wf_spec_has(const struct WfSpec *spec, const char *name);

#endif							/* WF_PARAMS_H */
