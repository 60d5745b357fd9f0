/*-------------------------------------------------------------------------
 * compat.h
 *	  PostgreSQL 14 to 18: every version shim of wfml stands here.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_COMPAT_H
#define WFML_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 140000
#error "wfml needs PostgreSQL 14 or later"
#endif

#include "fmgr.h"
#include "funcapi.h"
#include "utils/guc.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 15: reserved prefix; before: the same check under another name. */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* 15: set-returning functions in materialize mode. */
#if PG_VERSION_NUM < 150000
extern void wfml_init_materialized_srf(FunctionCallInfo fcinfo);
#define InitMaterializedSRF(fcinfo, flags) wfml_init_materialized_srf(fcinfo)
#endif

/* 15: timeouts that repeat themselves; before, their handler has to. */
#if PG_VERSION_NUM < 150000
#define enable_timeout_every(id, fin_time, delay_ms) enable_timeout_at(id, fin_time)
#define wfml_timeout_again(id, delay_ms) enable_timeout_after(id, delay_ms)
#else
#define wfml_timeout_again(id, delay_ms) ((void) 0)
#endif

/* 16: the status of all backends, one by one. */
#if PG_VERSION_NUM < 160000
#define pgstat_get_local_beentry_by_index(index) pgstat_fetch_stat_local_beentry(index)
#endif

/* 17: search_path for stored code. */
#if PG_VERSION_NUM < 170000
#define RestrictSearchPath() \
	((void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false))
#endif

/* 16: whether only summarizing indexes need an entry. */
#if PG_VERSION_NUM >= 160000
#define wfml_insert_index_tuples(target, slot, estate) \
	ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL, false)
#else
#define wfml_insert_index_tuples(target, slot, estate) \
	ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL)
#endif

/* 17: a backend's virtual transaction is a struct. */
#if PG_VERSION_NUM >= 170000
#define WFML_MY_LXID (MyProc->vxid.lxid)
#else
#define WFML_MY_LXID (MyProc->lxid)
#endif

/* 18: generated columns that are not stored. */
#if PG_VERSION_NUM >= 180000
#define WFML_HAS_GENERATED(constr) ((constr)->has_generated_stored || (constr)->has_generated_virtual)
#define WFML_IS_VIRTUAL(attribute) ((attribute)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define WFML_HAS_GENERATED(constr) ((constr)->has_generated_stored)
#define WFML_IS_VIRTUAL(attribute) false
#endif

/* 18: name and version in the module's magic block. */
#if PG_VERSION_NUM >= 180000
#define WFML_MODULE_MAGIC(VERSION) PG_MODULE_MAGIC_EXT(.name = "wfml", .version = VERSION)
#else
#define WFML_MODULE_MAGIC(VERSION) PG_MODULE_MAGIC
#endif

#endif							/* WFML_COMPAT_H */
