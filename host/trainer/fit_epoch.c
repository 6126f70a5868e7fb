/* SPDX-License-Identifier: Apache-2.0
 * trainer/fit_epoch.c: an epoch of training: batches, validation in between, what comes at its end; from any place at which
 * a checkpoint can have been taken. */
#include "trainer/fit.h"

#include "util/clock.h"

#include <string.h>

/* ---- Validation ---- */

bool fit_validation_enabled(const session *s) { return s->loaders.validate_count > 0; }

/* Batches between two validations; -1: at the end of epochs of unknown length. */
static int64_t validation_batches(const session *s)
{
    if (s->limits.val_interval_kind == INTERVAL_BATCHES)
        return (int64_t)s->limits.val_interval;
    if (s->train_batches < 0)
        return -1;
    int64_t batches = (int64_t)((double)s->train_batches * s->limits.val_interval);
    return batches > 0 ? batches : 1;
}

bool fit_validation_due(const session *s)
{
    int64_t every = s->options.check_val_every_n_epoch;
    if (s->loop.place != PLACE_BATCH_END || !fit_validation_enabled(s) || (every > 0 && (s->loop.epoch + 1) % every != 0))
        return false;
    if (fit_may_stop(s) || (s->running.last && s->train_batches < 0))
        return true;
    if (s->limits.val_interval_kind == INTERVAL_SECONDS)
        return clock_seconds() - s->validated_at >= s->limits.val_interval;
    int64_t interval = validation_batches(s);
    return interval > 0 && (every > 0 ? s->loop.batch : s->loop.batches) % interval == 0;
}

int32_t fit_validation_kind(const session *s)
{
    if (!fit_validation_enabled(s))
        return LTH_VALIDATION_NONE;
    bool each_epoch = s->limits.val_interval_kind == INTERVAL_FRACTION && s->limits.val_interval == 1;
    return each_epoch && s->options.check_val_every_n_epoch == 1 ? LTH_VALIDATION_EPOCH_END : LTH_VALIDATION_OTHER;
}

/* ---- A batch ---- */

static void set_running(session *s, const data_batch *b)
{
    bool last = s->train_batches >= 0 ? s->loop.batch + 1 >= s->train_batches : b->last;
    bool window_ends = s->loop.micro + 1 >= s->options.accumulate_grad_batches || last;
    s->running = (running_batch) { .batch = b, .index = s->loop.batch, .count = s->train_batches, .last = last };
    s->running.accumulating = !s->model_table->manual_optimization && !window_ends;
}

/* LTH_END: on_train_batch_start skips the rest of the epoch. */
static lth_status train_batch(session *s, error *e)
{
    loop_state *l = &s->loop;
    s->between_batches = false;
    metrics_step_begin(&s->metrics, METRICS_TRAIN, l->epoch, l->batches + 1);
    lth_status status = HOOKS(s, on_train_batch_start, e);
    if (status != LTH_OK)
        return status;
    int64_t steps = l->global_step;
    if (step_train(s, false, e) != LTH_OK)
        return e->status;
    l->batch++;
    l->batches++;
    l->samples += s->running.batch->size;
    l->place = PLACE_BATCH_END;
    s->keep_run_dir = s->limits.fast_dev_batches == 0; /* from the first batch on there is something to keep */
    bool stepped = l->global_step != steps;
    if (stepped && schedules_advance(s, SCHEDULE_STEP, false, e) != LTH_OK)
        return e->status;
    if (s->running.last && schedules_advance(s, SCHEDULE_EPOCH, false, e) != LTH_OK)
        return e->status;
    l->epoch_scheduled = s->running.last;
    bool wants_row = stepped && (l->global_step % s->options.log_every_n_steps == 0 || s->limits.fast_dev_batches > 0);
    metrics_step_end(&s->metrics, l->global_step, wants_row, wants_row ? session_wall_time() : 0);
    s->between_batches = true;
    return HOOKS(s, on_train_batch_end, e);
}

/* What follows a batch: validation, schedules on its metrics, the clock, signals. */
static lth_status after_batch(session *s, error *e)
{
    if (fit_interrupted(s, e) != LTH_OK)
        return e->status;
    fit_check_time(s);
    if (fit_validation_due(s) && evaluate_validation(s, e) != LTH_OK)
        return e->status;
    if (!s->running.accumulating && schedules_advance(s, SCHEDULE_STEP, true, e) != LTH_OK)
        return e->status;
    s->loop.place = PLACE_VALIDATED;
    return fit_interrupted(s, e);
}

/* ---- An epoch ---- */

static lth_status begin(session *s, error *e)
{
    loop_state *l = &s->loop;
    if (l->place == PLACE_EPOCH_END && l->epoch_cut) { /* the run goes on in the middle of an epoch that had been ended there */
        l->place = PLACE_VALIDATED;
        l->epoch_cut = false;
    }
    if (l->place == PLACE_EPOCH_START) {
        s->running = (running_batch) { .count = s->train_batches };
        if (HOOKS(s, on_train_epoch_start, e) != LTH_OK)
            return e->status;
    }
    if (l->place == PLACE_EPOCH_END)
        return LTH_OK;
    profile_part before = profile_set_part(s->profiled, PROFILE_DATA);
    lth_status status = data_loader_start(s->loaders.train, l->epoch, l->batch, e);
    profile_set_part(s->profiled, before);
    return status;
}

static bool epoch_is_over(const session *s) { return s->running.last || fit_steps_reached(s) || fit_may_stop(s); }

static lth_status batches(session *s, bool *complete, error *e)
{
    const data_batch *b;
    if (s->loop.place == PLACE_BATCH_END && after_batch(s, e) != LTH_OK) /* resumed there */
        return e->status;
    while (s->loop.place == PLACE_EPOCH_START || !epoch_is_over(s)) {
        profile_part before = profile_set_part(s->profiled, PROFILE_DATA);
        lth_status status = data_loader_next(s->loaders.train, &b, e);
        profile_set_part(s->profiled, before);
        if (status == LTH_END && s->loop.batch == 0)
            return error_set(e, LTH_INVALID, "the datamodule '%s' gave no batch in epoch %lld", s->data->known->id,
                             (long long)s->loop.epoch);
        if (status == LTH_END) {
            s->running.last = true;
            break;
        }
        if (status != LTH_OK)
            return status;
        set_running(s, b);
        status = train_batch(s, e);
        if (status == LTH_END) {
            *complete = true; /* skipped, not cut off */
            return LTH_OK;
        }
        if (status != LTH_OK || after_batch(s, e) != LTH_OK)
            return e->status;
    }
    *complete = s->running.last;
    return LTH_OK;
}

/* Hooks of the epoch's end: those that look at metrics after all others, checkpoints last and after the row is on its way, so
 * that a checkpoint holds all that was logged. */
static lth_status end(session *s, error *e)
{
    static const char name[] = "on_train_epoch_end";
    const size_t hook = offsetof(lth_hooks, on_train_epoch_end);
    lth_metrics_row row = {
        .step = s->loop.global_step, .epoch = s->loop.epoch, .batch = s->loop.batches, .wall_time = session_wall_time()
    };
    metrics_epoch_end(&s->metrics, METRICS_TRAIN, NULL);
    if (hooks_call_ordered(s, hook, name, INT32_MIN, LTH_ORDER_NORMAL, true, e) != LTH_OK)
        return e->status;
    metrics_epoch_end(&s->metrics, METRICS_TRAIN, &row);
    if (hooks_call_ordered(s, hook, name, LTH_ORDER_NORMAL + 1, LTH_ORDER_MONITOR, false, e) != LTH_OK ||
        hooks_call_ordered(s, hook, name, LTH_ORDER_MONITOR + 1, INT32_MAX, false, e) != LTH_OK)
        return e->status;
    metrics_epoch_end(&s->metrics, METRICS_TRAIN, &row);
    return LTH_OK;
}

static void next(session *s)
{
    loop_state *l = &s->loop;
    l->epoch++;
    l->batch = 0;
    if (!s->model_table->manual_optimization) { /* by hand, gradients may be kept from epoch to epoch */
        l->micro = 0;
        l->accumulated = false;
    }
    l->epoch_scheduled = false;
    l->place = PLACE_EPOCH_START;
    s->running = (running_batch) { .count = s->train_batches };
    metrics_epoch_begin(&s->metrics, METRICS_TRAIN);
}

lth_status fit_epoch(session *s, error *e)
{
    loop_state *l = &s->loop;
    bool complete = true;
    if (begin(s, e) != LTH_OK)
        return e->status;
    if (l->place != PLACE_EPOCH_END) {
        if (batches(s, &complete, e) != LTH_OK)
            return e->status;
        s->between_batches = true;
        if (complete && !l->epoch_scheduled && schedules_advance(s, SCHEDULE_EPOCH, false, e) != LTH_OK)
            return e->status;
        l->epoch_scheduled = l->epoch_scheduled || complete;
        l->place = PLACE_EPOCH_END;
        l->epoch_cut = !complete;
        if (end(s, e) != LTH_OK)
            return e->status;
    }
    if (schedules_advance(s, SCHEDULE_EPOCH, true, e) != LTH_OK)
        return e->status;
    fit_check_time(s);
    if (complete)
        next(s);
    return fit_interrupted(s, e);
}
