/* SPDX-License-Identifier: Apache-2.0
 * trainer/check.c: `lthost check` and `lthost plan`: a run up to its first step, without training. */
#include "trainer/session.h"

#include "util/clock.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

/* A stage's session without a folder, loggers or prepare_data. */
static lth_status begin(session *s, error *e)
{
    s->checking = true;
    if (session_build(s, e) != LTH_OK || session_init(s, e) != LTH_OK)
        return e->status;
    session_set_stage(s, "fit");
    s->loop.place = PLACE_EPOCH_START;
    return LTH_OK;
}

static lth_status prepare(session *s, error *e)
{
    if (session_setup(s, true, e) != LTH_OK || optimizers_configure(s, e) != LTH_OK)
        return e->status;
    return engine_allocate(s->engine, session_accumulates(s), e);
}

/* The steps that the model has, in the order of a run. */
typedef struct step_kind {
    lth_stage stage;
    const char *name;
    bool accumulating, there;
} step_kind;
enum { STEP_KINDS = 5 };

static void kinds_of(const session *s, step_kind out[STEP_KINDS])
{
    const lth_model *m = s->model_table;
    bool windows = s->options.accumulate_grad_batches > 1 && !m->manual_optimization;
    out[0] = (step_kind) { LTH_STAGE_TRAIN, "training_step, accumulating", true, windows };
    out[1] = (step_kind) { LTH_STAGE_TRAIN, "training_step", false, true };
    out[2] = (step_kind) { LTH_STAGE_VALIDATE, "validation_step", false, m->validation_step != NULL };
    out[3] = (step_kind) { LTH_STAGE_TEST, "test_step", false, m->test_step != NULL };
    out[4] =
        (step_kind) { LTH_STAGE_PREDICT, m->predict_step ? "predict_step" : "forward", false, m->predict_step || m->forward };
}

static lth_status one_step(session *s, const step_kind *k, const data_batch *b, bool record_only, error *e)
{
    s->stage = k->stage;
    s->in_fit = k->stage == LTH_STAGE_TRAIN || k->stage == LTH_STAGE_VALIDATE;
    s->running = (running_batch) { .batch = b, .count = s->train_batches, .accumulating = k->accumulating };
    s->loop.micro = k->accumulating || s->options.accumulate_grad_batches == 1 ? 0 : s->options.accumulate_grad_batches - 1;
    s->loop.accumulated = s->loop.micro > 0;
    metrics_step_begin(&s->metrics, k->stage == LTH_STAGE_TRAIN ? METRICS_TRAIN : METRICS_VALIDATION, 0, 0);
    if (k->stage == LTH_STAGE_TRAIN)
        return step_train(s, record_only, e);
    uint64_t ticket;
    uint32_t slot;
    return step_evaluate(s, k->stage, record_only, &ticket, k->stage == LTH_STAGE_PREDICT ? &slot : NULL, e);
}

/* ---- check ---- */

static void describe_shape(const lth_shape *shape, str *out)
{
    str_printf(out, "%s (", lth_dtype_name(shape->dtype));
    for (int32_t i = 0; i < shape->rank; i++)
        str_printf(out, shape->dim[i] < 0 ? "%s*" : "%s%lld", i ? ", " : "", (long long)shape->dim[i]);
    str_append(out, ")");
}

static void print_found(session *s)
{
    const lth_parameter_info *info;
    const lth_field_info *fields;
    int64_t parameters = 0, buffers = 0;
    uint32_t tensors = engine_parameters(s->engine, &info), field_count = data_fields(s->datamodule, &fields);
    str text = { 0 };
    for (uint32_t i = 0; i < tensors; i++)
        *(info[i].is_buffer ? &buffers : &parameters) += lth_shape_count(&info[i].shape);
    for (uint32_t i = 0; i < field_count; i++) {
        str_printf(&text, "%s%s ", i ? ", " : "", fields[i].name);
        describe_shape(&fields[i].shape, &text);
    }
    printf("model        %s: %lld parameters", s->model->known->id, (long long)parameters);
    if (buffers)
        printf(", %lld numbers in buffers", (long long)buffers);
    printf("\ndata         %s: %s\n", s->data->known->id, str_text(&text));
    if (s->train_batches >= 0)
        printf("training     %lld batches an epoch\n", (long long)s->train_batches);
    for (uint32_t i = 0; i < s->loaders.validate_count; i++)
        printf("validation   %lld batches\n", (long long)data_loader_length(s->loaders.validate[i]));
    printf("accelerator  %s, %s\n", s->accelerator->known->id, s->options.precision);
    str_free(&text);
}

static lth_status record_steps(session *s, str *recorded, error *e)
{
    const data_batch *b;
    step_kind kinds[STEP_KINDS];
    if (data_loader_probe(s->loaders.train, &b, e) != LTH_OK)
        return e->status;
    kinds_of(s, kinds);
    for (int i = 0; i < STEP_KINDS; i++) {
        if (!kinds[i].there)
            continue;
        if (one_step(s, &kinds[i], b, true, e) != LTH_OK)
            return error_prefix(e, "%s: ", kinds[i].name);
        if (!kinds[i].accumulating)
            str_printf(recorded, "%s%s", recorded->length ? ", " : "", kinds[i].name);
    }
    return LTH_OK;
}

/* Data that nobody has prepared yet is no mistake in the run file; its shapes cannot be known, though. */
static int not_prepared(session *s, const error *e)
{
    console_line(&s->console, "note: %s", e->text);
    console_line(&s->console, "note: the data is not there yet (lthost fit prepares it): the model's steps were not looked at");
    printf("%s: options and plugins are right\n", s->config->file);
    return RUN_OK;
}

static int check(session *s)
{
    error e = { 0 };
    str recorded = { 0 };
    lth_status status = begin(s, &e);
    bool data_failed = false;
    if (status == LTH_OK) {
        status = prepare(s, &e);
        data_failed = status == LTH_IO && !s->engine && ((const lth_datamodule *)s->data->table)->prepare_data;
    }
    if (status == LTH_OK)
        status = record_steps(s, &recorded, &e);
    int result = RUN_OK;
    if (data_failed) {
        result = not_prepared(s, &e);
    } else if (status != LTH_OK) {
        result = session_report(s) == RUN_OK ? RUN_ERROR : RUN_USAGE;
        if (result == RUN_ERROR)
            console_line(&s->console, "lthost: error: %s", e.text);
    } else {
        print_found(s);
        printf("steps        %s\n%s: all right\n", str_text(&recorded), s->config->file);
    }
    str_free(&recorded);
    return result;
}

/* ---- plan ---- */

static void print_line(void *context, const char *text)
{
    (void)context;
    puts(text);
}

/* A batch of zeros in the probe's shapes. */
static void zeros_like(const data_batch *probe, data_batch *out)
{
    void **data = memory_new((probe->field_count + 1) * sizeof *data);
    for (uint32_t i = 0; i < probe->field_count; i++) {
        size_t size = (size_t)(lth_shape_count(&probe->shapes[i]) * lth_dtype_size(probe->shapes[i].dtype));
        data[i] = aligned_alloc(64, (size + 64) & ~(size_t)63);
        if (!data[i])
            memory_exhausted(size);
        memset(data[i], 0, (size + 64) & ~(size_t)63);
    }
    *out = *probe;
    out->data = data;
}

static void free_zeros(data_batch *b)
{
    for (uint32_t i = 0; i < b->field_count; i++)
        free(b->data[i]);
    free((void *)b->data);
}

/* A step has to be run to have its plan; that zeros may fail a check of the model's does not matter here. */
static lth_status print_plan(session *s, const step_kind *k, const data_batch *b, error *e)
{
    engine_stats before, after;
    error failed = { 0 };
    engine_get_stats(s->engine, &before);
    lth_status status = one_step(s, k, b, false, &failed);
    engine_get_stats(s->engine, &after);
    metrics_drain(&s->metrics);
    if (status != LTH_OK && after.plans_compiled == before.plans_compiled)
        return error_set(e, status, "%s: %s", k->name, failed.text);
    printf("%s\n", k->name);
    engine_describe(s->engine, print_line, NULL);
    printf("compiled in %.1f ms\n\n", 1e3 * (after.compile_seconds - before.compile_seconds));
    return LTH_OK;
}

static int plan(session *s)
{
    error e = { 0 };
    const data_batch *probe;
    data_batch zeros = { 0 };
    step_kind kinds[STEP_KINDS];
    lth_status status = begin(s, &e);
    s->checking = false; /* plans are for the accelerator */
    if (status == LTH_OK && (status = prepare(s, &e)) == LTH_OK &&
        (status = data_loader_probe(s->loaders.train, &probe, &e)) == LTH_OK) {
        zeros_like(probe, &zeros);
        kinds_of(s, kinds);
        for (int i = 0; i < STEP_KINDS && status == LTH_OK; i++)
            if (kinds[i].there && kinds[i].stage != LTH_STAGE_PREDICT && kinds[i].stage != LTH_STAGE_TEST)
                status = print_plan(s, &kinds[i], &zeros, &e);
        free_zeros(&zeros);
    }
    if (status == LTH_OK)
        return RUN_OK;
    if (session_report(s) != RUN_OK)
        return RUN_USAGE;
    console_line(&s->console, "lthost: error: %s", e.text);
    return RUN_ERROR;
}

/* ---- Both ---- */

static int with_session(const run_args *args, int (*body)(session *s))
{
    session *s = memory_new(sizeof *s);
    crash_install();
    session_open(s, args);
    error e = { 0 };
    int status = session_report(s);
    if (status == RUN_OK && session_watch(s, &e) != LTH_OK) {
        console_line(&s->console, "lthost: error: %s", e.text);
        status = RUN_ERROR;
    }
    if (status == RUN_OK)
        status = body(s);
    session_close(s);
    free(s);
    return status;
}

int run_check(const run_args *args) { return with_session(args, check); }
int run_plan(const run_args *args) { return with_session(args, plan); }
