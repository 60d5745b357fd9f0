/*-------------------------------------------------------------------------
 * rule.h
 *	  What an expression of set_fallback() may contain.
 *
 * It runs as the model's owner whenever somebody's row needs it, so it gets
 * fields, constants and built-in functions, operators and casts that are not
 * volatile, and wfml's predictions.  Values of types that users made come as
 * text (enums), as their base type (domains) or not at all: behind an innocent
 * function a cast or a check of such a type could run anybody's code.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_RULE_H
#define WFML_RULE_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "nodes/primnodes.h"

/* What the rule calls the whole input, for wfml.predict(…, input). */
#define WFML_RULE_INPUT "input"

/* Bytes of a rule, which is read and analyzed for every statement that needs it, and of a label that it gives. */
#define WFML_RULE_LENGTH 8192

/*
 * The parsed expression; 54000 when it is longer, 42601 when it is not just one, 0A000 when it holds
 * what no rule may, such as a sub-select.
 */
extern Node *wfml_rule_parse(const char *expression);

/* Names of the fields that a parsed expression uses, each once: list of char *. */
extern List *wfml_rule_fields(Node *parsed);

/*
 * As far as that is possible while the types of fields are unknown: 42883
 * for functions and operators that do not exist, 0A000 for others.
 */
extern void wfml_rule_check_parsed(Node *parsed);

/* The rest, of an analyzed and planned expression: 0A000. */
extern void wfml_rule_check_typed(Node *expression);

#endif							/* WFML_RULE_H */
