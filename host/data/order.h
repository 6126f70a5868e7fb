/* SPDX-License-Identifier: Apache-2.0
 * data/order.h: which samples an epoch has, and in which order, for all ranks together. Inside host/data alone.
 *
 * A function of the seed and the epoch. Sequential and random orders keep no list; the others one of their samples. */
#ifndef DATA_ORDER_H
#define DATA_ORDER_H

#include "permutation.h"
#include "util/error.h"

#include <lthost/datamodule.h>

typedef enum order_kind {
    ORDER_SEQUENTIAL,
    ORDER_RANDOM,
    ORDER_WEIGHTED,      /* drawn with replacement, in proportion to weight */
    ORDER_WEIGHTED_ONCE, /* without: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", IPL 2006 */
    ORDER_BUCKET         /* groups of samples of similar size */
} order_kind;

/* "sequential", ...: stored in checkpoints. */
extern const char *const order_names[];

typedef struct order_args {
    order_kind kind;
    const lth_dataset *dataset;
    void *context;
    uint64_t seed;
    int64_t draws; /* weighted: samples an epoch; 0: the length */
    int64_t group; /* bucket: samples of a batch of all ranks */
    bool shuffle;  /* bucket */
} order_args;

typedef struct order_item {
    double key;
    int64_t place, sample;
} order_item;

typedef struct order {
    order_args args;
    int64_t count; /* samples of an epoch */
    int64_t epoch;
    permutation samples, groups;
    int64_t last_with_weight;
    double *weights; /* weighted: summed up to and with each sample; once: each one's own */
    int64_t *sizes;  /* bucket */
    order_item *items;
} order;

/* Asks the dataset for weights or sizes where the kind needs them. [main] */
lth_status order_init(order *o, const order_args *args, error *e);
void order_free(order *o);
/* Makes the order of an epoch; allocates nothing. */
void order_begin(order *o, int64_t epoch);
/* The sample at a place of 0..count-1. [any], after order_begin. */
int64_t order_at(const order *o, int64_t place);

#endif
