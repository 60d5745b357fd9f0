/*-------------------------------------------------------------------------
 * tables.h
 *	  wfml's own tables: their OIDs, when they changed, writing to them.
 *
 * Reading goes by table_open and an index scan under GetActiveSnapshot(),
 * writing through SPI as the tables' owner with a pinned search_path.  Either
 * bypasses privileges: check access.h's rule first.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_TABLES_H
#define WFML_TABLES_H

#include "postgres.h"

#include "access/genam.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

typedef struct WfmlTables
{
	Oid			schema;
	Oid			registry;
	Oid			registry_pkey;	/* (name) */
	Oid			ml_model;
	Oid			ml_model_pkey;	/* (id) */
	Oid			ml_model_version;	/* (name, version) */
	Oid			ml_artifact;
	Oid			ml_artifact_pkey;	/* (model_id, seq) */
	Oid			model_grant;
	Oid			model_grant_pkey;	/* (model, grantee) */
} WfmlTables;

/* Attribute numbers that C code reads; registry.sql declares the columns in this order. */
#define Anum_registry_name 1
#define Anum_registry_owner 2
#define Anum_registry_active_id 3
#define Anum_registry_active_version 4
#define Natts_registry_read 4
#define Anum_registry_fallback 6
#define Anum_registry_log_input 9
#define Anum_registry_traffic 10
#define Anum_registry_number 14		/* since 0.2.0 */

#define Anum_ml_model_id 1
#define Anum_ml_model_name 2
#define Anum_ml_model_version 3
#define Anum_ml_model_status 4
#define Anum_ml_model_artifact_bytes 5
#define Anum_ml_model_artifact_sha256 6
#define Anum_ml_model_metrics 7
#define Natts_ml_model_read 7

#define Anum_ml_artifact_model_id 1
#define Anum_ml_artifact_seq 2
#define Anum_ml_artifact_bytes 3

#define Anum_model_grant_model 1
#define Anum_model_grant_grantee 2

/* Valid until the next look at the catalogs; an ERROR when the extension is not installed. */
extern const WfmlTables *wfml_tables(void);
/* Any other relation of wfml's; an ERROR in a database whose extension is of before it. */
extern Oid	wfml_own_relation(const char *name);

/*
 * Grows whenever registry, ml_model or model_grant changed as far as this session has
 * heard: at its own command ends and rollbacks, and at others' commits.
 */
extern uint64 wfml_generation(void);

/* The active snapshot; NULL where none is active, which makes scans take the catalogs'. */
extern Snapshot wfml_snapshot(void);

/*
 * Rows by an equality key of an index: the first is there at once, the next
 * ones by wfml_scan_next(); wfml_scan_done() closes everything.
 */
typedef struct WfmlScan
{
	Relation	table;
	SysScanDesc scan;
	HeapTuple	tuple;			/* NULL: no such row */
} WfmlScan;

extern void wfml_scan_text(WfmlScan *scan, Oid table, Oid index, AttrNumber attno, const char *key);
extern void wfml_scan_id(WfmlScan *scan, Oid table, Oid index, AttrNumber attno, int64 key);
extern void wfml_scan_version(WfmlScan *scan, const char *name, int32 version);
/* The whole table, in no order. */
extern void wfml_scan_all(WfmlScan *scan, Oid table);
extern bool wfml_scan_next(WfmlScan *scan);
extern void wfml_scan_done(WfmlScan *scan);

/* ---- writing ---- */

typedef struct WfmlWriter
{
	Oid			user;
	int			security;
	int			nest;
} WfmlWriter;

/*
 * Become the owner of the tables and connect to SPI; command names the SQL
 * function for errors in read-only transactions and on standbys, NULL when
 * only reading.  An ERROR undoes all of it by itself.
 */
extern void wfml_write_begin(WfmlWriter *writer, const char *command);
extern void wfml_write_end(const WfmlWriter *writer);

/*
 * Run one statement with arguments; returns the rows processed (also in
 * SPI_tuptable for queries).  nulls as for SPI, may be NULL.
 */
extern uint64 wfml_execute(const char *sql, int n, const Oid *types, const Datum *values, const char *nulls);

/* A column of the first row of the last query. */
extern Datum wfml_result(int row, int column, bool *isnull);

#endif							/* WFML_TABLES_H */
