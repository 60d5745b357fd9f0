/*-------------------------------------------------------------------------
 * scoring.h
 *	  A model over the rows of a query, block by block.
 *
 * The fast path behind predict_batch(), evaluate() and their kin: rows stream
 * from the query into blocks of features, a block is predicted at once, and
 * each row is handed on with one more column of the query (a key, or what
 * really happened).
 *-------------------------------------------------------------------------
 */
#ifndef WFML_SCORING_H
#define WFML_SCORING_H

#include "postgres.h"

#include "pg/cache.h"
#include "pg/source.h"

#define WFML_SCORE_BLOCK 256

typedef struct WfmlScoredRow
{
	const float *x;				/* features */
	const double *values;		/* the value, or a probability per class */
	const char *extra;			/* the extra column as text; NULL: NULL or none asked for */
	double		number;			/* the extra column as a number, NaN when it is none */
} WfmlScoredRow;

typedef struct WfmlScorer WfmlScorer;
struct WfmlScorer
{
	WfmlRowReader reader;		/* first */
	/* set by the caller */
	const char *model_name;
	const WfmlCached *cached;
	const char *extra_column;	/* NULL: none */
	const char *extra_role;		/* "target", "key_column": for errors */
	void		(*emit) (WfmlScorer *scorer, const WfmlScoredRow *row);
	void	   *arg;
	bool		features_only;	/* do not predict: values stay unset */
	/* private */
	MemoryContext context;
	MemoryContext block_context;
	struct WfmlRowMap *map;
	int			extra_attno;
	Oid			extra_type;
	bool		extra_has_cast;
	FmgrInfo	extra_convert;	/* cast to text, or output function */
	float	   *x;
	double	   *values;
	char	  **extra;
	double	   *number;
	int			n;
	uint64		n_rows;
};

/* Run the query of a source (relation or SELECT) through the model. */
extern void wfml_score(WfmlScorer *scorer, const char *source);
/* The same for several models at once: the query runs once, so each gets every row in the same order. */
extern void wfml_score_together(WfmlScorer *scorers, int n, const char *source);

#endif							/* WFML_SCORING_H */
