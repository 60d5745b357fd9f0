/*
 * Linear models against scikit-learn 1.9 and against themselves: weights and
 * repeated rows, teams, folds, explanations, damaged bytes.
 */
#include "wf_test.h"

#include "core/linear.h"
#include "core/mathx.h"
#include "core/rng.h"
#include "core/simd.h"

#define N 120
#define D 3
#define MAX_PARAMS 24

/* ---- a data set made by formulas that the reference run repeats ---- */

typedef struct Data
{
	WfDataset	set;
	WfSpec		spec;
	int			out_fold;
	size_t		size_limit;
	double		deadline;
	WfFitted	fitted;
} Data;

static void
make_arrays(WfHost *host, WfDataset *set, uint32_t n, uint32_t d, int n_classes)
{
	memset(set, 0, sizeof(*set));
	set->n = n;
	set->d = d;
	set->n_classes = n_classes;
	set->layout = WF_LAYOUT_VALUES;
	set->values = wf_alloc_zero(host, (size_t) n * d, sizeof(float));
	if (n_classes)
		set->label = wf_alloc_zero(host, n, sizeof(uint16_t));
	else
		set->target = wf_alloc_zero(host, n, sizeof(double));
	set->n_bins = wf_alloc_zero(host, d, sizeof(uint16_t));
	set->is_category = wf_alloc_zero(host, d, 1);
	set->has_missing = wf_alloc_zero(host, d, 1);
}

static void
set_params(WfHost *host, WfSpec *spec, int n_classes, double l2, double l1, int iterations)
{
	WfParamInput in = {.kind = WF_INPUT_NUMBER};

	memset(spec, 0, sizeof(*spec));
	spec->algorithm = wf_algorithm_find("linear");
	spec->task = n_classes ? WF_CLASSIFICATION : WF_REGRESSION;
	wf_params_defaults(spec);
	in.number = l2;
	wf_params_set(host, spec, "l2", &in);
	in.number = l1;
	wf_params_set(host, spec, "l1", &in);
	in.number = iterations;
	wf_params_set(host, spec, "max_iterations", &in);
	wf_params_finish(host, spec);
}

static void
make_reference_data(WfHost *host, Data *data, int n_classes, bool weighted)
{
	static const double level_y[] = {1, -2, 0.5, 4};
	static const double level_s[] = {0.5, -1, 0, 1};

	memset(data, 0, sizeof(*data));
	data->out_fold = -1;
	make_arrays(host, &data->set, N, D, n_classes);
	data->set.is_category[2] = 1;
	data->set.n_bins[2] = 3;
	data->set.has_missing[1] = 1;
	data->set.has_missing[2] = 1;
	if (weighted)
		data->set.weight = wf_alloc(host, N, sizeof(float));
	for (int i = 0; i < N; i++)
	{
		float	   *x = data->set.values + i * D;
		double		x0 = i * 37 % 101 / 10.0 - 3;
		double		x1 = (i * 59 + 7) % 83 / 20.0;
		bool		missing = i % 7 == 3;
		int			level = (i * i + i / 3) % 4;
		double		noise = i * 71 % 97 / 97.0 - 0.5;
		double		s = x0 - 1.2 * (missing ? 2 : x1) + level_s[level] + 4 * noise;

		x[0] = (float) x0;
		x[1] = missing ? NAN : (float) x1;
		x[2] = level == 3 ? NAN : (float) level;
		if (weighted)
			data->set.weight[i] = (float) (1 + i % 3);
		if (n_classes == 0)
			data->set.target[i] = 2 * x0 - 3 * (missing ? 1.5 : x1) + level_y[level] + 5 * noise + 100;
		else if (n_classes == 2)
			data->set.label[i] = s > 0;
		else
			data->set.label[i] = (uint16_t) ((s >= -2) + (s >= 1.5));
	}
}

static void
train_in_team(WfTeam *team, void *arg)
{
	Data	   *data = arg;
	WfFitted	fitted;
	WfTraining	t = {
		.team = team, .spec = &data->spec, .data = &data->set, .out_fold = data->out_fold,
		.size_limit = data->size_limit, .deadline = data->deadline, .report = team->rank == 0
	};

	wf_linear_train(&t, &fitted);
	if (team->rank == 0)
		data->fitted = fitted;
}

static void
train(TestHost *th, Data *data)
{
	WfTeamShared shared;
	WfTeam		team;

	wf_team_alone(&team, &shared, &th->host);
	train_in_team(&team, data);
}

static WfShape
shape_of(const Data *data)
{
	return (WfShape) {
		.n_features = data->set.d, .n_classes = data->set.n_classes,
		.n_outputs = wf_n_outputs(data->set.n_classes),
		.is_category = data->set.is_category, .n_bins = data->set.n_bins
	};
}

static void *
open_fitted(TestHost *th, const Data *data)
{
	WfShape		shape = shape_of(data);

	return wf_linear_open(&th->host, data->fitted.section.data, data->fitted.section.length, &shape);
}

static const double *
coefficients(const Data *data, uint32_t *n_columns)
{
	const WfLinearHeader *header = (const WfLinearHeader *) data->fitted.section.data;
	const WfDesignFeature *features = (const WfDesignFeature *) (header + 1);

	*n_columns = header->n_columns;
	return (const double *) (features + header->n_features) + header->n_columns;
}

/* ---- scikit-learn ---- */

typedef struct Reference
{
	const char *name;
	int			n_classes;
	bool		weighted;
	double		l2;
	double		l1;
	double		coefficient[MAX_PARAMS];
} Reference;

/*
 * Ridge(alpha = l2), ElasticNet(alpha = (l1 + l2) / Σ w, l1_ratio = l1 / (l1 + l2)),
 * LogisticRegression(C = 1 / l2) with newton-cholesky and lbfgs, and with L1
 * (C = 1 / l1) with saga, all to a tolerance of 1e-12 or less, on columns
 * standardised with the weights, "is missing" and levels as 0/1 columns.
 * Order: x0, x1, x1 is missing, levels 0, 1, 2, missing, intercept; the
 * outputs of a column together.
 */
static const Reference references[] = {
	{"ridge", 0, false, 1, 0, {
		6.296734625658379, -3.0731707150393164, 1.7346568965775702, 0.13424230358849723,
		-2.70326916453217, -0.20566924047898438, 2.7746961014227725, 98.39097672122946,
	}},
	{"ridge25", 0, false, 25, 0, {
		5.22211896443951, -2.51288452370645, 0.6718120554551333, 0.09535386108713885,
		-1.3004634161574742, -0.12792334707371092, 1.33303290214405, 98.53507016523784,
	}},
	{"enet", 0, false, 5, 20, {
		5.893085545474027, -2.810034914176467, 0.4086829145538005, 0.0,
		-1.5122179495738761, -0.0, 1.6211604792049217, 98.54876145759593,
	}},
	{"logit", 2, false, 1, 0, {
		2.785048320984406, -0.9540554428968979, 0.4378324777064373, 0.6800103831454525,
		-0.7907121453879865, -0.24590067482888242, 0.3566024370714158, -0.7381029477927502,
	}},
	{"multi", 3, false, 1, 0, {
		-3.005654029370222, 0.09136553643878541, 2.914288492931438, 1.0911345258159093,
		0.05189549535894053, -1.1430300211748485, 0.011417594750922059, -0.07008361830567565,
		0.05866602355475378, -0.37008964963249824, 0.12440578009567281, 0.24568386953682556,
		0.6056796435945578, 0.10988980376982645, -0.7155694473643841, 0.23456798106951793,
		0.017854362712514605, -0.25242234378203227, -0.47015663302506683, -0.25215452395991383,
		0.7223111569849804, -0.42595807307540806, 1.111974413734027, -0.6860163406586134,
	}},
	{"l1 logit", 2, false, 0, 3, {
		2.488752281846485, -0.7142299532122353, 0.0, 0.10565504413683349,
		0.0, 0.0, 0.0, -0.54044788950943,
	}},
	{"l1 multi", 3, false, 0, 3, {
		-2.827440355141448, 0.0, 2.397783764753703, 0.8994160676077336,
		0.0, -0.8250146402746145, 0.0, 0.0,
		0.0, 0.0, 0.0, 0.0,
		0.0, 0.0, 0.0, 0.0,
		0.0, 0.0, 0.0, 0.0,
		0.0, -0.45053466284316684, 0.96862339883456, -0.5180887359914531,
	}},
	{"ridge weighted", 0, true, 1, 0, {
		6.2692829296184085, -3.0674873465600454, 1.9157108628501893, 0.1329767063395504,
		-2.775109209964695, -0.17651208793245127, 2.8186445915574487, 98.20650888353084,
	}},
	{"ridge25 weighted", 0, true, 25, 0, {
		5.658648267728672, -2.734776925230746, 1.0511410191880057, 0.09576889209441121,
		-1.779142049842376, -0.1437851698718419, 1.8271583276198031, 98.32613405306512,
	}},
	{"enet weighted", 0, true, 5, 20, {
		6.05121892573977, -2.9265086093905373, 1.108706863839639, 0.0,
		-2.0964724290591716, -0.0, 2.19828658612119, 98.29324701028561,
	}},
	{"logit weighted", 2, true, 1, 0, {
		3.3386766741462686, -1.2395091239852092, 0.8098309065034806, 0.8702837006341174,
		-1.0859862860253569, -0.3517782334955124, 0.5674808188867515, -1.150211210741896,
	}},
	{"multi weighted", 3, true, 1, 0, {
		-3.9503420816209753, 0.1395952336708119, 3.8107468479501607, 1.369334268315183,
		0.14142645669930867, -1.5107607250144934, 0.3276311100142178, -0.0015160234247104225,
		-0.32611508658950744, -0.4279006434021769, -0.020786187740488682, 0.4486868311426656,
		0.9532137015749153, 0.13662443262555155, -1.0898381342004675, 0.20759076692169579,
		0.2202732735732701, -0.42786404049496535, -0.732905000132857, -0.33610897580856985,
		1.0690139759414263, -0.5704106216294433, 1.4963154542877326, -0.9259048326582855,
	}},
	{"l1 logit weighted", 2, true, 0, 3, {
		3.0484039200229036, -1.0383436710453773, 0.008366242801867162, 0.6064772901843603,
		-0.30119205604608, -0.00414643968581895, 0.0, -0.9982490499541141,
	}},
};

WF_TEST(coefficients_as_in_scikit_learn)
{
	for (size_t r = 0; r < sizeof(references) / sizeof(references[0]); r++)
	{
		const Reference *ref = &references[r];
		TestHost	th;
		Data		data;
		const double *c;
		uint32_t	m;
		int			k = wf_n_outputs(ref->n_classes);

		test_host_begin(&th);
		make_reference_data(&th.host, &data, ref->n_classes, ref->weighted);
		set_params(&th.host, &data.spec, ref->n_classes, ref->l2, ref->l1, 1000);
		train(&th, &data);
		c = coefficients(&data, &m);
		WF_CHECK_EQ(m, 7);
		for (int i = 0; i < 8 * k; i++)
			if (!(fabs(c[i] - ref->coefficient[i]) <= 2e-5 * (1 + fabs(ref->coefficient[i]))))
				wf_test_failed(__FILE__, __LINE__, "%s: coefficient %d = %.10g, expected %.10g", ref->name, i, c[i], ref->coefficient[i]);
		WF_CHECK(data.fitted.rounds > 0 && data.fitted.rounds < 1000);
		WF_CHECK_EQ(data.fitted.link, ref->n_classes == 0 ? WF_LINK_IDENTITY : k == 1 ? WF_LINK_LOGISTIC : WF_LINK_SOFTMAX);
		test_host_end(&th);
	}
}

/* ---- the objective, written out ---- */

static double
objective(TestHost *th, Data *data, double l2, double l1)
{
	void	   *m = open_fitted(th, data);
	uint32_t	n_columns;
	const double *c = coefficients(data, &n_columns);
	int			k = wf_n_outputs(data->set.n_classes);
	double		sum = 0;

	for (uint32_t i = 0; i < data->set.n; i++)
	{
		double		w = data->set.weight ? data->set.weight[i] : 1;
		double		out[16];
		double		loss;

		wf_linear_score_row(m, &data->set, NULL, i, out);
		if (data->set.label == NULL)
			loss = 0.5 * (out[0] - data->set.target[i]) * (out[0] - data->set.target[i]);
		else if (k == 1)
			loss = log1p(exp(data->set.label[i] ? -out[0] : out[0]));
		else
		{
			double		all = 0;

			for (int o = 0; o < k; o++)
				all += exp(out[o]);
			loss = log(all) - out[data->set.label[i]];
		}
		sum += w * loss;
	}
	for (uint32_t i = 0; i < n_columns * (uint32_t) k; i++)
		sum += 0.5 * l2 * c[i] * c[i] + l1 * fabs(c[i]);
	return sum;
}

/* No step of any coefficient lowers the objective: finite differences of loss and penalties. */
WF_TEST(solution_is_a_minimum)
{
	static const double penalties[][2] = {{1, 0}, {0.1, 2}, {0, 0.5}};

	for (int classes = 0; classes <= 3; classes++)
		for (int p = 0; p < 3 && classes != 1; p++)
		{
			TestHost	th;
			Data		data;
			double	   *c;
			uint32_t	m;
			double		at;
			int			n;

			test_host_begin(&th);
			make_reference_data(&th.host, &data, classes, true);
			set_params(&th.host, &data.spec, classes, penalties[p][0], penalties[p][1], 5000);
			train(&th, &data);
			c = (double *) coefficients(&data, &m);
			n = (int) (m + 1) * wf_n_outputs(classes);
			at = objective(&th, &data, penalties[p][0], penalties[p][1]);
			for (int i = 0; i < n; i++)
				for (int side = -1; side <= 1; side += 2)
				{
					double		was = c[i];
					double		step = side * 1e-3;

					c[i] = was + step;
					WF_CHECK(objective(&th, &data, penalties[p][0], penalties[p][1]) > at - 1e-9 * at);
					c[i] = was;
				}
			test_host_end(&th);
		}
}

WF_TEST(a_weight_is_a_repeated_row)
{
	for (int classes = 0; classes <= 3; classes++)
	{
		TestHost	th;
		Data		weighted;
		Data		repeated;
		uint32_t	m;
		uint32_t	at = 0;
		const double *a;
		const double *b;

		if (classes == 1)
			continue;
		test_host_begin(&th);
		make_reference_data(&th.host, &weighted, classes, true);
		repeated = weighted;
		make_arrays(&th.host, &repeated.set, 2 * N, D, classes);
		repeated.set.is_category = weighted.set.is_category;
		repeated.set.n_bins = weighted.set.n_bins;
		repeated.set.has_missing = weighted.set.has_missing;
		for (int i = 0; i < N; i++)
			for (int copy = 0; copy < 1 + i % 3; copy++, at++)
			{
				memcpy(repeated.set.values + at * D, weighted.set.values + i * D, D * sizeof(float));
				if (classes)
					repeated.set.label[at] = weighted.set.label[i];
				else
					repeated.set.target[at] = weighted.set.target[i];
			}
		WF_CHECK_EQ(at, 2 * N);
		set_params(&th.host, &weighted.spec, classes, 1, 0, 1000);
		repeated.spec = weighted.spec;
		train(&th, &weighted);
		train(&th, &repeated);
		a = coefficients(&weighted, &m);
		b = coefficients(&repeated, &m);
		for (uint32_t i = 0; i < (m + 1) * (uint32_t) wf_n_outputs(classes); i++)
			WF_CHECK_NEAR(a[i], b[i], 1e-6);
		test_host_end(&th);
	}
}

WF_TEST(rows_of_the_fold_stay_out)
{
	for (int classes = 0; classes <= 3; classes++)
	{
		TestHost	th;
		Data		all;
		Data		some;
		uint32_t	m;
		uint32_t	at = 0;
		const double *a;
		const double *b;

		if (classes == 1)
			continue;
		test_host_begin(&th);
		make_reference_data(&th.host, &all, classes, false);
		all.set.fold = wf_alloc(&th.host, N, 1);
		some = all;
		make_arrays(&th.host, &some.set, N, D, classes);
		some.set.is_category = all.set.is_category;
		some.set.n_bins = all.set.n_bins;
		some.set.has_missing = all.set.has_missing;
		for (int i = 0; i < N; i++)
		{
			all.set.fold[i] = i % 5 == 2 ? 1 : i % 2 ? 0 : 255;
			if (all.set.fold[i] == 1)
			{
				/* these must not matter at all */
				all.set.values[i * D] = 1e30f;
				continue;
			}
			memcpy(some.set.values + at * D, all.set.values + i * D, D * sizeof(float));
			if (classes)
				some.set.label[at] = all.set.label[i];
			else
				some.set.target[at] = all.set.target[i];
			at++;
		}
		some.set.n = at;
		all.out_fold = 1;
		set_params(&th.host, &all.spec, classes, 1, 0, 1000);
		some.spec = all.spec;
		train(&th, &all);
		train(&th, &some);
		a = coefficients(&all, &m);
		b = coefficients(&some, &m);
		for (uint32_t i = 0; i < (m + 1) * (uint32_t) wf_n_outputs(classes); i++)
			WF_CHECK_NEAR(a[i], b[i], 1e-6);
		test_host_end(&th);
	}
}

/* ---- teams, failures ---- */

/* n rows of d features, some categories; wide ones go to the quasi-Newton solver. */
static void
make_random_data(WfHost *host, Data *data, uint32_t n, uint32_t d, int levels, int n_classes)
{
	memset(data, 0, sizeof(*data));
	data->out_fold = -1;
	make_arrays(host, &data->set, n, d, n_classes);
	for (uint32_t f = 0; f < d; f++)
	{
		data->set.is_category[f] = f % 3 == 2;
		data->set.n_bins[f] = f % 3 == 2 ? (uint16_t) levels : 1;
		data->set.has_missing[f] = f % 2;
	}
	for (uint32_t i = 0; i < n; i++)
	{
		double		s = 0;

		for (uint32_t f = 0; f < d; f++)
		{
			uint64_t	r = wf_rng(wf_rng(3, i), f);
			float		x = f % 3 == 2 ? (float) wf_rng_below(r, (uint32_t) levels) : (float) wf_rng_unit(r);

			if (f % 2 && r % 10 == 0)
				x = NAN;
			data->set.values[(size_t) i * d + f] = x;
			s += isnan(x) ? 0.3 : f % 3 == 2 ? ((int) x % 2) - 0.5 : (x - 0.5) * (f % 5);
		}
		s += wf_rng_unit(wf_rng(4, i)) - 0.5;
		if (n_classes == 0)
			data->set.target[i] = s;
		else
			data->set.label[i] = (uint16_t) (n_classes == 2 ? s > 0 : (s > -0.5) + (s > 0.5));
	}
}

WF_TEST(same_bytes_for_any_team)
{
	for (int variant = 0; variant < 5; variant++)
	{
		static const int classes[] = {0, 2, 3, 2, 0};
		static const int levels[] = {4, 4, 4, 250, 250};
		TestHost	th;
		Data		data;
		uint8_t    *first = NULL;
		size_t		length = 0;

		test_host_begin(&th);
		make_random_data(&th.host, &data, 300, 9, levels[variant], classes[variant]);
		set_params(&th.host, &data.spec, classes[variant], 1, variant == 1 ? 0.5 : 0, 30);
		for (int size = 1; size <= 3; size++)
		{
			WF_CHECK(test_team_run(&th, size, train_in_team, &data));
			if (size == 1)
			{
				first = data.fitted.section.data;
				length = data.fitted.section.length;
				continue;
			}
			WF_CHECK_EQ(data.fitted.section.length, length);
			WF_CHECK(memcmp(data.fitted.section.data, first, length) == 0);
		}
		test_host_end(&th);
	}
}

WF_TEST(same_bytes_for_any_processor)
{
	TestHost	th;
	Data		data;
	WfFitted	scalar;

	test_host_begin(&th);
	make_random_data(&th.host, &data, 403, 40, 4, 2);
	set_params(&th.host, &data.spec, 2, 1, 0, 30);
	wf_simd_limit(WF_SIMD_SCALAR);
	train(&th, &data);
	scalar = data.fitted;
	wf_simd_limit(WF_SIMD_AVX512);
	train(&th, &data);
	WF_CHECK_EQ(data.fitted.section.length, scalar.section.length);
	WF_CHECK(memcmp(data.fitted.section.data, scalar.section.data, scalar.section.length) == 0);
	test_host_end(&th);
}

/* A function of its own, as longjmp may clobber the locals of a caller's loop. */
static bool
fails(TestHost *th, Data *data)
{
	jmp_buf		jb;

	th->failed = false;
	th->on_fail = &jb;
	if (setjmp(jb) == 0)
		train(th, data);
	th->on_fail = NULL;
	return th->failed;
}

WF_TEST(every_failure_is_survived)
{
	for (int classes = 2; classes <= 3; classes++)
		for (int kind = 0; kind < 2; kind++)
			for (uint64_t at = 1;; at++)
			{
				TestHost	th;
				Data		data;
				bool		failed;

				test_host_begin(&th);
				make_random_data(&th.host, &data, 150, 4, 3, classes);
				set_params(&th.host, &data.spec, classes, 1, 0, 5);
				if (kind == 0)
					th.fail_alloc_at = th.n_allocs + at;
				else
					th.cancel_check_at = th.n_checks + at;
				failed = fails(&th, &data);
				test_host_end(&th);
				WF_CHECK(failed || at > 5);
				if (!failed)
					break;
			}
}

WF_TEST(training_gives_its_memory_back)
{
	TestHost	th;
	Data		data;
	size_t		before;
	size_t		kept;

	test_host_begin(&th);
	make_random_data(&th.host, &data, 200, 6, 5, 3);
	set_params(&th.host, &data.spec, 3, 1, 0, 20);
	before = th.bytes_now;
	train(&th, &data);
	kept = data.fitted.section.capacity + 2 * data.set.d * sizeof(double);
	WF_CHECK_EQ(th.bytes_now, before + kept);
	test_host_end(&th);
}

WF_TEST(polls_and_progress)
{
	TestHost	th;
	Data		data;

	test_host_begin(&th);
	make_random_data(&th.host, &data, 300, 6, 5, 2);
	set_params(&th.host, &data.spec, 2, 1, 0, 2);
	train(&th, &data);
	WF_CHECK(th.n_checks > 10);
	WF_CHECK(th.n_progress >= 2);
	WF_CHECK_EQ(data.fitted.rounds, 2);
	WF_CHECK(strstr(th.notices, "max_iterations") != NULL);
	WF_CHECK(!data.fitted.time_limited);

	/* a deadline in the past: one evaluation, then what there is */
	data.deadline = 1e-9;
	train(&th, &data);
	WF_CHECK(data.fitted.time_limited);

	data.size_limit = 100;
	WF_CHECK(fails(&th, &data));
	WF_CHECK_EQ(th.code, WF_E_LIMIT);
	test_host_end(&th);
}

/* ---- odd data ---- */

WF_TEST(odd_columns_and_targets)
{
	for (int classes = 0; classes <= 3; classes++)
	{
		TestHost	th;
		Data		data;
		void	   *m;
		double		out[3];
		float		x[6] = {INFINITY, -INFINITY, 1, NAN, NAN, 7};

		if (classes == 1)
			continue;
		test_host_begin(&th);
		make_random_data(&th.host, &data, 100, 6, 2, classes);
		for (int i = 0; i < 100; i++)
		{
			float	   *row = data.set.values + i * 6;

			row[0] = i % 9 ? row[0] : i % 2 ? INFINITY : -INFINITY;
			row[1] = NAN;		/* nothing known */
			row[3] = 0.1f;		/* constant */
			row[4] = i % 2 ? 3e38f : -3e38f;
			if (classes == 0)
				data.set.target[i] += 1e9;
		}
		set_params(&th.host, &data.spec, classes, 0, 0, 50);
		train(&th, &data);
		m = open_fitted(&th, &data);
		wf_linear_predict(m, x, out);
		for (int o = 0; o < wf_n_outputs(classes); o++)
			WF_CHECK(isfinite(out[o]));
		/* an infinite value is the end of the range that training knew */
		{
			const WfDesignFeature *f = (const WfDesignFeature *) (data.fitted.section.data + sizeof(WfLinearHeader));
			double		same[3];

			WF_CHECK(f[3].inverse == 0);
			x[0] = f[0].high;
			x[1] = 5;
			wf_linear_predict(m, x, same);
			x[0] = INFINITY;
			wf_linear_predict(m, x, out);
			for (int o = 0; o < wf_n_outputs(classes); o++)
				WF_CHECK_NEAR(out[o], same[o], 0);
		}
		test_host_end(&th);
	}
}

WF_TEST(constant_target)
{
	TestHost	th;
	Data		data;
	void	   *m;
	double		out;
	float		x[6] = {0.5f, 0.5f, 1, 0.1f, NAN, 7};

	test_host_begin(&th);
	make_random_data(&th.host, &data, 50, 6, 2, 0);
	for (int i = 0; i < 50; i++)
		data.set.target[i] = 42;
	set_params(&th.host, &data.spec, 0, 1, 0, 50);
	train(&th, &data);
	m = open_fitted(&th, &data);
	wf_linear_predict(m, x, &out);
	WF_CHECK_NEAR(out, 42, 1e-9);

	for (int i = 0; i < 50; i++)
		data.set.target[i] = i % 2 ? 1e200 : -1e200;
	WF_CHECK(fails(&th, &data));
	WF_CHECK_EQ(th.code, WF_E_DATA);
	data.set.weight = wf_alloc_zero(&th.host, 50, sizeof(float));
	WF_CHECK(fails(&th, &data));
	WF_CHECK_STR(th.message, "no row has a positive weight");
	test_host_end(&th);
}

/* Separable classes and no penalty have no finite solution, but an answer that is right. */
WF_TEST(separable_classes)
{
	TestHost	th;
	Data		data;
	void	   *m;

	test_host_begin(&th);
	memset(&data, 0, sizeof(data));
	data.out_fold = -1;
	make_arrays(&th.host, &data.set, 40, 1, 2);
	data.set.n_bins[0] = 1;
	for (int i = 0; i < 40; i++)
	{
		data.set.values[i] = (float) i;
		data.set.label[i] = i >= 20;
	}
	set_params(&th.host, &data.spec, 2, 0, 0, 100);
	train(&th, &data);
	m = open_fitted(&th, &data);
	for (int i = 0; i < 40; i++)
	{
		double		out;

		wf_linear_score_row(m, &data.set, NULL, (uint32_t) i, &out);
		WF_CHECK(isfinite(out) && (out > 0) == (i >= 20));
	}
	test_host_end(&th);
}

/* ---- explanations, blocks, gain ---- */

WF_TEST(contributions_sum_to_the_output)
{
	for (int classes = 0; classes <= 3; classes++)
	{
		TestHost	th;
		Data		data;
		void	   *m;
		int			k = wf_n_outputs(classes);
		double	   *block;
		double		mean[3] = {0};
		double		base[3];

		if (classes == 1)
			continue;
		test_host_begin(&th);
		make_random_data(&th.host, &data, 200, 7, 4, classes);
		set_params(&th.host, &data.spec, classes, 1, 0, 100);
		train(&th, &data);
		m = open_fitted(&th, &data);
		block = wf_alloc(&th.host, 200 * (size_t) k, sizeof(double));
		wf_linear_predict_block(m, data.set.values, 200, block);
		for (uint32_t i = 0; i < 200; i++)
			for (int o = 0; o < k; o++)
			{
				double		phi[8];
				double		sum = 0;
				double		out[3];

				wf_linear_predict(m, data.set.values + i * 7, out);
				WF_CHECK(block[i * (uint32_t) k + (uint32_t) o] == out[o]);
				wf_linear_explain(&th.host, m, data.set.values + i * 7, o, phi);
				for (int f = 0; f < 8; f++)
					sum += phi[f];
				WF_CHECK_NEAR(sum, out[o], 1e-12);
				mean[o] += out[o] / 200;
				base[o] = phi[7];
			}
		/* contributions are against the mean of training */
		for (int o = 0; o < k; o++)
			WF_CHECK_NEAR(base[o], mean[o], 1e-9);
		/* and missing where training never missed is no contribution */
		{
			float		x[7];
			double		phi[8];

			memcpy(x, data.set.values, sizeof(x));
			x[0] = NAN;
			x[2] = NAN;
			wf_linear_explain(&th.host, m, x, 0, phi);
			WF_CHECK(phi[0] == 0 && phi[2] == 0);
			x[2] = 99;			/* no such level */
			wf_linear_explain(&th.host, m, x, 0, phi);
			WF_CHECK(phi[2] == 0);
		}
		test_host_end(&th);
	}
}

WF_TEST(gain_ranks_features)
{
	TestHost	th;
	Data		data;

	test_host_begin(&th);
	memset(&data, 0, sizeof(data));
	data.out_fold = -1;
	make_arrays(&th.host, &data.set, 500, 3, 0);
	for (int f = 0; f < 3; f++)
		data.set.n_bins[f] = 1;
	for (uint32_t i = 0; i < 500; i++)
	{
		float	   *x = data.set.values + i * 3;

		for (uint32_t f = 0; f < 3; f++)
			x[f] = (float) (wf_rng_unit(wf_rng(9, i * 3 + f)) * (f == 1 ? 1000 : 1));
		data.set.target[i] = 3 * x[0] + 0.001 * x[1];
	}
	set_params(&th.host, &data.spec, 0, 1, 0, 100);
	train(&th, &data);
	WF_CHECK(data.fitted.gain[0] > 2 * data.fitted.gain[1]);
	WF_CHECK(data.fitted.gain[1] > 10 * data.fitted.gain[2]);
	test_host_end(&th);
}

/* ---- damaged bytes ---- */

static void *
try_open(TestHost *th, const void *bytes, size_t length, const WfShape *shape)
{
	jmp_buf		jb;
	void	   *volatile m = NULL;

	th->failed = false;
	th->on_fail = &jb;
	if (setjmp(jb) == 0)
		m = wf_linear_open(&th->host, bytes, length, shape);
	th->on_fail = NULL;
	WF_CHECK(!th->failed || th->code == WF_E_CORRUPT);
	return m;
}

WF_TEST(damaged_bytes_are_refused_or_harmless)
{
	TestHost	th;
	Data		data;
	WfShape		shape;
	uint8_t    *bytes;
	size_t		length;
	int			opened = 0;

	test_host_begin(&th);
	make_random_data(&th.host, &data, 60, 5, 4, 3);
	set_params(&th.host, &data.spec, 3, 1, 0, 5);
	train(&th, &data);
	shape = shape_of(&data);
	length = data.fitted.section.length;
	for (size_t cut = 0; cut < length; cut++)
	{
		bytes = wf_alloc(&th.host, cut, 1);
		memcpy(bytes, data.fitted.section.data, cut);
		WF_CHECK(try_open(&th, bytes, cut, &shape) == NULL);
	}
	bytes = wf_alloc(&th.host, length, 1);
	for (uint64_t i = 0; i < 3000; i++)
	{
		size_t		at = wf_rng(11, i) % (i % 2 ? length : 16 + 40 * 5);
		void	   *m;

		memcpy(bytes, data.fitted.section.data, length);
		bytes[at] ^= (uint8_t) (1u << (wf_rng(12, i) & 7));
		m = try_open(&th, bytes, length, &shape);
		if (m)
		{
			double		out[3];
			double		phi[6];

			opened++;
			for (int row = 0; row < 20; row++)
				wf_linear_predict(m, data.set.values + row * 5, out);
			wf_linear_explain(&th.host, m, data.set.values, 2, phi);
		}
	}
	WF_CHECK(opened > 100 && opened < 3000);
	test_host_end(&th);
}

WF_TEST(estimate_is_near_the_section)
{
	TestHost	th;
	Data		data;
	size_t		memory;
	size_t		artifact;

	test_host_begin(&th);
	make_random_data(&th.host, &data, 60, 2, 4, 2);
	set_params(&th.host, &data.spec, 2, 1, 0, 5);
	train(&th, &data);
	wf_linear_estimate(&data.spec, 60, 2, 2, &memory, &artifact);
	WF_CHECK(artifact >= data.fitted.section.length && artifact < 2 * data.fitted.section.length);
	WF_CHECK(memory > 0);
	WF_CHECK_EQ(wf_linear_payload(&data.spec, 2, true), 0);
	test_host_end(&th);
}
