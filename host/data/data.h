/* SPDX-License-Identifier: Apache-2.0
 * data/data.h: a datamodule's datasets as batches: order, shards, padding, loader threads. What the trainer uses. */
#ifndef DATA_DATA_H
#define DATA_DATA_H

#include "util/error.h"

#include <lthost/datamodule.h>
#include <lthost/setup.h>

/* The host's keys of [data], read through their option table like any plugin's. */
typedef struct data_options {
    int64_t batch_size, eval_batch_size; /* eval: 0 = batch_size */
    const char *shuffle;                 /* auto (training only) | true | false */
    int64_t workers;                     /* loader threads; 0: inline; -1: inline for a cheap dataset, else 2 */
    int64_t prefetch;                    /* batches ahead, a worker */
    bool drop_last;
    const char *sampler;  /* auto | sequential | random | weighted | bucket */
    int64_t num_samples;  /* weighted: draws an epoch; 0 = the length */
    bool replacement;     /* weighted */
    lth_int_list buckets; /* lengths that batches of varying length are padded up to */
} data_options;
extern const lth_options data_option_table;

typedef struct data_module data_module;
typedef struct data_loader data_loader;

typedef struct data_batch {
    uint32_t field_count, reserved;
    const char *const *names;
    const lth_shape *shapes; /* with the batch axis */
    void *const *data;       /* 64-byte aligned */
    int64_t size;            /* samples */
    int64_t index;           /* in the epoch */
    bool last;               /* of the epoch, where that is known */
} data_batch;

typedef struct data_args {
    const lth_datamodule *module;
    void *self;
    const lth_host *host;
    const data_options *options;
    uint64_t seed;
    int32_t rank, world;
    const char *identity; /* of the datamodule and its options (a hash of [data], say): for data_prepare; NULL: the id alone */
    /* For reports; each may be NULL. On a loader thread first of all; around calls of the dataset, on whatever thread (a NULL
     * hook: it is over); and after a call that failed, still within it: what the plugin told goes in front of `e`. */
    void (*thread_started)(void *context);
    void (*entering)(void *context, const char *hook);
    void (*explain)(void *context, error *e);
    void *thread_context;
} data_args;

data_module *data_open(const data_args *args, error *e);
void data_close(data_module *m);

/* Once for a machine: under the lock `lock_dir`/prepare.lock calls prepare_data; others wait for it. Where another process
 * has prepared the same `identity` since this process began, its work counts and nothing is called. */
lth_status data_prepare(data_module *m, const char *lock_dir, error *e);
/* The module's setup for a stage; collects fields and datasets (again for another stage, where the module then replaces them). */
lth_status data_setup(data_module *m, lth_stage stage, error *e);
/* Fields of one sample, as the model's configure sees them. Valid until the next data_setup. A field with a varying dimension
 * is accompanied by `<name>_length` (i64, rank 0), the unpadded length. */
uint32_t data_fields(data_module *m, const lth_field_info **out);
/* Datasets of a stage: 0, or several validation sets. */
uint32_t data_dataset_count(data_module *m, lth_stage stage);

typedef struct data_loader_args {
    lth_stage stage;
    uint32_t dataset;
    double limit; /* limit_*_batches: < 0: all; a fraction if `limit_is_fraction`, else batches */
    bool limit_is_fraction;
    bool no_shuffle; /* overfit_batches */
} data_loader_args;
data_loader *data_loader_new(data_module *m, const data_loader_args *args, error *e);
void data_loader_free(data_loader *l);
/* Batches of an epoch after the limit; -1: not known (a stream). */
int64_t data_loader_length(const data_loader *l);
/* Samples of an epoch; -1: not known. */
int64_t data_loader_samples(const data_loader *l);
/* The order of an epoch is a function of seed, epoch and the options alone; rank r of W gets every W-th sample of it. Where
 * the samples of an epoch do not divide by W: training goes on from the epoch's first samples until they do (drop_last: leaves
 * the rest out), so that all ranks have equally many batches; evaluation has each sample once, ranks may differ by one.
 *
 * Begins an epoch at batch `position` (0, or where a resumed run stands). Worker threads live as long as the loader. */
lth_status data_loader_start(data_loader *l, int64_t epoch, int64_t position, error *e);
/* The next batch, or LTH_END; it lives until the next call. An error in a loader thread comes out here as itself. */
lth_status data_loader_next(data_loader *l, const data_batch **out, error *e);
/* A shape-only batch for `lthost check`: fields with batch_size rows, no data; varying dimensions take the longest bucket or 8.
 */
lth_status data_loader_probe(data_loader *l, const data_batch **out, error *e);
/* Position after the last batch that data_loader_next gave: epoch, batch, samples, and a stream's own state. */
lth_status data_loader_save(data_loader *l, lth_writer *w, error *e);
/* Restores it; the next data_loader_start must be called with the saved epoch and position. Refused where the data or the
 * options have changed so that the rest of the epoch would not be what it was; another batch_size or world is fine where
 * the samples so far are whole batches of it. */
lth_status data_loader_load(data_loader *l, lth_reader *r, error *e);
void data_loader_saved(const data_loader *l, int64_t *epoch, int64_t *position);

typedef struct data_loader_stats {
    int64_t fetches, samples; /* calls of fetch or decode, and samples in them */
    int64_t allocations;      /* of memory for batches: constant once the largest batch was seen */
    int64_t waits;            /* data_loader_next had to wait for a thread */
    int32_t threads;          /* 0: inline */
} data_loader_stats;
void data_loader_get_stats(data_loader *l, data_loader_stats *out);

#endif
