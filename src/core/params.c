/*-------------------------------------------------------------------------
 * params.c
 *	  Checking parameters against their description.
 *
 * Defaults go through the same check as what a user sends, so a default out
 * of its own range shows in the first unit test.
 *-------------------------------------------------------------------------
 */
#include "core/params.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/algorithm.h"

/* Which tasks a common parameter is for. */
#define LABELLED (1u << WF_REGRESSION | 1u << WF_CLASSIFICATION)
#define TABLE (LABELLED | 1u << WF_ANOMALY)
#define SCORED (LABELLED | 1u << WF_RECOMMENDATION | 1u << WF_SEQUENCE)
#define EVERY (TABLE | SCORED)

/* What algorithms take alike.  The words of "validation" are in the order of WfValidation. */
static const struct
{
	unsigned	tasks;
	WfParam		param;
}			common_params[] = {
	{EVERY, {"seed", WF_PARAM_INT, 0, 0x1p53, "0", NULL,
	"Start of all random choices; the same rows and seed give the same model."}},
	{SCORED, {"validation", WF_PARAM_WORD, 0, 0, "holdout", "none|holdout|cv|time|group",
	"How the reported metrics are measured: on a random part, by cross-validation, on the latest rows, by whole groups, or not at all."}},
	{SCORED, {"test_fraction", WF_PARAM_REAL, 0.01, 0.9, "0.2", NULL,
	"Share of the rows that validation \"holdout\" and \"time\" keep for measuring."}},
	{LABELLED, {"folds", WF_PARAM_INT, 2, 100, "5", NULL,
	"Number of parts for validation \"cv\" and \"group\"."}},
	{SCORED, {"refit", WF_PARAM_BOOL, 0, 1, "true", NULL,
	"Train the final model on all rows after validation; otherwise keep the one trained without the rows held out."}},
	{LABELLED, {"class_weight", WF_PARAM_NUMBERS, 0, 1e9, "none", "none|balanced",
	"Weight of each class: equal, inversely to its frequency, or an object {label: weight}."}},
	{LABELLED, {"weight_column", WF_PARAM_COLUMN, 0, 0, NULL, NULL,
	"Column that holds the weight of each row; it is no feature."}},
	{LABELLED, {"group_column", WF_PARAM_COLUMN, 0, 0, NULL, NULL,
	"Column whose equal values stay together in validation \"group\"; it is no feature."}},
	{LABELLED, {"time_column", WF_PARAM_COLUMN, 0, 0, NULL, NULL,
	"Column that orders the rows for validation \"time\"."}},
	{LABELLED, {"positive", WF_PARAM_TEXT, 0, 0, NULL, NULL,
	"Label whose probability predict() returns when there are two classes."}},
	{LABELLED, {"calibration", WF_PARAM_WORD, 0, 0, "auto", "auto|none|platt|temperature",
	"How scores become probabilities."}},
	{TABLE, {"time_features", WF_PARAM_WORD, 0, 0, "auto", "auto|epoch",
	"What timestamps become: parts of day, week and year; \"epoch\" adds the days since 2000-01-01."}},
	{EVERY, {"max_seconds", WF_PARAM_REAL, 0.001, 1e9, "none", "none",
	"Stop training after that many seconds with what is learned by then; the model then depends on the machine."}},
};

#define N_COMMON ((int) (sizeof(common_params) / sizeof(common_params[0])))

static const WfParamValue not_set = {.word = -1};

/* The i-th common parameter of an algorithm; NULL past the end, and *n is then their number. */
static const WfParam *
common_param(const WfAlgorithm *algorithm, int i, int *n)
{
	*n = 0;
	for (int c = 0; c < N_COMMON; c++)
		if (common_params[c].tasks & algorithm->tasks)
			if ((*n)++ == i)
				return &common_params[c].param;
	return NULL;
}

int
wf_params_count(int algorithm)
{
	const WfAlgorithm *a = wf_algorithm_get(algorithm);
	int			common;
	int			n = 0;

	if (a == NULL)
		return 0;
	(void) common_param(a, -1, &common);
	while (a->params[n].name)
		n++;
	return common + n;
}

const WfParam *
wf_params_get(int algorithm, int i)
{
	const WfAlgorithm *a = wf_algorithm_get(algorithm);
	const WfParam *param;
	int			common;

	if (i < 0 || i >= wf_params_count(algorithm))
		return NULL;
	param = common_param(a, i, &common);
	return param ? param : &a->params[i - common];
}

static int
find_param(int algorithm, const char *name)
{
	int			n = wf_params_count(algorithm);

	for (int i = 0; i < n && i < WF_MAX_PARAMS; i++)
		if (strcmp(wf_params_get(algorithm, i)->name, name) == 0)
			return i;
	return -1;
}

/* ---- checking one value ---- */

typedef enum CheckResult
{
	CHECK_OK,
	CHECK_KIND,					/* not the kind of value that is wanted */
	CHECK_RANGE					/* a number outside [min, max] */
} CheckResult;

/* Index of text among "a|b|c", -1 when it is none of them. */
static int
find_word(const char *words, const char *text)
{
	size_t		len = strlen(text);

	for (int i = 0; words; i++)
	{
		const char *end = strchr(words, '|');
		size_t		n = end ? (size_t) (end - words) : strlen(words);

		if (n == len && memcmp(words, text, n) == 0)
			return i;
		words = end ? end + 1 : NULL;
	}
	return -1;
}

static CheckResult
check_number(const WfParam *param, double x)
{
	if (!isfinite(x) || (param->type == WF_PARAM_INT && x != floor(x)))
		return CHECK_KIND;
	return x >= param->min && x <= param->max ? CHECK_OK : CHECK_RANGE;
}

static CheckResult
check_value(const WfParam *param, const WfParamInput *input, WfParamValue *value)
{
	*value = not_set;
	if (input->kind == WF_INPUT_TEXT && param->words)
	{
		value->word = find_word(param->words, input->text);
		if (value->word >= 0)
			return CHECK_OK;
	}
	switch (param->type)
	{
		case WF_PARAM_INT:
		case WF_PARAM_REAL:
			if (input->kind != WF_INPUT_NUMBER)
				return CHECK_KIND;
			value->number = input->number;
			return check_number(param, input->number);
		case WF_PARAM_BOOL:
			value->number = input->number != 0;
			return input->kind == WF_INPUT_BOOL ? CHECK_OK : CHECK_KIND;
		case WF_PARAM_WORD:
			return CHECK_KIND;
		case WF_PARAM_TEXT:
		case WF_PARAM_COLUMN:
			value->text = input->text;
			return input->kind == WF_INPUT_TEXT && input->text[0] ? CHECK_OK : CHECK_KIND;
		case WF_PARAM_NUMBERS:
			if (input->kind != WF_INPUT_PAIRS || input->n_pairs < 1)
				return CHECK_KIND;
			for (int i = 0; i < input->n_pairs; i++)
			{
				CheckResult r = check_number(param, input->pairs[i].number);

				if (r != CHECK_OK)
					return r;
			}
			value->n_pairs = input->n_pairs;
			value->pairs = input->pairs;
			return CHECK_OK;
	}
	return CHECK_KIND;
}

/* A default as the user would send it. */
static WfParamInput
fallback_input(const WfParam *param)
{
	WfParamInput input = {.kind = WF_INPUT_TEXT, .text = param->fallback};

	if (param->type == WF_PARAM_BOOL)
	{
		input.kind = WF_INPUT_BOOL;
		input.number = strcmp(param->fallback, "true") == 0;
	}
	else if (param->type == WF_PARAM_INT || param->type == WF_PARAM_REAL)
	{
		char	   *end;

		input.number = strtod(param->fallback, &end);
		if (end != param->fallback && *end == '\0')
			input.kind = WF_INPUT_NUMBER;
	}
	return input;
}

void
wf_params_defaults(WfSpec *spec)
{
	int			n = wf_params_count(spec->algorithm);

	for (int i = 0; i < WF_MAX_PARAMS; i++)
		spec->value[i] = not_set;
	for (int i = 0; i < n && i < WF_MAX_PARAMS; i++)
	{
		const WfParam *param = wf_params_get(spec->algorithm, i);

		if (param->fallback)
		{
			WfParamInput input = fallback_input(param);

			if (check_value(param, &input, &spec->value[i]) != CHECK_OK)
				spec->value[i] = not_set;
		}
	}
}

/* ---- texts for people ---- */

static void
put(WfBytes *b, const char *text)
{
	wf_bytes_append(b, text, strlen(text));
}

static void
put_number(WfBytes *b, double x)
{
	char		text[40];

	/* enough digits for whole numbers up to 2^53 */
	snprintf(text, sizeof(text), x == floor(x) && fabs(x) <= 0x1p53 ? "%.0f" : "%g", x);
	put(b, text);
}

/* "a, b or c" of "a|b|c" */
static void
put_words(WfBytes *b, const char *words)
{
	const char *end;

	while ((end = strchr(words, '|')) != NULL)
	{
		wf_bytes_append(b, words, (size_t) (end - words));
		words = end + 1;
		put(b, strchr(words, '|') ? ", " : " or ");
	}
	put(b, words);
}

static void
put_range(WfBytes *b, const WfParam *param)
{
	switch (param->type)
	{
		case WF_PARAM_INT:
		case WF_PARAM_REAL:
			put_number(b, param->min);
			if (param->max >= DBL_MAX)
				put(b, " or more");
			else
			{
				put(b, " to ");
				put_number(b, param->max);
			}
			break;
		case WF_PARAM_BOOL:
			put(b, "true or false");
			break;
		case WF_PARAM_WORD:
			put_words(b, param->words);
			return;
		case WF_PARAM_TEXT:
			put(b, "text");
			break;
		case WF_PARAM_COLUMN:
			put(b, "name of a column");
			break;
		case WF_PARAM_NUMBERS:
			put(b, "an object of numbers");
			break;
	}
	if (param->words)
	{
		put(b, ", or ");
		put_words(b, param->words);
	}
}

static char *
finish_text(WfBytes *b)
{
	wf_bytes_append(b, "", 1);
	return (char *) b->data;
}

char *
wf_params_range(WfHost *host, const WfParam *param)
{
	WfBytes		b;

	wf_bytes_init(&b, host);
	put_range(&b, param);
	return finish_text(&b);
}

/* Levenshtein's distance, for names shorter than MAX_NAME. */
#define MAX_NAME 64

static int
edit_distance(const char *a, const char *b)
{
	int			row[MAX_NAME];
	int			n = (int) strlen(b);

	for (int j = 0; j <= n; j++)
		row[j] = j;
	for (int i = 0; a[i]; i++)
	{
		int			diagonal = row[0];

		row[0] = i + 1;
		for (int j = 1; j <= n; j++)
		{
			int			d = diagonal + (a[i] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < d)
				d = row[j] + 1;
			if (row[j - 1] + 1 < d)
				d = row[j - 1] + 1;
			row[j] = d;
		}
	}
	return row[n];
}

/*
 * The parameter that was probably meant, or -1: a few letters off, or one
 * whose name holds the other's ("depth", "max_depth").
 */
static int
nearest_param(int algorithm, const char *name)
{
	int			n = wf_params_count(algorithm);
	int			best = -1;
	int			best_distance = MAX_NAME;
	size_t		len = strlen(name);

	if (len < 2 || len >= MAX_NAME)
		return -1;
	for (int i = 0; i < n; i++)
	{
		const char *other = wf_params_get(algorithm, i)->name;
		int			d;

		if (strlen(other) >= MAX_NAME)
			continue;
		d = edit_distance(name, other);
		if (d > 1 && len >= 4 && (strstr(other, name) || strstr(name, other)))
			d = 1;
		if (d <= 2 + (int) len / 5 && d < best_distance && d < (int) len)
		{
			best = i;
			best_distance = d;
		}
	}
	return best;
}

static void
fail_unknown(WfHost *host, int algorithm, const char *name)
{
	const WfAlgorithm *a = wf_algorithm_get(algorithm);
	int			near = nearest_param(algorithm, name);
	int			n = wf_params_count(algorithm);
	int			common;
	WfBytes		hint;

	(void) common_param(a, -1, &common);
	wf_bytes_init(&hint, host);
	if (near >= 0)
	{
		put(&hint, "Perhaps you meant \"");
		put(&hint, wf_params_get(algorithm, near)->name);
		put(&hint, "\". ");
	}
	put(&hint, "Parameters are: ");
	/* its own first: they are what is most likely looked for */
	for (int i = 0; i < n; i++)
	{
		int			at = (i + common) % n;

		if (i)
			put(&hint, ", ");
		put(&hint, wf_params_get(algorithm, at)->name);
	}
	put(&hint, ".");
	host->fail(host, WF_E_PARAM, finish_text(&hint),
			   "unknown parameter \"%s\" for algorithm \"%s\"", name, a->name);
}

static const char *
kind_wanted(const WfParam *param)
{
	switch (param->type)
	{
		case WF_PARAM_INT:
			return " takes a whole number, ";
		case WF_PARAM_REAL:
			return " takes a number, ";
		default:
			return " takes ";
	}
}

static void
fail_value(WfHost *host, const WfParam *param, const WfParamInput *input, CheckResult why)
{
	WfBytes		hint;
	WfBytes		shown;

	wf_bytes_init(&hint, host);
	put(&hint, "\"");
	put(&hint, param->name);
	put(&hint, "\"");
	put(&hint, kind_wanted(param));
	put_range(&hint, param);
	put(&hint, ".");
	finish_text(&hint);

	wf_bytes_init(&shown, host);
	if (input->kind == WF_INPUT_NUMBER)
		put_number(&shown, input->number);
	else if (input->kind == WF_INPUT_BOOL)
		put(&shown, input->number != 0 ? "true" : "false");
	else if (input->kind == WF_INPUT_TEXT)
	{
		put(&shown, "\"");
		put(&shown, input->text);
		put(&shown, "\"");
	}
	else if (input->kind == WF_INPUT_PAIRS && why == CHECK_RANGE)
	{
		for (int i = 0; i < input->n_pairs; i++)
			if (check_number(param, input->pairs[i].number) == CHECK_RANGE)
			{
				put_number(&shown, input->pairs[i].number);
				break;
			}
	}
	finish_text(&shown);

	if (why == CHECK_RANGE)
	{
		WfParam		numbers = *param;

		numbers.words = NULL;
		if (numbers.type == WF_PARAM_NUMBERS)
			numbers.type = WF_PARAM_REAL;
		host->fail(host, WF_E_PARAM, (char *) hint.data,
				   "%s is outside the valid range for parameter \"%s\" (%s)",
				   (char *) shown.data, param->name, wf_params_range(host, &numbers));
	}
	if (shown.length > 1)
		host->fail(host, WF_E_PARAM, (char *) hint.data,
				   "invalid value for parameter \"%s\": %s", param->name, (char *) shown.data);
	host->fail(host, WF_E_PARAM, (char *) hint.data,
			   "invalid value for parameter \"%s\"", param->name);
}

/* ---- setting ---- */

void
wf_params_set(WfHost *host, WfSpec *spec, const char *name, const WfParamInput *input)
{
	int			i = find_param(spec->algorithm, name);
	const WfParam *param;
	WfParamValue value;
	CheckResult r;

	if (i < 0)
		fail_unknown(host, spec->algorithm, name);
	param = wf_params_get(spec->algorithm, i);
	r = check_value(param, input, &value);
	if (r != CHECK_OK)
		fail_value(host, param, input, r);

	/* The spec outlives the parsed JSON. */
	if (value.text)
		value.text = wf_strndup(host, value.text, strlen(value.text));
	if (value.n_pairs)
	{
		WfPair	   *pairs = wf_alloc(host, (size_t) value.n_pairs, sizeof(WfPair));

		for (int p = 0; p < value.n_pairs; p++)
		{
			pairs[p].key = wf_strndup(host, value.pairs[p].key, strlen(value.pairs[p].key));
			pairs[p].number = value.pairs[p].number;
		}
		value.pairs = pairs;
	}
	value.by_user = true;
	spec->value[i] = value;
}

void
wf_params_finish(WfHost *host, WfSpec *spec)
{
	const WfAlgorithm *algorithm = wf_algorithm_get(spec->algorithm);

	spec->seed = (uint64_t) wf_spec_number(spec, "seed");
	spec->validation = (WfValidation) wf_spec_value(spec, "validation")->word;
	spec->test_fraction = wf_spec_number(spec, "test_fraction");
	spec->folds = wf_spec_has(spec, "folds") ? (int) wf_spec_number(spec, "folds") : 0;
	spec->refit = wf_spec_bool(spec, "refit");
	spec->max_seconds = wf_spec_word(spec, "max_seconds") ? 0 : wf_spec_number(spec, "max_seconds");

	if ((algorithm->tasks & LABELLED) == 0)
	{
		if (spec->validation == WF_VALIDATE_CV || spec->validation == WF_VALIDATE_GROUP)
			host->fail(host, WF_E_PARAM, "Valid values are none, holdout and time.",
					   "algorithm \"%s\" cannot be validated that way", algorithm->name);
		return;
	}
	if (spec->validation == WF_VALIDATE_TIME && wf_spec_value(spec, "time_column")->text == NULL)
		host->fail(host, WF_E_PARAM, "Name the column that orders the rows: \"time_column\".",
				   "validation \"time\" needs parameter \"time_column\"");
	if (spec->validation == WF_VALIDATE_GROUP && wf_spec_value(spec, "group_column")->text == NULL)
		host->fail(host, WF_E_PARAM, "Name the column whose equal values stay together: \"group_column\".",
				   "validation \"group\" needs parameter \"group_column\"");
}

/* ---- reading ---- */

bool
wf_spec_has(const WfSpec *spec, const char *name)
{
	return find_param(spec->algorithm, name) >= 0;
}

const WfParamValue *
wf_spec_value(const WfSpec *spec, const char *name)
{
	int			i = find_param(spec->algorithm, name);

	return i < 0 ? &not_set : &spec->value[i];
}

double
wf_spec_number(const WfSpec *spec, const char *name)
{
	return wf_spec_value(spec, name)->number;
}

bool
wf_spec_bool(const WfSpec *spec, const char *name)
{
	return wf_spec_value(spec, name)->number != 0;
}

/*
 * Words as constants of their own, because those of a description run on to
 * the next "|" and a text from the host would not travel to other members.
 * A unit test holds the list to every algorithm's words.
 */
static const char *const constant_words[] = {
	"absolute", "all", "als", "auto", "balanced", "blend", "boosting", "bounded", "by_length", "cv",
	"ease", "epoch", "equal", "group", "holdout", "huber", "item_knn", "log2", "logistic", "lstm",
	"markov", "nmf", "none", "platt", "poisson", "popular", "quantile", "rp3beta",
	"softmax", "sqrt", "squared", "temperature", "third", "time"
};

static bool
word_is(const char *words, int index, const char *word)
{
	return index >= 0 && find_word(words, word) == index;
}

const char *
wf_spec_word(const WfSpec *spec, const char *name)
{
	int			i = find_param(spec->algorithm, name);

	if (i < 0 || spec->value[i].word < 0)
		return NULL;
	for (size_t w = 0; w < sizeof(constant_words) / sizeof(constant_words[0]); w++)
		if (word_is(wf_params_get(spec->algorithm, i)->words, spec->value[i].word, constant_words[w]))
			return constant_words[w];
	return "";
}

bool
wf_spec_is(const WfSpec *spec, const char *name, const char *word)
{
	int			i = find_param(spec->algorithm, name);

	return i >= 0 && word_is(wf_params_get(spec->algorithm, i)->words, spec->value[i].word, word);
}
