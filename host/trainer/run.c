/* SPDX-License-Identifier: Apache-2.0
 * trainer/run.c: a stage from its command to its exit status; several stages, one after the other, each from what the one
 * before left on disk. */
#include "trainer/session.h"

#include "trainer/signals.h"
#include "util/memory.h"
#include "util/path.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    lth_stage stage;
} stages[] = {
    { "fit", LTH_STAGE_TRAIN }, { "validate", LTH_STAGE_VALIDATE }, { "test", LTH_STAGE_TEST }, { "predict", LTH_STAGE_PREDICT }
};

void session_set_stage(session *s, const char *name)
{
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        if (strcmp(stages[i].name, name) == 0) {
            s->stage = stages[i].stage;
            s->stage_name = stages[i].name;
        }
    s->in_fit = s->stage == LTH_STAGE_TRAIN;
}

/* ---- Folders and checkpoints ---- */

/* What fit goes on from: the command line's word, else the run file's. LTH_OK and NULL: a new run. */
static lth_status find_resume(session *s, checkpoint **out, error *e)
{
    const char *which = s->args->resume ? s->args->resume : s->run.resume;
    *out = NULL;
    if (!which[0])
        return LTH_OK;
    lth_status status = resume_find(s, which, out, e);
    if (status != LTH_END)
        return status;
    *e = (error) { 0 };
    console_line(&s->console, "no checkpoint to resume: starts from the beginning");
    return LTH_OK;
}

/* Whether a run's folder has a best checkpoint; s->logged_step becomes the newest one's step. */
static bool has_best(session *s, const char *run_dir)
{
    char *dir = path_join(run_dir, "checkpoints");
    checkpoint_list list = { 0 };
    error ignored = { 0 };
    bool best = false;
    if (checkpoint_list_read(dir, &list, &ignored) == LTH_OK)
        for (size_t i = 0; i < list.count; i++) {
            best = best || list.at[i].is_best;
            s->logged_step = list.at[i].global_step > s->logged_step ? list.at[i].global_step : s->logged_step;
        }
    checkpoint_list_free(&list);
    free(dir);
    return best;
}

/* What is evaluated: --ckpt; else [model] weights; else the best checkpoint of the newest run, or its last one; else what
 * the model was made with. `after`: the folder of a fit of this very command, or NULL. */
static lth_status find_evaluated(session *s, const char *after, checkpoint **out, error *e)
{
    const char *which = s->args->ckpt;
    char *run = NULL;
    *out = NULL;
    if (which && !after && strcmp(which, "auto") != 0)
        return resume_find(s, which, out, e);
    if (!after && (s->model_options.weights[0] || s->limits.fast_dev_batches > 0))
        return LTH_OK;
    run = after ? str_dup(after) : run_dir_newest(s, e);
    if (e->status == LTH_OK && !run)
        session_warn(s, "there is no checkpoint: the model is used as it was made, untrained");
    if (e->status == LTH_OK && run) {
        char *dir = path_join(run, "checkpoints");
        bool best = has_best(s, run);
        const checkpoint_open_args args = { .dir = dir,
                                            .which = which  ? which
                                                     : best ? "best"
                                                            : "last",
                                            .warn = session_warn,
                                            .context = s };
        if (checkpoint_open(&args, out, e) == LTH_END && e->status == LTH_OK)
            error_set(e, LTH_INVALID, "'%s' holds no checkpoint", dir);
        free(dir);
    }
    free(run);
    return e->status;
}

static lth_status write_run_file(session *s, error *e)
{
    char *path = path_join(s->run_dir, "run.ini");
    lth_status status = file_write_atomic(path, str_text(&s->run_ini), s->run_ini.length, e);
    free(path);
    return status;
}

/* resuming: the folder's run file stays what it is until the run has taken up its state under the new one. */
static lth_status open_run_dir(session *s, const char *after, bool resuming, error *e)
{
    if (after ? run_dir_use(s, after, e) != LTH_OK : !s->run_dir && run_dir_make(s, e) != LTH_OK)
        return e->status;
    session_resolve(s);
    lth_status status = after || resuming ? LTH_OK : write_run_file(s, e);
    if (status == LTH_OK && s->in_fit && s->options.enable_checkpointing)
        status = checkpoint_dir_open(s->checkpoint_path, &s->checkpoints, e);
    return status;
}

/* ---- The two kinds of stages ---- */

static lth_status run_fit(session *s, checkpoint *from, error *e)
{
    if (session_setup(s, true, e) != LTH_OK || (from && resume_components(s, from, e) != LTH_OK) ||
        optimizers_configure(s, e) != LTH_OK || engine_allocate(s->engine, session_accumulates(s), e) != LTH_OK)
        return e->status;
    if (from ? resume_loops(s, from, e) != LTH_OK : session_weights(s, e) != LTH_OK)
        return e->status;
    if (from && write_run_file(s, e) != LTH_OK)
        return e->status;
    if (from) {
        crash_set_checkpoint(checkpoint_path(from));
        console_line(&s->console, "resumed from %s: epoch %lld, step %lld", session_short_path(s, checkpoint_path(from)),
                     (long long)s->loop.epoch, (long long)s->loop.global_step);
    }
    return fit(s, e);
}

static lth_status run_evaluation(session *s, checkpoint *from, bool after, error *e)
{
    if (session_setup(s, false, e) != LTH_OK || engine_allocate(s->engine, false, e) != LTH_OK ||
        (from ? checkpoint_restore_engine(from, s->engine, false, e) : session_weights(s, e)) != LTH_OK)
        return e->status;
    if (from) {
        s->loop.global_step = checkpoint_facts_of(from)->global_step;
        s->loop.epoch = checkpoint_facts_of(from)->epoch;
        s->resumed = after; /* rows are added to those of the fit before */
        console_line(&s->console, "%s: %s", s->stage_name, session_short_path(s, checkpoint_path(from)));
        if (resume_model(s, from, e) != LTH_OK)
            return e->status;
    }
    return evaluate(s, s->stage, e);
}

/* ---- The end of a stage ---- */

/* Every one is called, whatever the others answer. */
static void teardown(session *s)
{
    const lth_datamodule *data = (const lth_datamodule *)s->data->table;
    error e = { 0 };
    if (data->teardown && s->datamodule) {
        component_enter(s->data, "teardown");
        if (component_result(s->data, "teardown", data->teardown(s->data->self, s->stage), &e) != LTH_OK)
            session_warn(s, e.text);
    }
    for (uint32_t i = 0; i < s->target_count; i++) {
        error failed = { 0 };
        const hook_target *t = &s->targets[i ? i - 1 : s->target_count - 1]; /* the datamodule first */
        if (hooks_call_one(s, t, offsetof(lth_hooks, teardown), "teardown", &failed) != LTH_OK)
            session_warn(s, failed.text);
    }
    const lth_strategy *strategy = s->strategy ? (const lth_strategy *)s->strategy->table : NULL;
    if (strategy && strategy->teardown) {
        component_enter(s->strategy, "teardown");
        strategy->teardown(s->strategy->self);
        component_leave();
    }
}

static int interrupted(session *s, const error *why)
{
    error e = { 0 };
    int number = signals_pending();
    if (s->in_fit && save_own_checkpoint(s, &e) != LTH_OK)
        session_warn(s, e.text);
    profile_set_part(s->profiled, PROFILE_CLOSING);
    hooks_exception(s, why->text);
    teardown(s);
    loggers_close(s, LTH_RUN_INTERRUPTED);
    profile_report(s);
    if (s->in_fit)
        closing_words(s, why->text);
    else
        console_line(&s->console, "stopped: %s", why->text);
    return 128 + number;
}

static int failed(session *s, const error *why)
{
    console_status(&s->console, "");
    hooks_exception(s, why->text);
    teardown(s);
    loggers_close(s, LTH_RUN_FAILED);
    console_line(&s->console, "lthost: error: %s", why->text);
    if (s->in_fit && s->last_checkpoint && s->loop.batches > 0)
        closing_words(s, "by an error (see above)");
    return RUN_ERROR;
}

static int succeeded(session *s)
{
    profile_set_part(s->profiled, PROFILE_CLOSING);
    teardown(s);
    loggers_close(s, LTH_RUN_SUCCESS);
    profile_report(s);
    if (s->in_fit)
        closing_words(s, s->end_reason ? s->end_reason : "done");
    else
        closing_metrics(s);
    return s->failed_saves ? RUN_ERROR : RUN_OK;
}

/* From the instances to the exit status. */
static int run_built(session *s, const char *after, error *e)
{
    checkpoint *from = NULL;
    lth_status status = s->in_fit ? find_resume(s, &from, e) : find_evaluated(s, after, &from, e);
    if (status == LTH_OK)
        status = open_run_dir(s, after, s->in_fit && from, e);
    if (status == LTH_OK)
        status = session_init(s, e);
    bool begun = status == LTH_OK;
    if (begun)
        status = s->in_fit ? run_fit(s, from, e) : run_evaluation(s, from, after != NULL, e);
    checkpoint_close(from);
    if (!begun) {
        console_line(&s->console, "lthost: error: %s", e->text);
        return RUN_ERROR;
    }
    if (status == LTH_OK)
        status = session_trespassed(s, e);
    if (status == LTH_OK)
        return succeeded(s);
    return status == LTH_STOPPED && signals_pending() ? interrupted(s, e) : failed(s, e);
}

/* One stage. run_dir gets the folder that was used (the caller frees). */
static int run_stage(const run_args *args, const char *stage, const char *after, char **run_dir)
{
    session *s = memory_new(sizeof *s);
    error e = { 0 };
    profile *timed = args->profile ? profile_new() : NULL;
    crash_crumb.profile = timed ? profile_begin(timed, PROFILE_START_UP) : NULL;
    session_open(s, args);
    s->profile = timed;
    s->profiled = crash_crumb.profile;
    session_set_stage(s, stage);
    int status = session_report(s);
    if (status == RUN_OK && (session_watch(s, &e) != LTH_OK || session_build(s, &e) != LTH_OK)) {
        int reported = session_report(s);
        if (reported == RUN_OK)
            console_line(&s->console, "lthost: error: %s", e.text);
        status = reported == RUN_OK ? RUN_ERROR : reported;
    } else if (status == RUN_OK) {
        crash_set_progress(&s->loop.epoch, &s->loop.global_step);
        signals_install();
        status = run_built(s, after, &e);
        signals_restore();
        crash_set_progress(NULL, NULL);
    }
    if (run_dir)
        *run_dir = s->run_dir ? str_dup(s->run_dir) : NULL;
    crash_crumb.profile = NULL;
    session_close(s);
    free(s);
    return status;
}

/* The run file's stages; the caller frees the list, not its words. NULL: the run file cannot be read. */
static int read_stages(const run_args *args, const char *list[4], int64_t *count)
{
    session *s = memory_new(sizeof *s);
    session_open(s, args);
    int status = session_report(s);
    for (int64_t i = 0; status == RUN_OK && i < s->run.stages.count; i++)
        for (size_t k = 0; k < sizeof stages / sizeof *stages && *count < 4; k++)
            if (strcmp(stages[k].name, s->run.stages.at[i]) == 0)
                list[(*count)++] = stages[k].name;
    bool keeps = s->options.enable_checkpointing || s->limits.fast_dev_batches > 0;
    if (status == RUN_OK && *count > 1 && strcmp(list[0], "fit") == 0 && !keeps) {
        console_line(
            &s->console,
            "lthost: error: [run] stages: what follows fit needs its checkpoints, and [trainer] enable_checkpointing = false");
        status = RUN_USAGE;
    }
    session_close(s);
    free(s);
    return status;
}

int run_stages(const run_args *args)
{
    const char *list[4] = { args->stage };
    int64_t count = args->stage != NULL;
    crash_install();
    int status = args->stage ? RUN_OK : read_stages(args, list, &count);
    char *fitted = NULL;
    for (int64_t i = 0; i < count && status == RUN_OK; i++) {
        char *used = NULL;
        bool follows = fitted && path_is_dir(fitted);
        status = run_stage(args, list[i], follows ? fitted : NULL, &used);
        if (strcmp(list[i], "fit") == 0) {
            free(fitted);
            fitted = used;
        } else {
            free(used);
        }
    }
    free(fitted);
    return status;
}
