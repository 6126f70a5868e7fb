/* SPDX-License-Identifier: Apache-2.0
 * lthost/trainer.h: what hooks of callbacks, models and datamodules see of the trainer.
 *
 * All calls: [main], from a hook. Strings and arrays that come back live until the hook returns unless noted. */
#ifndef LTHOST_TRAINER_H
#define LTHOST_TRAINER_H

#include "base.h"
#include "step.h"
#include <string.h>

LTH_BEGIN_C

typedef struct lth_trainer lth_trainer;
typedef struct lth_record lth_record; /* logger.h */

/* A snapshot of where the run stands; counts that are not known (a stream without a length) are -1. */
typedef struct lth_progress {
    uint32_t struct_size;
    lth_stage stage;
    int64_t global_step;   /* optimizer steps taken */
    int64_t current_epoch;
    int64_t max_epochs, max_steps; /* -1: no bound */
    int64_t batch_idx;     /* of the stage's running epoch */
    int64_t num_batches;   /* of the stage's epoch, after limit_*_batches */
    int64_t dataloader_idx;
    int64_t samples_seen;  /* training samples since the start of the run */
    int64_t stepping_batches; /* optimizer steps that the whole run is expected to take */
    double elapsed;        /* seconds since fit began, earlier runs of a resumed one not counted */
    int32_t is_last_batch;
    int32_t log_every_n_steps;
    int32_t fast_dev_run;
    int32_t sanity_checking;
    int32_t should_stop;
    int32_t resumed;
    int32_t accumulating; /* the running batch does not end in an optimizer step */
    int32_t validation;   /* LTH_VALIDATION_*: when fit validates; known from on_fit_start on */
} lth_progress;
enum {
    LTH_VALIDATION_NONE = 0,      /* never: no validation batches, or no validation_step */
    LTH_VALIDATION_EPOCH_END = 1, /* once, at the end of every epoch: val_check_interval = 1.0, check_val_every_n_epoch = 1 */
    LTH_VALIDATION_OTHER = 2      /* in mid-epoch too, or not in every epoch */
};

typedef struct lth_metric {
    const char *name;
    double value;
    uint32_t flags; /* LTH_METRIC_* */
    uint32_t reserved;
} lth_metric;
enum { LTH_METRIC_PROG_BAR = 1, LTH_METRIC_LOGGER = 2, LTH_METRIC_STEP = 4, LTH_METRIC_EPOCH = 8 };

typedef struct lth_parameter_info {
    const char *name;    /* "fc1.weight" */
    const char *module;  /* "fc1" */
    const char *type;    /* what the module called itself: "Linear", or "" */
    lth_shape shape;
    uint32_t flags;      /* LTH_PARAMETER_FROZEN, ... */
    uint32_t is_buffer;
} lth_parameter_info;

typedef struct lth_optimizer_info {
    const char *id;      /* the component: "adamw" */
    const char *name;    /* unique in the run: "adamw", "adamw-1", as in `lr-adamw` */
    uint32_t group_count, reserved;
} lth_optimizer_info;

typedef struct lth_trainer_api {
    uint32_t struct_size, reserved;
    void (*progress)(lth_trainer *t, lth_progress *out); /* out->struct_size is set by the caller */
    /* Ends the run at the next safe point (not before min_epochs and min_steps); reason: one line for the closing words. */
    void (*stop)(lth_trainer *t, const char *reason);
    /* The newest value of a logged metric, from callback_metrics; false if there is none yet. Waits for a step's value. */
    bool (*metric)(lth_trainer *t, const char *name, double *value);
    /* All of callback_metrics, sorted by name; returns the count. */
    uint32_t (*metrics)(lth_trainer *t, const lth_metric **out);
    /* Logs a number from a hook: it goes into the row of the running step (on_step) or epoch, as lth_log does. */
    void (*log)(lth_trainer *t, const char *name, double value, int32_t on_step, int32_t on_epoch, int32_t prog_bar);
    /* Writes a checkpoint folder, atomically, below the run's `checkpoints/`; `name` is one path component. Returns when
     * it is safe on disk. weights_only leaves optimizer and loop state out. */
    lth_status (*save_checkpoint)(lth_trainer *t, const char *name, int32_t weights_only);
    /* Removes a checkpoint of this run by name; one that the user chose to resume from (--resume PATH) stays. Refused while
     * no newer resume point exists. */
    lth_status (*remove_checkpoint)(lth_trainer *t, const char *name);
    /* Whether the checkpoint `name` exists in this run. */
    bool (*has_checkpoint)(lth_trainer *t, const char *name);
    /* Tells the closing words (and `--ckpt best`) which checkpoint is best. */
    void (*report_best)(lth_trainer *t, const char *name, const char *monitor, double score);
    const char *(*run_dir)(lth_trainer *t);
    uint32_t (*parameters)(lth_trainer *t, const lth_parameter_info **out);
    uint32_t (*optimizers)(lth_trainer *t, const lth_optimizer_info **out);
    /* A numeric hyperparameter of a group as it stands now ("lr", "momentum", "weight_decay"), of a list the first element
     * ("betas"); false if it has none. */
    bool (*hyper)(lth_trainer *t, uint32_t optimizer, uint32_t group, const char *name, double *value);
    /* A line above the progress bar. */
    void (*print)(lth_trainer *t, const char *text);
    /* A line that stays the last one on the terminal; an empty text ends it. Does nothing where stderr is no terminal. */
    void (*status_line)(lth_trainer *t, const char *text);
    bool (*is_terminal)(lth_trainer *t);
    int32_t (*terminal_width)(lth_trainer *t);
    /* How the run is set up, for the summary: accelerator, strategy, precision, by key; "" if unknown. */
    const char *(*describe)(lth_trainer *t, const char *key);
    /* Writes histograms, images, text or files to every logger: see lth_record in logger.h. */
    void (*record)(lth_trainer *t, const lth_record *record);
    /* Whether validation is still due at this place (a checkpoint on a validation metric then waits for it). */
    bool (*validation_due)(lth_trainer *t);
} lth_trainer_api;
struct lth_trainer { const lth_trainer_api *api; };

static inline lth_progress lth_trainer_progress(lth_trainer *t)
{
    lth_progress p;
    memset(&p, 0, sizeof p);
    p.struct_size = sizeof p;
    t->api->progress(t, &p);
    return p;
}
static inline bool lth_trainer_metric(lth_trainer *t, const char *name, double *value) { return t->api->metric(t, name, value); }
static inline void lth_trainer_stop(lth_trainer *t, const char *reason) { t->api->stop(t, reason); }

LTH_END_C
#endif
