/*-------------------------------------------------------------------------
 * anomaly.h
 *	  What an anomaly model says of a score.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_ANOMALY_H
#define WFML_ANOMALY_H

#include "postgres.h"

#include "core/model.h"

/* Above the model's threshold? */
extern bool wfml_is_anomalous(const WfModel *model, double score);
/* "anomaly" or "normal" */
extern const char *wfml_anomaly_word(const WfModel *model, double score);
/* Share of the training rows that score lower. */
extern double wfml_anomaly_confidence(const WfModel *model, double score);

#endif							/* WFML_ANOMALY_H */
