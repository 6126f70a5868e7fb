/* SPDX-License-Identifier: Apache-2.0
 * data/loader_fill.c: one batch, filled by whichever thread has claimed it. */
#include "loader.h"

/* Rank r of W has every W-th place of the epoch's order. A place beyond the end begins anew at its start: only in training,
 * and only to make the ranks even. */
static void choose_samples(const data_loader *l, batch *b, int64_t number, int64_t rows)
{
    const data_args *a = &l->module->args;
    const order *o = &l->order;
    int64_t place = (number * l->batch_size * a->world + a->rank) % o->count;
    if (o->args.kind == ORDER_SEQUENTIAL && place + (rows - 1) * a->world < o->count) { /* the plain case, at an addition each */
        for (int64_t i = 0; i < rows; i++, place += a->world)
            b->indices[i] = place;
        return;
    }
    for (int64_t i = 0; i < rows; i++) {
        b->indices[i] = o->args.kind == ORDER_SEQUENTIAL ? place : order_at(o, place);
        place += a->world;
        if (place >= o->count)
            place %= o->count;
    }
}

/* The dimension that varying fields get: that of the longest sample, or the bucket above it. */
static lth_status choose_length(const data_loader *l, batch *b, int64_t rows, int64_t *length)
{
    const lth_int_list *buckets = &l->module->args.options->buckets;
    int64_t longest = 0;
    for (int64_t i = 0; i < rows; i++) {
        int64_t size = b->sizes[i] = l->set.table.size(l->set.context, b->indices[i]);
        if (size < 0)
            return error_set(&b->error, LTH_INVALID, "the dataset gives sample %lld the size %lld", (long long)b->indices[i],
                             (long long)size);
        if (buckets->count && size > buckets->at[buckets->count - 1])
            return error_set(&b->error, LTH_INVALID, "sample %lld has length %lld; the largest of [data] buckets is %lld",
                             (long long)b->indices[i], (long long)size, (long long)buckets->at[buckets->count - 1]);
        longest = size > longest ? size : longest;
    }
    *length = longest;
    for (int64_t k = 0; k < buckets->count; k++)
        if (buckets->at[k] >= longest)
            return *length = buckets->at[k], LTH_OK;
    return LTH_OK;
}

static void fill_map(data_loader *l, batch *b, int64_t number, int64_t rows)
{
    bool with_sizes = l->set.table.size != NULL;
    int64_t length = -1;
    choose_samples(l, b, number, rows);
    if (with_sizes && choose_length(l, b, rows, &length))
        return;
    if (batch_begin(b, rows, length, with_sizes))
        return;
    lth_status status = l->set.table.fetch(l->set.context, b->indices, rows, &b->abi);
    if (status)
        error_set(&b->error, status, "the dataset's fetch failed");
}

static void fill_stream(data_loader *l, batch *b, int64_t rows)
{
    if (batch_begin(b, rows, -1, false))
        return;
    lth_status status = l->set.table.decode(l->set.context, b->references, rows, &b->abi);
    if (status)
        error_set(&b->error, status, "the dataset's decode failed");
}

void loader_fill(data_loader *l, loader_slot *s, int64_t number)
{
    batch *b = &s->batch;
    b->epoch = l->epoch;
    b->view.index = number;
    data_enter(l->module, l->is_stream ? "decode" : "fetch");
    if (l->is_stream) {
        fill_stream(l, b, b->view.size);
    } else {
        int64_t left = l->samples - number * l->batch_size;
        b->view.last = number + 1 == l->length;
        fill_map(l, b, number, left < l->batch_size ? left : l->batch_size);
    }
    data_leave(l->module, &b->error);
    b->filling = false;
    if (!b->error.status)
        batch_end(b);
}
