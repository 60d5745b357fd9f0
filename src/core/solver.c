/*-------------------------------------------------------------------------
 * solver.c
 *	  Newton's method with a proximal step, and OWL-QN.
 *-------------------------------------------------------------------------
 */
#include "core/solver.h"

#include <math.h>
#include <string.h>

#define HISTORY 8
#define MAX_SWEEPS 2000
#define ARMIJO 1e-4
#define LEAST_STEP 1e-10
/* Pivots that lost this much to cancellation belong to columns that others make up. */
#define LEAST_PIVOT 1e-11

static inline size_t
penalised(const WfSolver *s)
{
	return s->problem.n - s->problem.n_free;
}

static double
dot(const double *a, const double *b, size_t n)
{
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static double
penalty(const WfSolver *s, const double *theta)
{
	double		squares = 0;
	double		absolutes = 0;

	for (size_t j = 0; j < penalised(s); j++)
	{
		squares += theta[j] * theta[j];
		absolutes += fabs(theta[j]);
	}
	return 0.5 * s->problem.l2 * squares + s->problem.l1 * absolutes;
}

static inline double
soft_threshold(double x, double by)
{
	return x > by ? x - by : x < -by ? x + by : 0;
}

WfSolver *
wf_solver_create(WfHost *host, const WfProblem *problem)
{
	WfSolver   *s = wf_alloc_zero(host, 1, sizeof(WfSolver));
	size_t		n = problem->n;

	s->host = host;
	s->problem = *problem;
	s->x = wf_alloc_zero(host, n, sizeof(double));
	s->direction = wf_alloc_zero(host, n, sizeof(double));
	s->work = wf_alloc_zero(host, n, sizeof(double));
	if (problem->newton)
		s->full = wf_alloc(host, wf_size_mul(host, n, n), sizeof(double));
	else
	{
		s->scale = wf_alloc(host, n, sizeof(double));
		for (size_t j = 0; j < n; j++)
		{
			double		second = problem->curvature[j] + (j < penalised(s) ? problem->l2 : 0);

			s->scale[j] = second > 0 ? 1 / second : 1;
		}
		s->gradient = wf_alloc_zero(host, n, sizeof(double));
		s->pseudo = wf_alloc_zero(host, n, sizeof(double));
		s->history = wf_alloc_zero(host, wf_size_mul(host, n, 2 * HISTORY), sizeof(double));
		s->rho = wf_alloc_zero(host, HISTORY, sizeof(double));
	}
	return s;
}

void
wf_solver_free(WfSolver *solver)
{
	WfHost	   *host = solver->host;

	wf_release(host, solver->x);
	wf_release(host, solver->direction);
	wf_release(host, solver->work);
	wf_release(host, solver->full);
	wf_release(host, solver->scale);
	wf_release(host, solver->gradient);
	wf_release(host, solver->pseudo);
	wf_release(host, solver->history);
	wf_release(host, solver->rho);
	wf_release(host, solver);
}

/* ---- Newton ---- */

/*
 * Solve A d = b for A in the upper triangle by rows, in place; b is lost.
 * Dependent columns get 0.
 */
static void
cholesky_solve(WfHost *host, double *a, double *b, double *d, size_t n)
{
	double	   *row = a;

	for (size_t k = 0; k < n; k++)
		d[k] = a[k * n - k * (k - 1) / 2];	/* diagonal before elimination */
	for (size_t k = 0; k < n; k++)
	{
		double		pivot = row[0];
		double	   *below = row + (n - k);

		host->check(host);
		if (!(pivot > LEAST_PIVOT * d[k]))
			memset(row, 0, (n - k) * sizeof(double));
		else
		{
			double		root = sqrt(pivot);

			for (size_t j = 0; j < n - k; j++)
				row[j] /= root;
			for (size_t i = 1; i < n - k; i++)
			{
				double		f = row[i];

				if (f != 0)
					for (size_t j = i; j < n - k; j++)
						below[j - i] -= f * row[j];
				below += n - k - i;
			}
		}
		row += n - k;
	}

	row = a;
	for (size_t k = 0; k < n; k++)
	{
		b[k] = row[0] > 0 ? b[k] / row[0] : 0;
		for (size_t j = 1; j < n - k; j++)
			b[k + j] -= row[j] * b[k];
		row += n - k;
	}
	for (size_t k = n; k-- > 0;)
	{
		row -= n - k;
		d[k] = row[0] > 0 ? (b[k] - dot(row + 1, d + k + 1, n - k - 1)) / row[0] : 0;
	}
}

/* min over d of g·d + d·A d/2 + l1 |x + d|, A full and symmetric. */
static void
coordinate_descent(WfSolver *s, const double *a, const double *g, double *d, double *slope_at)
{
	size_t		n = s->problem.n;

	memset(d, 0, n * sizeof(double));
	memcpy(slope_at, g, n * sizeof(double));
	for (int sweep = 0; sweep < MAX_SWEEPS; sweep++)
	{
		double		gain = 0;

		for (size_t j = 0; j < n; j++)
		{
			const double *row = a + j * n;
			double		v = s->x[j] + d[j];
			double		to;
			double		by;

			if (j % 64 == 0)
				s->host->check(s->host);
			if (!(row[j] > 0))
				continue;
			to = row[j] * v - slope_at[j];
			to = (j < penalised(s) ? soft_threshold(to, s->problem.l1) : to) / row[j];
			by = to - v;
			if (by == 0)
				continue;
			d[j] += by;
			for (size_t i = 0; i < n; i++)
				slope_at[i] += by * row[i];
			gain += row[j] * by * by;
		}
		if (gain <= 1e-15 * fabs(s->value))
			break;
	}
}

/* Direction from x: the minimum of the quadratic model of F. */
static void
newton_direction(WfSolver *s, const double *gradient, const double *hessian)
{
	size_t		n = s->problem.n;
	double	   *g = s->work;

	for (size_t j = 0; j < n; j++)
		g[j] = gradient[j] + (j < penalised(s) ? s->problem.l2 * s->x[j] : 0);
	if (s->problem.l1 > 0)
	{
		const double *row = hessian;
		double	   *slope_at;

		for (size_t i = 0; i < n; i++)
		{
			for (size_t j = i; j < n; j++)
				s->full[i * n + j] = s->full[j * n + i] = row[j - i];
			row += n - i;
			if (i < penalised(s))
				s->full[i * n + i] += s->problem.l2;
		}
		slope_at = wf_alloc(s->host, n, sizeof(double));
		coordinate_descent(s, s->full, g, s->direction, slope_at);
		wf_release(s->host, slope_at);
	}
	else
	{
		size_t		at = 0;

		memcpy(s->full, hessian, n * (n + 1) / 2 * sizeof(double));
		for (size_t i = 0; i < penalised(s); i++)
		{
			s->full[at] += s->problem.l2;
			at += n - i;
		}
		for (size_t j = 0; j < n; j++)
			g[j] = -g[j];
		cholesky_solve(s->host, s->full, g, s->direction, n);
	}
}

/* Change of F along the direction to first order, penalties exactly. */
static double
newton_slope(const WfSolver *s, const double *gradient)
{
	double		before = 0;
	double		after = 0;
	double		linear = 0;

	for (size_t j = 0; j < s->problem.n; j++)
	{
		linear += gradient[j] * s->direction[j];
		if (j < penalised(s))
		{
			linear += s->problem.l2 * s->x[j] * s->direction[j];
			before += fabs(s->x[j]);
			after += fabs(s->x[j] + s->direction[j]);
		}
	}
	return linear + s->problem.l1 * (after - before);
}

static bool
newton_tell(WfSolver *s, double loss, const double *gradient, const double *hessian, double *theta)
{
	size_t		n = s->problem.n;
	double		value = loss + penalty(s, theta);

	if (!s->started)
	{
		s->started = true;
		s->first_value = value;
	}
	else if (!(value <= s->value + ARMIJO * s->step * s->slope))
	{
		/* too far: nearer to x, unless rounding is all that is left */
		s->step /= 2;
		for (size_t j = 0; j < n; j++)
			theta[j] = s->x[j] + (s->step >= LEAST_STEP ? s->step * s->direction[j] : 0);
		s->converged = s->step < LEAST_STEP;
		return !s->converged;
	}
	else
		s->iterations++;

	memcpy(s->x, theta, n * sizeof(double));
	s->value = value;
	/* Separable classes without a penalty: the loss falls for ever. */
	s->converged = value <= 1e-10 * s->first_value;
	if (s->converged || s->iterations >= s->problem.max_iterations)
		return false;

	newton_direction(s, gradient, hessian);
	s->slope = newton_slope(s, gradient);
	s->step = 1;
	if (!(s->slope < 0))
	{
		s->converged = true;
		return false;
	}
	for (size_t j = 0; j < n; j++)
		theta[j] = s->x[j] + s->direction[j];
	/* So near that the next step squares an error that is already small. */
	s->converged = !(s->slope < -1e-10 * fabs(value));
	return !s->converged;
}

/* ---- OWL-QN ---- */

/* Steepest descent of F, which has a kink where a parameter is 0. */
static void
pseudo_gradient(WfSolver *s)
{
	double		l1 = s->problem.l1;

	memcpy(s->pseudo, s->gradient, s->problem.n * sizeof(double));
	if (l1 == 0)
		return;
	for (size_t j = 0; j < penalised(s); j++)
	{
		double		g = s->gradient[j];

		s->pseudo[j] = s->x[j] > 0 ? g + l1 : s->x[j] < 0 ? g - l1 : soft_threshold(g, l1);
	}
}

static double *
history_s(const WfSolver *s, int i)
{
	return s->history + (size_t) (2 * i) * s->problem.n;
}

static double *
history_y(const WfSolver *s, int i)
{
	return s->history + (size_t) (2 * i + 1) * s->problem.n;
}

/* The two loops of L-BFGS (Nocedal 1980) on the pseudo-gradient. */
static void
quasi_newton_direction(WfSolver *s)
{
	size_t		n = s->problem.n;
	double	   *d = s->direction;
	double		alpha[HISTORY];
	double		factor = 1;

	for (size_t j = 0; j < n; j++)
		d[j] = -s->pseudo[j];
	for (int h = 0; h < s->n_history; h++)
	{
		int			i = (s->next_history + HISTORY - 1 - h) % HISTORY;

		alpha[i] = s->rho[i] * dot(history_s(s, i), d, n);
		for (size_t j = 0; j < n; j++)
			d[j] -= alpha[i] * history_y(s, i)[j];
	}
	if (s->n_history > 0)
	{
		int			i = (s->next_history + HISTORY - 1) % HISTORY;
		const double *y = history_y(s, i);
		double		scaled = 0;

		for (size_t j = 0; j < n; j++)
			scaled += y[j] * y[j] * s->scale[j];
		factor = 1 / (s->rho[i] * scaled);
	}
	for (size_t j = 0; j < n; j++)
		d[j] *= factor * s->scale[j];
	for (int h = s->n_history - 1; h >= 0; h--)
	{
		int			i = (s->next_history + HISTORY - 1 - h) % HISTORY;
		double		beta = s->rho[i] * dot(history_y(s, i), d, n);

		for (size_t j = 0; j < n; j++)
			d[j] += (alpha[i] - beta) * history_s(s, i)[j];
	}
	if (s->problem.l1 > 0)
		for (size_t j = 0; j < penalised(s); j++)
			if (d[j] * s->pseudo[j] >= 0)
				d[j] = 0;
}

/* x + step × direction, kept in the orthant of x. */
static void
trial_point(const WfSolver *s, double *theta)
{
	for (size_t j = 0; j < s->problem.n; j++)
	{
		theta[j] = s->x[j] + s->step * s->direction[j];
		if (s->problem.l1 > 0 && j < penalised(s))
		{
			double		side = s->x[j] != 0 ? s->x[j] : -s->pseudo[j];

			if (theta[j] * side <= 0)
				theta[j] = 0;
		}
	}
}

/* Remember the step from x to theta; the gradient at theta is in work. */
static void
remember(WfSolver *s, const double *theta)
{
	size_t		n = s->problem.n;
	double	   *hs = history_s(s, s->next_history);
	double	   *hy = history_y(s, s->next_history);
	double		sy;

	for (size_t j = 0; j < n; j++)
	{
		hs[j] = theta[j] - s->x[j];
		hy[j] = s->work[j] - s->gradient[j];
	}
	sy = dot(hs, hy, n);
	/* rounding can hide the curvature of a tiny step */
	if (!(sy > 0 && sy * sy > 1e-20 * dot(hs, hs, n) * dot(hy, hy, n)))
		return;
	s->rho[s->next_history] = 1 / sy;
	s->next_history = (s->next_history + 1) % HISTORY;
	if (s->n_history < HISTORY)
		s->n_history++;
}

static bool
quasi_newton_tell(WfSolver *s, double loss, const double *gradient, double *theta)
{
	size_t		n = s->problem.n;
	double		value = loss + penalty(s, theta);
	double		worst = 0;

	s->host->check(s->host);
	for (size_t j = 0; j < n; j++)
		s->work[j] = gradient[j] + (j < penalised(s) ? s->problem.l2 * theta[j] : 0);
	if (s->started)
	{
		double		change = 0;

		for (size_t j = 0; j < n; j++)
			change += s->pseudo[j] * (theta[j] - s->x[j]);
		if (!(value <= s->value + ARMIJO * change))
		{
			s->step /= 2;
			s->converged = s->step < LEAST_STEP;
			if (s->converged)
				memcpy(theta, s->x, n * sizeof(double));
			else
				trial_point(s, theta);
			return !s->converged;
		}
		remember(s, theta);
		s->flat = s->value - value <= 1e-13 * fabs(value) ? s->flat + 1 : 0;
		s->iterations++;
	}
	s->started = true;
	s->value = value;
	memcpy(s->x, theta, n * sizeof(double));
	memcpy(s->gradient, s->work, n * sizeof(double));
	pseudo_gradient(s);
	for (size_t j = 0; j < n; j++)
		worst = fmax(worst, fabs(s->pseudo[j]));
	s->converged = worst <= s->problem.tolerance || s->flat >= 3;
	if (s->converged || s->iterations >= s->problem.max_iterations)
		return false;

	quasi_newton_direction(s);
	if (!(dot(s->direction, s->pseudo, n) < 0))
	{
		/* start afresh with steepest descent */
		s->n_history = 0;
		quasi_newton_direction(s);
	}
	s->step = 1;
	trial_point(s, theta);
	return true;
}

bool
wf_solver_tell(WfSolver *solver, double loss, const double *gradient,
			   const double *hessian, double *theta)
{
	if (solver->problem.newton)
		return newton_tell(solver, loss, gradient, hessian, theta);
	return quasi_newton_tell(solver, loss, gradient, theta);
}
