/* SPDX-License-Identifier: Apache-2.0
 * data/loader_state.c: where a loader stands, in a checkpoint and back. */
#include "loader.h"

#include <string.h>

static int64_t all_samples(const data_loader *l) { return l->is_stream ? -1 : l->set.table.length; }

lth_status data_loader_save(data_loader *l, lth_writer *w, error *e)
{
    const data_args *a = &l->module->args;
    int64_t group = l->batch_size * a->world;
    (void)e;
    lth_put_i64(w, "epoch", l->epoch);
    lth_put_i64(w, "batch", l->given);
    int64_t samples = l->given * group; /* of all ranks; an epoch's last batch may be a short one */
    lth_put_i64(w, "samples", l->is_stream || samples < l->order.count ? samples : l->order.count);
    lth_put_i64(w, "group", group);
    lth_put_string(w, "order", order_names[l->order.args.kind]);
    lth_put_i64(w, "seed", (int64_t)a->seed);
    lth_put_i64(w, "dataset_length", all_samples(l));
    if (!l->is_stream)
        return LTH_OK;
    pthread_mutex_lock(&l->lock);
    while (l->drawing)
        pthread_cond_wait(&l->work, &l->lock);
    stream_save(&l->stream, l->given, w);
    pthread_mutex_unlock(&l->lock);
    return LTH_OK;
}

/* Would the rest of the epoch be another one than it was? */
static lth_status check_same(const data_loader *l, lth_reader *r, error *e)
{
    int64_t length, seed;
    const char *kind;
    if (!lth_get_i64(r, "dataset_length", &length) || !lth_get_string(r, "order", &kind) || !lth_get_i64(r, "seed", &seed))
        return error_set(e, LTH_INVALID, "the checkpoint does not tell where the data stood");
    if (length != all_samples(l))
        return error_set(e, LTH_INVALID, "the training data has changed: %lld samples when the checkpoint was written, %lld now",
                         (long long)length, (long long)all_samples(l));
    if (strcmp(kind, order_names[l->order.args.kind]) != 0)
        return error_set(e, LTH_INVALID, "[data] shuffle or sampler is not what it was when the checkpoint was written");
    if (l->order.args.kind != ORDER_SEQUENTIAL && (uint64_t)seed != l->module->args.seed)
        return error_set(e, LTH_INVALID,
                         "the seed is %llu; the checkpoint was written with %llu, which ordered the samples otherwise",
                         (unsigned long long)l->module->args.seed, (unsigned long long)seed);
    return LTH_OK;
}

lth_status data_loader_load(data_loader *l, lth_reader *r, error *e)
{
    int64_t group = l->batch_size * l->module->args.world, saved_group, batch;
    lth_status status = check_same(l, r, e);
    if (status)
        return status;
    if (!lth_get_i64(r, "epoch", &l->saved_epoch) || !lth_get_i64(r, "batch", &batch) || !lth_get_i64(r, "group", &saved_group) ||
        saved_group < 1 || batch < 0 || batch > INT64_MAX / saved_group)
        return error_set(e, LTH_INVALID, "the checkpoint does not tell where the data stood");
    int64_t samples = batch * saved_group;
    if (group != saved_group && (samples % group || l->order.args.kind == ORDER_BUCKET))
        return error_set(
            e, LTH_INVALID,
            "%lld samples a step, of all ranks, were taken when the checkpoint was written, %lld are now: the %lld samples "
            "so far are no whole number of batches",
            (long long)saved_group, (long long)group, (long long)samples);
    l->saved_position = samples / group;
    if (l->length >= 0 && l->saved_position > l->length) /* its last batch was a short one */
        l->saved_position = l->length;
    l->has_saved = true;
    loader_quiet(l);
    l->epoch = l->saved_epoch; /* a checkpoint may be taken before it is started there */
    l->given = l->saved_position;
    if (!l->is_stream)
        return LTH_OK;
    data_enter(l->module, "load");
    status = stream_load(&l->stream, l->saved_epoch, l->saved_position, r, e);
    data_leave(l->module, e);
    return status;
}

void data_loader_saved(const data_loader *l, int64_t *epoch, int64_t *position)
{
    *epoch = l->has_saved ? l->saved_epoch : 0;
    *position = l->has_saved ? l->saved_position : 0;
}
