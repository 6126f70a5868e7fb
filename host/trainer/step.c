/* SPDX-License-Identifier: Apache-2.0
 * trainer/step.c: one batch: the step function and what the trainer records around it, in the same way every time. */
#include "trainer/session.h"

#include "util/memory.h"

#include <string.h>

void step_init(session *s) { s->step = (step_state) { .abi = { &step_api }, .session = s }; }

/* The batch as the engine binds it. */
static lth_trace *begin(session *s, const char *hook, bool training, bool record_only, uint32_t step, uint32_t stream)
{
    const data_batch *b = s->running.batch;
    s->fields = memory_grow(s->fields, &s->field_capacity, b->field_count, sizeof *s->fields);
    for (uint32_t i = 0; i < b->field_count; i++)
        s->fields[i] = (engine_field) { b->names[i], b->shapes[i], record_only ? NULL : b->data[i] };
    const engine_step_args args = { .hook = hook,
                                    .fields = s->fields,
                                    .field_count = b->field_count,
                                    .training = training,
                                    .mode = record_only ? ENGINE_RECORD_ONLY : ENGINE_RUN,
                                    .step = step,
                                    .stream = stream };
    s->step.trace = engine_begin(s->engine, &args);
    s->step.loop = training ? METRICS_TRAIN : s->stage == LTH_STAGE_TEST ? METRICS_TEST : METRICS_VALIDATION;
    s->step.record_only = record_only;
    for (uint32_t i = 0; i < s->optimizers.count; i++) {
        s->optimizers.at[i].updated = false;
        s->optimizers.at[i].accumulates = s->optimizers.at[i].accumulated;
    }
    s->step.gradients = NULL;
    error_clear(&s->step.error);
    return s->step.trace;
}

static lth_tensor call(session *s, const char *hook, lth_tensor (*function)(void *self, lth_step *step))
{
    s->step.hook = hook;
    component_enter(s->model, hook);
    lth_tensor x = function(s->model->self, &s->step.abi);
    component_leave();
    return x;
}

/* Runs what was recorded. */
static lth_status end(session *s, const char *hook, uint64_t *ticket, error *e)
{
    component_enter(s->accelerator, hook);
    lth_status status = engine_end(s->engine, ticket, e);
    if (status != LTH_OK)
        component_add_fault(s->accelerator, e);
    component_leave();
    s->step.trace = NULL;
    return status;
}

static lth_status drop(session *s, lth_status status)
{
    engine_abandon(s->engine);
    s->step.trace = NULL;
    s->step.gradients = NULL;
    return status;
}

/* ---- Training ---- */

engine_update_args step_update_args(const session *s, double divisor, bool add_accumulated)
{
    bool norm = strcmp(s->options.gradient_clip_algorithm, "norm") == 0;
    return (engine_update_args) { .divisor = divisor,
                                  .add_accumulated = add_accumulated,
                                  .guard = s->options.detect_anomaly,
                                  .clip_norm = norm ? s->options.gradient_clip_val : 0,
                                  .clip_value = norm ? 0 : s->options.gradient_clip_val };
}

/* A loss must be a floating-point number. */
static lth_status check_loss(session *s, lth_tensor loss, error *e)
{
    const lth_shape *shape = lth_shape_of(loss);
    if (s->step.trace->api->status(s->step.trace) != LTH_OK || (shape->rank == 0 && lth_dtype_is_float(shape->dtype)))
        return LTH_OK;
    str text = { 0 };
    for (int32_t i = 0; i < shape->rank; i++)
        str_printf(&text, "%s%lld", i ? ", " : "", (long long)shape->dim[i]);
    error_set(
        e, LTH_INVALID,
        "[model] training_step of '%s' returned a tensor of shape (%s), %s: a loss is one floating-point number (take its mean)",
        s->model->known->id, str_text(&text), lth_dtype_name(shape->dtype));
    str_free(&text);
    return LTH_INVALID;
}

/* Gradients of zero, in the optimizer's order: for a window whose last batch gave no loss. */
static const lth_tensor *no_gradients(session *s, uint32_t *count)
{
    const optimizer *o = &s->optimizers.at[0];
    const lth_parameter_info *info;
    uint32_t total = 0, n = 0;
    engine_parameters(s->engine, &info);
    for (uint32_t g = 0; g < o->group_count; g++)
        total += o->groups[g].count;
    s->zero_gradients = memory_resize(s->zero_gradients, (total + 1) * sizeof *s->zero_gradients);
    lth_tensor nought = lth_step_scalar(&s->step.abi, 0.0);
    for (uint32_t g = 0; g < o->group_count; g++)
        for (uint32_t i = 0; i < o->groups[g].count; i++)
            s->zero_gradients[n++] = lth_expand_to(nought, &info[o->groups[g].parameters[i] - 1].shape);
    *count = total;
    return s->zero_gradients;
}

/* The last batch of a window: sums, hooks, clipping, update. */
static lth_status record_update(session *s, const lth_tensor *gradients, uint32_t count, const lth_site *at, error *e)
{
    const engine_update_args args = step_update_args(s, (double)s->options.accumulate_grad_batches, s->loop.accumulated);
    const lth_tensor *totals = gradients;
    if (!gradients && s->loop.accumulated)
        gradients = totals = no_gradients(s, &count);
    if (gradients && engine_total(s->engine, 0, gradients, &args, &totals, at->file, at->line) != LTH_OK)
        return LTH_OK; /* the trace has the message */
    s->step.gradients = totals;
    s->step.gradients_of = 0;
    s->step.gradient_count = count;
    if (hooks_call_step(s, offsetof(lth_hooks, on_before_optimizer_step), "on_before_optimizer_step", e) != LTH_OK)
        return e->status;
    if (totals)
        engine_update(s->engine, 0, totals, &args, at->file, at->line);
    s->step.gradients = NULL;
    return LTH_OK;
}

/* What follows a training_step: backward, and accumulation or the update. A step without a loss has no backward. */
static lth_status record_rest(session *s, lth_tensor loss, error *e)
{
    const lth_tensor *gradients = NULL;
    uint32_t count = 0;
    const lth_site at = engine_place(s->engine, loss);
    if (s->loop.micro == 0 && hooks_call_step(s, offsetof(lth_hooks, on_before_zero_grad), "on_before_zero_grad", e) != LTH_OK)
        return e->status;
    if (!lth_is_none(loss)) {
        if (hooks_call_backward(s, loss, e) != LTH_OK)
            return e->status;
        if (engine_gradients(s->engine, 0, loss, &gradients, &count, at.file, at.line) != LTH_OK)
            return LTH_OK;
        s->step.gradients = gradients;
        s->step.gradients_of = 0;
        s->step.gradient_count = count;
        if (hooks_call_step(s, offsetof(lth_hooks, on_after_backward), "on_after_backward", e) != LTH_OK)
            return e->status;
    }
    if (!s->running.accumulating)
        return record_update(s, gradients, count, &at, e);
    const engine_update_args args = step_update_args(s, (double)s->options.accumulate_grad_batches, s->loop.accumulated);
    if (gradients)
        engine_accumulate(s->engine, 0, gradients, &args, at.file, at.line);
    return LTH_OK;
}

/* Whether an optimizer was updated by hand. */
static bool updated_any(const session *s)
{
    bool any = false;
    for (uint32_t i = 0; i < s->optimizers.count; i++)
        any = any || s->optimizers.at[i].updated;
    return any;
}

/* Counts what was done. */
static void advance(session *s, bool had_loss)
{
    loop_state *l = &s->loop;
    bool manual = s->model_table->manual_optimization, stepped = manual ? updated_any(s) : !s->running.accumulating;
    if (!manual)
        s->optimizers.at[0].updated = stepped;
    l->global_step += stepped;
    l->micro = stepped ? 0 : l->micro + 1;
    l->accumulated = !stepped && (l->accumulated || had_loss);
    for (uint32_t i = 0; i < s->optimizers.count; i++) {
        optimizer *o = &s->optimizers.at[i];
        o->accumulated = o->accumulates;
        o->steps += o->updated;
        if (o->updated)
            o->updated_at = l->batches + 1; /* this batch, once it is counted */
    }
}

/* An epoch in which no batch had anything to train by is most likely a mistake: told once. An epoch that was not seen from
 * its first batch on is not judged. */
static void watch_epoch(session *s, bool had_loss)
{
    s->step.idle = !had_loss && (s->step.idle || s->running.index == 0);
    if (!s->step.idle || !s->running.last || s->step.idle_told)
        return;
    s->step.idle_told = true;
    session_warn(s, s->model_table->manual_optimization
                        ? "[model] no training_step of the epoch called lth_minimize or lth_optimizer_step: nothing was trained"
                        : "[model] no training_step of the epoch returned a loss: nothing was trained");
}

lth_status step_train(session *s, bool record_only, error *e)
{
    static const char hook[] = "training_step";
    bool automatic = !s->model_table->manual_optimization;
    lth_trace *trace = begin(s, hook, true, record_only, (uint32_t)s->loop.global_step, (uint32_t)s->loop.micro);
    lth_tensor loss = call(s, hook, s->model_table->training_step);
    if (s->step.error.status != LTH_OK)
        return drop(s, error_set(e, s->step.error.status, "%s", s->step.error.text));
    if (automatic && !lth_is_none(loss) && check_loss(s, loss, e) != LTH_OK)
        return drop(s, e->status);
    if (automatic && trace->api->status(trace) == LTH_OK && record_rest(s, loss, e) != LTH_OK)
        return drop(s, e->status);
    uint64_t ticket;
    if (end(s, hook, &ticket, e) != LTH_OK)
        return e->status;
    if (!record_only) {
        metrics_step_ran(&s->metrics, ticket);
        metrics_settle(&s->metrics);
        advance(s, !lth_is_none(loss));
        watch_epoch(s, automatic ? !lth_is_none(loss) : updated_any(s));
    }
    return LTH_OK;
}

/* ---- Evaluation ---- */

typedef lth_tensor (*step_function)(void *self, lth_step *step);

static step_function function_of(const session *s, lth_stage stage, const char **hook)
{
    const lth_model *m = s->model_table;
    switch (stage) {
    case LTH_STAGE_VALIDATE:
        *hook = "validation_step";
        return m->validation_step;
    case LTH_STAGE_TEST:
        *hook = "test_step";
        return m->test_step;
    case LTH_STAGE_PREDICT:
        *hook = m->predict_step ? "predict_step" : "forward";
        return m->predict_step ? m->predict_step : m->forward;
    default:
        *hook = "training_step";
        return m->training_step;
    }
}

lth_status step_evaluate(session *s, lth_stage stage, bool record_only, uint64_t *ticket, uint32_t *slot, error *e)
{
    const char *hook;
    step_function function = function_of(s, stage, &hook);
    lth_trace *trace = begin(s, hook, false, record_only, (uint32_t)s->running.index, LTH_STREAM_EVAL);
    lth_tensor x = call(s, hook, function);
    if (slot && trace->api->status(trace) == LTH_OK) {
        const lth_shape *shape = lth_shape_of(x);
        if (lth_is_none(x) || shape->rank < 1 || shape->dim[0] != s->running.batch->size)
            return drop(s, error_set(e, LTH_INVALID, "[model] %s of '%s' must return a tensor with the batch of %lld as axis 0",
                                     hook, s->model->known->id, (long long)s->running.batch->size));
        const lth_site at = engine_place(s->engine, x);
        *slot = engine_output(s->engine, x, at.file, at.line);
    }
    uint64_t ran;
    if (end(s, hook, &ran, e) != LTH_OK)
        return e->status;
    if (ticket)
        *ticket = ran;
    if (!record_only) {
        metrics_step_ran(&s->metrics, ran);
        metrics_settle(&s->metrics);
    }
    return LTH_OK;
}
