/* SPDX-License-Identifier: Apache-2.0
 * trainer/session_setup.c: data, model and engine, in Lightning's order: prepare_data, setup, the model's layers, optimizers. */
#include "trainer/session.h"

#include "trainer/weights.h"
#include "util/hash.h"
#include "util/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Data ---- */

/* Where processes of this machine and user meet. */
static char *meeting_place(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    return runtime && runtime[0] == '/' ? str_format("%s/lthost", runtime) : str_format("/tmp/lthost-%u", (unsigned)getuid());
}

static lth_status data_result(session *s, const char *hook, lth_status status, error *e)
{
    if (status != LTH_OK)
        component_add_fault(s->data, e);
    component_leave();
    return status == LTH_OK ? LTH_OK : error_prefix(e, "[data] %s of '%s': ", hook, s->data->known->id);
}

/* Two runs with one [data] section have one preparation. */
static void data_identity(const session *s, char out[17])
{
    str text = { 0 };
    component_resolve(s->data, NULL, &text);
    snprintf(out, 17, "%016llx", (unsigned long long)hash_of(str_text(&text), text.length));
    str_free(&text);
}

/* ---- Who runs, on loader threads and in batches that are made without one ---- */

static void loader_begins(void *context)
{
    const session *s = context;
    crash_thread_begin();
    if (s->profile)
        crash_crumb.profile = profile_begin(s->profile, PROFILE_OTHER_THREADS);
}

static void dataset_entered(void *context, const char *hook)
{
    const session *s = context;
    if (hook)
        component_enter(s->data, hook);
    else
        component_leave();
}

static void dataset_failed(void *context, error *e)
{
    session *s = context;
    const char *hook = crash_crumb.hook;
    component_add_fault(s->data, e);
    error_prefix(e, "[data] %s of '%s': ", hook ? hook : "a dataset", s->data->known->id);
}

static lth_status setup_data(session *s, error *e)
{
    char identity[17];
    data_identity(s, identity);
    const data_args args = { .module = (const lth_datamodule *)s->data->table,
                             .self = s->data->self,
                             .host = &s->data->host,
                             .options = &s->data_options,
                             .seed = s->scope.seed,
                             .rank = s->world.rank,
                             .world = s->world.size,
                             .identity = identity,
                             .thread_started = loader_begins,
                             .entering = dataset_entered,
                             .explain = dataset_failed,
                             .thread_context = s };
    s->datamodule = data_open(&args, e);
    if (!s->datamodule)
        return e->status;
    if (!s->checking && ((const lth_datamodule *)s->data->table)->prepare_data) {
        char *place = meeting_place();
        component_enter(s->data, "prepare_data");
        lth_status status = file_make_dirs(place, e) == LTH_OK ? data_prepare(s->datamodule, place, e) : e->status;
        free(place);
        if (data_result(s, "prepare_data", status, e) != LTH_OK)
            return e->status;
    }
    component_enter(s->data, "setup");
    return data_result(s, "setup", data_setup(s->datamodule, s->stage, e), e);
}

static lth_status new_loader(session *s, lth_stage stage, uint32_t dataset, batch_limit limit, data_loader **out, error *e)
{
    const data_loader_args args = { stage, dataset, limit.is_fraction && limit.value >= 1 ? -1 : limit.value, limit.is_fraction,
                                    stage == LTH_STAGE_TRAIN && s->limits.overfit };
    *out = data_loader_new(s->datamodule, &args, e);
    return *out ? LTH_OK : e->status;
}

/* One loader a dataset of the stage. */
static lth_status new_loaders(session *s, lth_stage stage, batch_limit limit, data_loader ***list, uint32_t *count, error *e)
{
    uint32_t wanted = data_dataset_count(s->datamodule, stage);
    *list = memory_new((wanted + 1) * sizeof **list);
    for (; *count < wanted; ++*count)
        if (new_loader(s, stage, *count, limit, &(*list)[*count], e) != LTH_OK)
            return e->status;
    return LTH_OK;
}

static bool is_zero(batch_limit limit) { return limit.value == 0; }

static lth_status no_data(session *s, const char *what, error *e)
{
    return error_set(e, LTH_INVALID, "the datamodule '%s' gives no data for %s", s->data->known->id, what);
}

static lth_status fit_loaders(session *s, error *e)
{
    if (data_dataset_count(s->datamodule, LTH_STAGE_TRAIN) == 0)
        return no_data(s, "training", e);
    if (new_loader(s, LTH_STAGE_TRAIN, 0, s->limits.train, &s->loaders.train, e) != LTH_OK)
        return e->status;
    s->train_batches = data_loader_length(s->loaders.train);
    if (s->train_batches == 0)
        return error_set(
            e, LTH_INVALID,
            "an epoch of training has no batch: look at [data] batch_size and drop_last, and at [trainer] limit_train_batches");
    if (!is_zero(s->limits.validate) && s->model_table->validation_step &&
        new_loaders(s, LTH_STAGE_VALIDATE, s->limits.validate, &s->loaders.validate, &s->loaders.validate_count, e) != LTH_OK)
        return e->status;
    return LTH_OK;
}

static lth_status evaluation_loaders(session *s, error *e)
{
    const lth_model *m = s->model_table;
    const struct {
        lth_stage stage;
        batch_limit limit;
        bool has_step;
        const char *what, *step;
    } stages[] = {
        { LTH_STAGE_VALIDATE, s->limits.validate, m->validation_step != NULL, "validation", "validation_step" },
        { LTH_STAGE_TEST, s->limits.test, m->test_step != NULL, "test", "test_step" },
        { LTH_STAGE_PREDICT, s->limits.predict, m->predict_step || m->forward, "predict", "predict_step and no forward" },
    };
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        if (stages[i].stage != s->stage)
            continue;
        if (!stages[i].has_step)
            return error_set(e, LTH_INVALID, "the model '%s' has no %s", s->model->known->id, stages[i].step);
        if (data_dataset_count(s->datamodule, s->stage) == 0)
            return no_data(s, stages[i].what, e);
        return new_loaders(s, s->stage, stages[i].limit, &s->loaders.evaluate, &s->loaders.evaluate_count, e);
    }
    return LTH_OK;
}

/* ---- Engine ---- */

static void print_tensor(void *context, const char *text)
{
    session *s = context;
    console_line(&s->console, "%s", text);
}

/* The first of the types that the accelerator lacks, or NONE. */
static lth_dtype lacking(const session *s, lth_dtype floating, lth_dtype lower)
{
    const lth_accelerator *accelerator = (const lth_accelerator *)s->accelerator->table;
    const lth_dtype types[] = { floating, lower };
    for (int i = 0; i < 2; i++)
        if (types[i] && !accelerator->supports(s->accelerator->self, LTH_OP_ADD, types[i]))
            return types[i];
    return LTH_DTYPE_NONE;
}

static lth_status check_precision(session *s, error *e)
{
    const lth_dtype missing = lacking(s, s->limits.floating, s->limits.lower);
    const config_entry *entry = config_take(config_find(s->config, "trainer"), "precision");
    str text = { 0 };
    if (!missing)
        return LTH_OK;
    if (entry && entry->line > 0)
        str_printf(&text, "%s:%d: ", entry->file, entry->line);
    str_printf(&text, "[trainer] precision = %s: the accelerator '%s' does not compute in %s; it can", s->options.precision,
               s->accelerator->known->id, lth_dtype_name(missing));
    const char *before = " ";
    for (size_t i = 0; precision_at(i); i++)
        if (!lacking(s, precision_at(i)->floating, precision_at(i)->lower)) {
            str_printf(&text, "%s%s", before, precision_at(i)->name);
            before = ", ";
        }
    error_set(e, LTH_UNSUPPORTED, "%s", str_text(&text));
    str_free(&text);
    return e->status;
}

static lth_status new_engine(session *s, error *e)
{
    const lth_accelerator *accelerator = (const lth_accelerator *)s->accelerator->table;
    if (check_precision(s, e) != LTH_OK)
        return e->status;
    const engine_options options = { .accelerator = accelerator,
                                     .accelerator_self = s->accelerator->self,
                                     .strategy = s->strategy ? (const lth_strategy *)s->strategy->table : NULL,
                                     .strategy_self = s->strategy ? s->strategy->self : NULL,
                                     .floating = s->limits.floating,
                                     .lower = s->limits.lower,
                                     .stored = s->limits.stored,
                                     .precision = s->options.precision,
                                     .eager = s->args->eager,
                                     .no_fusion = s->args->no_fusion,
                                     .profile = s->profile != NULL,
                                     .seed = s->scope.seed,
                                     .print = print_tensor,
                                     .print_context = s,
                                     .wrong_thread = session_wrong_thread,
                                     .wrong_thread_context = s };
    s->engine = engine_new(&options, e);
    return s->engine ? LTH_OK : e->status;
}

static lth_status configure_model(session *s, error *e)
{
    const lth_field_info *fields;
    uint32_t count = data_fields(s->datamodule, &fields);
    component_enter(s->model, "configure");
    lth_status status = engine_configure(s->engine, fields, count, s->model_table->configure, s->model->self, e);
    if (status != LTH_OK)
        component_add_fault(s->model, e);
    component_leave();
    return status == LTH_OK ? LTH_OK : error_prefix(e, "[model] configure of '%s': ", s->model->known->id);
}

/* ---- What the loops need to know ---- */

static int64_t expected_steps(const session *s)
{
    int64_t k = s->options.accumulate_grad_batches, steps = -1;
    if (s->options.max_epochs >= 0 && s->train_batches >= 0)
        steps = (s->train_batches + k - 1) / k * s->options.max_epochs;
    if (s->options.max_steps >= 0 && (steps < 0 || s->options.max_steps < steps))
        steps = s->options.max_steps;
    return steps;
}

static lth_status check_fit(session *s, error *e)
{
    if (!s->model_table->training_step)
        return error_set(e, LTH_INVALID, "the model '%s' has no training_step", s->model->known->id);
    if (s->limits.val_interval_kind == INTERVAL_BATCHES && s->options.check_val_every_n_epoch > 0 && s->train_batches >= 0 &&
        s->loaders.validate_count > 0 && s->limits.val_interval > (double)s->train_batches)
        return error_set(
            e, LTH_INVALID,
            "[trainer] val_check_interval = %s is more than the %lld batches of an epoch: there would be no validation; with "
            "check_val_every_n_epoch = 0 the interval counts across epochs",
            s->options.val_check_interval, (long long)s->train_batches);
    return LTH_OK;
}

static double read_output(void *context, uint64_t ticket, uint32_t slot)
{
    return engine_output_value(((session *)context)->engine, ticket, slot);
}

lth_status session_setup(session *s, bool is_fit, error *e)
{
    step_init(s);
    s->metrics.context = s;
    s->metrics.emit = loggers_row;
    s->metrics.warn = session_warn;
    s->metrics.read = read_output;
    if (setup_data(s, e) != LTH_OK || hooks_call_data_first(s, offsetof(lth_hooks, setup), "setup", e) != LTH_OK)
        return e->status;
    if (new_engine(s, e) != LTH_OK || configure_model(s, e) != LTH_OK)
        return e->status;
    if ((is_fit ? fit_loaders(s, e) : evaluation_loaders(s, e)) != LTH_OK)
        return e->status;
    s->stepping_batches = is_fit ? expected_steps(s) : 0;
    return is_fit ? check_fit(s, e) : LTH_OK;
}

lth_status session_weights(session *s, error *e)
{
    if (!s->model_options.weights[0])
        return LTH_OK;
    lth_status status = weights_load(s->engine, s->model_options.weights, s->model_options.weights_strict, session_warn, s, e);
    return status == LTH_OK ? LTH_OK : error_prefix(e, "[model] weights: ");
}
