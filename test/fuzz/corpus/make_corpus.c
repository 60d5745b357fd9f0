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
#include "fuzz_host.h"
#include "model_maker.h"

static void
write_model(const char *folder, const char *name, Maker m, WfCalibration calibration)
{
	static const uint8_t mode = 1;	/* with a checksum that fits */
	FuzzHost	fh;
	WfBytes		bytes;
	char		path[1024];
	FILE	   *f;

	fuzz_host_begin(&fh, (size_t) 1 << 30);
	if (setjmp(fh.out) != 0)
	{
		fprintf(stderr, "cannot make \"%s\"\n", name);
		exit(1);
	}
	maker_schema(&fh.host, &m);
	bytes = maker_model(&fh.host, &m, calibration);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	if (f == NULL || fwrite(&mode, 1, 1, f) != 1 ||
		fwrite(bytes.data, 1, bytes.length, f) != bytes.length || fclose(f) != 0)
	{
		perror(path);
		exit(1);
	}
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
	return 0;
}
