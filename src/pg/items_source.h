/*-------------------------------------------------------------------------
 * items_source.h
 *	  The catalogue of items: attributes into the core's content.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ITEMS_SOURCE_H
#define WFML_ITEMS_SOURCE_H

#include "postgres.h"

#include "pg/interactions_source.h"

/*
 * Run in->items: its key column names items of in->interactions (new ones are
 * added), every other column of a suitable type describes them.  Sets content,
 * stored_items, item_key and attributes.
 */
extern void wfml_items_load(WfHost *host, WfmlInteractionsSource *in);

#endif							/* WFML_ITEMS_SOURCE_H */
