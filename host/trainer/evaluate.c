/* SPDX-License-Identifier: Apache-2.0
 * trainer/evaluate.c: the loop of validation, test and predict; in fit, as a stage of its own, and as the sanity check. */
#include "trainer/fit.h"
#include "trainer/predictions.h"

#include "util/clock.h"

#include <string.h>

/* The stage's hooks: offsets in lth_hooks, and names. */
typedef struct hook_name {
    size_t offset;
    const char *name;
} hook_name;
typedef struct evaluation {
    lth_stage stage;
    metrics_loop loop;
    hook_name start, epoch_start, batch_start, batch_end, epoch_end, end;
} evaluation;

#define HOOK(h)                    \
    {                              \
        offsetof(lth_hooks, h), #h \
    }
#define STAGE(s, l, name)                                                                            \
    {                                                                                                \
        s, l, HOOK(on_##name##_start), HOOK(on_##name##_epoch_start), HOOK(on_##name##_batch_start), \
            HOOK(on_##name##_batch_end), HOOK(on_##name##_epoch_end), HOOK(on_##name##_end)          \
    }
static const evaluation evaluations[] = {
    STAGE(LTH_STAGE_VALIDATE, METRICS_VALIDATION, validation),
    STAGE(LTH_STAGE_TEST, METRICS_TEST, test),
    STAGE(LTH_STAGE_PREDICT, METRICS_TEST, predict),
};

static lth_status hook(session *s, const hook_name *h, error *e) { return hooks_call(s, h->offset, h->name, e); }

/* Batches of a loader; the sanity check wants few. -1: not known. */
static int64_t batch_count(const session *s, const data_loader *l)
{
    int64_t length = data_loader_length(l), most = s->options.num_sanity_val_steps;
    return s->sanity && most >= 0 && (length < 0 || most < length) ? most : length;
}

static lth_status one_batch(session *s, const evaluation *v, predictions *kept, error *e)
{
    metrics_step_begin(&s->metrics, v->loop, s->loop.epoch, s->loop.batches);
    if (hook(s, &v->batch_start, e) != LTH_OK)
        return e->status;
    uint64_t ticket;
    uint32_t slot;
    if (step_evaluate(s, v->stage, false, &ticket, kept ? &slot : NULL, e) != LTH_OK)
        return e->status;
    if (kept && predictions_add(kept, s->engine, ticket, slot, e) != LTH_OK)
        return e->status;
    metrics_step_end(&s->metrics, s->loop.global_step, !s->sanity, session_wall_time());
    return hook(s, &v->batch_end, e);
}

static lth_status one_loader(session *s, const evaluation *v, data_loader *l, uint32_t index, predictions *kept, error *e)
{
    int64_t count = batch_count(s, l);
    profile_part before = profile_set_part(s->profiled, PROFILE_DATA);
    lth_status status = data_loader_start(l, 0, 0, e);
    profile_set_part(s->profiled, before);
    for (int64_t i = 0; status == LTH_OK && (count < 0 || i < count); i++) {
        const data_batch *b;
        profile_set_part(s->profiled, PROFILE_DATA);
        status = data_loader_next(l, &b, e);
        profile_set_part(s->profiled, before);
        if (status != LTH_OK)
            break;
        s->running = (running_batch) {
            .batch = b, .index = i, .count = count, .loader = index, .last = count >= 0 ? i + 1 == count : b->last
        };
        status = one_batch(s, v, kept, e);
        if (status == LTH_OK)
            status = fit_interrupted(s, e);
    }
    return status == LTH_END ? LTH_OK : status;
}

static lth_status loaders_and_hooks(session *s, const evaluation *v, data_loader **loaders, uint32_t count, predictions *kept,
                                    error *e)
{
    metrics_epoch_begin(&s->metrics, v->loop);
    if (hook(s, &v->start, e) != LTH_OK || hook(s, &v->epoch_start, e) != LTH_OK)
        return e->status;
    for (uint32_t i = 0; i < count; i++) {
        if (kept)
            predictions_dataset(kept, i, count);
        if (one_loader(s, v, loaders[i], i, kept, e) != LTH_OK)
            return e->status;
    }
    lth_metrics_row row = {
        .step = s->loop.global_step, .epoch = s->loop.epoch, .batch = s->loop.batches, .wall_time = session_wall_time()
    };
    metrics_epoch_end(&s->metrics, v->loop, NULL);
    if (hook(s, &v->epoch_end, e) != LTH_OK)
        return e->status;
    metrics_epoch_end(&s->metrics, v->loop, s->sanity ? NULL : &row);
    if (s->in_fit && !s->sanity)
        s->loop.place = PLACE_VALIDATED; /* a checkpoint in on_validation_end goes on with the next batch */
    return hook(s, &v->end, e);
}

static lth_status run(session *s, const evaluation *v, data_loader **loaders, uint32_t count, predictions *kept, error *e)
{
    const lth_stage outer = s->stage;
    s->stage = v->stage;
    lth_status status = loaders_and_hooks(s, v, loaders, count, kept, e);
    s->stage = outer;
    return status;
}

lth_status evaluate_validation(session *s, error *e)
{
    const running_batch training = s->running;
    metrics_drain(&s->metrics); /* the rows of training come before those of validation */
    const int64_t rows = s->rows;
    lth_status status = run(s, &evaluations[0], s->loaders.validate, s->loaders.validate_count, NULL, e);
    if (status == LTH_STOPPED) { /* a resume point goes on with the whole of this validation: its rows so far do not count */
        metrics_drain(&s->metrics);
        s->rows = rows;
    }
    s->running = training;
    s->validated_at = clock_seconds();
    return status;
}

lth_status evaluate(session *s, lth_stage stage, error *e)
{
    const evaluation *v = evaluations;
    while (v->stage != stage)
        v++;
    predictions kept = { 0 };
    if (loggers_open(s, e) != LTH_OK)
        return e->status;
    s->keep_run_dir = s->limits.fast_dev_batches == 0;
    profile_set_part(s->profiled, PROFILE_LOOP);
    lth_status status = run(s, v, s->loaders.evaluate, s->loaders.evaluate_count, stage == LTH_STAGE_PREDICT ? &kept : NULL, e);
    if (status == LTH_OK && stage == LTH_STAGE_PREDICT)
        status = predictions_write(&kept, s, e);
    predictions_free(&kept);
    return status;
}
