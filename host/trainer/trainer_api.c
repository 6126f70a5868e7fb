/* SPDX-License-Identifier: Apache-2.0
 * trainer/trainer_api.c: lth_trainer: what hooks see of the run, and what they may ask of it. */
#include "trainer/session.h"

#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

static session *of(lth_trainer *t) { return (session *)t; }

/* Whether the call comes on the main thread. */
static bool mine(lth_trainer *t, const char *call) { return session_is_main(of(t), call, NULL, 0); }

static void api_progress(lth_trainer *t, lth_progress *out)
{
    if (!mine(t, "lth_trainer_progress"))
        return;
    const session *s = of(t);
    const loop_state *l = &s->loop;
    lth_progress p = {
        .struct_size = out->struct_size,
        .stage = s->sanity ? LTH_STAGE_SANITY : s->stage,
        .global_step = l->global_step,
        .current_epoch = l->epoch,
        .max_epochs = s->options.max_epochs,
        .max_steps = s->options.max_steps,
        .batch_idx = s->running.index,
        .num_batches = s->running.count,
        .dataloader_idx = s->running.loader,
        .samples_seen = l->samples,
        .stepping_batches = s->stepping_batches,
        .elapsed = fit_elapsed(s),
        .is_last_batch = s->running.last,
        .log_every_n_steps = (int32_t)s->options.log_every_n_steps,
        .fast_dev_run = s->limits.fast_dev_batches > 0,
        .sanity_checking = s->sanity,
        .should_stop = s->stop_asked,
        .resumed = s->resumed,
        .accumulating = s->running.accumulating,
        .validation = fit_validation_kind(s),
    };
    memcpy(out, &p, out->struct_size < sizeof p ? out->struct_size : sizeof p);
}

static void api_stop(lth_trainer *t, const char *reason)
{
    if (!mine(t, "lth_trainer_stop"))
        return;
    session *s = of(t);
    if (s->stop_asked)
        return;
    s->stop_asked = true;
    free(s->stop_reason);
    s->stop_reason = str_dup(reason && reason[0] ? reason : "asked for by a plugin");
}

/* ---- Metrics ---- */

static bool api_metric(lth_trainer *t, const char *name, double *value)
{
    return mine(t, "lth_trainer_metric") && metrics_find(&of(t)->metrics, name, value);
}

static uint32_t api_metrics(lth_trainer *t, const lth_metric **out)
{
    *out = NULL;
    return mine(t, "metrics of the trainer") ? metrics_list(&of(t)->metrics, out) : 0;
}

/* Where a number that a hook logs goes: a step's row or an epoch's, or nowhere, by the hook's name. */
typedef struct log_place {
    const char *hook; /* begins with */
    bool step, allowed;
} log_place;
static const log_place log_places[] = {
    { "on_train_batch", true, true },       { "on_before_", true, true },           { "on_after_backward", true, true },
    { "on_validation_batch", false, true }, { "on_test_batch", false, true },       { "on_train_start", false, true },
    { "on_train_epoch", false, true },      { "on_validation_start", false, true }, { "on_validation_epoch", false, true },
    { "on_test_start", false, true },       { "on_test_epoch", false, true },
};

static const log_place *place_of(const char *hook)
{
    for (size_t i = 0; hook && i < sizeof log_places / sizeof *log_places; i++)
        if (str_starts(hook, log_places[i].hook))
            return &log_places[i];
    return NULL;
}

static void api_log(lth_trainer *t, const char *name, double value, int32_t on_step, int32_t on_epoch, int32_t prog_bar)
{
    if (!mine(t, "lth_trainer_log"))
        return;
    session *s = of(t);
    const char *hook = s->step.hook ? s->step.hook : "a hook";
    const log_place *place = place_of(hook);
    char where[160];
    snprintf(where, sizeof where, "%s of [%s]", hook, crash_crumb.section ? crash_crumb.section : "host");
    if (!place) {
        error_set(&s->step.error, LTH_INVALID, "'%s' cannot be logged here: no row follows", name ? name : "");
        return;
    }
    bool step = on_step ? on_step > 0 : place->step, epoch = on_epoch ? on_epoch > 0 : !place->step;
    if (!step && !epoch)
        return;
    bool batch_hook = strstr(hook, "_batch") || place->step;
    if (step && !batch_hook) {
        error_set(&s->step.error, LTH_INVALID, "'%s' is logged with on_step, but there is no step here: leave it out",
                  name ? name : "");
        return;
    }
    metrics_log log = { .name = name,
                        .place = where,
                        .on_step = step,
                        .on_epoch = epoch,
                        .prog_bar = prog_bar > 0,
                        .logger = true,
                        .is_number = true,
                        .number = value };
    log.weight = batch_hook && s->running.batch ? (double)s->running.batch->size : 1;
    metrics_loop loop = str_starts(hook, "on_validation") ? METRICS_VALIDATION
                        : str_starts(hook, "on_test")     ? METRICS_TEST
                                                          : METRICS_TRAIN;
    metrics_add(&s->metrics, loop, &log, &s->step.error);
}

/* ---- Checkpoints ---- */

/* The system could not do it: no reason to end a training, which may find room again, and whose last checkpoint stands. The
 * user hears of it now, and from the run's exit status. */
static void tell_failed_save(session *s, lth_status status, const error *e)
{
    if (status != LTH_IO && status != LTH_NO_MEMORY)
        return;
    s->failed_saves++;
    char *text = str_format("%s; training goes on, and %s%s%s", e->text,
                            s->last_checkpoint ? "the newest checkpoint is still '" : "there is no checkpoint yet",
                            s->last_checkpoint ? s->last_checkpoint : "", s->last_checkpoint ? "'" : "");
    session_warn(s, text);
    free(text);
}

/* The message is the calling component's to pass on, by returning the status, or to take another way. */
static lth_status report(session *s, lth_status status, const error *e)
{
    if (status != LTH_OK && s->caller)
        s->caller->host.api->fail(&s->caller->host, status, NULL, 0, e->text);
    return status;
}

static lth_status api_save_checkpoint(lth_trainer *t, const char *name, int32_t weights_only)
{
    if (!mine(t, "save_checkpoint of the trainer"))
        return LTH_INVALID;
    session *s = of(t);
    error e = { 0 };
    if (!s->options.enable_checkpointing || s->sanity)
        return LTH_OK;
    if (!s->in_fit || !s->between_batches)
        return report(s,
                      error_set(&e, LTH_INVALID, "a checkpoint can be written during fit, between batches: not in %s",
                                s->step.hook ? s->step.hook : "this hook"),
                      &e);
    const char *hook = s->step.hook;
    component *caller = s->caller;
    const crash_who who = crash_pause();
    s->saving_in = hook;
    s->saver = caller ? caller->title : NULL;
    lth_status status = save_checkpoint(s, name, weights_only != 0, &e);
    s->saver = NULL;
    s->step.hook = hook;
    s->caller = caller;
    crash_go_on(&who);
    tell_failed_save(s, status, &e);
    return report(s, status, &e);
}

static lth_status api_remove_checkpoint(lth_trainer *t, const char *name)
{
    if (!mine(t, "remove_checkpoint of the trainer"))
        return LTH_INVALID;
    session *s = of(t);
    error e = { 0 };
    if (!s->checkpoints)
        return LTH_OK;
    if (s->resumed_from && strcmp(name, s->resumed_from) == 0)
        return LTH_OK; /* kept: it is what this run began with */
    if (s->last_checkpoint && strcmp(name, s->last_checkpoint) == 0)
        return report(
            s, error_set(&e, LTH_INVALID, "'%s' is the newest resume point: write another one before removing it", name), &e);
    profile_part before = profile_set_part(s->profiled, PROFILE_CHECKPOINT);
    if (checkpoint_remove(s->checkpoints, name, &e) != LTH_OK)
        session_warn(s, e.text);
    profile_set_part(s->profiled, before);
    return report(s, e.status, &e);
}

static bool api_has_checkpoint(lth_trainer *t, const char *name)
{
    const session *s = of(t);
    return mine(t, "has_checkpoint of the trainer") && s->checkpoints && checkpoint_exists(s->checkpoints, name);
}

static void api_report_best(lth_trainer *t, const char *name, const char *monitor, double score)
{
    if (!mine(t, "report_best of the trainer"))
        return;
    session *s = of(t);
    if (!s->checkpoints || !monitor || !monitor[0]) /* the newest is `last`, and needs no other name */
        return;
    char *best = str_dup(name), *of = str_dup(monitor);
    free(s->best.name);
    free(s->best.monitor);
    s->best = (best_result) { best, of, score };
    save_mark_best(s); /* a name that is yet to be written is marked then */
}

/* ---- Looking ---- */

static const char *api_run_dir(lth_trainer *t) { return of(t)->scope.run_dir; }
static uint32_t api_parameters(lth_trainer *t, const lth_parameter_info **out)
{
    *out = NULL;
    return mine(t, "parameters of the trainer") ? engine_parameters(of(t)->engine, out) : 0;
}

static uint32_t api_optimizers(lth_trainer *t, const lth_optimizer_info **out)
{
    session *s = of(t);
    *out = NULL;
    if (!mine(t, "optimizers of the trainer"))
        return 0;
    if (!s->optimizers_shown && s->optimizers.count > 0) {
        s->optimizers_shown = memory_new(s->optimizers.count * sizeof *s->optimizers_shown);
        for (uint32_t i = 0; i < s->optimizers.count; i++)
            s->optimizers_shown[i] =
                (lth_optimizer_info) { s->optimizers.at[i].id, s->optimizers.at[i].name, s->optimizers.at[i].group_count, 0 };
    }
    *out = s->optimizers_shown;
    return s->optimizers.count;
}

static bool api_hyper(lth_trainer *t, uint32_t index, uint32_t group, const char *name, double *value)
{
    if (!mine(t, "hyper of the trainer"))
        return false;
    const session *s = of(t);
    if (index >= s->optimizers.count || group >= s->optimizers.at[index].group_count)
        return false;
    const component *who = s->optimizers.at[index].groups[group].who;
    for (uint32_t i = 0; i < who->table->options.count; i++) {
        lth_option o = schema_option(&who->table->options, i);
        const void *field = (const char *)who->self + o.offset;
        if (strcmp(o.name, name) != 0)
            continue;
        if (o.type == LTH_OPTION_FLOAT)
            *value = *(const double *)field;
        else if (o.type == LTH_OPTION_FLOAT_LIST && ((const lth_float_list *)field)->count > 0)
            *value = ((const lth_float_list *)field)->at[0];
        else
            continue;
        return true;
    }
    return false;
}

static void api_print(lth_trainer *t, const char *text) { console_line(&of(t)->console, "%s", text); }

static void api_status_line(lth_trainer *t, const char *text)
{
    if (!mine(t, "status_line of the trainer"))
        return;
    session *s = of(t);
    if (s->options.enable_progress_bar)
        console_status(&s->console, text);
}

static bool api_is_terminal(lth_trainer *t) { return of(t)->console.is_terminal; }

static int32_t api_terminal_width(lth_trainer *t)
{
    (void)t;
    return console_width();
}

/* Any option of [trainer] as the run file has it; and what it came to. */
static const char *api_describe(lth_trainer *t, const char *key)
{
    session *s = of(t);
    if (!mine(t, "describe of the trainer"))
        return "";
    if (strcmp(key, "accelerator") == 0)
        return s->accelerator ? s->accelerator->known->id : "";
    if (strcmp(key, "strategy") == 0)
        return s->strategy ? s->strategy->known->id : "one process";
    if (strcmp(key, "fingerprint") == 0)
        return s->engine ? engine_fingerprint(s->engine) : "";
    if (strcmp(key, "model") == 0)
        return s->model->known->id;
    if (strcmp(key, "name") == 0)
        return s->run.name;
    const schema_part part = { &trainer_option_table, &s->options };
    lth_option option;
    void *field;
    if (!schema_find(&part, 1, key, &option, &field) || option.flags & LTH_OPTION_REMOVED)
        return "";
    if (option.type == LTH_OPTION_STRING)
        return *(const char *const *)field;
    if (option.type == LTH_OPTION_BOOL)
        return *(const bool *)field ? "true" : "false";
    if (option.type == LTH_OPTION_INT)
        snprintf(s->describe_text, sizeof s->describe_text, "%lld", (long long)*(const int64_t *)field);
    else
        snprintf(s->describe_text, sizeof s->describe_text, "%g", *(const double *)field);
    return s->describe_text;
}

static void api_record(lth_trainer *t, const lth_record *record)
{
    if (mine(t, "record of the trainer"))
        loggers_record(of(t), record);
}

static bool api_validation_due(lth_trainer *t) { return mine(t, "validation_due of the trainer") && fit_validation_due(of(t)); }

const lth_trainer_api trainer_api = {
    .struct_size = sizeof(lth_trainer_api),
    .progress = api_progress,
    .stop = api_stop,
    .metric = api_metric,
    .metrics = api_metrics,
    .log = api_log,
    .save_checkpoint = api_save_checkpoint,
    .remove_checkpoint = api_remove_checkpoint,
    .has_checkpoint = api_has_checkpoint,
    .report_best = api_report_best,
    .run_dir = api_run_dir,
    .parameters = api_parameters,
    .optimizers = api_optimizers,
    .hyper = api_hyper,
    .print = api_print,
    .status_line = api_status_line,
    .is_terminal = api_is_terminal,
    .terminal_width = api_terminal_width,
    .describe = api_describe,
    .record = api_record,
    .validation_due = api_validation_due,
};
