/*-------------------------------------------------------------------------
 * forecast.c
 *	  What a training will take, from two small ones on a sample of the rows.
 *
 * How long an algorithm takes depends on the data as much as on its
 * parameters, so it is tried: on two samples, from which time and size go on
 * in a straight line; where the model grows with the rows its trees get
 * deeper too, which adds a factor log n.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "core/sample.h"
#include "pg/compat.h"
#include "pg/forecast.h"
#include "pg/pghost.h"
#include "pg/settings.h"

#define SMALL_ROWS 2000
#define LARGE_ROWS 8000
/* A pilot stops after that many seconds. */
#define PILOT_SECONDS 5

typedef struct Pilot
{
	double		rows;
	double		seconds;
	double		artifact;
} Pilot;

static void pilot_notice(WfHost *host, const char *format,...) pg_attribute_printf(2, 3);

/* Remarks are for the real training. */
static void
pilot_notice(WfHost *host, const char *format,...)
{
}

static Pilot
run_pilot(const WfSpec *spec, const WfmlSource *source, uint32_t rows)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "wfml pilot", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	WfHost	   *host = wfml_host_create(context);
	WfSpec		pilot_spec = *spec;
	WfTeam		team;
	WfTeamShared shared;
	WfFitInput	input = {
		.schema = source->schema,
		.frame = wf_frame_sample(host, source->frame, rows),
		.class_of_code = source->class_of_code,
		.size_limit = (size_t) wfml_max_model_size * 1024,
	};
	WfFitResult result;
	Pilot		pilot = {.rows = (double) wf_frame_n_rows(input.frame)};
	double		started;

	host->notice = pilot_notice;
	pilot_spec.task = source->task;
	pilot_spec.validation = WF_VALIDATE_NONE;
	pilot_spec.max_seconds = PILOT_SECONDS;
	memset(&shared, 0, sizeof(shared));
	wf_team_alone(&team, &shared, host);
	started = host->now(host);
	wf_fit(&team, &pilot_spec, &input, &result);
	pilot.seconds = host->now(host) - started;
	pilot.artifact = (double) result.artifact.length;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return pilot;
}

/* Trainings in all: one for each fold, and the one on all rows. */
static double
n_trainings(const WfSpec *spec)
{
	double		n = spec->validation == WF_VALIDATE_NONE ? 0 :
		spec->validation == WF_VALIDATE_CV ? spec->folds : 1;

	return spec->validation == WF_VALIDATE_NONE || spec->refit ? n + 1 : n;
}

static double
straight_on(Pilot a, Pilot b, double from, double to, double rows)
{
	double		slope = (to - from) / (b.rows - a.rows);

	return slope > 0 ? to + slope * (rows - b.rows) : to;
}

void
wfml_forecast(WfHost *host, const WfSpec *spec, const WfmlSource *source, WfmlForecast *forecast)
{
	double		rows = (double) wf_frame_n_rows(source->frame);
	double		limit = (double) wfml_max_model_size * 1024;
	double		artifact;
	size_t		shared;
	Pilot		small,
				large;

	forecast->memory = wf_frame_memory(source->frame) +
		wf_fit_memory(spec, wf_frame_n_rows(source->frame), (uint32_t) source->schema->n_features,
					  source->task == WF_CLASSIFICATION ? source->schema->n_classes : 0, &shared);
	large = run_pilot(spec, source, LARGE_ROWS);
	forecast->seconds = large.seconds;
	artifact = large.artifact;
	if (rows > LARGE_ROWS)
	{
		small = run_pilot(spec, source, SMALL_ROWS);
		forecast->seconds = straight_on(small, large, small.seconds, large.seconds, rows);
		artifact = straight_on(small, large, small.artifact, large.artifact, rows);
		if (large.artifact > 2 * small.artifact)
			forecast->seconds *= log(rows) / log(large.rows);
	}
	forecast->artifact = (size_t) Min(artifact, limit);
	forecast->seconds *= n_trainings(spec);
	if (spec->max_seconds > 0)
		forecast->seconds = Min(forecast->seconds, spec->max_seconds);
	host->check(host);
}
