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
extern int	wfml_shared_cache_memory;	/* kB, of the whole server; 0: off */
extern int	wfml_prediction_cache_entries;	/* answers */
extern int	wfml_prediction_cache_ttl;	/* seconds; 0: off */
extern double wfml_log_sample_rate; /* share of predictions that are logged */
extern int	wfml_rate_limit;	/* logged predictions per role and minute; 0: off */
extern int	wfml_max_retraining_time;	/* seconds */
extern int	wfml_prediction_retention;	/* minutes; 0: for ever */
extern char *wfml_user_id;		/* empty: none */

typedef enum WfmlOnError
{
	WFML_ON_ERROR_FALLBACK,
	WFML_ON_ERROR_ERROR
} WfmlOnError;

extern int	wfml_on_error;		/* WfmlOnError */

extern void wfml_settings_define(void);

#endif							/* WFML_SETTINGS_H */
