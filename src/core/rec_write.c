/*-------------------------------------------------------------------------
 * rec_write.c
 *	  The section "RECM" of a trained recommender.
 *
 * The parts' sizes are known beforehand, so the section is one block that is
 * filled in place.
 *-------------------------------------------------------------------------
 */
#include "core/recommending.h"

#include <math.h>
#include <string.h>

#include "core/content.h"
#include "core/rec_section.h"

#define CHECK_EVERY 65536
/* Largest number in a dense row. */
#define DENSE_MAX 32767

typedef struct Writer
{
	WfRec	   *rec;
	const WfRecStage *stage;
	const WfRecTrained *trained;
	WfBytes    *out;
	size_t		base;			/* where the section starts in out */
	WfRecHeader header;
} Writer;

/* Room for a part, zeros. */
static void *
put_part(Writer *w, WfRecPart part, size_t n, size_t size)
{
	size_t		length = wf_size_mul(w->rec->team->host, n, size);
	void	   *p;

	wf_bytes_align(w->out, 64);
	w->header.part[part].offset = w->out->length - w->base;
	w->header.part[part].length = length;
	p = wf_bytes_extend(w->out, length);
	if (length)
		memset(p, 0, length);
	return p;
}

/* A part that writes itself between these two. */
static void
begin_part(Writer *w, WfRecPart part)
{
	wf_bytes_align(w->out, 64);
	w->header.part[part].offset = w->out->length - w->base;
}

static void
end_part(Writer *w, WfRecPart part)
{
	w->header.part[part].length = w->out->length - w->base - w->header.part[part].offset;
}

static void
put_copy(Writer *w, WfRecPart part, const void *p, size_t n, size_t size)
{
	memcpy(put_part(w, part, n, size), p, n * size);
	w->rec->team->host->check(w->rec->team->host);
}

/* Dense rows as 16-bit numbers, each row with a scale of its own. */
static void
put_dense(Writer *w)
{
	const WfItemModel *model = &w->trained->model;
	uint32_t	d = model->n_dense;
	uint32_t	numbers = wf_rec_dense_row(d);
	float	   *scale = put_part(w, WF_REC_DENSE_SCALE, d, sizeof(float));
	int16_t    *to;

	w->header.n_dense = d;
	w->header.dense_row = numbers;
	for (uint32_t i = 0; i < d; i++)
	{
		const float *row = model->dense + i * model->ld;
		float		most = 0;

		for (uint32_t j = 0; j < d; j++)
			most = fabsf(row[j]) > most ? fabsf(row[j]) : most;
		scale[i] = most / DENSE_MAX;
	}
	to = put_part(w, WF_REC_DENSE, (size_t) d * numbers, sizeof(int16_t));
	/* the part before may have moved */
	scale = (float *) (void *) (w->out->data + w->base + w->header.part[WF_REC_DENSE_SCALE].offset);
	for (uint32_t i = 0; i < d; i++)
	{
		const float *row = model->dense + i * model->ld;
		float		one = scale[i] > 0 ? 1 / scale[i] : 0;

		for (uint32_t j = 0; j < d; j++)
			to[(size_t) i * numbers + j] = (int16_t) lrintf(row[j] * one);
		w->rec->team->host->check(w->rec->team->host);
	}
}

/* Sparse rows, close together, the damping multiplied in, by falling weight. */
static void
put_rows(Writer *w)
{
	const WfItemModel *model = &w->trained->model;
	WfHost	   *host = w->rec->team->host;
	uint32_t	n = model->n_items;
	uint64_t   *start = put_part(w, WF_REC_ROW_START, (size_t) n + 1, sizeof(uint64_t));
	uint64_t	total = 0;
	uint32_t	longest = 1;
	uint32_t   *item;
	float	   *weight;
	WfTop	   *top;

	for (uint32_t i = 0; i < n; i++)
	{
		total += model->length[i];
		start[i + 1] = total;
		longest = model->length[i] > longest ? model->length[i] : longest;
	}
	w->header.n_entries = total;
	item = put_part(w, WF_REC_ROW_ITEM, total, sizeof(uint32_t));
	weight = put_part(w, WF_REC_ROW_WEIGHT, total, sizeof(float));
	item = (uint32_t *) (void *) (w->out->data + w->base + w->header.part[WF_REC_ROW_ITEM].offset);
	top = wf_alloc(host, longest, sizeof(WfTop));
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	kept = 0;

		for (uint64_t e = model->start[i]; e < model->start[i] + model->length[i]; e++)
		{
			uint32_t	j = model->item[e];

			wf_top_offer(top, &kept, longest, model->weight[e] * (model->damping ? model->damping[j] : 1), j);
		}
		wf_top_sort(top, kept);
		for (uint32_t k = 0; k < kept; k++)
		{
			*item++ = top[k].item;
			*weight++ = top[k].score;
		}
		if (i % 64 == 0)
			host->check(host);
	}
	wf_release(host, top);
}

static void
put_content(Writer *w)
{
	WfRec	   *rec = w->rec;

	if (rec->input->content == NULL)
		return;
	if (wf_content_n_rows(rec->input->content) != rec->data.n_catalogue_rows)
		rec->team->host->fail(rec->team->host, WF_E_INTERNAL, WF_HINT_NONE, "content and catalogue differ in rows");
	begin_part(w, WF_REC_CONTENT);
	wf_content_finish(rec->input->content, rec->data.catalogue_item, rec->data.n_catalogue, w->out);
	end_part(w, WF_REC_CONTENT);
}

void
wf_rec_reserve(WfBytes *b, size_t size)
{
	size_t		length = b->length;

	wf_bytes_extend(b, size);
	b->length = length;
}

/* Bytes of the parts whose size is known beforehand. */
static size_t
known_size(const Writer *w)
{
	const WfMatrix *m = &w->stage->m;
	const WfItemModel *model = &w->trained->model;
	WfHost	   *host = w->rec->team->host;
	size_t		size = sizeof(WfRecHeader) + 64 * WF_REC_PARTS;
	uint64_t	entries = 0;

	for (uint32_t i = 0; model->start && i < model->n_items; i++)
		entries += model->length[i];
	size = wf_size_add(host, size, wf_size_mul(host, m->n, w->trained->factors.k ? 8 : 4));
	size = wf_size_add(host, size, wf_size_mul(host, entries, 8));
	size = wf_size_add(host, size, ((size_t) m->n_rows + m->n_cols + 2) * 16);
	return wf_size_add(host, size, (size_t) model->n_dense * (wf_rec_dense_row(model->n_dense) * 2 + 4));
}

void
wf_rec_write(WfRec *rec, const WfRecStage *stage, const WfRecTrained *trained,
			 const WfBytes *ratings, WfBytes *out)
{
	Writer		w = {.rec = rec,.stage = stage,.trained = trained,.out = out};
	const WfMatrix *m = &stage->m;
	uint32_t	n_popular = 0;

	wf_bytes_align(out, 64);
	w.base = out->length;
	wf_rec_reserve(out, known_size(&w));
	wf_bytes_extend(out, sizeof(WfRecHeader));
	w.header.version = WF_REC_VERSION;
	w.header.method = trained->method;
	w.header.n_users = m->n_rows;
	w.header.n_items = m->n_cols;
	w.header.n_catalogue = rec->data.n_catalogue;
	w.header.n_interactions = m->n;
	put_copy(&w, WF_REC_SUPPORT, stage->support, m->n_cols, sizeof(uint32_t));
	while (n_popular < m->n_cols && stage->support[stage->popular[n_popular]] > 0)
		n_popular++;
	put_copy(&w, WF_REC_POPULAR, stage->popular, n_popular, sizeof(uint32_t));
	put_copy(&w, WF_REC_HISTORY_START, m->start, (size_t) m->n_rows + 1, sizeof(uint64_t));
	put_copy(&w, WF_REC_HISTORY_ITEM, m->col, m->n, sizeof(uint32_t));
	if (trained->model.n_dense)
		put_dense(&w);
	if (trained->model.start)
		put_rows(&w);
	if (trained->factors.k)
	{
		begin_part(&w, WF_REC_FACTORS);
		wf_factors_write(&trained->factors, out);
		end_part(&w, WF_REC_FACTORS);
		put_copy(&w, WF_REC_VALUE, m->value, m->n, sizeof(float));
	}
	if (ratings->length)
		put_copy(&w, WF_REC_RATINGS, ratings->data, ratings->length, 1);
	put_content(&w);
	memcpy(out->data + w.base, &w.header, sizeof(w.header));
}
