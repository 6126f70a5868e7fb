/* SPDX-License-Identifier: Apache-2.0
 * data/loader.c: what a loader is made of; loader_run.c runs it. */
#include "loader.h"

#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

enum { AUTO_WORKERS = 2, PROBE_LENGTH = 8 };

/* ---- Which samples, in which order ---- */

/* [data] shuffle and sampler against each other and against the dataset. */
static lth_status choose_order(const data_loader *l, bool no_shuffle, order_kind *kind, bool *shuffle, error *e)
{
    const data_options *o = l->module->args.options;
    const char *sampler = l->training ? o->sampler : "auto"; /* the key is training's */
    bool no = strcmp(o->shuffle, "false") == 0, yes = strcmp(o->shuffle, "true") == 0;
    *shuffle = !no_shuffle && (yes || (!no && l->training));
    *kind = *shuffle ? ORDER_RANDOM : ORDER_SEQUENTIAL;
    if (l->is_stream && !no_shuffle && (yes || (strcmp(sampler, "auto") != 0 && strcmp(sampler, "sequential") != 0)))
        return error_set(e, LTH_UNSUPPORTED, "[data] %s = %s: a stream comes in its own order and cannot be shuffled by the host",
                         yes ? "shuffle" : "sampler", yes ? "true" : sampler);
    if ((strcmp(sampler, "sequential") == 0 && yes) ||
        (no && (strcmp(sampler, "random") == 0 || strcmp(sampler, "weighted") == 0)))
        return error_set(e, LTH_INVALID, "[data] sampler = %s contradicts shuffle = %s", sampler, o->shuffle);
    if (l->is_stream || strcmp(sampler, "sequential") == 0) {
        *kind = ORDER_SEQUENTIAL;
        *shuffle = false;
    } else if (strcmp(sampler, "bucket") == 0) {
        *kind = ORDER_BUCKET;
    } else if (strcmp(sampler, "weighted") == 0 && !no_shuffle) {
        *kind = o->replacement ? ORDER_WEIGHTED : ORDER_WEIGHTED_ONCE;
    }
    return LTH_OK;
}

/* No key is accepted and without effect. */
static lth_status check_idle_keys(const data_loader *l, error *e)
{
    const data_options *o = l->module->args.options;
    bool varies = false, weighted = strcmp(o->sampler, "weighted") == 0;
    for (size_t i = 0; i < l->module->declared.field_count; i++)
        varies |= l->module->declared.fields[i].varying >= 0;
    if (o->buckets.count && !varies)
        return error_set(e, LTH_INVALID, "[data] buckets: no field of this data has a varying length");
    if (o->buckets.count && !l->set.table.size)
        return error_set(e, LTH_UNSUPPORTED,
                         "[data] buckets: this dataset forms its batches by itself and does not tell its samples' lengths");
    if (!weighted && (o->num_samples || !o->replacement))
        return error_set(e, LTH_INVALID, "[data] %s is for sampler = weighted, which this run has not",
                         o->num_samples ? "num_samples" : "replacement");
    return LTH_OK;
}

static lth_status make_order(data_loader *l, bool no_shuffle, error *e)
{
    const data_args *a = &l->module->args;
    order_args o = { .dataset = &l->set.table, .context = l->set.context, .seed = a->seed, .draws = a->options->num_samples };
    lth_status status = check_idle_keys(l, e);
    if (!status)
        status = choose_order(l, no_shuffle, &o.kind, &o.shuffle, e);
    if (status || l->is_stream)
        return status;
    o.group = l->batch_size * a->world;
    return order_init(&l->order, &o, e);
}

/* Samples and batches of an epoch for this rank, before the limit. */
static void count_batches(data_loader *l)
{
    const data_args *a = &l->module->args;
    int64_t all = l->is_stream ? l->set.table.length : l->order.count, world = a->world;
    bool drop = l->training && a->options->drop_last;
    l->samples = l->length = -1;
    if (all < 0)
        return;
    if (!l->training)
        l->samples = (all - a->rank + world - 1) / world;
    else
        l->samples = drop || l->is_stream ? all / world : (all + world - 1) / world;
    l->length = drop ? l->samples / l->batch_size : (l->samples + l->batch_size - 1) / l->batch_size;
}

static lth_status apply_limit(data_loader *l, const data_loader_args *args, error *e)
{
    l->limit = -1;
    if (args->limit < 0 || (args->limit_is_fraction ? args->limit >= 1 : args->limit >= 0x1p53))
        return LTH_OK;
    if (args->limit_is_fraction && l->length < 0)
        return error_set(e, LTH_UNSUPPORTED,
                         "a fraction, %g, of the %s batches is asked for, and the stream does not know how many it has; "
                         "give a number of batches",
                         args->limit, data_stage_name(args->stage));
    l->limit = (int64_t)(args->limit_is_fraction ? args->limit * (double)l->length : args->limit);
    if (args->limit_is_fraction && args->limit > 0 && l->length > 0 && l->limit == 0)
        return error_set(e, LTH_INVALID, "a fraction of %g of %lld %s batches is less than one batch", args->limit,
                         (long long)l->length, data_stage_name(args->stage));
    if (l->length >= 0 && l->limit >= l->length)
        l->limit = -1;
    else if (l->length >= 0)
        l->length = l->limit;
    if (l->samples > l->length * l->batch_size && l->length >= 0)
        l->samples = l->length * l->batch_size;
    return LTH_OK;
}

/* ---- Slots ---- */

static bool varies_untold(const data_loader *l)
{
    for (size_t i = 0; i < l->module->declared.field_count; i++)
        if (l->module->declared.fields[i].varying >= 0 && !l->set.table.size)
            return true;
    return false;
}

static lth_status make_slots(data_loader *l, error *e)
{
    const data_args *a = &l->module->args;
    bool cheap = l->set.table.flags & LTH_DATASET_CHEAP;
    l->wanted_threads = cheap ? 0 : (int32_t)(a->options->workers < 0 ? AUTO_WORKERS : a->options->workers);
    l->slot_count = l->wanted_threads ? l->wanted_threads * a->options->prefetch + 1 : 1;
    l->slots = calloc((size_t)l->slot_count, sizeof *l->slots);
    if (!l->slots)
        return error_set(e, LTH_NO_MEMORY, "no memory for %lld batches", (long long)l->slot_count);
    const data_declared *d = &l->module->declared;
    for (int64_t i = 0; i < l->slot_count; i++) {
        batch *b = &l->slots[i].batch;
        batch_init(b, d->fields, (uint32_t)d->field_count, l->batch_size, a->seed, l->is_stream);
        b->is_filled = l->set.table.flags & LTH_DATASET_FILLS;
        if (!varies_untold(l) && batch_begin(b, l->batch_size, 1, false)) /* now, and not in the first steps */
            return error_set(e, b->error.status, "%s", b->error.text);
        b->filling = false;
    }
    return LTH_OK;
}

static void make_probe(data_loader *l)
{
    const data_declared *d = &l->module->declared;
    const lth_int_list *buckets = &l->module->args.options->buckets;
    l->probe_shapes = memory_new(d->field_count * sizeof *l->probe_shapes);
    l->probe_names = memory_new(d->field_count * sizeof *l->probe_names);
    l->probe_data = memory_new(d->field_count * sizeof *l->probe_data);
    for (size_t i = 0; i < d->field_count; i++) {
        const data_field *f = &d->fields[i];
        lth_shape *s = &l->probe_shapes[i];
        *s = (lth_shape) { .dtype = f->shape.dtype, .rank = f->shape.rank + 1, .dim = { l->batch_size } };
        for (int32_t k = 0; k < f->shape.rank; k++)
            s->dim[k + 1] = k != f->varying ? f->shape.dim[k] : buckets->count ? buckets->at[buckets->count - 1] : PROBE_LENGTH;
        l->probe_names[i] = f->name;
    }
    l->probe = (data_batch) { .field_count = (uint32_t)d->field_count,
                              .names = l->probe_names,
                              .shapes = l->probe_shapes,
                              .data = l->probe_data,
                              .size = l->batch_size };
}

lth_status data_loader_probe(data_loader *l, const data_batch **out, error *e)
{
    (void)e;
    *out = &l->probe;
    return LTH_OK;
}

/* ---- Life ---- */

data_loader *data_loader_new(data_module *m, const data_loader_args *args, error *e)
{
    lth_stage stage = data_stage_of(args->stage);
    const data_options *o = m->args.options;
    if (args->dataset >= data_dataset_count(m, stage)) {
        error_set(e, LTH_INVALID, "the datamodule gives no %s dataset %u", data_stage_name(stage), args->dataset);
        return NULL;
    }
    data_loader *l = memory_new(sizeof *l);
    l->module = m;
    l->set = m->declared.sets[stage].at[args->dataset];
    l->stage = args->stage;
    l->training = stage == LTH_STAGE_TRAIN;
    l->is_stream = l->set.table.next != NULL;
    l->batch_size = l->training || !o->eval_batch_size ? o->batch_size : o->eval_batch_size;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    lth_status status = make_order(l, args->no_shuffle, e);
    if (!status)
        count_batches(l);
    if (!status)
        status = apply_limit(l, args, e);
    if (!status)
        status = make_slots(l, e);
    if (!status && l->is_stream)
        stream_init(&l->stream, &l->set, &m->args, l->training, l->batch_size, l->slot_count);
    make_probe(l);
    if (!status)
        return l;
    data_loader_free(l);
    return NULL;
}

void data_loader_free(data_loader *l)
{
    if (!l)
        return;
    loader_stop(l);
    for (int64_t i = 0; l->slots && i < l->slot_count; i++)
        batch_free(&l->slots[i].batch);
    free(l->slots);
    order_free(&l->order);
    stream_free(&l->stream);
    free(l->probe_shapes);
    free(l->probe_names);
    free(l->probe_data);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->ready);
    free(l);
}

int64_t data_loader_length(const data_loader *l) { return l->length; }

int64_t data_loader_samples(const data_loader *l) { return l->samples; }

void data_loader_get_stats(data_loader *l, data_loader_stats *out)
{
    pthread_mutex_lock(&l->lock);
    *out = l->stats;
    out->threads = l->thread_count;
    pthread_mutex_unlock(&l->lock);
}
