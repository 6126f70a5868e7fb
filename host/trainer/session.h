/* SPDX-License-Identifier: Apache-2.0
 * trainer/session.h: a run's parts, shared by the files of this folder.
 *
 * From a run file to training:
 *   session_read        run files, registry, options: all mistakes at once           session.c
 *   session_build       instances of the components                                  session_build.c
 *   session_setup       hooks, data, model, optimizers, engine                       session_setup.c
 *   fit, evaluate       the loops                                                    fit.c, evaluate.c
 *   session_close       teardown, loggers, instances                                 session.c
 * All of it on [main]; loggers and loaders have threads of their own. */
#ifndef TRAINER_SESSION_H
#define TRAINER_SESSION_H

#include "data/data.h"
#include "engine/engine.h"
#include "trainer/checkpoint.h"
#include "trainer/component.h"
#include "trainer/logger_thread.h"
#include "trainer/metrics.h"
#include "trainer/options.h"
#include "trainer/profile.h"
#include "trainer/run.h"
#include "trainer/watch.h"
#include "util/file.h"

#include <lthost/lthost.h>

typedef struct session session;

/* ---- Hooks ---- */

/* Somebody who has hooks. `slots` is such that a hook lies at offsetof(lth_hooks, hook). */
typedef struct hook_target {
    component *who;
    const char *slots; /* NULL: none */
    int32_t order;     /* LTH_ORDER_* of a callback */
} hook_target;

/* ---- Optimizers ---- */

typedef struct optimizer_group {
    component *who;
    uint32_t *parameters; /* ids */
    uint32_t count;
    double *lr, *momentum; /* in the instance, momentum or the first beta; NULL: it has none */
    double base_lr, base_momentum;
} optimizer_group;

typedef struct optimizer {
    const char *id, *name;
    optimizer_options options;
    config_section *section;
    const char *title;
    optimizer_group *groups;
    uint32_t group_count;
    size_t group_capacity;
    int64_t steps;      /* training steps that updated it */
    int64_t updated_at; /* loop.batches after the last of them */
    bool accumulated;   /* manual optimization: its accumulators hold something */
    bool accumulates;   /* the same, as the running step will leave it */
    bool updated;       /* by the running step */
} optimizer;

typedef struct schedule {
    component *who;
    const lth_scheduler *table;
    scheduler_options options;
    uint32_t optimizer;
    int64_t count; /* advances so far */
} schedule;

typedef struct optimizer_set {
    lth_optimizers abi; /* what configure_optimizers gets; first */
    session *session;
    optimizer *at;
    uint32_t count;
    size_t capacity;
    schedule *schedules;
    uint32_t schedule_count;
    size_t schedule_capacity;
    const config_section **frozen; /* groups that the model asked for and the run file froze */
    uint32_t frozen_count;
    size_t frozen_capacity;
    bool *taken; /* by parameter: it is in a group, or frozen */
    error error; /* the first of the calls */
} optimizer_set;

/* ---- Where the run stands ---- */

/* How far the running batch or epoch had come when a checkpoint was taken: what is left to do on a resume. */
typedef enum loop_place {
    PLACE_EPOCH_START, /* before the first batch */
    PLACE_BATCH_END,   /* batches < batch are done, but not what follows them: validation, stops */
    PLACE_VALIDATED,   /* that too */
    PLACE_EPOCH_END    /* all batches, and hooks of the epoch's end: the monitored schedules are left */
} loop_place;

typedef struct loop_state {
    int64_t epoch;       /* running, from 0 */
    int64_t batch;       /* batches of it that are done */
    int64_t global_step; /* optimizer steps taken */
    int64_t batches;     /* training batches since the start of the run */
    int64_t micro;       /* batches in the running accumulation window */
    int64_t samples;
    bool accumulated;     /* the accumulators hold something */
    bool epoch_cut;       /* the epoch ended before its last batch */
    bool epoch_scheduled; /* its epoch schedules have advanced */
    loop_place place;
    double seconds; /* of training before this process */
} loop_state;

typedef struct best_result {
    char *name, *monitor;
    double score;
} best_result;

/* What hooks see of the running batch. */
typedef struct running_batch {
    const data_batch *batch; /* NULL: none */
    int64_t index, count;    /* in the epoch; batches of the epoch, -1: not known */
    int64_t loader;
    bool accumulating; /* it does not end in an optimizer step */
    bool last;
} running_batch;

/* The running step, as step functions and recorded hooks see it. */
typedef struct step_state {
    lth_step abi; /* first */
    session *session;
    lth_trace *trace; /* NULL: nothing is being recorded */
    const char *hook; /* that is running: for messages */
    metrics_loop loop;
    const lth_tensor *gradients; /* of `gradients_of`; NULL: not now */
    uint32_t gradients_of, gradient_count;
    bool record_only;
    bool idle, idle_told; /* the epoch has had nothing to train by so far; that was said */
    error error;          /* of a log call */
} step_state;

typedef struct session_loaders {
    data_loader *train, **validate, **evaluate;
    uint32_t validate_count, evaluate_count;
} session_loaders;

struct session {
    lth_trainer trainer; /* first: what hooks get */
    const run_args *args;
    config *config;
    registry *registry;
    diagnostics diagnostics;
    arena memory;
    console console;
    component_scope scope;

    run_options run;
    trainer_options options;
    trainer_limits limits;
    model_options model_options;
    data_options data_options;
    str run_ini;   /* the resolved run file */
    bool checking; /* nothing is computed or written */

    component *model, *data, *accelerator, *strategy;
    const lth_model *model_table;
    component **callbacks, **loggers;
    uint32_t callback_count, logger_count;
    size_t callback_capacity, logger_capacity;
    hook_target *targets; /* callbacks by their order, then the model, then the datamodule */
    uint32_t target_count;

    lth_world world;
    engine *engine;
    data_module *datamodule;
    session_loaders loaders;
    optimizer_set optimizers;
    metrics metrics;
    step_state step;
    engine_field *fields; /* of the running batch */
    size_t field_capacity;
    lth_tensor *zero_gradients; /* scratch of step.c */

    /* The run's folder. */
    char *run_dir, *checkpoint_path, *run_id;
    int64_t version;
    bool made_run_dir, keep_run_dir; /* made here; holds something worth keeping */
    file_lock_held lock;
    checkpoint_dir *checkpoints;
    checkpoint_snapshot *snapshot;
    bool resume_named;                  /* the user chose the checkpoint to go on from, rather than the last one */
    char *resumed_from;                 /* that one's name: it is never removed */
    char *resumed_hook, *resumed_saver; /* what the checkpoint was written in, and by: saving_in, saver */
    char *last_checkpoint;              /* name of the newest resume point */
    int64_t last_checkpoint_batches;    /* loop.batches when it was written; -1: none */
    char *own_checkpoint;               /* the newest that no callback asked for */
    bool saving_own;
    const char *saving_in,
        *saver;           /* the hook that a checkpoint is written in, and the callback's section; NULL: the trainer's own */
    const char *saved_for; /* the section that asked for the last one; NULL: the trainer's own */
    int64_t saves;         /* of this process */
    int64_t failed_saves; /* that callbacks asked for and the system could not do */
    best_result best;

    /* Loggers. */
    logger_thread **threads;
    uint32_t thread_count;
    lth_run_info run_info;
    int64_t rows;        /* logged since the start of the run */
    int64_t logged_step; /* of a fit whose log another stage adds to */
    lth_hyperparameter *hyperparameters;
    size_t hyperparameter_capacity;

    watch *watch; /* NULL: nothing is watched */

    profile *profile;         /* NULL: nothing is timed */
    profile_thread *profiled; /* this thread's */

    /* A call on the wrong thread, the first one. */
    pthread_t main_thread;
    error trespass; /* with scope.fault_mutex */
    atomic_bool trespassed;

    /* The loops. */
    lth_stage stage;
    const char *stage_name;
    loop_state loop;
    running_batch running;
    int32_t log_defaults; /* enum log_place of the running hook: trainer_log.c */
    component *caller;    /* whose hook runs */
    bool sanity, resumed, stop_asked, in_fit, between_batches;
    char *stop_reason;                     /* of stop_asked */
    const char *end_reason;                /* why the loop ended */
    int64_t train_batches;                 /* of an epoch; -1: not known */
    int64_t stepping_batches;              /* optimizer steps that the whole run is expected to take; -1: not known */
    double began, fit_began, validated_at; /* clock_seconds */
    lth_parameter_info *parameters_shown;
    lth_optimizer_info *optimizers_shown;
    char describe_text[64];
};

/* session.c */
lth_status session_open(session *s, const run_args *args);
/* Prints what is in s->diagnostics; the exit status that it means. */
int session_report(session *s);
void session_close(session *s);
/* From here on hooks and memory are bounded as [trainer] says; until session_close. */
lth_status session_watch(session *s, error *e);
/* Seconds since 1970. */
double session_wall_time(void);
/* A file name that the user can type: relative to the current folder where it lies below it. In s->memory. */
const char *session_short_path(session *s, const char *path);

/* session_thread.c: calls on the wrong thread. session_is_main: whether the caller may go on; if not, it is noted which
 * plugin's hook called `call`, and the run ends soon. [any] */
bool session_is_main(session *s, const char *call, const char *file, uint32_t line);
void session_wrong_thread(void *session, const char *call, const char *file, uint32_t line);
/* The error of the first one. [main] */
lth_status session_trespassed(session *s, error *e);

/* session_build.c: loads and makes the instances. */
lth_status session_build(session *s, error *e);
/* Calls init of those that a stage needs. */
lth_status session_init(session *s, error *e);
/* Writes the resolved run file into s->run_ini. */
void session_resolve(session *s);

/* session_setup.c: data, model, engine; `fit`: optimizers, too. */
lth_status session_setup(session *s, bool fit, error *e);
lth_status session_weights(session *s, error *e);
void session_warn(void *session, const char *text);

/* optimizers.c */
lth_status optimizers_configure(session *s, error *e);
void optimizers_resolve(session *s, str *out);
void optimizers_free(session *s);

/* Whether gradients can be kept from step to step. */
bool session_accumulates(const session *s);

/* schedules.c */
lth_status schedules_start(session *s, error *e);
/* After a resume: momenta; and under another run file the rates at the counts reached. Schedules that look at a metric keep
 * theirs. */
lth_status schedules_resume(session *s, bool same_run_file, error *e);
typedef enum schedule_moment { SCHEDULE_STEP, SCHEDULE_EPOCH } schedule_moment;
/* After an optimizer step, or at an epoch's last batch; monitored: those that look at a metric (later, when it is fresh). */
lth_status schedules_advance(session *s, schedule_moment moment, bool monitored, error *e);

/* The model asks for it: the schedules of that optimizer that have interval = manual. */
lth_status schedules_advance_by_hand(session *s, uint32_t optimizer, error *e);

/* hooks.c */
lth_status hooks_prepare(session *s);
/* Calls a hook on all: callbacks, model, datamodule, callbacks that write checkpoints. LTH_END from on_train_batch_start is
 * answered as it is. */
lth_status hooks_call(session *s, size_t offset, const char *name, error *e);
#define HOOKS(s, hook, e) hooks_call((s), offsetof(lth_hooks, hook), #hook, (e))
/* What is left of a hook in which the callback `after` wrote the checkpoint that the run goes on from: the other callbacks that
 * write checkpoints. `after`: its section. */
lth_status hooks_call_rest(session *s, const char *name, const char *after, error *e);
/* Only targets within a range of orders; the model has `model_order`. */
lth_status hooks_call_ordered(session *s, size_t offset, const char *name, int32_t from, int32_t to, bool model, error *e);
/* Of the datamodule first: setup and teardown. */
lth_status hooks_call_data_first(session *s, size_t offset, const char *name, error *e);
/* Recorded hooks. */
lth_status hooks_call_step(session *s, size_t offset, const char *name, error *e);
lth_status hooks_call_backward(session *s, lth_tensor loss, error *e);
lth_status hooks_call_one(session *s, const hook_target *t, size_t offset, const char *name, error *e);
void hooks_exception(session *s, const char *message);

/* trainer_api.c */
extern const lth_trainer_api trainer_api;

/* step.c, step_api.c */
extern const lth_step_api step_api;
void step_init(session *s);
/* Clipping and checks as [trainer] has them. */
engine_update_args step_update_args(const session *s, double divisor, bool add_accumulated);
/* Trains on s->running.batch. record_only: for `lthost check`. */
lth_status step_train(session *s, bool record_only, error *e);
/* Runs a validation, test or predict step; predictions: what predict_step returned, by engine_output_data (may be NULL). */
lth_status step_evaluate(session *s, lth_stage stage, bool record_only, uint64_t *ticket, uint32_t *slot, error *e);

/* fit.c, fit_epoch.c, evaluate.c */
lth_status fit(session *s, error *e);
lth_status evaluate_validation(session *s, error *e);       /* within fit */
lth_status evaluate(session *s, lth_stage stage, error *e); /* a stage of its own */
bool fit_validation_enabled(const session *s);
bool fit_validation_due(const session *s);
int32_t fit_validation_kind(const session *s); /* LTH_VALIDATION_* */
/* Seconds since fit began; and with those of the runs that this one goes on from. */
double fit_elapsed(const session *s);
double fit_seconds(const session *s);

/* run_dir.c */
lth_status run_dir_make(session *s, error *e);
lth_status run_dir_use(session *s, const char *path, error *e);
void run_dir_close(session *s, bool keep);
/* The folder of the newest run of this name, where that run was killed: to begin again in it. Of one that ended in order
 * s->run_dir stays NULL. */
lth_status run_dir_use_killed(session *s, error *e);
/* The newest run of this name that has checkpoints; NULL: none. The caller frees. */
char *run_dir_newest(session *s, error *e);

/* save.c */
lth_status save_checkpoint(session *s, const char *name, bool weights_only, error *e);
/* Makes the link `best` if that checkpoint is there. */
void save_mark_best(session *s);
/* A resume point that no callback asked for, unless there is one after this very batch. */
lth_status save_own_checkpoint(session *s, error *e);

/* resume.c */
/* Opens the checkpoint that `which` means: auto, last, best or a path. In fit the run's folder becomes this process's.
 * LTH_END: auto, and there is none. */
lth_status resume_find(session *s, const char *which, checkpoint **out, error *e);
/* Hooks and states of model, datamodule, callbacks; before optimizers are configured. */
lth_status resume_components(session *s, checkpoint *c, error *e);
/* The model's and the datamodule's own state alone: for the other stages. */
lth_status resume_model(session *s, checkpoint *c, error *e);
/* All the rest, once the engine has its arenas. */
lth_status resume_loops(session *s, checkpoint *c, error *e);

/* loggers.c */
lth_status loggers_open(session *s, error *e);
void loggers_row(void *session, const lth_metrics_row *row);
void loggers_record(session *s, const lth_record *record);
/* Asks for it, and waits for it. */
void loggers_flush(session *s);
void loggers_wait(session *s);
void loggers_checkpoint(session *s, const char *path, bool is_best);
void loggers_close(session *s, lth_run_status status);

/* closing.c */
/* Of a fit; reason: why it stopped. */
void closing_words(session *s, const char *reason);
/* Of the other stages: their metrics. */
void closing_metrics(session *s);

/* profile_report.c: what took the time, to stdout and to the run's folder, where it was asked for. */
void profile_report(session *s);

/* run.c */
void session_set_stage(session *s, const char *name);

#endif
