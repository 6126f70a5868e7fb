/* SPDX-License-Identifier: Apache-2.0
 * lthost/datamodule.h: kind "datamodule/1": where batches come from.
 *
 * A datamodule declares the fields of a sample and gives, for each stage, a dataset: a table of functions and a context.
 * The host shuffles, shards over ranks, batches, pads and prefetches on threads; the keys for that in [data] (batch_size,
 * shuffle, workers, prefetch, drop_last, sampler, buckets, ...) are the host's. */
#ifndef LTHOST_DATAMODULE_H
#define LTHOST_DATAMODULE_H

#include "callback.h"
#include "component.h"
#include "random.h"
#include "step.h"

LTH_BEGIN_C

typedef struct lth_data lth_data;   /* seen by `setup` */
typedef struct lth_batch lth_batch; /* seen by `fetch` and `decode` */

/* A field of a sample. A dimension of -1 varies from sample to sample: at most one a field, and the dataset tells each
 * sample's by `size`. A batch is padded with `pad` to its longest sample, or up to the next of [data] `buckets`. */
typedef struct lth_field {
    uint32_t struct_size;
    uint32_t reserved LTH_ZERO;
    const char *name LTH_ZERO;
    lth_shape shape LTH_ZERO;        /* of one sample, without the batch axis */
    int64_t num_classes LTH_ZERO;    /* of an integer label; 0: none */
    double pad LTH_ZERO;
} lth_field;

typedef struct lth_batch_api {
    uint32_t struct_size, reserved;
    /* Where the batch's field lies: dense (B, dims...), of the declared dtype, zeroed or padded; shape (may be NULL) gets
     * its dims. NULL for an unknown field. (LTH_DATASET_FILLS: not zeroed.) [loader] */
    void *(*field)(lth_batch *b, const char *name, lth_shape *shape);
    /* For a dataset that collates by itself: changes the field's shape (axis 0 must stay the batch) before it is filled;
     * returns where it lies now. [loader] */
    void *(*reshape)(lth_batch *b, const char *name, const lth_shape *shape);
    /* Reports an error of this fetch; reaches the user as it is. [loader] */
    lth_status (*fail)(lth_batch *b, lth_status status, const char *message);
    /* The epoch that the batch belongs to, and the run's seed: augmentation draws Philox numbers keyed by (seed, epoch,
     * sample index), so that it depends on no thread. [loader] */
    int64_t (*epoch)(lth_batch *b);
    uint64_t (*seed)(lth_batch *b);
} lth_batch_api;
struct lth_batch { const lth_batch_api *api; };

/* What a stream yields for one sample: cheap to make, decoded later on any thread. */
typedef struct lth_reference { uint64_t word[4]; } lth_reference;

/* Map-style: length and fetch. Stream-style: next and decode. The table and its strings must live as long as the instance. */
typedef struct lth_dataset {
    uint32_t struct_size;
    uint32_t flags LTH_ZERO; /* LTH_DATASET_* */
    /* Map-style: samples; stream-style: -1, or the number that it will yield where it knows. */
    int64_t length LTH_ZERO;
    /* Writes samples indices[0..count) into rows 0..count of the batch. Thread-safe. [loader] */
    lth_status (*fetch)(void *context, const int64_t *indices, int64_t count, lth_batch *batch) LTH_ZERO;
    /* The varying dimension of a sample (one for all its varying fields); needed where a field has one. Thread-safe. [loader] */
    int64_t (*size)(void *context, int64_t index) LTH_ZERO;
    /* The weight of a sample for `sampler = weighted`; not negative. [main], once, before the first batch. */
    double (*weight)(void *context, int64_t index) LTH_ZERO;
    /* The next reference of the stream, or LTH_END. Serial: one call at a time. [loader] */
    lth_status (*next)(void *context, lth_reference *reference) LTH_ZERO;
    /* Back to the start of an epoch's stream. [loader] */
    lth_status (*rewind)(void *context, int64_t epoch) LTH_ZERO;
    /* Decodes references[0..count) into the batch's rows. Thread-safe. [loader] */
    lth_status (*decode)(void *context, const lth_reference *references, int64_t count, lth_batch *batch) LTH_ZERO;
    /* Where the stream stands, so that a resume need not read it from its start. Optional: without them a resume calls
     * `next` as often as before. [loader] */
    lth_status (*save)(void *context, lth_writer *writer) LTH_ZERO;
    lth_status (*load)(void *context, lth_reader *reader) LTH_ZERO;
} lth_dataset;
enum {
    LTH_DATASET_CHEAP = 1, /* a fetch costs less than a hand-over between threads: always fetched inline */
    LTH_DATASET_FILLS = 2  /* it writes every element of fields without a varying dimension: they hold an older batch before */
};

typedef struct lth_data_api {
    uint32_t struct_size, reserved;
    /* Declares a field; the same for all stages. */
    void (*field)(lth_data *d, const lth_field *field);
    /* The dataset of a stage (several for one stage: dataloader_idx 0, 1, ... in this order). The table is copied. */
    void (*dataset)(lth_data *d, lth_stage stage, const lth_dataset *dataset, void *context);
    /* The stage that `setup` is for; datasets of other stages may be given as well. */
    lth_stage (*stage)(lth_data *d);
    lth_status (*fail)(lth_data *d, lth_status status, const char *message);
} lth_data_api;
struct lth_data { const lth_data_api *api; };

typedef struct lth_datamodule {
    LTH_COMPONENT_HEAD_
    /* Downloads, converts: once, on one process of the machine (others wait), before anything else; keeps its results on
     * disk, not in `self`. Optional. [main] */
    lth_status (*prepare_data)(void *self, const lth_host *host) LTH_ZERO;
    /* Declares fields and datasets. Also called by `lthost check`, then without prepare_data before it: it may read
     * headers and count classes; LTH_IO there means "not prepared yet". Required. [main] */
    lth_status (*setup)(void *self, lth_data *data) LTH_ZERO;
    lth_status (*teardown)(void *self, lth_stage stage) LTH_ZERO;
    const lth_hooks *hooks LTH_ZERO;
    /* What predict_step returned over a dataset, axis 0 its samples in order, once it is in the run's predictions.safetensors
     * under `name`: for a datamodule that can say it in its own words (a text, images), in a file of the run's folder. A type
     * or shape that it does not know is no error. Not in a fast_dev_run. Optional. [main] */
    lth_status (*predicted)(void *self, const char *name, const lth_shape *shape, const void *data) LTH_ZERO;
} lth_datamodule;

#define lth_data_field(d, ...)                                                                                           \
    (d)->api->field((d), LTH_REF(lth_field, .struct_size = sizeof(lth_field), __VA_ARGS__))

#define LTH_DATAMODULE(name_, ...)                                                                                       \
    static const lth_datamodule name_##_datamodule = { .struct_size = sizeof(lth_datamodule), .instance_size = sizeof(struct name_), .id = #name_, __VA_ARGS__ }
#define LTH_DATAMODULE_COMPONENT(name_) { "datamodule/1", &name_##_datamodule }

LTH_END_C
#endif
