/* SPDX-License-Identifier: Apache-2.0
 * lthost/logger.h: kind "logger/1". Each logger has a thread of its own, on which all of its functions but `init` and
 * `destroy` run, one after the other: a slow or blocking one never holds up training. [logger] */
#ifndef LTHOST_LOGGER_H
#define LTHOST_LOGGER_H

#include "component.h"

LTH_BEGIN_C

/* One row: what was logged at a step. Names are unique within a row and sorted. `step` is the number of optimizer steps
 * taken; `batch` that of training batches. */
typedef struct lth_metrics_row {
    uint32_t struct_size, count;
    int64_t step, epoch, batch;
    double wall_time;          /* seconds since 1970 */
    const char *const *names;
    const double *values;
} lth_metrics_row;

typedef struct lth_hyperparameter {
    const char *section, *name, *value; /* "optimizer", "lr", "0.001" */
} lth_hyperparameter;

typedef uint32_t lth_record_kind;
enum { LTH_RECORD_HISTOGRAM = 1, LTH_RECORD_IMAGE = 2, LTH_RECORD_TEXT = 3, LTH_RECORD_ARTIFACT = 4 };

typedef struct lth_record lth_record;
struct lth_record {
    uint32_t struct_size;
    lth_record_kind kind;
    const char *name;
    int64_t step, epoch;
    double wall_time;
    /* HISTOGRAM: bin_count counts; edges has bin_count + 1; the sample's count, sum, sum of squares, min and max. */
    const double *edges, *counts;
    int64_t bin_count;
    double total, sum, sum_squares, minimum, maximum;
    /* IMAGE: u8, dense (height, width, channels), channels 1, 3 or 4. */
    const uint8_t *pixels;
    int64_t height, width, channels;
    /* TEXT: the text. ARTIFACT: the absolute path of a file or folder; it stays in place until the run ends. */
    const char *text;
};

typedef struct lth_run_info {
    uint32_t struct_size, reserved;
    const char *name;      /* of the run */
    const char *run_dir;   /* absolute */
    const char *run_id;    /* unique in time; the same after a resume */
    const char *run_file;  /* the resolved run file's text */
    int64_t resumed_step;  /* -1: a new run */
    const lth_hyperparameter *hyperparameters;
    uint64_t hyperparameter_count;
    int64_t resumed_rows;  /* rows that were logged before the resume, exactly; 0: not known. Several rows may have one step */
} lth_run_info;

typedef uint32_t lth_run_status;
enum { LTH_RUN_SUCCESS = 0, LTH_RUN_FAILED = 1, LTH_RUN_INTERRUPTED = 2 };

typedef struct lth_logger {
    LTH_COMPONENT_HEAD_
    /* The first call: opens files and connections, sends hyperparameters. Required. */
    lth_status (*open)(void *self, const lth_run_info *run) LTH_ZERO;
    /* Required. No allocation in the steady state. */
    lth_status (*log_metrics)(void *self, const lth_metrics_row *row) LTH_ZERO;
    lth_status (*log_record)(void *self, const lth_record *record) LTH_ZERO;
    /* On a resume, after open: rows of steps greater than `step` go. */
    lth_status (*rewind)(void *self, int64_t step) LTH_ZERO;
    /* Makes safe what was logged so far: called before each checkpoint is committed and at least every few seconds. */
    lth_status (*flush)(void *self) LTH_ZERO;
    /* A committed checkpoint's folder. */
    lth_status (*checkpoint)(void *self, const char *path, int32_t is_best) LTH_ZERO;
    /* The last call. */
    lth_status (*close)(void *self, lth_run_status status) LTH_ZERO;
} lth_logger;

#define LTH_LOGGER(name, ...)                                                                                           \
    static const lth_logger name##_logger = { .struct_size = sizeof(lth_logger), .instance_size = sizeof(struct name), .id = #name, __VA_ARGS__ }
#define LTH_LOGGER_COMPONENT(name) { "logger/1", &name##_logger }

LTH_END_C
#endif
