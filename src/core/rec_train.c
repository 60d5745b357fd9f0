/*-------------------------------------------------------------------------
 * rec_train.c
 *	  Training one setting of one method on a stage.
 *-------------------------------------------------------------------------
 */
#include "core/recommending.h"

#include <string.h>

uint32_t
wf_rec_ease_items(const WfRec *rec)
{
	uint32_t	limit = (uint32_t) wf_spec_number(rec->spec, "ease_items");

	return rec->data.n_items < limit ? rec->data.n_items : limit;
}

bool
wf_rec_late(WfRec *rec)
{
	uint32_t	late = 0;

	if (rec->deadline <= 0)
		return false;
	if (rec->team->rank == 0)
		late = rec->team->host->now(rec->team->host) > rec->deadline;
	wf_team_broadcast(rec->team, &late, sizeof(late));
	if (late)
		rec->time_limited = true;
	return late != 0;
}

/*
 * RP3beta's rows for what EASE leaves out: from and to items beyond its own.
 * A chance of a walk is of the size of a regression weight; the damping is
 * taken relative to the most popular item of the tail, where it is 1.
 */
static void
train_tail(WfRec *rec, const WfRecStage *stage, const WfRecSetting *setting,
		   const uint8_t *wanted, uint32_t n, WfRecTrained *trained)
{
	WfNeighbourSpec spec = {
		.k = (uint32_t) wf_spec_number(rec->spec, "neighbours"),
		.apart = n,
		.wanted = wanted
	};
	WfHost	   *host = rec->team->host;
	float	   *factor = wf_alloc(host, rec->data.n_items, sizeof(float));
	WfNeighbours *rows = &trained->rows;
	double		unit;
	size_t		begin,
				end;

	wf_neighbours_build(rec->team, &stage->pairs, &stage->t, &spec, rows, NULL);
	wf_neighbours_damping(setting->beta, stage->support, rec->data.n_items, factor);
	unit = factor[n] > 0 ? setting->tail / (double) factor[n] : setting->tail;
	wf_team_part(rec->team, rec->data.n_items, &begin, &end);
	for (size_t i = begin; i < end; i++)
	{
		for (uint64_t e = rows->start[i]; e < rows->start[i] + rows->length[i]; e++)
			rows->weight[e] *= (float) (unit * (double) factor[rows->item[e]]);
		if (i % 256 == 0)
			host->check(host);
	}
	wf_release(host, factor);
	wf_team_barrier(rec->team);
	trained->model.start = rows->start;
	trained->model.length = rows->length;
	trained->model.item = rows->item;
	trained->model.weight = rows->weight;
}

static void
train_ease(WfRec *rec, const WfRecStage *stage, const WfRecSetting *setting,
		   const uint8_t *wanted, WfRecTrained *trained)
{
	uint32_t	n = wf_rec_ease_items(rec);
	size_t		ld = wf_spd_padded(n);

	trained->dense = wf_team_alloc(rec->team, ld * ld, sizeof(float));
	wf_ease_gram(rec->team, &stage->pairs, &stage->t, n, setting->weight, trained->dense);
	if (!wf_ease_solve(rec->team, trained->dense, n, setting->regularization) && rec->team->rank == 0)
		rec->team->host->fail(rec->team->host, WF_E_PARAM, "Raise \"regularization\", or leave it out.",
							  "regularization %g is too small for ease", setting->regularization);
	trained->model.n_dense = n;
	trained->model.ld = ld;
	trained->model.dense = trained->dense;
	if (n < rec->data.n_items)
		train_tail(rec, stage, setting, wanted, n, trained);
}

static void
train_rows(WfRec *rec, const WfRecStage *stage, const WfRecSetting *setting,
		   const uint8_t *wanted, WfRecTrained *trained)
{
	WfNeighbourSpec spec = {
		.k = (uint32_t) wf_spec_number(rec->spec, "neighbours"),
		.shrink = (float) setting->shrink,
		.wanted = wanted
	};
	bool		walk = setting->method == WF_METHOD_RP3BETA;

	wf_neighbours_build(rec->team, &stage->pairs, &stage->t, &spec,
						walk ? &trained->rows : NULL, walk ? NULL : &trained->rows);
	if (walk)
	{
		trained->damping = wf_team_alloc(rec->team, rec->data.n_items, sizeof(float));
		if (rec->team->rank == 0)
			wf_neighbours_damping(setting->beta, stage->support, rec->data.n_items, trained->damping);
		wf_team_barrier(rec->team);
	}
	trained->model.start = trained->rows.start;
	trained->model.length = trained->rows.length;
	trained->model.item = trained->rows.item;
	trained->model.weight = trained->rows.weight;
	trained->model.damping = trained->damping;
}

void
wf_rec_train(WfRec *rec, const WfRecStage *stage, const WfRecSetting *setting,
			 const uint8_t *wanted, WfRecTrained *trained)
{
	memset(trained, 0, sizeof(*trained));
	trained->method = setting->method;
	trained->model.n_items = rec->data.n_items;
	switch (setting->method)
	{
		case WF_METHOD_EASE:
			train_ease(rec, stage, setting, wanted, trained);
			break;
		case WF_METHOD_RP3BETA:
		case WF_METHOD_ITEM_KNN:
			train_rows(rec, stage, setting, wanted, trained);
			break;
		case WF_METHOD_POPULAR:
			break;
		case WF_METHOD_NMF:
		case WF_METHOD_ALS:
			wf_factors_train(rec->team, &setting->factors, &stage->pairs, &stage->t, &trained->factors);
			break;
	}
}

void
wf_rec_trained_free(WfRec *rec, WfRecTrained *trained)
{
	if (trained->factors.k)
		wf_factors_free(rec->team, &trained->factors);
	if (trained->damping)
		wf_team_free(rec->team, trained->damping);
	wf_neighbours_free(rec->team, &trained->rows);
	if (trained->dense)
		wf_team_free(rec->team, trained->dense);
	memset(trained, 0, sizeof(*trained));
}
