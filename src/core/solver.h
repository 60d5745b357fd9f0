/*-------------------------------------------------------------------------
 * solver.h
 *	  Minimise a convex loss with L1 and L2 penalties, by question and answer.
 *
 * The caller evaluates the loss where the solver asks; the solver never sees
 * a row.  So the evaluation can be shared by a team while the solver runs on
 * rank 0 alone.
 *
 * F(θ) = loss(θ) + l2/2 Σ θ_j² + l1 Σ |θ_j|, the last n_free parameters
 * without penalty.  Two methods: Newton's with the Hessian (with L1:
 * proximal, by coordinate descent; Lee, Sun and Saunders 2014), and OWL-QN
 * (Andrew and Gao 2007), which is L-BFGS when l1 is 0.
 *-------------------------------------------------------------------------
 */
#ifndef WF_SOLVER_H
#define WF_SOLVER_H

#include "core/host.h"

typedef struct WfProblem
{
	size_t		n;				/* parameters */
	size_t		n_free;			/* the last ones, not penalised */
	double		l1;
	double		l2;
	const double *curvature;	/* OWL-QN: rough second derivative of the loss by each parameter */
	double		tolerance;		/* OWL-QN: stop when no derivative is above it */
	int			max_iterations;
	bool		newton;			/* with Hessians; n up to a few hundred */
} WfProblem;

typedef struct WfSolver
{
	WfHost	   *host;
	WfProblem	problem;
	int			iterations;		/* points accepted after the first */
	bool		converged;
	/* private: */
	bool		started;
	double		value;			/* F at the current point */
	double		first_value;
	double		step;
	double		slope;			/* predicted change of F for a step of 1 */
	int			flat;			/* iterations in a row that gained next to nothing */
	double	   *x;				/* the current point */
	double	   *direction;
	double	   *work;
	double	   *full;			/* Newton: n × n, or packed factor */
	/* OWL-QN */
	double	   *scale;			/* 1 / second derivative with penalty: the first guess of the inverse Hessian */
	double	   *gradient;		/* of the smooth part at x */
	double	   *pseudo;			/* pseudo-gradient */
	double	   *history;		/* pairs s, y */
	double	   *rho;
	int			n_history;
	int			next_history;
} WfSolver;

/* From the host.  The first point to evaluate is all zeros. */
WfSolver   *wf_solver_create(WfHost *host, const WfProblem *problem);

void		wf_solver_free(WfSolver *solver);

/*
 * Tell the loss, its gradient and (Newton) its Hessian at theta, penalties not
 * included.  The Hessian is the upper triangle by rows: n, n - 1, … entries.
 * Returns true with the next point to evaluate in theta, or false with the
 * solution.
 */
bool		wf_solver_tell(WfSolver *solver, double loss, const double *gradient,
						   const double *hessian, double *theta);

#endif							/* WF_SOLVER_H */
