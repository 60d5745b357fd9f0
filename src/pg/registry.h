/*-------------------------------------------------------------------------
 * registry.h
 *	  Models as rows: names, versions, artifacts, grants.
 *
 * C code reads and writes the registry's tables by OID under its own access
 * check (ownership by has_privs_of_role, or a grant); PUBLIC has no right on
 * the tables.  Rows are seen under GetActiveSnapshot(), so activation and
 * rollback behave as any other update.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_REGISTRY_H
#define WFML_REGISTRY_H

#include "postgres.h"

#include "common/sha2.h"
#include "utils/jsonb.h"

#define ERRCODE_WFML_UNKNOWN_MODEL MAKE_SQLSTATE('W','F','0','0','1')
#define ERRCODE_WFML_WRONG_KIND MAKE_SQLSTATE('W','F','0','0','2')

/* What a name (or name@version, or an id) means under the active snapshot. */
typedef struct WfmlResolved
{
	int64		id;				/* of the version */
	int32		version;
	char		name[NAMEDATALEN];	/* without @version */
} WfmlResolved;

/* Check the form of a model name: 22023 otherwise. */
extern void wfml_check_model_name(const char *name);

/*
 * Resolve "name" or "name@version" for use by role "user".  Unknown: WF001
 * with a HINT of the closest names that the role may use; no right: 42501.
 */
extern void wfml_resolve(const char *reference, Oid user, WfmlResolved *result);
extern void wfml_resolve_id(int64 id, Oid user, WfmlResolved *result);
/* Split "name@version"; false: not of that form.  *version is 0 without one. */
extern bool wfml_split_reference(const char *reference, char name[NAMEDATALEN], int32 *version);
/* 42501 unless that role may use the model. */
extern void wfml_check_may_use(const char *name, Oid owner, Oid user);

/* A new version to publish. */
typedef struct WfmlPublication
{
	const char *name;
	const char *algorithm;
	const char *task;			/* classification | regression */
	const char *source;
	const char *target;
	Jsonb	   *features;		/* array of source column names */
	Jsonb	   *params;
	Jsonb	   *metrics;		/* [{"metric", "value", "baseline", "split"}, …], first is the headline */
	int64		seed;
	int64		training_rows;
	double		training_seconds;
	const void *artifact;
	size_t		artifact_bytes;
	int32		format_version;
	bool		activate;
	const char *positive;		/* label of the positive class or NULL */
	Jsonb	   *arguments;		/* everything train() was called with, for retrain */
	const char *search_path;	/* of the training; NULL: as now */
	const char *timezone;
	/* results */
	int64		id;
	int32		version;
	int64		replaced_id;	/* the version that was active, 0: none */
	int32		replaced_version;
} WfmlPublication;

/*
 * May the current user train a version of this name?  (A new name needs
 * nothing; an existing one its ownership.)  Called before the work starts and
 * again at publication.
 */
extern void wfml_check_may_train(const char *name);
/* Insert version and chunks under the registry row's lock; activate if asked. */
extern void wfml_publish(WfmlPublication *p);

/* The headline metric of a version: false when it has none. */
extern bool wfml_headline(int64 id, char **metric, double *value);

/*
 * The artifact's bytes, assembled in cxt (huge allocations allowed), on a
 * cache line; freed with cxt, never by pfree.
 */
extern void *wfml_artifact_load(int64 id, MemoryContext cxt, size_t *length);
/* The same to memory that is there: VARHDRSZ bytes before it and all its length may be written. */
extern void wfml_artifact_read(int64 id, void *bytes, size_t length);
/* Length and checksum as stored; false: no such version. */
extern bool wfml_artifact_describe(int64 id, int64 *length, uint8 sha256[PG_SHA256_DIGEST_LENGTH]);
/* "name@version" for messages. */
extern char *wfml_version_name(int64 id);
/* XX001 with that detail; does not return. */
extern void wfml_bad_artifact(int64 id, const char *detail) __attribute__((noreturn));
extern void wfml_sha256(const void *bytes, size_t length, uint8 sha256[PG_SHA256_DIGEST_LENGTH]);

#endif							/* WFML_REGISTRY_H */
