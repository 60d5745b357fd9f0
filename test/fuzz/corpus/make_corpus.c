/*-------------------------------------------------------------------------
 * make_corpus.c
 *	  Small models as a first corpus of fuzz_model, written into the folder
 *	  given.  To be run again when the format of models changes (CORE: the C
 *	  files of src/core):
 *
 *	  cc -std=gnu11 -Isrc -Itest/unit -Itest/fuzz -D_GNU_SOURCE -o build/make_corpus \
 *		test/fuzz/corpus/make_corpus.c $(CORE) -lm
 *	  build/make_corpus test/fuzz/corpus/fuzz_model
 *-------------------------------------------------------------------------
 */
#include "anomaly_sample.h"
#include "fuzz_host.h"
#include "model_maker.h"
#include "sample.h"

static void
write_file(const char *folder, const char *name, const WfBytes *bytes)
{
	static const uint8_t mode = 1;	/* with a checksum that fits */
	char		path[1024];
	FILE	   *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(&mode, 1, 1, f) != 1 ||
		fwrite(bytes->data, 1, bytes->length, f) != bytes->length || fclose(f) != 0)
	{
		perror(path);
		exit(1);
	}
}

/* Random trees. */
static void
write_model(const char *folder, const char *name, Maker m, WfCalibration calibration)
{
	FuzzHost	fh;
	WfBytes		bytes;

	fuzz_host_begin(&fh, (size_t) 1 << 30);
	if (setjmp(fh.out) != 0)
	{
		fprintf(stderr, "cannot make \"%s\"\n", name);
		exit(1);
	}
	maker_schema(&fh.host, &m);
	bytes = maker_model(&fh.host, &m, calibration);
	write_file(folder, name, &bytes);
	fuzz_host_end(&fh);
}

/* A trained model. */
static void
write_trained(const char *folder, const char *algorithm, int n_classes)
{
	FuzzHost	fh;
	Sample		sample;
	WfFitResult result;
	WfTeam		team;
	WfTeamShared shared;
	char		name[64];

	fuzz_host_begin(&fh, (size_t) 1 << 30);
	if (setjmp(fh.out) != 0)
	{
		fprintf(stderr, "cannot train \"%s\"\n", algorithm);
		exit(1);
	}
	wf_team_alone(&team, &shared, &fh.host);
	sample_make(&sample, &fh.host, 60, n_classes, 1, (size_t) 1 << 30);
	sample_spec(&fh.host, &sample, algorithm, "holdout");
	wf_fit(&team, &sample.spec, &sample.input, &result);
	snprintf(name, sizeof(name), "%s-%d", algorithm, n_classes);
	write_file(folder, name, &result.artifact);
	fuzz_host_end(&fh);
}

/* An isolation forest, its numbers scaled by group or as they are. */
static void
write_isolation(const char *folder, const char *name, bool grouped)
{
	FuzzHost	fh;
	Sample		sample;
	WfFitResult result;
	WfTeam		team;
	WfTeamShared shared;

	fuzz_host_begin(&fh, (size_t) 1 << 30);
	if (setjmp(fh.out) != 0)
	{
		fprintf(stderr, "cannot train \"%s\"\n", name);
		exit(1);
	}
	wf_team_alone(&team, &shared, &fh.host);
	anomaly_sample_make(&sample, &fh.host, 120, 1, grouped);
	sample_set_number(&fh.host, &sample.spec, "trees", 3);
	sample_set_number(&fh.host, &sample.spec, "sample_size", 32);
	wf_fit(&team, &sample.spec, &sample.input, &result);
	write_file(folder, name, &result.artifact);
	fuzz_host_end(&fh);
}

int
main(int argc, char **argv)
{
	Maker		m = {.seed = 9,.d = 6,.max_bins = 6,.combine = WF_COMBINE_SUM,.n_trees = 3,.n_leaves = 5,.full = true};

	if (argc != 2)
	{
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 1;
	}
	write_model(argv[1], "numbers", m, WF_CALIBRATE_NONE);
	m.missing = 0.5;
	m.n_classes = 2;
	write_model(argv[1], "missing", m, WF_CALIBRATE_PLATT);
	m.n_leaves = 40;
	write_model(argv[1], "tall", m, WF_CALIBRATE_NONE);
	m.n_leaves = 4;
	m.categories = 0.5;
	m.n_classes = 3;
	write_model(argv[1], "categories", m, WF_CALIBRATE_TEMPERATURE);
	m.combine = WF_COMBINE_MEAN;
	m.leaf = WF_LEAF_CLASS;
	m.distributions = 0.5;
	write_model(argv[1], "forest", m, WF_CALIBRATE_NONE);
	m.n_classes = 2;
	m.categories = 0;
	write_model(argv[1], "plain-forest", m, WF_CALIBRATE_PLATT);
	m.d = 300;
	m.categories = 0.1;
	m.max_bins = 3;
	write_model(argv[1], "wide", m, WF_CALIBRATE_NONE);
	for (int n_classes = 0; n_classes <= 3; n_classes += n_classes ? 1 : 2)
		for (int a = 0; a < wf_algorithm_count(); a++)
			if (wf_algorithm_get(a)->tasks & 1u << (n_classes ? WF_CLASSIFICATION : WF_REGRESSION))
				write_trained(argv[1], wf_algorithm_get(a)->name, n_classes);
	write_isolation(argv[1], "isolation", false);
	write_isolation(argv[1], "isolation-groups", true);
	return 0;
}
