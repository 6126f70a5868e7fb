/* SPDX-License-Identifier: Apache-2.0
 * trainer/options.h: the host's own keys: [run], [trainer], and those it adds to [model], [optimizer], [optimizer.group.NAME]
 * and [scheduler].
 *
 * [trainer] has the names and meanings of Lightning's Trainer arguments. Keys that mean nothing here, or are not there
 * yet, are rows of the same table that say so. */
#ifndef TRAINER_OPTIONS_H
#define TRAINER_OPTIONS_H

#include "config/schema.h"

#include <lthost/option.h>

typedef struct run_options {
    const char *name; /* "": the run file's own, without ".ini" */
    int64_t seed;
    lth_string_list stages; /* fit, validate, test, predict */
    const char *resume;     /* "": a new run; auto | last | best | a path */
    lth_string_list plugin_path;
    int64_t threads; /* 0: as many as there are processors */
    const char *dir; /* relative to the current folder */
} run_options;

typedef struct trainer_options {
    const char *accelerator, *devices, *strategy, *precision;
    int64_t num_nodes;
    int64_t max_epochs, min_epochs, max_steps, min_steps; /* max: -1 = no bound */
    const char *max_time;
    const char *limit_train_batches, *limit_val_batches, *limit_test_batches, *limit_predict_batches;
    const char *fast_dev_run, *overfit_batches, *val_check_interval;
    int64_t check_val_every_n_epoch; /* 0: an interval in batches counts across epochs */
    int64_t num_sanity_val_steps, log_every_n_steps, accumulate_grad_batches;
    double gradient_clip_val;
    const char *gradient_clip_algorithm;
    double hook_timeout;    /* seconds; 0: no bound */
    const char *max_memory; /* "": no bound */
    bool enable_checkpointing, enable_progress_bar, enable_model_summary, detect_anomaly;
    bool removed; /* where the keys that are no longer accepted point to */
} trainer_options;

typedef struct model_options {
    const char *weights; /* a .safetensors file; "": none */
    bool weights_strict; /* a missing or unexpected name is an error */
} model_options;

typedef struct optimizer_options {
    lth_string_list parameters; /* prefixes or patterns of names; none: all that are left */
} optimizer_options;

typedef struct group_options {
    lth_string_list parameters;
    bool frozen;
    double lr_scale;
} group_options;

typedef struct scheduler_options {
    const char *interval; /* epoch | step | manual */
    int64_t frequency;
    const char *monitor;
    bool strict;
    int64_t warmup;
    double warmup_start;
} scheduler_options;

extern const lth_options run_option_table, trainer_option_table, model_option_table, optimizer_option_table, group_option_table,
    scheduler_option_table;

/* A limit on batches: a number of them, or a fraction of an epoch (1.0: all). */
typedef struct batch_limit {
    double value;
    bool is_fraction;
} batch_limit;

typedef enum interval_kind { INTERVAL_FRACTION, INTERVAL_BATCHES, INTERVAL_SECONDS } interval_kind;

/* What the texts in [trainer] mean, after fast_dev_run and overfit_batches had their say. */
typedef struct trainer_limits {
    batch_limit train, validate, test, predict;
    double max_seconds;  /* < 0: no bound */
    uint64_t max_memory; /* bytes; 0: no bound */
    interval_kind val_interval_kind;
    double val_interval;
    int64_t fast_dev_batches; /* 0: off */
    bool overfit;
    lth_dtype floating, lower, stored; /* precision (engine.h) */
    int64_t devices;                   /* 0: auto */
    bool unbounded;                    /* nothing that the run file says bounds a fit: max_epochs has its default */
} trainer_limits;

/* Reads the texts, reports what is wrong with its place, and applies what one key means for others (fast_dev_run sets
 * max_steps, ...). `s`: [trainer], or NULL. */
lth_status trainer_options_resolve(trainer_options *o, const config *c, config_section *s, trainer_limits *out, diagnostics *d);

/* What `precision` may be; names and meanings are Lightning's. By index; NULL after the last. */
typedef struct precision_kind {
    const char *name, *short_name; /* another name of the same, or NULL */
    lth_dtype floating, lower, stored;
} precision_kind;

const precision_kind *precision_at(size_t index);

/* Bytes of "8G" or "512M": a number, and K, M, G or T of 1024 each; 0 where the text is none. */
uint64_t options_bytes(const char *text);

/* Seconds of "DD:HH:MM:SS"; negative where the text is none. */
double options_duration(const char *text);

#endif
