/* SPDX-License-Identifier: Apache-2.0
 * trainer/step_api.c: lth_step: what a step function and a recorded hook may do. Mistakes become the trace's first error,
 * with the author's place, and end the step when it is to run. */
#include "trainer/session.h"

#include <string.h>

static session *of(lth_step *step) { return ((step_state *)step)->session; }

static void fail(session *s, const char *file, uint32_t line, const char *message)
{
    if (s->step.trace)
        s->step.trace->api->fail(s->step.trace, file, line, message);
}

/* Floating-point fields come in the run's own type: a datamodule need not know of `precision`. */
static lth_tensor api_input(lth_step *step, const char *name, const char *file, uint32_t line)
{
    lth_tensor x = engine_input(of(step)->engine, name, file, line);
    const lth_attr_dtype wanted = { of(step)->limits.floating, 0 };
    if (!lth_dtype_is_float(lth_dtype_of(x)) || lth_dtype_of(x) == wanted.dtype)
        return x;
    return lth_op1_(LTH_OP_CAST, x, &wanted, sizeof wanted, file, line);
}

/* ---- Logging ---- */

/* Switches, defaults applied: 0 is the default of the place, 1 on, -1 off. */
static bool switched(int8_t given, bool otherwise) { return given ? given > 0 : otherwise; }

/* Several datasets of one stage: each logs under a name of its own. */
static const char *with_loader(session *s, const char *name, char out[256])
{
    uint32_t count = s->step.loop == METRICS_VALIDATION && s->in_fit ? s->loaders.validate_count : s->loaders.evaluate_count;
    if (s->step.loop == METRICS_TRAIN || count < 2 || !name)
        return name;
    snprintf(out, 256, "%s/dataloader_idx_%lld", name, (long long)s->running.loader);
    return out;
}

static void api_log(lth_step *step, const char *name, const lth_log_args *given)
{
    session *s = of(step);
    lth_log_args args = { .struct_size = 0 };
    memcpy(&args, given, given->struct_size < sizeof args ? given->struct_size : sizeof args);
    if (s->stage == LTH_STAGE_PREDICT) {
        fail(s, args.file, args.line, "nothing can be logged in a predict step: there is no row that it would go into");
        return;
    }
    const lth_shape *shape = lth_shape_of(args.value);
    if (!args.value.trace || shape->rank != 0) {
        char text[200];
        snprintf(text, sizeof text, "'%.80s' is logged with a tensor of %d axes: take its mean or sum first", name ? name : "",
                 (int)shape->rank);
        fail(s, args.file, args.line, args.value.trace ? text : "lth_log was given a tensor that was never made");
        return;
    }
    char suffixed[256];
    bool training = s->step.loop == METRICS_TRAIN;
    metrics_log log = { .name = with_loader(s, name, suffixed), .file = args.file, .line = args.line, .reduce = args.reduce };
    log.on_step = switched(args.on_step, training);
    log.on_epoch = switched(args.on_epoch, !training);
    log.prog_bar = switched(args.prog_bar, false);
    log.logger = switched(args.logger, true);
    log.weight = (double)(args.batch_size > 0 ? args.batch_size : s->running.batch->size);
    if (args.reduce > LTH_REDUCE_LAST || (!log.on_step && !log.on_epoch)) {
        fail(s, args.file, args.line,
             args.reduce > LTH_REDUCE_LAST ? "lth_log: unknown reduction"
                                           : "lth_log: on_step and on_epoch are both off: nothing would be logged");
        return;
    }
    error e = { 0 };
    log.slot = engine_output(s->engine, args.value, args.file, args.line);
    if (s->step.trace->api->status(s->step.trace) == LTH_OK && metrics_add(&s->metrics, s->step.loop, &log, &e) != LTH_OK)
        fail(s, args.file, args.line, e.text);
}

/* ---- Where the step stands ---- */

static lth_stage api_stage(lth_step *step) { return of(step)->sanity ? LTH_STAGE_SANITY : of(step)->stage; }
static int64_t api_batch_idx(lth_step *step) { return of(step)->running.index; }
static int64_t api_batch_size(lth_step *step) { return of(step)->running.batch ? of(step)->running.batch->size : 0; }
static int64_t api_dataloader_idx(lth_step *step) { return of(step)->running.loader; }
static int64_t api_current_epoch(lth_step *step) { return of(step)->loop.epoch; }
static int64_t api_global_step(lth_step *step) { return of(step)->loop.global_step; }
static lth_trace *api_trace(lth_step *step) { return ((step_state *)step)->trace; }

/* ---- Manual optimization ---- */

static bool manual(session *s, uint32_t optimizer, const char *what, const char *file, uint32_t line)
{
    char text[200];
    if (s->step.loop != METRICS_TRAIN || !s->model_table->manual_optimization)
        snprintf(text, sizeof text, "%s belongs into the training_step of a model with .manual_optimization = 1", what);
    else if (optimizer >= s->optimizers.count)
        snprintf(text, sizeof text, "%s: there is no optimizer %u; the model has %u", what, (unsigned)optimizer,
                 (unsigned)s->optimizers.count);
    else
        return s->step.trace->api->status(s->step.trace) == LTH_OK && s->step.error.status == LTH_OK;
    fail(s, file, line, text);
    return false;
}

/* The hooks' errors wait in step.error until the step function has returned: see step_train. */
static void update(session *s, uint32_t optimizer, const lth_tensor *gradients, uint32_t count, const char *file, uint32_t line)
{
    const engine_update_args args = step_update_args(s, 1, false);
    s->step.gradients = gradients;
    s->step.gradients_of = optimizer;
    s->step.gradient_count = count;
    const char *hook = s->step.hook;
    error e = { 0 };
    if (hooks_call_step(s, offsetof(lth_hooks, on_before_optimizer_step), "on_before_optimizer_step", &e) != LTH_OK)
        error_set(&s->step.error, e.status, "%s", e.text);
    else
        engine_update(s->engine, (int32_t)optimizer, gradients, &args, file, line);
    s->step.hook = hook;
    s->step.gradients = NULL;
    s->step.updated = true;
}

static void api_minimize(lth_step *step, uint32_t optimizer, lth_tensor loss, const char *file, uint32_t line)
{
    session *s = of(step);
    const lth_tensor *gradients;
    uint32_t count;
    if (!manual(s, optimizer, "lth_minimize", file, line))
        return;
    const char *hook = s->step.hook;
    error e = { 0 };
    if (hooks_call_backward(s, loss, &e) != LTH_OK) {
        error_set(&s->step.error, e.status, "%s", e.text);
        return;
    }
    if (engine_gradients(s->engine, (int32_t)optimizer, loss, &gradients, &count, file, line) != LTH_OK)
        return;
    s->step.gradients = gradients;
    s->step.gradients_of = optimizer;
    s->step.gradient_count = count;
    lth_status status = hooks_call_step(s, offsetof(lth_hooks, on_after_backward), "on_after_backward", &e);
    s->step.hook = hook;
    s->step.gradients = NULL;
    if (status != LTH_OK)
        error_set(&s->step.error, e.status, "%s", e.text);
    else
        update(s, optimizer, gradients, count, file, line);
}

static void api_update(lth_step *step, uint32_t optimizer, const lth_tensor *gradients, uint32_t count, const char *file,
                       uint32_t line)
{
    session *s = of(step);
    if (!manual(s, optimizer, "an update", file, line))
        return;
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < s->optimizers.at[optimizer].group_count; i++)
        wanted += s->optimizers.at[optimizer].groups[i].count;
    if (count != wanted) {
        char text[160];
        snprintf(text, sizeof text, "an update was given %u gradients; optimizer %u has %u parameters", (unsigned)count,
                 (unsigned)optimizer, (unsigned)wanted);
        fail(s, file, line, text);
        return;
    }
    update(s, optimizer, gradients, count, file, line);
}

static const lth_tensor *api_gradients(lth_step *step, uint32_t optimizer, uint32_t *count)
{
    const step_state *t = (const step_state *)step;
    bool known = t->gradients && optimizer == t->gradients_of;
    *count = known ? t->gradient_count : 0;
    return known ? t->gradients : NULL;
}

const lth_step_api step_api = {
    .struct_size = sizeof(lth_step_api),
    .input = api_input,
    .log = api_log,
    .stage = api_stage,
    .batch_idx = api_batch_idx,
    .batch_size = api_batch_size,
    .dataloader_idx = api_dataloader_idx,
    .current_epoch = api_current_epoch,
    .global_step = api_global_step,
    .minimize = api_minimize,
    .update = api_update,
    .trace = api_trace,
    .gradients = api_gradients,
};
