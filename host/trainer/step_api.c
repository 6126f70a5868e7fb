/* SPDX-License-Identifier: Apache-2.0
 * trainer/step_api.c: lth_step: what a step function and a recorded hook may do. Mistakes become the trace's first error,
 * with the author's place, and end the step when it is to run. */
#include "trainer/session.h"

#include <string.h>

static session *of(lth_step *step) { return ((step_state *)step)->session; }

/* Whether the call comes on the main thread. */
static bool mine(lth_step *step, const char *call, const char *file, uint32_t line)
{
    return session_is_main(of(step), call, file, line);
}

static void fail(session *s, const char *file, uint32_t line, const char *message)
{
    if (s->step.trace)
        s->step.trace->api->fail(s->step.trace, file, line, message);
}

/* Floating-point fields come in the run's own type: a datamodule need not know of `precision`. */
static lth_tensor api_input(lth_step *step, const char *name, const char *file, uint32_t line)
{
    if (!mine(step, "lth_input", file, line))
        return lth_none();
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
    if (!mine(step, "lth_log", args.file, args.line))
        return;
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

static bool asks(lth_step *step) { return mine(step, "a question to the step", NULL, 0); }

static lth_stage api_stage(lth_step *step) { return asks(step) && of(step)->sanity ? LTH_STAGE_SANITY : of(step)->stage; }
static int64_t api_batch_idx(lth_step *step) { return asks(step) ? of(step)->running.index : 0; }
static int64_t api_batch_size(lth_step *step)
{
    return asks(step) && of(step)->running.batch ? of(step)->running.batch->size : 0;
}
static int64_t api_dataloader_idx(lth_step *step) { return asks(step) ? of(step)->running.loader : 0; }
static int64_t api_current_epoch(lth_step *step) { return asks(step) ? of(step)->loop.epoch : 0; }
static int64_t api_global_step(lth_step *step) { return asks(step) ? of(step)->loop.global_step : 0; }
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

/* A recorded hook that sees these gradients. Its errors wait in step.error until the step function has returned: see
 * step_train. */
static bool call_hook(session *s, size_t offset, const char *name, uint32_t optimizer, const lth_tensor *gradients,
                      uint32_t count)
{
    const char *hook = s->step.hook;
    error e = { 0 };
    s->step.gradients = gradients;
    s->step.gradients_of = optimizer;
    s->step.gradient_count = count;
    lth_status status = hooks_call_step(s, offset, name, &e);
    s->step.hook = hook;
    s->step.gradients = NULL;
    if (status != LTH_OK)
        error_set(&s->step.error, e.status, "%s", e.text);
    return status == LTH_OK;
}

/* The list is this step's own, and nobody else looks at it after the hooks: the author may write into it. */
static lth_tensor *backward(session *s, uint32_t optimizer, lth_tensor loss, uint32_t *count, const char *file, uint32_t line)
{
    const lth_tensor *gradients;
    const char *hook = s->step.hook;
    error e = { 0 };
    *count = 0;
    lth_status status = hooks_call_backward(s, loss, &e);
    s->step.hook = hook;
    if (status != LTH_OK) {
        error_set(&s->step.error, e.status, "%s", e.text);
        return NULL;
    }
    if (engine_gradients(s->engine, (int32_t)optimizer, loss, &gradients, count, file, line) != LTH_OK)
        return NULL;
    if (call_hook(s, offsetof(lth_hooks, on_after_backward), "on_after_backward", optimizer, gradients, *count))
        return (lth_tensor *)gradients;
    *count = 0;
    return NULL;
}

static void update(session *s, uint32_t optimizer, const lth_tensor *gradients, uint32_t count, const char *file, uint32_t line)
{
    const engine_update_args args = step_update_args(s, 1, s->optimizers.at[optimizer].accumulates);
    const lth_tensor *totals = gradients;
    if (engine_total(s->engine, (int32_t)optimizer, gradients, &args, &totals, file, line) != LTH_OK)
        return;
    if (call_hook(s, offsetof(lth_hooks, on_before_optimizer_step), "on_before_optimizer_step", optimizer, totals, count))
        engine_update(s->engine, (int32_t)optimizer, totals, &args, file, line);
    s->optimizers.at[optimizer].updated = true;
    s->optimizers.at[optimizer].accumulates = false;
}

static lth_tensor *api_backward(lth_step *step, uint32_t optimizer, lth_tensor loss, uint32_t *count, const char *file,
                                uint32_t line)
{
    if (!mine(step, "lth_backward", file, line))
        return NULL;
    uint32_t unasked;
    count = count ? count : &unasked;
    *count = 0;
    return manual(of(step), optimizer, "lth_backward", file, line) ? backward(of(step), optimizer, loss, count, file, line)
                                                                   : NULL;
}

static void api_minimize(lth_step *step, uint32_t optimizer, lth_tensor loss, const char *file, uint32_t line)
{
    if (!mine(step, "lth_minimize", file, line))
        return;
    uint32_t count;
    if (!manual(of(step), optimizer, "lth_minimize", file, line))
        return;
    const lth_tensor *gradients = backward(of(step), optimizer, loss, &count, file, line);
    if (gradients)
        update(of(step), optimizer, gradients, count, file, line);
}

/* One gradient a parameter. */
static bool is_complete(session *s, uint32_t optimizer, const lth_tensor *gradients, uint32_t count, const char *what,
                        const char *file, uint32_t line)
{
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < s->optimizers.at[optimizer].group_count; i++)
        wanted += s->optimizers.at[optimizer].groups[i].count;
    if (gradients && count == wanted)
        return true;
    char text[160];
    snprintf(text, sizeof text, "%s was given %u gradients; optimizer %u has %u parameters", what,
             (unsigned)(gradients ? count : 0), (unsigned)optimizer, (unsigned)wanted);
    fail(s, file, line, text);
    return false;
}

static void api_update(lth_step *step, uint32_t optimizer, const lth_tensor *gradients, uint32_t count, const char *file,
                       uint32_t line)
{
    if (!mine(step, "lth_optimizer_step", file, line))
        return;
    static const char what[] = "lth_optimizer_step";
    session *s = of(step);
    if (manual(s, optimizer, what, file, line) && is_complete(s, optimizer, gradients, count, what, file, line))
        update(s, optimizer, gradients, count, file, line);
}

static void api_accumulate(lth_step *step, uint32_t optimizer, const lth_tensor *gradients, uint32_t count, const char *file,
                           uint32_t line)
{
    if (!mine(step, "lth_accumulate", file, line))
        return;
    static const char what[] = "lth_accumulate";
    session *s = of(step);
    if (!manual(s, optimizer, what, file, line) || !is_complete(s, optimizer, gradients, count, what, file, line))
        return;
    if (!s->model_table->accumulates) {
        fail(s, file, line, "lth_accumulate needs .accumulates = 1 in the model's table: the gradients take memory of their own");
        return;
    }
    const engine_update_args args = step_update_args(s, 1, s->optimizers.at[optimizer].accumulates);
    engine_accumulate(s->engine, (int32_t)optimizer, gradients, &args, file, line);
    s->optimizers.at[optimizer].accumulates = true;
}

static int32_t api_optimizer(lth_step *step, const char *name, const char *file, uint32_t line)
{
    if (!mine(step, "lth_optimizer_index", file, line))
        return -1;
    session *s = of(step);
    name = name ? name : "";
    for (uint32_t i = 0; i < s->optimizers.count; i++)
        if (strcmp(s->optimizers.at[i].section->name, name) == 0)
            return (int32_t)i;
    str text = { 0 };
    str_printf(&text, "the run file has no [optimizer%s%s]; there are", name[0] ? "." : "", name);
    for (uint32_t i = 0; i < s->optimizers.count; i++)
        str_printf(&text, "%s [%s]", i ? "," : "", s->optimizers.at[i].title);
    fail(s, file, line, str_text(&text));
    str_free(&text);
    return -1;
}

static void api_scheduler_step(lth_step *step, uint32_t optimizer, const char *file, uint32_t line)
{
    if (!mine(step, "lth_scheduler_step", file, line))
        return;
    session *s = of(step);
    error e = { 0 };
    if (!manual(s, optimizer, "lth_scheduler_step", file, line) || schedules_advance_by_hand(s, optimizer, &e) == LTH_OK)
        return;
    fail(s, file, line, e.text);
}

static const lth_tensor *api_gradients(lth_step *step, uint32_t optimizer, uint32_t *count)
{
    *count = 0;
    if (!mine(step, "lth_gradients", NULL, 0))
        return NULL;
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
    .backward = api_backward,
    .accumulate = api_accumulate,
    .optimizer = api_optimizer,
    .scheduler_step = api_scheduler_step,
};
