/*-------------------------------------------------------------------------
 * forecast.h
 *	  What a training will take, from two small ones on a sample of the rows.
 *-------------------------------------------------------------------------
 */
#ifndef WFML_FORECAST_H
#define WFML_FORECAST_H

#include "postgres.h"

#include "core/fit.h"
#include "pg/source.h"

typedef struct WfmlForecast
{
	double		seconds;		/* without reading the source; NaN: too few rows to tell */
	size_t		memory;			/* bytes while training, the frame included */
	size_t		artifact;		/* bytes of the model */
} WfmlForecast;

/* The source's frame stays as it is. */
extern void wfml_forecast(WfHost *host, const WfSpec *spec, const WfmlSource *source,
						  WfmlForecast *forecast);

#endif							/* WFML_FORECAST_H */
