/*-------------------------------------------------------------------------
 * linear_fit.c
 *	  Training of linear models by a team.
 *
 * The members evaluate loss and derivatives, in sums that do not depend on
 * the size of the team (sums.h); the solver runs on rank 0.
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/linear.h"
#include "core/mathx.h"
#include "core/simd.h"
#include "core/solver.h"
#include "core/sums.h"

#ifdef WF_HAVE_X86_SIMD
#include <immintrin.h>
#endif

/*
 * Columns up to which a Hessian is worth its price.  Least squares need it
 * once, and get the exact solution for it.
 */
#define NEWTON_COLUMNS 128
#define NEWTON_COLUMNS_SQUARES 512
/* OWL-QN stops when no derivative per unit of weight is larger. */
#define TOLERANCE 1e-7
#define CHECK_ROWS 64
/* and parameters touched, where there are many */
#define CHECK_PARAMS 1000000
#define BATCH 4

/* What rank 0 tells the others between two evaluations. */
typedef struct Orders
{
	bool		stop;
	bool		same_hessian;	/* least squares: known from the first evaluation */
} Orders;

typedef struct Fit
{
	const WfTraining *training;
	WfTeam	   *team;
	WfHost	   *host;
	const WfDataset *data;
	WfDesign	design;
	size_t		k;				/* raw outputs */
	size_t		n_params;		/* (columns + 1) × k */
	bool		newton;
	uint32_t	check_rows;		/* rows between two looks at the host */
	double		target_mean;
	double		target_scale;
	double		weight;			/* of all training rows */
	double	   *column_mean;
	double	   *theta;			/* shared: where to evaluate, and the result */
	Orders	   *orders;			/* shared */
	/* this member's scratch */
	double	   *z[BATCH];		/* rows' numbers */
	double		h[BATCH];		/* their weights in the Hessian */
	uint32_t   *active;
	double	   *eta;			/* k */
} Fit;

static inline bool
in_training(const Fit *fit, uint32_t row)
{
	return fit->training->out_fold < 0 || fit->data->fold[row] != fit->training->out_fold;
}

static inline double
row_weight(const Fit *fit, uint32_t row)
{
	return fit->data->weight ? fit->data->weight[row] : 1.0;
}

/* ---- means and deviations ---- */

/*
 * Of the training rows: weight, weighted target; by number its weight and
 * weighted sum; then -least and greatest, all over finite values.
 */
static void
sum_means(void *arg, uint32_t begin, uint32_t end, double *sums)
{
	Fit		   *fit = arg;
	const WfDataset *data = fit->data;
	size_t		n_numbers = fit->design.n_numbers;
	double	   *by_number = sums + 2;
	double	   *range = by_number + 2 * n_numbers;

	for (uint32_t i = begin; i < end; i++)
	{
		const float *x = data->values + (size_t) i * data->d;
		double		w = row_weight(fit, i);

		if (i % CHECK_ROWS == 0)
			fit->host->check(fit->host);
		if (!in_training(fit, i))
			continue;
		sums[0] += w;
		if (data->target)
			sums[1] += w * data->target[i];
		for (uint32_t f = 0; f < data->d; f++)
		{
			uint32_t	c = fit->design.features[f].first;

			if (data->is_category[f] || !isfinite(x[f]))
				continue;
			by_number[2 * c] += w;
			by_number[2 * c + 1] += w * x[f];
			if (-x[f] > range[2 * c])
				range[2 * c] = -x[f];
			if (x[f] > range[2 * c + 1])
				range[2 * c + 1] = x[f];
		}
	}
}

static void
take_means(Fit *fit, const double *total)
{
	const WfDataset *data = fit->data;
	const double *by_number = total + 2;
	const double *range = by_number + 2 * (size_t) fit->design.n_numbers;

	fit->weight = total[0];
	if (!(fit->weight > 0))
		fit->host->fail(fit->host, WF_E_DATA, "Rows with weight 0 take no part in training.",
						"no row has a positive weight");
	fit->target_mean = data->target ? total[1] / total[0] : 0;
	for (uint32_t f = 0; f < data->d; f++)
	{
		WfDesignFeature *feature = &fit->design.features[f];
		uint32_t	c = feature->first;

		if (data->is_category[f] || !(range[2 * c + 1] >= -range[2 * c]))
			continue;			/* no finite value: stays 0 */
		feature->low = (float) -range[2 * c];
		feature->high = (float) range[2 * c + 1];
		feature->mean = by_number[2 * c] > 0 ? by_number[2 * c + 1] / by_number[2 * c] : feature->low;
	}
}

/* Squared deviation of the target, then by column: of a number, or the weight of a 0/1 column. */
static void
sum_deviations(void *arg, uint32_t begin, uint32_t end, double *sums)
{
	Fit		   *fit = arg;
	const WfDataset *data = fit->data;

	for (uint32_t i = begin; i < end; i++)
	{
		const float *x = data->values + (size_t) i * data->d;
		double		w = row_weight(fit, i);
		uint32_t	n_active;

		if (i % CHECK_ROWS == 0)
			fit->host->check(fit->host);
		if (!in_training(fit, i))
			continue;
		if (data->target)
			sums[0] += w * (data->target[i] - fit->target_mean) * (data->target[i] - fit->target_mean);
		for (uint32_t f = 0; f < data->d; f++)
			if (!data->is_category[f] && isfinite(x[f]))
			{
				double		e = x[f] - fit->design.features[f].mean;

				sums[1 + fit->design.features[f].first] += w * e * e;
			}
		n_active = wf_design_expand(&fit->design, x, fit->z[0], fit->active);
		for (uint32_t a = 0; a < n_active; a++)
			sums[1 + fit->active[a]] += w;
	}
}

/* finite_weight: by number, the weight of rows with a finite value, every other entry. */
static void
take_deviations(Fit *fit, const double *total, const double *finite_weight)
{
	fit->target_scale = fit->data->target ? sqrt(total[0] / fit->weight) : 1;
	if (!isfinite(fit->target_scale) || !isfinite(fit->target_mean))
		fit->host->fail(fit->host, WF_E_DATA, "Scale the target.", "target values are too large");
	if (fit->target_scale == 0)
		fit->target_scale = 1;
	for (uint32_t f = 0; f < fit->data->d; f++)
	{
		WfDesignFeature *feature = &fit->design.features[f];

		/* Equal floats have a deviation of 0; sums of them may not. */
		if (!fit->data->is_category[f] && feature->low < feature->high)
		{
			double		squares = total[1 + feature->first];

			feature->inverse = squares > 0 ? 1 / sqrt(squares / finite_weight[2 * feature->first]) : 0;
		}
	}
	for (uint32_t c = fit->design.n_numbers; c < fit->design.n_columns; c++)
		fit->column_mean[c] = total[1 + c] / fit->weight;
}

static void
measure_columns(Fit *fit)
{
	WfSums		means;
	WfSums		deviations;
	size_t		n_numbers = fit->design.n_numbers;

	wf_sums_create(fit->team, &means, 2 + 4 * n_numbers, 2 * n_numbers);
	wf_sums_run(fit->team, &means, fit->data->n, sum_means, fit);
	take_means(fit, means.total);
	wf_sums_create(fit->team, &deviations, 1 + (size_t) fit->design.n_columns, 0);
	wf_sums_run(fit->team, &deviations, fit->data->n, sum_deviations, fit);
	take_deviations(fit, deviations.total, means.total + 2);
	wf_sums_free(fit->team, &deviations);
	wf_sums_free(fit->team, &means);
}

/* ---- loss, gradient, Hessian ---- */

/* Where row i of an upper triangle of n columns starts, less i: entry (i, j) is at [j]. */
static inline double *
triangle_row(double *triangle, size_t n, size_t i)
{
	return triangle + i * n - i * (i + 1) / 2;
}

/* row[j] += Σ a[r] z[r][j] for j in [from, n); every product rounded, then (0 + 1) + (2 + 3). */
static void
add_products(double *row, const double *a, double *const *z, size_t from, size_t n)
{
	for (size_t j = from; j < n; j++)
		row[j] += (a[0] * z[0][j] + a[1] * z[1][j]) + (a[2] * z[2][j] + a[3] * z[3][j]);
}

#ifdef WF_HAVE_X86_SIMD
/* The same operations on each entry, four at a time: the same bits. */
WF_TARGET_AVX2 static void
add_products_avx2(double *row, const double *a, double *const *z, size_t from, size_t n)
{
	__m256d		a0 = _mm256_set1_pd(a[0]);
	__m256d		a1 = _mm256_set1_pd(a[1]);
	__m256d		a2 = _mm256_set1_pd(a[2]);
	__m256d		a3 = _mm256_set1_pd(a[3]);
	size_t		j = from;

	for (; j + 4 <= n; j += 4)
	{
		__m256d		s01 = _mm256_add_pd(_mm256_mul_pd(a0, _mm256_loadu_pd(z[0] + j)),
										_mm256_mul_pd(a1, _mm256_loadu_pd(z[1] + j)));
		__m256d		s23 = _mm256_add_pd(_mm256_mul_pd(a2, _mm256_loadu_pd(z[2] + j)),
										_mm256_mul_pd(a3, _mm256_loadu_pd(z[3] + j)));

		_mm256_storeu_pd(row + j, _mm256_add_pd(_mm256_loadu_pd(row + j), _mm256_add_pd(s01, s23)));
	}
	add_products(row, a, z, j, n);
}
#endif

/* Add the products of a batch's numbers, four rows at a time to save stores. */
static void
add_batch(Fit *fit, double *hessian)
{
	size_t		n_numbers = fit->design.n_numbers;
	void		(*add) (double *, const double *, double *const *, size_t, size_t) = add_products;

#ifdef WF_HAVE_X86_SIMD
	if (wf_simd() >= WF_SIMD_AVX2)
		add = add_products_avx2;
#endif
	for (size_t i = 0; i < n_numbers; i++)
	{
		double		a[BATCH];

		for (int b = 0; b < BATCH; b++)
			a[b] = fit->h[b] * fit->z[b][i];
		add(triangle_row(hessian, (size_t) fit->design.n_columns + 1, i), a, fit->z, i, n_numbers);
	}
}

/* The part of a row's products in which a 0/1 column or the intercept has a share. */
static void
add_active(Fit *fit, const double *z, double h, uint32_t n_active, double *hessian)
{
	size_t		n_columns = fit->design.n_columns;
	size_t		n = n_columns + 1;

	for (size_t i = 0; i < fit->design.n_numbers; i++)
	{
		double	   *row = triangle_row(hessian, n, i);
		double		a = h * z[i];

		for (uint32_t b = 0; b < n_active; b++)
			row[fit->active[b]] += a;
		row[n_columns] += a;
	}
	for (uint32_t b = 0; b < n_active; b++)
	{
		double	   *row = triangle_row(hessian, n, fit->active[b]);

		for (uint32_t c = b; c < n_active; c++)
			row[fit->active[c]] += h;
		row[n_columns] += h;
	}
	triangle_row(hessian, n, n_columns)[n_columns] += h;
}

/* Outputs of the row in z and active; theta has the k coefficients of a column together. */
static void
row_outputs(const Fit *fit, const double *z, uint32_t n_active)
{
	size_t		k = fit->k;
	size_t		n_numbers = fit->design.n_numbers;
	const double *intercept = fit->theta + (size_t) fit->design.n_columns * k;

	if (k == 1)
	{
		double		sum = intercept[0];

		for (size_t j = 0; j < n_numbers; j++)
			sum += fit->theta[j] * z[j];
		for (uint32_t a = 0; a < n_active; a++)
			sum += fit->theta[fit->active[a]];
		fit->eta[0] = sum;
		return;
	}
	memcpy(fit->eta, intercept, k * sizeof(double));
	for (size_t j = 0; j < n_numbers; j++)
		for (size_t o = 0; o < k; o++)
			fit->eta[o] += fit->theta[j * k + o] * z[j];
	for (uint32_t a = 0; a < n_active; a++)
		for (size_t o = 0; o < k; o++)
			fit->eta[o] += fit->theta[fit->active[a] * k + o];
}

/* Turn outputs into derivatives of the loss by them; *h: second derivative (one output). */
static double
row_loss(const Fit *fit, uint32_t row, double *h)
{
	double	   *eta = fit->eta;
	double		loss;

	if (fit->data->label == NULL)
	{
		double		e = eta[0] - (fit->data->target[row] - fit->target_mean) / fit->target_scale;

		*h = 1;
		eta[0] = e;
		return 0.5 * e * e;
	}
	if (fit->k == 1)
	{
		bool		one = fit->data->label[row] == 1;
		double		margin = one ? eta[0] : -eta[0];
		double		e = wf_exp(-fabs(margin));
		double		wrong = margin >= 0 ? e / (1 + e) : 1 / (1 + e);

		*h = e / ((1 + e) * (1 + e));
		eta[0] = one ? -wrong : wrong;
		return wf_log(1 + e) + (margin < 0 ? -margin : 0);
	}
	else
	{
		uint16_t	label = fit->data->label[row];
		double		top = eta[0];
		double		sum = 0;

		for (size_t o = 1; o < fit->k; o++)
			if (eta[o] > top)
				top = eta[o];
		loss = top - eta[label];
		for (size_t o = 0; o < fit->k; o++)
		{
			eta[o] = wf_exp(eta[o] - top);
			sum += eta[o];
		}
		loss += wf_log(sum);
		for (size_t o = 0; o < fit->k; o++)
			eta[o] /= sum;
		eta[label] -= 1;
		*h = 0;
		return loss;
	}
}

static void
add_gradient(const Fit *fit, const double *z, uint32_t n_active, double w, double *gradient)
{
	size_t		k = fit->k;
	size_t		n_numbers = fit->design.n_numbers;
	double	   *eta = fit->eta;

	for (size_t o = 0; o < k; o++)
		eta[o] *= w;
	if (k == 1)
		for (size_t j = 0; j < n_numbers; j++)
			gradient[j] += eta[0] * z[j];
	else
		for (size_t j = 0; j < n_numbers; j++)
			for (size_t o = 0; o < k; o++)
				gradient[j * k + o] += eta[o] * z[j];
	for (uint32_t a = 0; a < n_active; a++)
		for (size_t o = 0; o < k; o++)
			gradient[fit->active[a] * k + o] += eta[o];
	for (size_t o = 0; o < k; o++)
		gradient[(size_t) fit->design.n_columns * k + o] += eta[o];
}

/* Sums: loss, gradient, and for Newton the upper triangle of the Hessian. */
static void
sum_derivatives(void *arg, uint32_t begin, uint32_t end, double *sums)
{
	Fit		   *fit = arg;
	double	   *gradient = sums + 1;
	double	   *hessian = gradient + fit->n_params;
	int			batch = 0;

	for (uint32_t i = begin; i < end; i++)
	{
		double		w = row_weight(fit, i);
		double	   *z = fit->z[batch];
		double		h;
		uint32_t	n_active;

		if (i % fit->check_rows == 0)
			fit->host->check(fit->host);
		if (w == 0 || !in_training(fit, i))
			continue;
		n_active = wf_design_expand(&fit->design, fit->data->values + (size_t) i * fit->data->d,
									z, fit->active);
		row_outputs(fit, z, n_active);
		sums[0] += w * row_loss(fit, i, &h);
		add_gradient(fit, z, n_active, w, gradient);
		if (!fit->newton || fit->orders->same_hessian)
			continue;
		add_active(fit, z, w * h, n_active, hessian);
		fit->h[batch++] = w * h;
		if (batch == BATCH)
		{
			add_batch(fit, hessian);
			batch = 0;
		}
	}
	if (batch > 0)
	{
		for (; batch < BATCH; batch++)
		{
			fit->h[batch] = 0;
			memset(fit->z[batch], 0, fit->design.n_numbers * sizeof(double));
		}
		add_batch(fit, hessian);
	}
}

/* ---- the loop ---- */

/*
 * Rough second derivatives: weight × mean square of the column × that of the
 * loss.  Rare levels have little, which a solver that took all columns for
 * equal would learn slowly.
 */
static double *
make_curvature(const Fit *fit)
{
	double	   *curvature = wf_alloc(fit->host, fit->n_params, sizeof(double));
	double		unit = fit->weight * (fit->data->label ? 0.25 : 1);

	for (size_t c = 0; c <= fit->design.n_columns; c++)
		for (size_t o = 0; o < fit->k; o++)
			curvature[c * fit->k + o] = unit *
				(c < fit->design.n_numbers || c == fit->design.n_columns ? 1 : fit->column_mean[c]);
	return curvature;
}

static WfSolver *
make_solver(const Fit *fit)
{
	const WfSpec *spec = fit->training->spec;
	double	   *curvature = make_curvature(fit);
	WfProblem	problem = {
		.n = fit->n_params,
		.n_free = fit->k,
		/* the target was divided by its scale, and with it the coefficients */
		.l1 = wf_spec_number(spec, "l1") / fit->target_scale,
		.l2 = wf_spec_number(spec, "l2"),
		.curvature = curvature,
		.tolerance = fit->weight * TOLERANCE,
		.max_iterations = (int) wf_spec_number(spec, "max_iterations"),
		.newton = fit->newton
	};
	WfSolver   *solver = wf_solver_create(fit->host, &problem);

	wf_release(fit->host, curvature);
	return solver;
}

/* On rank 0, after an evaluation: where to evaluate next, or that it is over. */
static void
advance(Fit *fit, WfSolver *solver, WfSums *sums, double **hessian, bool *time_limited)
{
	const WfTraining *t = fit->training;
	const double *at = sums->total + 1 + fit->n_params;
	bool		more;

	if (fit->newton && fit->data->label == NULL && *hessian == NULL)
	{
		size_t		size = (sums->width - 1 - fit->n_params) * sizeof(double);

		*hessian = wf_alloc(fit->host, size, 1);
		memcpy(*hessian, at, size);
		fit->orders->same_hessian = true;
	}
	more = wf_solver_tell(solver, sums->total[0], sums->total + 1, *hessian ? *hessian : at, fit->theta);
	if (more && t->deadline > 0 && fit->host->now(fit->host) >= t->deadline)
	{
		memcpy(fit->theta, solver->x, fit->n_params * sizeof(double));
		*time_limited = true;
		more = false;
	}
	fit->orders->stop = !more;
	if (t->report)
		fit->host->progress(fit->host, WF_PHASE_TRAIN, (uint64_t) solver->iterations,
							(uint64_t) solver->problem.max_iterations);
}

/* Collective.  Leaves the solution in theta; returns rank 0's solver. */
static WfSolver *
minimise(Fit *fit, bool *time_limited)
{
	size_t		n = (size_t) fit->design.n_columns + 1;
	WfSolver   *solver = fit->team->rank == 0 ? make_solver(fit) : NULL;
	double	   *hessian = NULL;
	WfSums		sums;

	*time_limited = false;
	fit->orders = wf_team_alloc(fit->team, 1, sizeof(Orders));
	wf_sums_create(fit->team, &sums, 1 + fit->n_params + (fit->newton ? n * (n + 1) / 2 : 0), 0);
	while (!fit->orders->stop)
	{
		wf_sums_run(fit->team, &sums, fit->data->n, sum_derivatives, fit);
		if (solver)
			advance(fit, solver, &sums, &hessian, time_limited);
		wf_team_barrier(fit->team);
	}
	wf_release(fit->host, hessian);
	wf_sums_free(fit->team, &sums);
	wf_team_free(fit->team, fit->orders);
	return solver;
}

/* ---- what is left ---- */

static void
write_section(const Fit *fit, WfFitted *fitted)
{
	WfLinearHeader header = {fit->design.n_features, (uint32_t) fit->k, fit->design.n_columns, 0};

	wf_bytes_init(&fitted->section, fit->host);
	wf_bytes_append(&fitted->section, &header, sizeof(header));
	wf_bytes_append(&fitted->section, fit->design.features,
					fit->design.n_features * sizeof(WfDesignFeature));
	wf_bytes_append(&fitted->section, fit->column_mean, fit->design.n_columns * sizeof(double));
	wf_bytes_append(&fitted->section, fit->theta, fit->n_params * sizeof(double));
}

/* |coefficient| per standard deviation of the column, summed by feature. */
static void
measure_gain(const Fit *fit, WfFitted *fitted)
{
	size_t		k = fit->k;

	fitted->gain = wf_alloc_zero(fit->host, fit->data->d, sizeof(double));
	fitted->splits = wf_alloc_zero(fit->host, fit->data->d, sizeof(double));
	for (uint32_t f = 0; f < fit->data->d; f++)
	{
		const WfDesignFeature *feature = &fit->design.features[f];
		uint32_t	width = feature->n_levels ? feature->n_levels : 1;

		for (uint32_t i = 0; i <= width; i++)
		{
			uint32_t	c = i < width ? feature->first + i : feature->missing;
			double		deviation = 1;

			if (c == WF_NO_COLUMN)
				continue;
			if (c >= fit->design.n_numbers)
				deviation = sqrt(fit->column_mean[c] * (1 - fit->column_mean[c]));
			for (size_t o = 0; o < k; o++)
				fitted->gain[f] += deviation * fabs(fit->theta[c * k + o]);
		}
	}
}

static void
finish(Fit *fit, const WfSolver *solver, bool time_limited, WfFitted *fitted)
{
	if (fit->data->label == NULL)
	{
		for (size_t i = 0; i < fit->n_params; i++)
			fit->theta[i] *= fit->target_scale;
		fit->theta[fit->n_params - 1] += fit->target_mean;
	}
	for (size_t i = 0; i < fit->n_params; i++)
		if (!isfinite(fit->theta[i]))
			fit->host->fail(fit->host, WF_E_DATA, "Scale the target, or set \"l2\" above 0.",
							"the linear model has no finite solution");
	write_section(fit, fitted);
	measure_gain(fit, fitted);
	fitted->link = fit->data->label == NULL ? WF_LINK_IDENTITY : fit->k == 1 ? WF_LINK_LOGISTIC : WF_LINK_SOFTMAX;
	fitted->rounds = solver->iterations;
	fitted->time_limited = time_limited;
	if (fit->training->report && !solver->converged && !time_limited)
		fit->host->notice(fit->host, "linear model stopped after %d iterations before it settled; \"max_iterations\" allows more",
						  solver->iterations);
}

/* Collective with prepare(). */
static void
release(Fit *fit)
{
	wf_team_free(fit->team, fit->theta);
	for (int b = 0; b < BATCH; b++)
		wf_release(fit->host, fit->z[b]);
	wf_release(fit->host, fit->active);
	wf_release(fit->host, fit->eta);
	wf_release(fit->host, fit->column_mean);
	wf_release(fit->host, fit->design.features);
}

static void
prepare(Fit *fit)
{
	WfHost	   *host = fit->host;
	size_t		limit = fit->training->size_limit;
	size_t		bytes;

	wf_design_create(host, fit->data, &fit->design);
	fit->k = (size_t) wf_n_outputs(fit->data->n_classes);
	fit->n_params = wf_size_mul(host, (size_t) fit->design.n_columns + 1, fit->k);
	fit->newton = fit->k == 1 && fit->design.n_columns <= (fit->data->label ? NEWTON_COLUMNS : NEWTON_COLUMNS_SQUARES);
	fit->check_rows = fit->n_params < CHECK_PARAMS / CHECK_ROWS ? CHECK_ROWS
		: fit->n_params < CHECK_PARAMS ? (uint32_t) (CHECK_PARAMS / fit->n_params) : 1;
	bytes = wf_size_mul(host, wf_size_add(host, fit->n_params, fit->design.n_columns), sizeof(double)) +
		sizeof(WfLinearHeader) + fit->design.n_features * sizeof(WfDesignFeature);
	if (limit > 0 && bytes > limit)
		host->fail(host, WF_E_LIMIT, "Leave out columns with many categories, or raise wfml.max_model_size.",
				   "the linear model would take %zu bytes, more than the limit of %zu bytes",
				   bytes, limit);

	for (int b = 0; b < BATCH; b++)
		fit->z[b] = wf_alloc_zero(host, fit->design.n_numbers, sizeof(double));
	fit->active = wf_alloc(host, fit->design.n_features, sizeof(uint32_t));
	fit->eta = wf_alloc(host, fit->k, sizeof(double));
	fit->column_mean = wf_alloc_zero(host, fit->design.n_columns, sizeof(double));
	fit->theta = wf_team_alloc(fit->team, fit->n_params, sizeof(double));
}

void
wf_linear_train(const WfTraining *training, WfFitted *fitted)
{
	Fit			fit = {
		.training = training,
		.team = training->team,
		.host = training->team->host,
		.data = training->data
	};
	WfSolver   *solver;
	bool		time_limited;

	memset(fitted, 0, sizeof(*fitted));
	prepare(&fit);
	measure_columns(&fit);
	solver = minimise(&fit, &time_limited);
	if (solver)
	{
		finish(&fit, solver, time_limited, fitted);
		wf_solver_free(solver);
	}
	release(&fit);
}
