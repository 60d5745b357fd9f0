/*-------------------------------------------------------------------------
 * settings.h
 *	  The wfml.* settings.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_SETTINGS_H
#define WFML_SETTINGS_H

extern int	wfml_max_training_memory;	/* kB */
extern int	wfml_max_model_size;	/* kB */
extern int	wfml_model_cache_size;	/* models */
extern int	wfml_model_cache_memory;	/* kB */

extern void wfml_settings_define(void);

#endif							/* WFML_SETTINGS_H */
