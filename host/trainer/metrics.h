/* SPDX-License-Identifier: Apache-2.0
 * trainer/metrics.h: what is logged: over steps and epochs, as rows for the loggers and as values for callbacks.
 *
 * The semantics are those of Lightning's log(). A value that a step makes is known by its slot among the step's outputs
 * and is read one step late: metrics_settle of a step comes when the next one has been started. Each loop (training,
 * validation, test) has a table of its own: an entry a name.
 *
 * A row's `step` is the number of optimizer steps taken, in every loop (Lightning counts training rows from 0, and rows of
 * a validation step by batches). Nothing allocates once every name has been seen. [main] */
#ifndef TRAINER_METRICS_H
#define TRAINER_METRICS_H

#include "util/arena.h"
#include "util/error.h"
#include "util/json.h"
#include "util/map.h"

#include <lthost/logger.h>
#include <lthost/step.h>
#include <lthost/trainer.h>

typedef enum metrics_loop { METRICS_TRAIN, METRICS_VALIDATION, METRICS_TEST, METRICS_LOOPS } metrics_loop;

/* How one value is logged, switches resolved. */
typedef struct metrics_log {
    const char *name; /* without suffixes */
    const char *file; /* lives as long as the process; NULL for a hook */
    uint32_t line;
    bool on_step, on_epoch, prog_bar, logger;
    lth_reduce_fx reduce;
    double weight;
    bool is_number; /* `number`, else slot `slot` of the running step */
    uint32_t slot;
    double number;
    const char *place; /* of a hook: "on_train_epoch_end of [callback.x]"; NULL with a file */
} metrics_log;

typedef struct metrics_value {
    lth_metric shown; /* as callbacks see it */
    bool present, kept_present;
    double kept;
} metrics_value;

typedef struct metrics_entry {
    metrics_log as; /* of the first time; number, slot and weight mean nothing */
    const char *step_name, *epoch_name;
    metrics_value *value, *step_value, *epoch_value; /* among callback_metrics; of unforked names all the same */
    double sum, weight, least, greatest, last;       /* over the epoch */
    uint64_t count, told;                            /* values in it; those that an epoch's row has told of */
    double newest;
    uint64_t stamp; /* of the newest step in which it has a value to show */
    bool told_nan;
} metrics_entry;

typedef struct metrics_table {
    map by_name;                                   /* metrics_entry */
    metrics_entry **by_step_name, **by_epoch_name; /* sorted */
    size_t count, capacity, epoch_capacity;
} metrics_table;

typedef struct metrics_pending {
    metrics_entry *entry;
    double weight, number;
    uint32_t slot;
    bool is_number;
} metrics_pending;

/* What one step logged. */
typedef struct metrics_step {
    metrics_loop loop;
    uint64_t ticket, stamp;
    bool has_ticket, wants_row;
    int64_t step, epoch, batch;
    double wall_time;
    metrics_pending *at;
    size_t count, capacity, settled; /* values before `settled` have been read */
} metrics_step;

typedef struct metrics {
    arena memory;
    metrics_table tables[METRICS_LOOPS];
    map values;             /* metrics_value, by name */
    metrics_value **sorted; /* by name */
    size_t value_count, value_capacity;
    lth_metric *listed; /* for metrics_list */
    size_t listed_capacity;
    metrics_step steps[2]; /* the running one and the one before it */
    uint32_t running;
    uint64_t stamps;
    const char **row_names;
    double *row_values;
    size_t row_capacity, row_value_capacity;
    /* Reads a step's output; waits for it. */
    double (*read)(void *context, uint64_t ticket, uint32_t slot);
    /* Takes a row; it lives for the call, its names as long as the metrics. */
    void (*emit)(void *context, const lth_metrics_row *row);
    /* Takes what a user should know: a metric that is nan, once a metric. NULL: nobody. */
    void (*warn)(void *context, const char *text);
    void *context;
} metrics;

void metrics_init(metrics *m);
void metrics_free(metrics *m);

/* Begins a step of a loop; the step before it must have been settled or be the other one. */
void metrics_step_begin(metrics *m, metrics_loop loop, int64_t epoch, int64_t batch);
/* One value of the running step (or, between steps, of the running epoch). A name that was logged with other switches
 * before is LTH_INVALID, with both places. */
lth_status metrics_add(metrics *m, metrics_loop loop, const metrics_log *log, error *e);
/* The step was run: its values are outputs of `ticket`. */
void metrics_step_ran(metrics *m, uint64_t ticket);
/* The step is over: `step` optimizer steps have been taken; wants_row: its step metrics go to the loggers. */
void metrics_step_end(metrics *m, int64_t step, bool wants_row, double wall_time);
/* Reads the values of the step before the running one, and emits its row. */
void metrics_settle(metrics *m);
/* Reads all there is, of the running step too (if it was run), without emitting. */
void metrics_read_all(metrics *m);
/* Settles both. */
void metrics_drain(metrics *m);

/* Forgets the loop's sums: an epoch begins. */
void metrics_epoch_begin(metrics *m, metrics_loop loop);
/* Reduces what was logged over the epoch and shows it to callbacks; with `row` emits the epoch's row. Drains first. A second
 * row of the same epoch holds only what was logged since. */
void metrics_epoch_end(metrics *m, metrics_loop loop, const lth_metrics_row *row);

/* Around the sanity check: afterwards callback_metrics is as it was before. */
void metrics_keep(metrics *m);
void metrics_restore(metrics *m);

/* callback_metrics. metrics_find reads what is still under way. */
bool metrics_find(metrics *m, const char *name, double *value);
uint32_t metrics_list(metrics *m, const lth_metric **out);

/* For checkpoints, all bits kept; drained before. The caller owns what metrics_to_json answers. */
json_t *metrics_to_json(const metrics *m);
lth_status metrics_from_json(metrics *m, const json_t *from, error *e);

/* The entry of a name, made where it is new. */
metrics_entry *metrics_entry_for(metrics *m, metrics_loop loop, const metrics_log *log, error *e);
/* The value of a name, made (absent) where it is new. */
metrics_value *metrics_value_for(metrics *m, const char *name);

#endif
